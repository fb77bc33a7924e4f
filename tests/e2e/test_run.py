"""`gitlab-mcp-server run` with the real Claude Code CLI and a scripted model: what people see of it."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from gitlab_mcp.api.tracking_note import NotePlace
from gitlab_mcp.sandbox import Sandbox
from tests.e2e.claude import SYSTEM_PATH, Place, claude_for, fresh_place, model_variables, needs_claude
from tests.e2e.model import Call, Model, Request, Script, Status, Turn
from tests.e2e.template_job import commit
from tests.support.ci_job import job_environment
from tests.support.gitlab_requests import get
from tests.support.machine import needs_proc
from tests.support.seed import SEED
from tests.support.tracking_notes import answers, asked, texts

pytestmark = needs_claude

ISSUE = SEED.crash_issue
NONE: Mapping[str, str] = MappingProxyType({})
BOUND = 240.0  # seconds: it means "does not hang"


@dataclass(frozen=True)
class Run:
    """A run, over."""

    code: int
    log: str
    requests: list[Request]
    thread: NotePlace | None

    def result(self, place: Place) -> dict[str, Any]:
        """The content of claude-result.json."""
        content: dict[str, Any] = json.loads((place.work / "claude-result.json").read_text())
        return content


@pytest.fixture
def place() -> Iterator[Place]:
    with fresh_place() as fresh:
        yield fresh


def payload(thread: NotePlace, text: str) -> str:
    """The body of the webhook for a comment, which a pipeline that it triggered has as a variable."""
    note = {"id": thread.mention, "note": text, "noteable_type": "Issue", "discussion_id": thread.thread}
    return json.dumps({"object_kind": "note", "object_attributes": note, "issue": {"iid": ISSUE.iid}})


def environment(place: Place, sandbox: Sandbox, model: Model, **more: str) -> dict[str, str]:
    """The environment of a job of the sandbox's project that has an access token."""
    own = {name: value for name, value in model_variables(model).items() if name != "ANTHROPIC_BASE_URL"}
    own |= {"HOME": str(place.home), "TMPDIR": str(place.folder / "tmp"), "CI_DEFAULT_BRANCH": "main"}
    own |= {"CI_JOB_ID": str(SEED.running_job), "CI_PIPELINE_ID": str(SEED.pipeline)}
    own |= {"GITLAB_ACCESS_TOKEN": sandbox.tokens["developer"]}
    path = os.pathsep.join((str(Path(claude_for(place)).parent), SYSTEM_PATH))
    return job_environment(sandbox, place.work, **{**own, "PATH": path, **more})


def run(
    place: Place,
    sandbox: Sandbox,
    script: Script,
    *arguments: str,
    question: str = "@claude fix the crash",
    during: Callable[["subprocess.Popen[str]", Model], None] | None = None,
    faults: Callable[[], None] = lambda: None,
    variables: Mapping[str, str] = NONE,
) -> Run:
    """Run once in a checkout of the project; with a `question` somebody asked it in a thread of the issue."""
    commit(place, sandbox, {"notes.txt": "One line.\n"})
    thread = asked(sandbox, ISSUE, question) if question else None
    sandbox.faults.clear_requests()
    faults()
    flow = {"AI_FLOW_INPUT": question, "TRIGGER_PAYLOAD": payload(thread, question)} if thread else {}
    with Model(script) as model:
        command = [
            sys.executable,
            "-P",
            "-m",
            "gitlab_mcp",
            "run",
            "--base-url",
            model.url,
            "--claude",
            claude_for(place),
        ]
        with subprocess.Popen(
            [*command, *arguments],
            env=environment(place, sandbox, model, **flow, **variables),
            cwd=place.work,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as process:
            if during:
                during(process, model)
            try:
                log, _ = process.communicate(timeout=BOUND)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
    return Run(process.returncode, log, model.requests, thread)


def until(condition: Callable[[], object]) -> None:
    """Wait for something that happens in another process, within the bound."""
    end = time.monotonic() + BOUND
    while not condition():
        assert time.monotonic() < end
        threading.Event().wait(0.2)


def states(sandbox: Sandbox) -> list[str]:
    """The texts that the tracking note had, in order."""
    bodies = [
        str(each["body"].get("body", "")) for each in sandbox.faults.requests() if each["method"] in ("POST", "PUT")
    ]
    return [text for text in bodies if "gitlab-mcp-server note run=" in text]


def environments(pid: int) -> str:
    """The environments and command lines of a process and of all that it started."""
    seen = ""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = int(folder.joinpath("stat").read_text().rpartition(")")[2].split()[1])
            if int(folder.name) == pid:
                seen += folder.joinpath("environ").read_text(errors="replace")
                seen += folder.joinpath("cmdline").read_text(errors="replace")
            elif parent == pid:
                seen += environments(int(folder.name))
        except OSError:
            continue
    return seen


def child_of(pid: int) -> int:
    """A process that another one started; 0 where there is none."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if int(folder.joinpath("stat").read_text().rpartition(")")[2].split()[1]) == pid:
                return int(folder.name)
        except OSError:
            continue
    return 0


@needs_proc
def test_a_question_in_a_thread_is_answered_in_one_note_that_shows_each_step(place: Place, sandbox: Sandbox) -> None:
    seen: list[str] = []
    pids: list[int] = []
    opened = {"merge_request": {"title": "Say that the file is empty", "description": f"Closes {ISSUE.reference}"}}
    commit_files = Call(
        "mcp__gitlab__commit_files",
        {"branch": "7-empty-config", "message": "Say that the file is empty", "paths": ["empty.txt"], "ref": "main"}
        | opened,
    )
    turns: list[Turn] = [
        [
            Call("mcp__gitlab__get_issue", {"iid": str(ISSUE.iid)}),
            Call("Read", {"file_path": str(place.work / "notes.txt")}),
        ],
        Call("Write", {"file_path": str(place.work / "empty.txt"), "content": "An empty file is read.\n"}),
        commit_files,
        "The crash is fixed. /close @all",
    ]

    def script(request: Request) -> Turn:
        if request.turn == 1:
            seen.append(environments(child_of(pids[0])))
            until(lambda: any("read" in state for state in states(sandbox)))
        return turns[request.turn]

    ran = run(place, sandbox, script, during=lambda process, _model: pids.append(process.pid))
    assert ran.code == 0, ran.log
    assert ran.thread is not None
    [note] = answers(sandbox, ran.thread)
    assert note["author"]["username"] == "developer"

    first, *_, last = states(sandbox)
    assert "Working on it" in first
    assert "- [x]" not in first
    assert any("- [x]" in state and "Working on it" in state for state in states(sandbox))
    opened_now = get(sandbox, "/merge_requests?source_branch=7-empty-config")
    assert len(opened_now) == 1, ran.log
    merge_request = opened_now[0]["iid"]
    facts = rf"!{merge_request} \u00b7 `7-empty-config` \u00b7 \[job\]\(<.*>\) \u00b7 \d+ turns \u00b7 "
    assert re.search(rf"Done in [0-9ms ]+ \u00b7 {facts}", last), last
    assert texts(sandbox, ran.thread)[0].rstrip().endswith("The crash is fixed. /close `@all`")
    assert get(sandbox, ISSUE.path)["state"] == "opened"

    # What was started sees no token of GitLab, and yet our server works.
    assert "CI_PROJECT_ID" in seen[0]
    assert [name for name, token in sandbox.tokens.items() if token in seen[0]] == []
    assert not any(token in ran.log for token in sandbox.tokens.values())
    assert ran.result(place)["merge_request"] == merge_request
    assert f"CLAUDE_MERGE_REQUEST={merge_request}\n" in (place.work / "claude-result.env").read_text()
    assert "CLAUDE_CODE_DISABLE_FILE_MENTIONS" in seen[0]


def always(status: int) -> Script:
    def script(_request: Request) -> Turn:
        raise Status(status)

    return script


ONCE = {"CLAUDE_CODE_MAX_RETRIES": "1"}  # it would try for three minutes
ENDINGS: dict[str, tuple[Script, list[str], dict[str, str], int, str]] = {
    "overloaded": (always(529), [], ONCE, 1, "The model's API could not be reached"),
    "wrong-key": (always(401), [], {}, 2, "ANTHROPIC_API_KEY"),
    "turns": ([Call("mcp__gitlab__get_job_context")] * 9, ["--max-turns", "1"], {}, 3, "maximum number of turns"),
    "budget": ([Call("mcp__gitlab__get_job_context")] * 9, ["--max-budget", "0.000001"], {}, 3, "maximum cost"),
    "killed": ([Call("Bash", {"command": "kill -9 $PPID"})], ["--allowed-tools", "Bash"], {}, 1, "signal 9"),
    "time": (
        [Call("Bash", {"command": "tail -f /dev/null"})],
        ["--allowed-tools", "Bash", "--timeout", "0.2"],
        {},
        3,
        "time limit",
    ),
}


@pytest.mark.parametrize(("script", "arguments", "more", "code", "why"), ENDINGS.values(), ids=ENDINGS)
def test_each_ending_has_its_code_and_the_note_and_the_log_say_what_to_do(
    place: Place, sandbox: Sandbox, script: Script, arguments: list[str], more: dict[str, str], code: int, why: str
) -> None:
    ran = run(place, sandbox, script, *arguments, variables=more)
    assert ran.code == code, ran.log
    assert why in ran.log
    assert ran.thread is not None
    [text] = texts(sandbox, ran.thread)
    assert "Working on it" not in text
    assert why in text
    assert "retry the job" in text
    assert ran.result(place)["exit_code"] == code


def test_a_canceled_run_says_so_and_names_what_is_not_committed(place: Place, sandbox: Sandbox) -> None:
    turns: list[Turn] = [
        Call("Read", {"file_path": str(place.work / "notes.txt")}),
        Call("Edit", {"file_path": str(place.work / "notes.txt"), "old_string": "One", "new_string": "A first"}),
        Call("Bash", {"command": "tail -f /dev/null"}),
    ]

    def cancel(process: "subprocess.Popen[str]", model: Model) -> None:
        until(lambda: len(model.requests) == 3 and child_of(child_of(process.pid)))
        process.terminate()

    tools = ("--allowed-tools", "Bash Read(./**) Edit(./**) mcp__gitlab")
    ran = run(place, sandbox, turns, *tools, during=cancel)
    assert ran.code == 143, ran.log
    assert ran.thread is not None
    [text] = texts(sandbox, ran.thread)
    assert text.startswith("Canceled after")
    assert "1 file edited, not committed: `notes.txt`." in text
    assert (place.work / "notes.txt").read_text() == "A first line.\n"


def test_where_gitlab_is_away_at_first_the_note_comes_later(place: Place, sandbox: Sandbox) -> None:
    away = partial(sandbox.faults.fail, "POST", "/notes", 503, times=6)
    ran = run(place, sandbox, ["Nothing is left to do."], faults=away)
    sandbox.faults.clear_faults()
    assert ran.code == 0, ran.log
    assert "The tracking note was not written" in ran.log
    assert ran.thread is not None
    [text] = texts(sandbox, ran.thread)
    assert text.startswith("Done in")
    assert text.rstrip().endswith("Nothing is left to do.")


def test_a_server_that_claude_cannot_connect_ends_the_run_before_a_second_request(
    place: Place, sandbox: Sandbox
) -> None:
    # The server's own start is checked before; what fails here is the one that Claude Code starts.
    wrapper = place.write(
        "claude-without-server",
        f'#!/bin/sh\nrm -f "$TMPDIR"/gitlab-mcp-run-*/*token\nexec {claude_for(place)} "$@"\n',
        0o755,
    )
    ran = run(place, sandbox, ["Hello."], "--claude", str(wrapper))
    assert ran.code == 2, ran.log
    assert "so the model was not asked" in ran.log
    assert [result.name for request in ran.requests for result in request.results] == []
    assert len(ran.requests) <= 1  # Claude Code asks while it says that the server is missing


def test_the_model_is_asked_what_a_bare_claude_would_ask(place: Place, sandbox: Sandbox) -> None:
    """A run costs no token more: the requests are the same but for what differs in each session."""
    started: list[list[str]] = []

    def remember(process: "subprocess.Popen[str]", _model: Model) -> None:
        until(lambda: (place.folder / "arguments").exists() or process.poll() is not None)
        started.append((place.folder / "arguments").read_text().split("\0")[:-1])

    # It copies what Claude Code is started with, while that is there.
    copies = f'cp -R "$TMPDIR"/gitlab-mcp-run-*/ {place.folder}/copy; env -0 >{place.folder}/environ'
    lines = f'#!/bin/sh\n{copies}\nprintf "%s\\0" "$@" >{place.folder}/arguments\nexec {claude_for(place)} "$@"\n'
    wrapper = place.write("claude-that-copies", lines, 0o755)
    turns: list[Turn] = [Call("mcp__gitlab__get_issue", {"iid": str(ISSUE.iid)}), "Done."]
    ran = run(place, sandbox, turns, "--claude", str(wrapper), "--prompt", "Look at it.", question="", during=remember)
    assert ran.code == 0, ran.log
    environ = dict(line.split("=", 1) for line in (place.folder / "environ").read_text().split("\0") if line)
    folder = next(each for each in started[0] if "gitlab-mcp-run-" in each).rpartition("/")[0]
    configuration = place.folder / "copy" / "mcp.json"
    configuration.write_text(configuration.read_text().replace(folder, str(place.folder / "copy")))
    with Model(turns) as model:
        bare = [each.replace(folder, str(place.folder / "copy")) for each in started[0]]
        done = subprocess.run(
            [claude_for(place), *bare],
            env={**environ, "ANTHROPIC_BASE_URL": model.url},
            cwd=place.work,
            input="Look at it.",
            capture_output=True,
            text=True,
            check=False,
            timeout=BOUND,
        )
        assert done.returncode == 0, done.stderr
        requests = model.requests
    assert len(ran.requests) == len(requests)
    for ours, theirs in zip(ran.requests, requests, strict=True):
        assert settled(ours) == settled(theirs)


def settled(request: Request) -> dict[str, Any]:
    """The body of a request without what differs in each session: ids and times."""
    text = re.sub(
        r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|[0-9a-f]{64}", "ID", json.dumps(request.body)
    )
    body: dict[str, Any] = json.loads(re.sub(r"cc_version=[^;]*;|cch=[^;]*;", "", text))
    return body


def test_what_a_killed_run_left_in_its_thread_is_closed_by_finish(place: Place, sandbox: Sandbox) -> None:
    turns: list[Turn] = [
        Call("mcp__gitlab__get_issue", {"iid": str(ISSUE.iid)}),
        Call("Bash", {"command": "tail -f /dev/null"}),
    ]
    claudes: list[int] = []

    def kill(process: "subprocess.Popen[str]", _model: Model) -> None:
        until(lambda: any("- [x]" in state for state in states(sandbox)))
        claudes.append(child_of(process.pid))
        process.kill()
        os.kill(claudes[0], signal.SIGTERM)

    ran = run(place, sandbox, turns, "--allowed-tools", "Bash mcp__gitlab", during=kill)
    assert ran.thread is not None
    assert "Working on it" in texts(sandbox, ran.thread)[0]
    with Model() as model:
        environ = environment(place, sandbox, model, CI_JOB_STATUS="canceled")
        command = [sys.executable, "-P", "-m", "gitlab_mcp", "run", "--finish"]
        done = subprocess.run(command, env=environ, cwd=place.work, capture_output=True, text=True, timeout=BOUND)
    assert done.returncode == 0, done.stderr
    [text] = texts(sandbox, ran.thread)
    assert text.startswith("Canceled after")
    assert f"- [x] read {ISSUE.reference}" in text
    assert ran.result(place)["ending"] == "canceled"
