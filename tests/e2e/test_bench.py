"""The bench itself: the real Claude Code CLI, and jobs run word for word, against a scripted model."""

import json
import threading
from collections.abc import Iterator

import pytest

from tests.e2e.ci_local import (
    INSTALLED,
    QUICK_SETUP,
    Job,
    commit_ci_file,
    installed_server,
    locked_bin,
    needs_ci_local,
    run_job,
)
from tests.e2e.claude import USERS, Place, claude, fresh_place, needs_claude, python_for
from tests.e2e.model import Call, Model, Request, Turn

STUB = """
import os
from mcp.server.mcpserver import MCPServer

stub = MCPServer("stub", instructions="These words are the stub's.")

@stub.tool()
def add(a: int, b: int) -> str:
    return f"{a} + {b} = {a + b}, says {os.geteuid()} in {os.environ['HOME']}"

@stub.tool()
def fail() -> str:
    raise ValueError("it was to be")

stub.run("stdio")
"""

PROBE = """
probe:
  image: some/image:1
  script:
    - echo "[$MESSAGE]"
    - echo "dir $PWD $CI_PROJECT_DIR, home $HOME, extra $EXTRA, ci $GITLAB_CI"
    - echo "project $CI_PROJECT_PATH $CI_PROJECT_ID at $CI_SERVER_URL, $CI_API_V4_URL, token ${CI_JOB_TOKEN-none}"
    - readlink /proc/self/fd/0
    - git status --short
    - echo unreached-unless-success; test "$CODE" = 0
"""


@pytest.fixture(params=USERS)
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    with fresh_place(request.param) as fresh:
        yield fresh


def stub_server(place: Place, **entry: object) -> str:
    """What --mcp-config is to be."""
    python = python_for(place.user)
    arguments = [str(place.write("stub.py", STUB))]
    stub = {"command": python.executable, "args": arguments, "env": python.variables, **entry}
    return json.dumps({"mcpServers": {"stub": stub}})


def git_checkout(place: Place) -> None:
    place.git("init", "--quiet", "--initial-branch=main")
    place.git("commit", "--quiet", "--allow-empty", "--message", "Begin")
    place.git("remote", "add", "origin", "http://127.0.0.1:9/acme/app.git")


def lines(job: Job) -> list[str]:
    return job.log.splitlines()


@needs_claude
@pytest.mark.parametrize("config", ["", "config"])
def test_the_cli_calls_the_tools_that_the_model_requests_and_returns_their_results(place: Place, config: str) -> None:
    calls = [Call("mcp__stub__add", {"a": 2, "b": 3}), Call("mcp__stub__fail"), Call("Bash", {"command": "id -u"})]
    with Model([["I shall see.", *calls], "That was it."]) as model:
        done = claude(
            place,
            model,
            *("--mcp-config", stub_server(place, alwaysLoad=True)),
            prompt="Add two and three.",
            allowed="mcp__stub Bash(*)",
            config=place.folder / config if config else None,
        )
    assert (done.returncode, done.stdout.strip()) == (0, "That was it."), done.stderr

    first, second = model.requests
    assert {"mcp__stub__add", "mcp__stub__fail", "Bash"} <= first.tools_in_full
    assert first.headers["x-api-key"] == "key-of-a-scripted-model"
    assert "Add two and three." in first.said("user")
    assert "These words are the stub's." in first.said("system")
    assert "Claude" in first.system
    assert first.results == []

    added, failed, user = second.results
    assert (added.name, added.is_error) == ("mcp__stub__add", False)
    assert f"2 + 3 = 5, says {place.uid} in {place.home}" in added.text
    assert failed.is_error
    assert failed.text == "Error executing tool fail"
    assert user.text == str(place.uid)
    assert "I shall see." in second.said("assistant")

    settings = (place.folder / config if config else place.home) / ".claude.json"
    assert settings.exists()
    assert settings.stat().st_uid == place.uid


@needs_claude
def test_a_tool_that_waits_for_a_search_is_not_among_those_in_full() -> None:
    with fresh_place() as place, Model([Call("ToolSearch", {"query": "select:mcp__stub__add"})]) as model:
        done = claude(place, model, "--mcp-config", stub_server(place))
    assert done.stdout.strip() == "DONE", done.stderr
    first, second = model.requests
    assert "mcp__stub__add" not in first.tools
    assert "mcp__stub__add" in first.said("system")
    assert "mcp__stub__add" in second.tools


@needs_claude
def test_a_script_may_be_a_function_of_each_request() -> None:
    def script(request: Request) -> Turn:
        if request.turn < 3:
            return Call("Bash", {"command": f"echo turn {request.turn}"})
        return f"The last was: {request.results[-1].text}"

    with fresh_place() as place, Model(script) as model:
        done = claude(place, model, allowed="Bash(*)")
    assert done.stdout.strip() == "The last was: turn 2", done.stderr
    assert [len(request.results) for request in model.requests] == [0, 1, 2, 3]


@needs_claude
def test_an_error_in_the_script_ends_the_cli_and_comes_out_in_the_test() -> None:
    def script(request: Request) -> Turn:
        assert "Begin." not in request.said(), "the script's own words"
        return "unreached"

    model = Model(script)
    with fresh_place() as place, pytest.raises(AssertionError, match="the script's own words"), model:
        done = claude(place, model)
    assert done.returncode != 0
    assert len(model.requests) == 1
    assert not [thread.name for thread in threading.enumerate() if thread.name.startswith("scripted-model")]


def test_what_outlasts_its_time_is_killed_with_its_children() -> None:
    # The child has the pipes too: that they ended says that it did.
    with fresh_place() as place, pytest.raises(AssertionError, match="begun"):
        place.run("sh", "-c", "echo begun; sleep 600 & wait", timeout=2)


@needs_ci_local
def test_the_quick_setup_of_the_page_runs_word_for_word(place: Place) -> None:
    git_checkout(place)
    commit_ci_file(place, QUICK_SETUP)
    asked = 'Write a file: it\'s "there", for $HOME\nand `more`.'
    given = {"AI_FLOW_INPUT": asked, "AI_FLOW_CONTEXT": "!7", "AI_FLOW_EVENT": "note"}
    write = Call("Write", {"file_path": str(place.work / "new.txt"), "content": "new\n"})
    turns: list[Turn] = [[write, Call("Bash", {"command": "git status --short; id -u"})], "It is written."]
    with locked_bin(), Model(turns) as model:
        installed = INSTALLED.exists()
        job = run_job(place, model, given)
    assert job.returncode == 0, job.done

    assert "apk add --no-cache git curl bash" in lines(job)
    if not installed:
        assert any("/bin/gitlab-mcp-server: No such file" in line for line in lines(job))
    assert f"{asked} for !7 on note" in job.log
    assert "It is written." in lines(job)
    assert asked in model.requests[0].said("user")
    written, seen = model.requests[1].results
    assert not written.is_error, written.text
    assert seen.text.split("\n") == ["?? new.txt", str(place.uid)]
    assert (place.work / "new.txt").read_text() == "new\n"
    assert (place.home / ".local/bin/claude").is_symlink()


@needs_ci_local
def test_a_job_has_the_variables_of_gitlab_and_those_of_the_test_as_they_are(place: Place) -> None:
    git_checkout(place)
    message = "a 'b' \"c\" $HOME ${HOME} $$ \\n `id`\nsecond line"
    given = {"MESSAGE": message, "CODE": "0", "CI_JOB_TOKEN": "the-token", "CI_PROJECT_ID": "5"}
    with Model() as model:
        job = run_job(place, model, given, job="probe", text=PROBE, env={"EXTRA": "given"})
    assert job.returncode == 0, job.done
    assert f"[{message}]" in job.log
    assert f"dir {place.work} {place.work}, home {place.home}, extra given, ci true" in lines(job)
    server = "http://127.0.0.1:9"
    assert f"project acme/app 5 at {server}, {server}/api/v4, token the-token" in lines(job)
    # stdin is /dev/null, and neither the job's file nor the runner's notes are in the checkout.
    assert lines(job)[-5:] == [
        "$ readlink /proc/self/fd/0",
        "/dev/null",
        "$ git status --short",
        '$ echo unreached-unless-success; test "$CODE" = 0',
        "unreached-unless-success",
    ]


@needs_ci_local
def test_a_job_whose_line_fails_has_failed() -> None:
    with fresh_place() as place, Model() as model:
        git_checkout(place)
        job = run_job(place, model, {"CODE": "1"}, job="probe", text=PROBE)
    assert job.returncode == 1
    assert "unreached-unless-success" in lines(job)
    assert model.everything == []


@needs_ci_local
def test_a_job_finds_the_server_in_bin_for_the_time_of_a_test(place: Place) -> None:
    text = "probe:\n  script:\n    - /bin/gitlab-mcp-server --version\n"
    git_checkout(place)
    with installed_server(place.user), Model() as model:
        job = run_job(place, model, job="probe", text=text)
    assert job.returncode == 0, job.done
    assert "gitlab-mcp-server, version" in job.log
    with locked_bin():
        assert not INSTALLED.exists()
