"""The templates, by what can be told without their clients: tests/e2e runs them."""

import hashlib
import re
import shutil
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.support.shellcheck import needs_shellcheck, shellcheck
from tests.support.templates import (
    ALL,
    PROVIDERS,
    TEMPLATE,
    accepts,
    header,
    interpolated,
    scalar,
    script,
    strings,
)

IDS = [path.stem for path in ALL.values()]
STRINGS = [pytest.param(path, name, id=f"{path.stem}-{name}") for path in ALL.values() for name in strings(path)]
# What a project has of its own, and no default can know.
REQUIRED = {
    "claude": set[str](),
    "claude-bedrock": {"aws_role_arn", "aws_region"},
    "claude-api-oidc": {"federation_rule_id", "organization_id", "service_account_id"},
    "claude-vertex": {"gcp_workload_identity_provider", "gcp_service_account", "gcp_project_id", "gcp_region"},
}


@pytest.mark.parametrize("template", ALL.values(), ids=IDS)
def test_every_input_is_described_and_has_a_default_and_every_text_a_pattern(template: Path) -> None:
    inputs = header(template)
    asked = {
        "prompt",
        "prompt_file",
        "model",
        "max_turns",
        "max_budget",
        "timeout_minutes",
        "allowed_tools",
        "pass_env",
        "base_url",
        "proxy",
        "claude_args",
        "image",
        "rules",
        "cache",
    }
    asked |= {"resource_group", "interruptible", "stage", "job_name", "server_wheel", "server_flags", "claude_version"}
    assert asked - set(inputs) == set()
    for name, given in inputs.items():
        assert "description" in given, name
        assert ("default" in given) != (name in REQUIRED[template.stem]), name
        assert "regex" in given or given["type"] in ("number", "boolean", "array"), name
    used = set(re.findall(r"\$\[\[ inputs\.(\w+) \]\]", template.read_text()))
    assert used == set(inputs)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_the_inputs_of_the_job_are_the_same_on_every_cloud(provider: str) -> None:
    """All but the name of the job, and they are handed on one by one."""
    apart = re.compile(r"    job_name:\n.*?(?=\n    \w)", re.DOTALL)
    shared = apart.sub("", TEMPLATE.read_text().partition("  inputs:\n")[2].partition("\n---\n")[0])
    assert shared.strip() in apart.sub("", PROVIDERS[provider].read_text())
    handed = PROVIDERS[provider].read_text().partition("    inputs:\n")[2].partition("\n\n")[0]
    names = re.findall(r'^      (\w+): ("[.]?|\|2-\n {8})?\$\[\[ inputs\.(\w+) \]\]"?$', handed, re.MULTILINE)
    assert [name for name, _, value in names if name == value] == list(header(TEMPLATE))
    quoted = {name for name, quote, _ in names if quote}
    assert quoted == set(strings(TEMPLATE))


@pytest.mark.parametrize(("template", "name"), STRINGS)
def test_no_text_of_an_input_leaves_the_place_where_it_stands(template: Path, name: str) -> None:
    if name not in REQUIRED[template.stem]:
        assert accepts(name, scalar(header(template)[name]["default"]), template)
    ends = ["\n", "\r", "\x85", "\u2028", "\u2029", "\x0b", "\x0c", "\x1b"]
    for end in ends:
        assert not accepts(name, f"a{end}a", template), name
        assert not accepts(name, f"a{end}", template), name
    if name == "prompt":
        return
    # All others stand in quotes, of YAML or the shell, or bare on the server's line.
    for out in ("'", '"', "\\", "`", "$(id)", ";", "|", "<", "> a", "#"):
        assert not accepts(name, f"a{out}a", template), (name, out)
        assert not accepts(name, out, template), (name, out)


CLOUD_VALUES = {
    "bedrock": {
        "aws_role_arn": (
            "arn:aws:iam::123456789012:role/ci/claude",
            "arn:aws-us-gov:iam::123456789012:role/a+b=c,d.e@f_g",
        ),
        "aws_region": ("us-west-2", "us-gov-east-1", "eu-central-1"),
        "id_token_audience": ("sts.amazonaws.com", "https://gitlab.example.com", "$CI_SERVER_URL"),
    },
    "vertex": {
        "gcp_workload_identity_provider": (
            "projects/123456789012/locations/global/workloadIdentityPools/gitlab/providers/acme-app",
            "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/a/providers/b",
        ),
        "gcp_service_account": ("claude@acme-ai.iam.gserviceaccount.com", "a@b.example.com.iam.gserviceaccount.com"),
        "gcp_project_id": ("acme-ai", "example.com:acme-ai"),
        "gcp_region": ("us-east5", "global", "europe-west1"),
        "id_token_audience": ("https://gitlab.example.com", "https://iam.googleapis.com/projects/1/locations/global"),
    },
}
CLOUD_VALUES["api-oidc"] = {
    "federation_rule_id": ("fdrl_01AbC",),
    "organization_id": ("6f1b2c3d-0000-4000-8000-000000000000",),
    "service_account_id": ("svac_01AbC",),
    "workspace_id": ("wrkspc_01AbC", ""),
    "id_token_audience": ("https://api.anthropic.com", "https://gateway.example.com"),
}
NOT_CLOUD_VALUES = {
    "federation_rule_id": ("a b", "a/b", "", "$(id)"),
    "organization_id": ("..", ""),
    "aws_role_arn": (
        "arn:aws:iam::123456789012:user/somebody",
        "arn:aws:iam::1:role/x",
        "role/x",
        "$(id)",
        "$A b",
        "${A}",
    ),
    "aws_region": ("us-west-2.example.com/", "us-west-2/", "https://example.com", ""),
    "gcp_workload_identity_provider": (
        "projects/a/locations/global/workloadIdentityPools/b/providers/c",
        "//example.com/x",
    ),
    "gcp_service_account": ("claude@example.com", "x@y.gserviceaccount.com/..", "a b@c.gserviceaccount.com"),
    "gcp_project_id": ("a/b", "../x", ""),
    "gcp_region": ("us-east5.example.com", "us/east5", ""),
}


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_cloud_is_named_by_values_of_its_own_form_or_by_a_variable(provider: str) -> None:
    template = PROVIDERS[provider]
    for name, values in CLOUD_VALUES[provider].items():
        taken = (*values, "$OF_THE_PROJECT")
        assert [value for value in taken if not accepts(name, value, template)] == [], name
        refused = NOT_CLOUD_VALUES.get(name, ())
        assert [value for value in refused if accepts(name, value, template)] == [], name


def test_runs_on_one_issue_or_merge_request_queue_up() -> None:
    """GitLab expands the job's own variables in a resource_group (Processable::ResourceGroup in its source)."""
    job = interpolated({"claude_noteable": "issues/7"})
    assert '\n    CLAUDE_NOTEABLE: "issues/7"' in job
    assert re.search(r'\n  resource_group: ".*\$CLAUDE_NOTEABLE"\n', job)


def test_the_runner_keeps_the_job_token_out_of_the_checkout() -> None:
    assert '\n    FF_GIT_URLS_WITHOUT_TOKENS: "true"' in interpolated({})


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
        "comment_models": ["sonnet", "eu.anthropic.claude-sonnet-4-5-20250929-v1:0 opus[1m]", ""],
        "claude_noteable": ["issues/7", "merge_requests/123456", f"commits/{'0a' * 20}", ""],
        "claude_note": ["101", ""],
        "claude_tracking_note": ["102", ""],
        "claude_digest": ["0123456789abcdef" * 4, ""],
    }
    for name, values in wanted.items():
        assert [value for value in values if not accepts(name, value)] == [], name
    assert not accepts("allowed_tools", "--settings={}")
    for other in ("snippets/7", "issues/", "issues/7/", "/issues/7", "issues/7 --prompt=x", "issues/$CI_JOB_TOKEN"):
        assert not accepts("claude_noteable", other), other
    for name in ("claude_note", "claude_tracking_note", "claude_digest"):
        assert not accepts(name, "-1"), name
        assert not accepts(name, "$A"), name
    assert not accepts("server_wheel", "gitlab-mcp-server")
    assert accepts("job_name", ".claude")


@needs_shellcheck
@pytest.mark.parametrize(
    "given",
    [
        {},
        {
            "server_wheel": "$CI_API_V4_URL/a.whl",
            "server_wheel_sha256": "0" * 64,
            "server_lock_sha256": "0" * 64,
            "server_flags": "--read-only",
            "model": "opus",
        },
    ],
    ids=["defaults", "values"],
)
def test_shellcheck_finds_nothing_in_the_templates_script(given: dict[str, object], tmp_path: Path) -> None:
    text = script(interpolated(given))
    assert 'run "$@" --' in text
    assert shellcheck(text, tmp_path) == ""


@needs_shellcheck
@pytest.mark.parametrize("provider", PROVIDERS)
def test_shellcheck_finds_nothing_in_how_a_job_signs_in(provider: str, tmp_path: Path) -> None:
    for index in (0, -1):
        values = {name: ("$A", *of)[index] for name, of in CLOUD_VALUES[provider].items()}
        text = script(interpolated(values, PROVIDERS[provider]))
        assert "CLAUDE_ID_TOKEN" in text
        assert shellcheck(text, tmp_path) == ""


SHELLS = ["sh", "bash", "dash", "busybox sh"]
# Writes down what it was given.
SERVER = """#!/bin/sh
for one; do printf '%s\n' "$one"; done >"$HOME/arguments"
printf '%s' "${AI_FLOW_INPUT-}" >"$HOME/input"
for one; do
  case $one in --flow-input-file=*) mv "${one#*=}" "$HOME/input" ;; esac
done
exit 3
"""
LONG = "x" * 200_000
ON_ONE_LINE = "--version $(id) `id` 'a' \"b\" \\n"
RUN = """\
--read-only
run
--prompt=--version $(id) `id` 'a' "b" \\n
--prompt-file=
--model=opus
--comment-models=haiku sonnet opus
--max-turns=60
--max-budget=0
--allowed-tools=Bash(npm test:*) mcp__gitlab
--pass-env=DATABASE_URL
--base-url=https://gateway.example.com
--proxy=
--noteable=merge_requests/12
--note=101
--tracking-note=
--digest=0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
--
--fallback-model
sonnet
"""


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize(
    "written",
    ["--version $(id) `id` 'a' \"b\"\n\nc \\n", "/config a=b", "", LONG],
    ids=["option", "command", "none", "long"],
)
def test_the_templates_script_does_the_same_in_every_shell(shell: str, written: str, tmp_path: Path) -> None:
    program = shutil.which(shell.split()[0])
    if program is None:
        pytest.skip(f"{shell} is not on PATH")
    # The job would install curl where it is missing, and needs it only for a wheel.
    missing = "#!/bin/sh\nexit 1\n"
    programs = (("npm", "#!/bin/sh\n"), ("apk", missing), ("curl", missing), ("gitlab-mcp-server", SERVER))
    for name, content in programs:
        (tmp_path / name).write_text(content)
        (tmp_path / name).chmod(0o755)
    if shell.startswith("busybox"):
        # Alpine has no others.
        for name in ("cat", "mktemp", "mv", "rm", "sh", "tr", "wc"):
            (tmp_path / name).symlink_to(program)
    environment = {
        "PATH": f"{tmp_path}:/usr/local/bin:/usr/bin:/bin",
        "HOME": str(tmp_path),
        "TMPDIR": str(tmp_path),
        "CI_PROJECT_DIR": str(tmp_path),
        "CLAUDE_PROMPT": "Whoever starts a pipeline may set variables, and not the prompt.",
        "CLAUDE_CACHE": "[]",
        "AI_FLOW_INPUT": "" if written == LONG else written,
    }
    values = {"server_flags": "--read-only", "model": "opus", "allowed_tools": "Bash(npm test:*) mcp__gitlab"}
    values |= {"pass_env": "DATABASE_URL", "base_url": "https://gateway.example.com"}
    values |= {"claude_args": "--fallback-model sonnet", "prompt": ON_ONE_LINE}
    values |= {"claude_noteable": "merge_requests/12", "claude_note": "101", "claude_digest": "0123456789abcdef" * 4}
    jobs = script(interpolated(values)).replace("/bin/gitlab-mcp-server", "gitlab-mcp-server")
    # As a runner does: whatever fails ends it, the script is one text that is evaluated, and it sets the variables.
    begin = "export AI_FLOW_INPUT=$(printf '%200000s' '' | tr ' ' x); " if written == LONG else ""
    line = [program, *shell.split()[1:], "-c", f'set -e; {begin}eval "$1" </dev/null', "job", jobs]
    done = subprocess.run(line, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)
    # The exit code of the run is the job's.
    assert done.returncode == 3, done.stderr

    assert (tmp_path / "input").read_text() == written
    arguments = (tmp_path / "arguments").read_text()
    if written == LONG:
        assert "--flow-input-file=" in arguments
        assert "AI_FLOW_INPUT is too long" in done.stdout
    else:
        assert (arguments, done.stdout) == (RUN, "")
    assert [path.name for path in tmp_path.glob("tmp.*")] == []


PYTHON = """#!/bin/sh
mkdir -p "$3/bin"
printf '#!/bin/sh\necho "pip $*"\n' >"$3/bin/pip"
chmod +x "$3/bin/pip"
"""


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not on PATH")
@pytest.mark.parametrize("other", ["", "server_wheel_sha256", "server_lock_sha256"])
def test_the_token_fetches_wheel_and_lock_without_redirects_and_others_are_refused(other: str, tmp_path: Path) -> None:
    files = {"a-1.0.whl": b"PK a wheel", "requirements.txt": b"mcp==2"}
    asked: list[tuple[str, str | None]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append((self.path, self.headers.get("Authorization")))
            if self.path.startswith("/api/"):
                self.send_response(302)
                # Another host by name is another origin.
                host = self.headers["Host"].replace("127.0.0.1", "localhost")
                self.send_header("Location", f"http://{host}/store/{self.path.rpartition('/')[2]}")
                self.end_headers()
            else:
                self.send_response(200)
                self.end_headers()
                self.wfile.write(files[self.path.rpartition("/")[2]])

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # as http.server names it
            """Say nothing."""

    for name, content in (("python3", PYTHON), ("npm", "#!/bin/sh\n"), ("apk", "#!/bin/sh\n")):
        (tmp_path / name).write_text(content)
        (tmp_path / name).chmod(0o755)
    inputs = ("server_wheel_sha256", "server_lock_sha256")
    sums = {name: hashlib.sha256(content).hexdigest() for name, content in zip(inputs, files.values(), strict=True)}
    given = {
        "server_wheel": "$CI_API_V4_URL/projects/a%2Fb/packages/generic/c/1/a-1.0.whl",
        **sums,
        **({other: hashlib.sha256(b"another").hexdigest()} if other else {}),
    }
    lines = script(interpolated(given), "before_script")
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
    fetched = 1 if other == "server_wheel_sha256" else 2
    assert [one[1] for one in asked] == ["Bearer token-of-the-job", None] * fetched
    assert (done.returncode == 0) == (not other), done.stderr
    installed = re.findall(r"(?m)^pip .*(--require-hashes|--no-deps)", done.stdout)
    assert installed == ([] if other else ["--require-hashes", "--no-deps"])
    assert (tmp_path / "gitlab-mcp-server").is_symlink() == (not other)
    assert "token-of-the-job" not in done.stdout + done.stderr
