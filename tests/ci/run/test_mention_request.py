"""What a run is asked that a listener started: on a commit, with options, and as far as its credential shows it."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gitlab_mcp.api.client import GitLab
from gitlab_mcp.api.deadline import limited
from gitlab_mcp.api.mention_digest import mention_digest
from gitlab_mcp.ci.run.mention_request import read_mention_request, started_for
from gitlab_mcp.ci.run.options import RunOptions
from gitlab_mcp.ci.run.prompt import RunRequest
from gitlab_mcp.config.job_context import read_job
from gitlab_mcp.config.settings import Flags, read_settings
from gitlab_mcp.errors import Failure
from gitlab_mcp.sandbox import Sandbox
from tests.support.ci_job import job_environment
from tests.support.claude_program import ClaudeJob, begun, claude_job, ended
from tests.support.gitlab_requests import get, send
from tests.support.seed import SEED
from tests.support.started_runs import digest
from tests.support.tracking_notes import asked

BOUND = 90


def read(sandbox: Sandbox, folder: Path, options: RunOptions, **more: str) -> RunRequest:
    """What a job with these options is asked; an empty variable is left out."""
    token = {"GITLAB_ACCESS_TOKEN": sandbox.tokens["developer"], "CI_JOB_TIMEOUT": "1800"}
    environ = {name: value for name, value in job_environment(sandbox, folder, **token | more).items() if value}
    settings = read_settings(Flags(), environ, folder)
    started = started_for(options, environ)
    assert started
    with limited(30):
        gitlab = GitLab(replace(settings, job=started.job(settings.job)))
        return read_mention_request(gitlab, environ, started, options.limits(environ), prompt="From the job.")


def on_commit(sandbox: Sandbox, text: str) -> tuple[str, dict[str, Any]]:
    """A thread on the newest commit of main: the commit's id, and the thread."""
    commit = get(sandbox, "/repository/branches/main")["commit"]["id"]
    return commit, send(sandbox, "POST", f"/repository/commits/{commit}/discussions", "maintainer", body=text)


def test_a_comment_on_a_commit_is_read_and_answered_there(sandbox: Sandbox, tmp_path: Path) -> None:
    commit, thread = on_commit(sandbox, "@claude explain this")
    number = thread["notes"][0]["id"]
    given: dict[str, Any] = {"noteable": f"commits/{commit}", "note": str(number)}
    request = read(sandbox, tmp_path, RunOptions(**given, digest=mention_digest("@claude explain this", "", "")))
    assert (request.prompt, request.asked_by, request.refusal, request.branch) == ("explain this", "maintainer", "", "")
    assert request.place
    assert (request.place.thread, request.place.mention) == (thread["id"], number)
    job = read_job(job_environment(sandbox, tmp_path, **request.variables))
    assert (job.noun, job.asked_by, job.input) == (None, "maintainer", "@claude explain this")
    other = read(sandbox, tmp_path, RunOptions(**given, digest=mention_digest("@claude delete this", "", "")))
    assert "was edited" in other.refusal
    gone = read(sandbox, tmp_path, RunOptions(**given | {"note": "999999"}))
    assert (gone.place, "was deleted" in gone.refusal) == (None, True)


def test_a_run_on_a_commit_keeps_its_note_up_to_date(sandbox: Sandbox, tmp_path: Path) -> None:
    claude: ClaudeJob = claude_job(sandbox, tmp_path, GITLAB_ACCESS_TOKEN=sandbox.tokens["developer"])
    commit, thread = on_commit(sandbox, "@claude explain this")
    claude.plan(begun(), ended("It reads the file."))
    number = thread["notes"][0]["id"]
    done = claude.run(f"--noteable=commits/{commit}", f"--note={number}", timeout=BOUND)
    assert done.returncode == 0, done.stdout
    answer = get(sandbox, f"/repository/commits/{commit}/discussions/{thread['id']}")["notes"][1]
    assert "Done in" in answer["body"]
    assert answer["body"].endswith("It reads the file.")


def test_a_single_comment_on_a_commit_is_answered_by_a_thread_of_its_own(sandbox: Sandbox, tmp_path: Path) -> None:
    claude: ClaudeJob = claude_job(sandbox, tmp_path, GITLAB_ACCESS_TOKEN=sandbox.tokens["developer"])
    commit, _ = on_commit(sandbox, "something else")
    path = f"/repository/commits/{commit}"
    send(sandbox, "POST", f"{path}/comments", "maintainer", note="@claude alone")
    note = get(sandbox, f"{path}/discussions?per_page=100")[-1]["notes"][0]
    assert claude.run(f"--noteable=commits/{commit}", f"--note={note['id']}", timeout=BOUND).returncode == 0
    [answer] = get(sandbox, f"{path}/discussions?per_page=100")[-1]["notes"]
    assert "Done in" in answer["body"]


@pytest.mark.parametrize(
    ("written", "most", "problem"),
    [
        ("max_budget=1", {"max_budget": 0.0}, "`max_budget` is not an option"),
        ("max_budget=2.5", {"max_budget": 2.0}, "`max_budget` has to be a number from 0.01 to 2."),
        ("timeout=31", {}, "`timeout` has to be a number from 1 to 30."),
        ("model=opus", {"comment_models": ()}, "`model` is not an option"),
        ("model=opus model=opus", {}, "`model` is given twice"),
    ],
    ids=["no-budget", "budget", "timeout", "no-models", "twice"],
)
def test_an_option_beyond_what_the_job_allows_is_refused(
    sandbox: Sandbox, tmp_path: Path, written: str, most: dict[str, Any], problem: str
) -> None:
    place = asked(sandbox, SEED.crash_issue, f"@claude {written} fix it")
    given: dict[str, Any] = {"noteable": "issues/7", "note": str(place.mention), "max_turns": 60}
    request = read(sandbox, tmp_path, RunOptions(**given | most))
    assert problem in request.refusal
    assert request.chosen == {}


def test_what_a_comment_chooses_is_never_more_than_what_the_job_has(sandbox: Sandbox, tmp_path: Path) -> None:
    place = asked(sandbox, SEED.crash_issue, "@claude model=haiku max_turns=5 max_budget=0.5 timeout=10\n/config a=b")
    options = RunOptions(noteable="issues/7", note=str(place.mention), max_turns=60, max_budget=2.0, model="opus")
    request = read(sandbox, tmp_path, options)
    assert request.prompt.strip() == "/config a=b"
    assert request.prompt.startswith("\n")
    chosen = options.chosen(request.chosen)
    assert (chosen.model, chosen.max_turns, chosen.max_budget, chosen.comment_timeout) == ("haiku", 5, 0.5, 10)


def test_a_job_token_reads_a_merge_requests_comment_and_answers_nowhere(sandbox: Sandbox, tmp_path: Path) -> None:
    item = SEED.merge_request
    place = asked(sandbox, item, "@claude review")
    options = RunOptions(noteable="merge_requests/1", note=str(place.mention), digest=digest(sandbox, item, place))
    request = read(sandbox, tmp_path, options, GITLAB_ACCESS_TOKEN="")
    assert (request.prompt, request.place, request.branch) == ("review", None, "feature/verbose-flag")
    issue = asked(sandbox, SEED.crash_issue, "@claude fix it")
    with pytest.raises(Failure, match="GITLAB_ACCESS_TOKEN"):
        read(sandbox, tmp_path, RunOptions(noteable="issues/7", note=str(issue.mention)), GITLAB_ACCESS_TOKEN="")


def test_variables_that_only_name_the_queue_start_no_run_by_ids() -> None:
    assert started_for(RunOptions(), {"GITLAB_MCP_ISSUE": "7", "AI_FLOW_INPUT": "Do it."}) is None
    both = {"GITLAB_MCP_ISSUE": "7", "GITLAB_MCP_MERGE_REQUEST": "1", "GITLAB_MCP_NOTE": "1"}
    assert started_for(RunOptions(), both) is None
    named = started_for(RunOptions(), {"GITLAB_MCP_MERGE_REQUEST": "1", "GITLAB_MCP_NOTE": "101"})
    assert named
    assert (named.noteable, named.note, named.digest) == ("merge_requests/1", 101, "")
