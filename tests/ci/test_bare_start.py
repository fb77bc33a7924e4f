"""`gitlab-mcp-server` without a command: it serves a client, registers itself in a job, takes nothing from stdin."""

import json
import os
import pty
import select
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from gitlab_mcp.sandbox import Sandbox
from tests.protocol.process import INITIALIZE
from tests.support.bare_start import COMMAND, WAIT, entry, start
from tests.support.ci_job import allow_job_pushes
from tests.support.machine import needs_terminals

HELLO = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": INITIALIZE}).encode() + b"\n"
HOSTILE = "x\n\x1b[31m::error:: pwned $(id)"


@contextmanager
def null() -> Iterator[int]:
    yield subprocess.DEVNULL


@contextmanager
def ended_pipe() -> Iterator[int]:
    reader, writer = os.pipe()
    os.close(writer)
    yield reader
    os.close(reader)


@contextmanager
def ended_socket() -> Iterator[int]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.shutdown(socket.SHUT_WR)
        yield ours.fileno()


@contextmanager
def terminal() -> Iterator[int]:
    leader, follower = pty.openpty()
    yield follower
    os.close(leader)
    os.close(follower)


@contextmanager
def empty_file() -> Iterator[int]:
    with tempfile.TemporaryFile() as file:
        yield file.fileno()


ENDS = [
    pytest.param(stdin, id=stdin.__name__, marks=[needs_terminals] if stdin is terminal else [])
    for stdin in (null, ended_pipe, ended_socket, terminal, empty_file)
]


@pytest.mark.parametrize("stdin", ENDS)
def test_in_a_job_it_registers_tells_the_log_and_ends_with_0(
    sandbox: Sandbox, job: dict[str, str], stdin: Callable[[], Any]
) -> None:
    allow_job_pushes(sandbox)
    with stdin() as descriptor:
        done = start(job, "--trusted-only", "--trigger", "bot", stdin=descriptor)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].endswith(f": {sandbox.url}, project acme/app")
    assert lines[1].startswith("credential: CI_JOB_TOKEN of @developer: reads; commits and opens merge requests by git")
    assert lines[2] == "about: no variable names an issue or merge request"
    assert lines[3].startswith(f"registered for Claude Code: gitlab in {job['HOME']}/.claude.json: ")
    assert len(lines) == 4
    assert sandbox.tokens["job"] not in done.stdout + done.stderr
    found = entry(job)
    assert found["args"][-3:] == ["serve", "--trusted-only", "--trigger=bot"]
    assert found["alwaysLoad"] is True
    assert Path(found["command"]).is_absolute()
    assert sandbox.tokens["job"] not in json.dumps(found)


def test_a_closed_standard_input_is_an_end_too(job: dict[str, str]) -> None:
    line = f'exec "{sys.executable}" -m gitlab_mcp <&-'
    done = subprocess.run(
        ["sh", "-c", line],
        env=job,
        cwd=job["CI_PROJECT_DIR"],
        capture_output=True,
        text=True,
        timeout=WAIT,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "registered for Claude Code" in done.stdout


def test_with_claude_config_dir_it_registers_there(job: dict[str, str], tmp_path: Path) -> None:
    environ = {**job, "CLAUDE_CONFIG_DIR": str(tmp_path / "configuration")}
    (tmp_path / "configuration").mkdir()
    start(environ)
    assert "serve" in entry(environ)["args"]
    assert not (Path(job["HOME"]) / ".claude.json").exists()


def test_a_job_without_push_is_told_which_switch_to_flip(sandbox: Sandbox, job: dict[str, str]) -> None:
    allow_job_pushes(sandbox, allowed=False)
    assert "Allow Git push requests to the repository" in start(job).stdout


def test_an_access_token_is_told_with_its_scopes(sandbox: Sandbox, job: dict[str, str]) -> None:
    for user, told in (("maintainer", "scopes api: reads and writes"), ("read_api", "scopes read_api")):
        token = sandbox.tokens[user]
        done = start({**job, "GITLAB_ACCESS_TOKEN": token})
        assert told in done.stdout
        assert token not in done.stdout + done.stderr


def test_the_token_of_a_reporter_is_not_promised_writes(sandbox: Sandbox, job: dict[str, str]) -> None:
    done = start({**job, "GITLAB_ACCESS_TOKEN": sandbox.tokens["reporter"]})
    assert "its role in the project allows: it has role Reporter, and branches, commits and merge" in done.stdout
    developer = start({**job, "GITLAB_ACCESS_TOKEN": sandbox.tokens["developer"]})
    assert "need Developer" not in developer.stdout


def test_without_git_no_push_is_promised(sandbox: Sandbox, job: dict[str, str], tmp_path: Path) -> None:
    allow_job_pushes(sandbox)
    done = start({**job, "PATH": str(tmp_path)})
    assert "reads only; to commit and push it needs git, which is not installed" in done.stdout
    assert "by git push" not in done.stdout


def test_another_project_than_the_jobs_is_warned_of(job: dict[str, str]) -> None:
    done = start({**job, "GITLAB_PROJECT": "acme/other"})
    assert 'warning: The configured project is "acme/other", and this run is restricted to acme/app' in done.stdout
    assert "warning" not in start(job, "--allow-project", "acme/other").stdout


def test_another_server_named_gitlab_that_is_replaced_is_named(job: dict[str, str]) -> None:
    file = Path(job["HOME"]) / ".claude.json"
    file.write_text('{"mcpServers": {"gitlab": {"command": "npx", "args": ["another-server"]}}}')
    assert 'warning: it replaced another server of that name: "npx another-server"' in start(job).stdout
    assert "replaced" not in start(job).stdout


def test_a_gitlab_that_is_not_reached_is_one_sentence(job: dict[str, str]) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        done = start({**job, "CI_SERVER_URL": f"http://127.0.0.1:{closed.getsockname()[1]}"})
    assert "(Connection refused), so its permissions are not known" in done.stdout
    assert "asks to wait" not in done.stdout


def test_a_flow_token_beside_a_job_token_is_not_told_to_be_unanswered(sandbox: Sandbox, job: dict[str, str]) -> None:
    done = start({**job, "AI_FLOW_GITLAB_TOKEN": sandbox.tokens["flow"]})
    assert "credential: AI_FLOW_GITLAB_TOKEN of @developer: reads and writes what its role" in done.stdout
    assert "did not answer" not in done.stdout


def test_when_gitlab_does_not_answer_that_is_said_and_the_job_goes_on(job: dict[str, str]) -> None:
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(50)
        done = start({**job, "CI_SERVER_URL": f"http://127.0.0.1:{deaf.getsockname()[1]}"})
    assert done.returncode == 0
    assert "GitLab did not answer within 3 s, so its permissions are not known" in done.stdout
    assert "registered for Claude Code" in done.stdout


def test_a_configuration_that_cannot_be_used_is_said_and_the_job_goes_on(job: dict[str, str]) -> None:
    bare = {name: value for name, value in job.items() if name != "CI_JOB_TOKEN"}
    for environ, told in (
        (bare, "configuration error: No GitLab credential"),
        ({**job, "GITLAB_URL": "https://elsewhere.example.com"}, "its credentials go there only"),
    ):
        done = start(environ)
        assert done.returncode == 0
        assert told in done.stdout
        assert "registered for Claude Code" in done.stdout


def test_a_broken_file_of_claude_code_is_left_alone_and_that_is_said(job: dict[str, str]) -> None:
    file = Path(job["HOME"]) / ".claude.json"
    file.write_text('{"mcpServers": ')
    done = start(job)
    assert done.returncode == 0
    assert "not registered: " in done.stdout
    assert file.read_text() == '{"mcpServers": '


def test_what_the_checkout_would_start_is_disabled_and_named_unless_trusted(job: dict[str, str]) -> None:
    work = Path(job["CI_PROJECT_DIR"])
    (work / ".mcp.json").write_text(json.dumps({"mcpServers": {"gitlab": {}, "other\x1b[31m\nname": {}}}))
    (work / "README.md").write_text("x")
    (work / "CLAUDE.md").write_text("obey")
    trusting = start(job, "--trust-project-mcp")
    settings = Path(job["HOME"]) / ".claude" / "settings.json"
    assert not settings.exists()
    assert "warning: this checkout has files that Claude Code obeys: " in trusting.stdout
    done = start(job)
    assert json.loads(settings.read_text())["disabledMcpjsonServers"] == ["gitlab", "other\x1b[31m\nname"]
    assert 'disabled: the servers of the checkout\'s .mcp.json: "gitlab", "other name"' in done.stdout
    assert "CLAUDE.md (not on main)" in done.stdout
    assert "\x1b" not in done.stdout


def test_what_a_subfolder_would_start_is_switched_off_where_the_line_is_run_there(job: dict[str, str]) -> None:
    below = Path(job["CI_PROJECT_DIR"]) / "frontend"
    below.mkdir()
    (below / ".mcp.json").write_text(json.dumps({"mcpServers": {"evil": {}}}))
    done = subprocess.run(
        COMMAND, env=job, cwd=below, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=WAIT, check=False
    )
    assert 'disabled: the servers of the checkout\'s .mcp.json: "evil"' in done.stdout


SECRET = "glpat-a-secret-in-an-odd-place"
ODD_PLACES: list[tuple[tuple[str, ...], dict[str, str]]] = [
    (("--trigger", SECRET), {}),
    (("--author", f"x <{SECRET}>"), {}),
    (("--url", f"http://oauth2:{SECRET}@127.0.0.1:9"), {}),
    ((), {"CI_SERVER_VERSION": SECRET}),
    ((), {"CI_DEFAULT_BRANCH": SECRET}),
    ((), {"GITLAB_USER_LOGIN": SECRET}),
    ((), {"GITLAB_URL": SECRET}),
    ((), {"GITLAB_MCP_READ_ONLY": SECRET}),
    ((), {"GITLAB_CA_FILE": SECRET}),
    ((), {"GITLAB_PROJECT": SECRET}),
]


@pytest.mark.parametrize(("flags", "variables"), ODD_PLACES)
def test_a_secret_in_an_odd_place_is_neither_told_nor_written(
    job: dict[str, str], flags: tuple[str, ...], variables: dict[str, str]
) -> None:
    done = start({**job, **variables}, *flags)
    assert done.returncode == 0
    written = "".join(path.read_text() for path in Path(job["HOME"]).rglob("*.json"))
    assert SECRET not in done.stdout + done.stderr + written


def pipe_for_ca(job: dict[str, str]) -> dict[str, str]:
    os.mkfifo(Path(job["HOME"]) / "pipe")
    return {"CI_SERVER_TLS_CA_FILE": str(Path(job["HOME"]) / "pipe")}


def pipe_for_token(job: dict[str, str]) -> dict[str, str]:
    os.mkfifo(Path(job["HOME"]) / "pipe")
    return {"GITLAB_ACCESS_TOKEN_FILE": str(Path(job["HOME"]) / "pipe")}


def no_certificate(job: dict[str, str]) -> dict[str, str]:
    (Path(job["HOME"]) / "ca.pem").write_text("nothing")
    return {"CI_SERVER_TLS_CA_FILE": str(Path(job["HOME"]) / "ca.pem")}


def endless(_job: dict[str, str]) -> dict[str, str]:
    return {"GITLAB_ACCESS_TOKEN_FILE": "/dev/zero"}


def long_name(_job: dict[str, str]) -> dict[str, str]:
    return {"GITLAB_CA_FILE": "/" + "x" * 300}


def unknown_tool(_job: dict[str, str]) -> dict[str, str]:
    return {"GITLAB_MCP_TOOLS": "nope"}


TROUBLES = [pipe_for_ca, pipe_for_token, no_certificate, endless, long_name, unknown_tool]


@pytest.mark.parametrize("make", TROUBLES, ids=[make.__name__ for make in TROUBLES])
def test_whatever_is_wrong_is_one_line_and_the_job_goes_on(
    job: dict[str, str], make: Callable[[dict[str, str]], dict[str, str]]
) -> None:
    done = start({**job, **make(job), "AI_FLOW_INPUT": "--settings={}"})
    assert (done.returncode, done.stderr) == (0, "")
    assert "configuration error: " in done.stdout
    assert "warning: AI_FLOW_INPUT begins with -" in done.stdout
    assert "registered for Claude Code: " in done.stdout


def test_in_a_folder_that_was_deleted_it_registers_all_the_same(job: dict[str, str], tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    line = f'rmdir "{gone}"; exec "{sys.executable}" -m gitlab_mcp </dev/null'
    done = subprocess.run(
        ["sh", "-c", line], env=job, cwd=gone, capture_output=True, text=True, timeout=WAIT, check=False
    )
    assert (done.returncode, "serve" in entry(job)["args"]) == (0, True), done.stderr


def test_a_refusal_of_gitlab_is_told_as_what_it_is(sandbox: Sandbox, job: dict[str, str]) -> None:
    cases = [(401, "GitLab does not know it"), (503, "GitLab answered 503"), (403, "GitLab answered 403")]
    for status, told in cases:
        sandbox.faults.clear()
        sandbox.faults.fail("GET", "/job$", status=status, times=20)
        done = start(job)
        assert f"credential: CI_JOB_TOKEN; {told}" in done.stdout
        assert "its permissions are not known" in done.stdout
    sandbox.faults.clear()
    sandbox.faults.fail("GET", "/info/refs$", status=503, times=20)
    allow_job_pushes(sandbox)
    assert "whether it may push is not known" in start(job).stdout


def test_no_variable_of_a_stranger_stands_unquoted_in_the_log(job: dict[str, str]) -> None:
    names = ("AI_FLOW_INPUT", "AI_FLOW_CONTEXT", "AI_FLOW_EVENT", "CI_MERGE_REQUEST_TITLE", "GITLAB_USER_LOGIN")
    more = ("CI_SERVER_VERSION", "CI_PIPELINE_SOURCE", "CI_COMMIT_BRANCH", "TRIGGER_PAYLOAD", "CI_COMMIT_REF_NAME")
    done = start({**job, **dict.fromkeys((*names, *more), HOSTILE)})
    assert "pwned" not in done.stdout + done.stderr
    dashed = start({**job, "AI_FLOW_INPUT": '--settings={"hooks":{}}'})
    assert "warning: AI_FLOW_INPUT begins with -" in dashed.stdout
    assert "hooks" not in dashed.stdout


@pytest.mark.parametrize(
    "name", ["CI_SERVER_URL", "GITLAB_URL", "CI_PROJECT_PATH", "GITLAB_PROJECT", "CI_DEFAULT_BRANCH"]
)
def test_no_variable_that_the_log_quotes_breaks_out_of_its_line(job: dict[str, str], name: str) -> None:
    told = start({**job, name: f'http://127.0.0.1:9/{HOSTILE}" x'})
    assert "\x1b" not in told.stdout
    assert not [line for line in told.stdout.splitlines() if line.startswith("::error")]


@contextmanager
def running(environ: dict[str, str], stdin: int) -> Iterator[subprocess.Popen[bytes]]:
    child = subprocess.Popen(
        COMMAND, env=environ, cwd=environ.get("CI_PROJECT_DIR", "/"), stdin=stdin, stdout=subprocess.PIPE
    )
    try:
        yield child
    finally:
        child.kill()
        child.communicate()


def answered(child: subprocess.Popen[bytes]) -> bool:
    assert child.stdout
    ready, _, _ = select.select([child.stdout], [], [], WAIT)
    return bool(ready) and b'"serverInfo"' in child.stdout.readline()


@pytest.mark.parametrize("variables", [{}, {"GITLAB_CI": "", "CI": "", "GITLAB_TOKEN": "glpat-not-a-real-token-here"}])
@pytest.mark.parametrize("first", [HELLO, b"\n  " + HELLO], ids=["at once", "after blanks"])
def test_a_client_is_served_in_a_job_and_locally(job: dict[str, str], variables: dict[str, str], first: bytes) -> None:
    for ours, theirs in (os.pipe()[::-1], [end.detach() for end in socket.socketpair()]):
        os.write(ours, first)
        with running({**job, **variables}, theirs) as child:
            os.close(theirs)
            assert answered(child)
        os.close(ours)


def test_a_client_that_is_slow_to_begin_is_served_and_the_registration_comes_first(job: dict[str, str]) -> None:
    reader, writer = os.pipe()
    with running(job, reader) as child:
        os.close(reader)
        assert child.stdout
        # Silence is answered with silence: what comes on stdout later must be protocol from its first byte.
        assert select.select([child.stdout], [], [], 3)[0] == []
        assert "serve" in entry(job)["args"]
        os.write(writer, HELLO)
        assert answered(child)
    os.close(writer)


def test_locally_the_end_of_input_gets_the_introduction(job: dict[str, str]) -> None:
    local = {name: value for name, value in job.items() if not name.startswith(("CI", "GITLAB_CI"))}
    done = start(local)
    assert done.returncode == 0
    assert "Register it in Claude Code" in done.stdout
    assert not (Path(job["HOME"]) / ".claude.json").exists()


def test_a_line_of_a_script_that_begins_with_a_brace_is_no_client(job: dict[str, str]) -> None:
    work = Path(job["CI_PROJECT_DIR"])
    (work / "job.sh").write_text(f'"{sys.executable}" -m gitlab_mcp || true\n{{ echo two; }}\necho three\n')
    done = subprocess.run(
        ["bash", "-c", "cat job.sh | bash"],
        env=job,
        cwd=work,
        capture_output=True,
        text=True,
        timeout=WAIT,
        check=False,
    )
    assert done.stdout.splitlines()[-2:] == ["two", "three"]


@pytest.mark.parametrize("how", ["cat job.sh | bash", "bash < job.sh", "bash job.sh < /dev/null", "cat job.sh | sh"])
def test_a_script_on_standard_input_loses_no_line(job: dict[str, str], how: str) -> None:
    work = Path(job["CI_PROJECT_DIR"])
    line = f'"{sys.executable}" -m gitlab_mcp || true'
    (work / "job.sh").write_text(f"echo before\n{line}\necho after one\n{line}\necho after two\n" + "# padding\n" * 500)
    done = subprocess.run(
        ["bash", "-c", how], env=job, cwd=work, capture_output=True, text=True, timeout=WAIT, check=False
    )
    assert done.returncode == 0, done.stderr
    said = done.stdout.splitlines()
    assert [line for line in said if line in ("before", "after one", "after two")] == [
        "before",
        "after one",
        "after two",
    ]
    assert sum(line.startswith("registered") for line in said) == 2


def test_the_line_says_that_a_merge_request_is_of_a_fork(job: dict[str, str]) -> None:
    job |= {"CI_MERGE_REQUEST_IID": "12", "CI_MERGE_REQUEST_PROJECT_ID": job["CI_PROJECT_ID"]}
    job |= {"CI_MERGE_REQUEST_SOURCE_BRANCH_NAME": "fix", "CI_MERGE_REQUEST_SOURCE_PROJECT_ID": "99"}
    done = start(job)
    assert "about: merge request !12 of a fork, to whose branch this job cannot commit" in done.stdout
    job["CI_MERGE_REQUEST_SOURCE_PROJECT_ID"] = job["CI_PROJECT_ID"]
    assert "about: merge request !12" in (told := start(job).stdout)
    assert "fork" not in told
