"""docs/setup.md and the project's own pipeline: what is there to be copied, and what runs when a tag is pushed.

tests/e2e/test_schema.py holds their YAML to GitLab's schema.
"""

import hashlib
import json
import os
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from gitlab_mcp import __version__
from tests.support.paths import REPOSITORY
from tests.support.setup_page import PAGE, blocks
from tests.support.shellcheck import needs_shellcheck, shellcheck
from tests.support.templates import FOLDER, accepts, header, header_of, script

PIPELINE = REPOSITORY / ".gitlab-ci.yml"
WHEEL = f"gitlab_mcp_server-{__version__}-py3-none-any.whl"
needs_curl = pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not on PATH")


def test_the_sections_after_the_first_are_those_of_claude_codes_page() -> None:
    assert re.findall(r"^##+ (.*)", PAGE, re.MULTILINE) == [
        "One command",
        "Quick setup",
        "Manual setup (recommended for production)",
        "Example use cases",
        "Using with AWS Bedrock & Google Vertex AI",
        "AWS Bedrock",
        "Google Vertex AI",
        "Best practices",
        "CLAUDE.md configuration",
        "Security considerations",
        "Optimizing performance",
        "CI costs",
        "Troubleshooting",
        "Claude not responding to @claude commands",
        "Job can't write comments or open MRs",
        "Authentication errors",
        "Advanced configuration",
    ]


def test_every_input_that_is_set_is_one_of_its_template_which_takes_the_value() -> None:
    used = set()
    for block in blocks("yaml"):
        for name, listed in re.findall(r"- component: \S+/([\w-]+)@.*\n    inputs:\n((?:      .*\n)+)", block):
            template = FOLDER / f"{name}.yml"
            given = dict(re.findall(r"^      (\w+): ?(.*?)(?: #.*)?$", listed, re.MULTILINE))
            assert set(given) - set(header(template)) == set()
            texts = {key: value.strip('"') for key, value in given.items() if "regex" in header(template)[key]}
            texts = {key: value for key, value in texts.items() if value != f"$[[ inputs.{key} ]]"}
            assert {key: value for key, value in texts.items() if not accepts(key, value, template)} == {}
            assert {key for key, one in header(template).items() if "default" not in one} <= set(given)
            used.add(name)
    assert used == {path.stem for path in FOLDER.iterdir()}


def test_the_inputs_of_a_listener_are_declared_as_the_template_declares_them() -> None:
    """GitLab puts their values into the project's own YAML too, so that the patterns must be the same."""
    [block] = [block for block in blocks("yaml") if block.startswith("spec:")]
    declared = header_of(block)
    template = header(FOLDER / "claude.yml")
    own = {name: {key: one[key] for key in ("default", "regex")} for name, one in template.items() if "claude_" in name}
    del own["claude_args"], own["claude_version"]
    assert declared == own
    passed_on = re.findall(r'^      (\w+): "\$\[\[ inputs\.(\w+) \]\]"$', block, re.MULTILINE)
    assert passed_on == [(name, name) for name in own]


def test_an_input_that_is_named_with_its_default_has_it() -> None:
    inputs = header(FOLDER / "claude.yml")
    named = re.findall(r"`(max_turns|timeout_minutes|interruptible): (\w+)`", PAGE)
    assert len(named) == 3
    assert [(name, inputs[name]["default"]) for name, _ in named] == named


def test_every_wheel_and_image_that_is_named_is_of_this_version() -> None:
    assert set(re.findall(r"gitlab_mcp_server-\S+?\.whl", PAGE)) == {WHEEL}
    assert set(re.findall(r"claude[@:](\d\S*)", PAGE)) == {__version__}
    assert set(re.findall(r"generic/gitlab-mcp-server/([^/]+)/", PAGE)) == {__version__}


def test_every_policy_is_json() -> None:
    assert len([json.loads(block) for block in blocks("json")]) == 2


@needs_shellcheck
@pytest.mark.parametrize("language", ["sh", "bash"])
def test_shellcheck_finds_nothing_in_the_commands(language: str, tmp_path: Path) -> None:
    assert shellcheck("\n".join(blocks(language)), tmp_path, language) == ""


@needs_shellcheck
def test_shellcheck_finds_nothing_in_the_projects_own_pipeline(tmp_path: Path) -> None:
    text = script(PIPELINE.read_text())
    assert all(line in text for line in ("scripts/demo\n", "scripts/test\n", ".ci/run\n", "docker push"))
    assert shellcheck(text, tmp_path) == ""


@contextmanager
def registry() -> Iterator[tuple[str, dict[str, tuple[Mapping[str, str], bytes]]]]:
    """The address of a server that takes what is sent to it, and what it was sent by path."""
    taken: dict[str, tuple[Mapping[str, str], bytes]] = {}

    class Handler(BaseHTTPRequestHandler):
        def take(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            taken[self.path] = dict(self.headers.items()), body
            self.send_response(201)
            self.end_headers()
            self.wfile.write(b'{"message":"201 Created"}')

        do_PUT = do_POST = take  # noqa: N815  # as http.server looks for them

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # as http.server names it
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", taken
        finally:
            server.shutdown()
            thread.join(10)


# Makes the file that pip would; and curl says what stood on its command line.
STAND_INS = {
    "python3": f"#!/bin/sh\nmkdir -p dist && printf 'PK a wheel' >dist/{WHEEL}\n",
    "curl": '#!/bin/sh\nprintf "%s\\n" "$*" >>"$HOME/arguments"\nexec REAL "$@"\n',
}


def run(text: str, folder: Path, shell: str = "sh", **env: str) -> str:
    """Run a script in a copy of what it needs of this repository, and what it printed."""
    (folder / "gitlab_mcp").mkdir()
    shutil.copy(REPOSITORY / "gitlab_mcp" / "__init__.py", folder / "gitlab_mcp")
    shutil.copy(REPOSITORY / "requirements.txt", folder)
    (folder / "bin").mkdir()
    for name, content in STAND_INS.items():
        (folder / "bin" / name).write_text(content.replace("REAL", str(shutil.which("curl"))))
        (folder / "bin" / name).chmod(0o755)
    given = {"PATH": f"{folder / 'bin'}:{os.environ['PATH']}", "HOME": str(folder), "NO_PROXY": "*", **env}
    done = subprocess.run(
        [shell, "-ec", text],
        cwd=folder,
        env=given,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@needs_curl
def test_the_wheel_gets_into_the_registry_without_the_token_on_a_command_line(
    tmp_path: Path,
) -> None:
    [commands] = [block for block in blocks("bash") if "pip wheel" in block]
    with registry() as (url, taken):
        told = run(commands.replace("https://gitlab.example.com", url), tmp_path, "bash", TOKEN="glpat-of-somebody")
    folder = f"/api/v4/projects/tools%2Fgitlab-mcp-server/packages/generic/gitlab-mcp-server/{__version__}"
    assert set(taken) == {f"{folder}/{WHEEL}", f"{folder}/requirements.txt"}
    # The address from which jobs fetch it, and the sum that was printed.
    assert all(f"$CI_API_V4_URL{folder.removeprefix('/api/v4')}/{WHEEL}" in block for block in sums_and_wheels())
    assert [
        hashlib.sha256(taken[f"{folder}/{name}"][1]).hexdigest() for name in (WHEEL, "requirements.txt")
    ] == re.findall(r"^[0-9a-f]{64}", told, re.MULTILINE)
    assert {headers["PRIVATE-TOKEN"] for headers, _ in taken.values()} == {"glpat-of-somebody"}
    assert "glpat" not in (tmp_path / "arguments").read_text()


def sums_and_wheels() -> list[str]:
    return [block for block in blocks("yaml") if "server_wheel:" in block]


@needs_curl
def test_starting_a_run_sends_the_input_and_keeps_the_token_off_the_command_line(
    tmp_path: Path,
) -> None:
    [commands] = [block for block in blocks("bash") if "trigger/pipeline" in block]
    with registry() as (url, taken):
        run(commands.replace("https://gitlab.example.com", url), tmp_path, "bash", TOKEN="glptt-of-somebody")
    [(path, (_, body))] = taken.items()
    assert path == "/api/v4/projects/acme%2Fapp/trigger/pipeline"
    sent = dict(re.findall(r'name="([^"]+)"\r\n\r\n(.*?)\r\n', body.decode()))
    assert (sent["token"], sent["ref"]) == ("glptt-of-somebody", "main")
    assert sent["variables[AI_FLOW_INPUT]"] == "Implement issue 7 and open a merge request."
    assert "glptt" not in (tmp_path / "arguments").read_text()


@needs_curl
def test_a_tag_publishes_wheel_and_lock_only_where_it_is_the_version(
    tmp_path: Path,
) -> None:
    job = PIPELINE.read_text().partition("\nwheel:\n")[2].partition("\nserver-image:\n")[0]
    given = {"CI_PROJECT_ID": "tools%2Fgitlab-mcp-server", "CI_JOB_TOKEN": "glcbt-of-the-job"}
    (tmp_path / "right").mkdir()
    (tmp_path / "wrong").mkdir()
    with registry() as (url, taken):
        given["CI_API_V4_URL"] = f"{url}/api/v4"
        with pytest.raises(AssertionError, match=r"The tag is 9\.9\.9"):
            run(script(job), tmp_path / "wrong", CI_COMMIT_TAG="9.9.9", **given)
        assert taken == {}
        run(script(job), tmp_path / "right", CI_COMMIT_TAG=__version__, **given)
    folder = f"/api/v4/projects/tools%2Fgitlab-mcp-server/packages/generic/gitlab-mcp-server/{__version__}"
    assert set(taken) == {f"{folder}/{WHEEL}", f"{folder}/requirements.txt"}
    assert {headers["JOB-TOKEN"] for headers, _ in taken.values()} == {"glcbt-of-the-job"}
    assert "glcbt" not in (tmp_path / "right" / "arguments").read_text()
