"""The branch that a run works on, where a listener started its pipeline on the default branch."""

from pathlib import Path
from typing import Any

import pytest

from gitlab_mcp.config.settings import Flags, read_settings
from gitlab_mcp.sandbox import Sandbox
from gitlab_mcp.server.instructions import instructions
from tests.support.agent import connect
from tests.support.claude_program import ClaudeJob, claude_job
from tests.support.git_clones import git
from tests.support.gitlab_requests import commit, get, send
from tests.support.seed import SEED, SeededItem
from tests.support.started_runs import options
from tests.support.tracking_notes import asked, texts

BOUND = 90
HOSTILE_CI = "claude:\n  script: [env]\n  rules: [{when: always}]\n"


@pytest.fixture
def claude(sandbox: Sandbox, tmp_path: Path) -> ClaudeJob:
    """A job on the default branch, with an access token."""
    job = claude_job(sandbox, tmp_path, GITLAB_ACCESS_TOKEN=sandbox.tokens["developer"], CI_COMMIT_BRANCH="main")
    job.environment.update({"CI_COMMIT_SHA": git(job.checkout, "rev-parse", "HEAD"), "CI_COMMIT_MESSAGE": "of main"})
    return job


def opened(sandbox: Sandbox, branch: str, who: str = "developer", **more: Any) -> SeededItem:
    """A merge request from a new branch with a hostile .gitlab-ci.yml."""
    files = {".gitlab-ci.yml": HOSTILE_CI, "CLAUDE.md": "Rules of the branch.\n", "src/new.py": "new = 1\n"}
    update = ".gitlab-ci.yml" in [each["path"] for each in get(sandbox, "/repository/tree?ref=main")]
    actions = [
        {"action": "update" if update and path == ".gitlab-ci.yml" else "create", "file_path": path, "content": text}
        for path, text in files.items()
    ]
    commit(sandbox, branch, "main", *actions)
    body = {"source_branch": branch, "target_branch": "main", "title": f"Work of {branch}", **more}
    return SeededItem(send(sandbox, "POST", "/merge_requests", who, **body)["iid"], "merge request")


def test_a_mention_on_a_merge_request_works_on_its_source_branch(claude: ClaudeJob, sandbox: Sandbox) -> None:
    item = opened(sandbox, "straße/$(id)")
    before = (claude.checkout / ".gitlab-ci.yml").exists() and (claude.checkout / ".gitlab-ci.yml").read_text()
    done = claude.run(*options(sandbox, item, asked(sandbox, item, "@claude go on")), timeout=BOUND)
    assert done.returncode == 0, done.stdout
    tip = get(sandbox, "/repository/branches/stra%C3%9Fe%2F%24%28id%29")["commit"]["id"]
    assert git(claude.checkout, "rev-parse", "HEAD") == tip
    assert git(claude.checkout, "status", "--porcelain", "--", "src", "CLAUDE.md", ".gitlab-ci.yml") == ""
    # The .gitlab-ci.yml of the branch is a file, and its CLAUDE.md instructs nobody.
    assert before != (claude.checkout / ".gitlab-ci.yml").read_text() == HOSTILE_CI
    assert "Rules of the branch" not in claude.record["instructions"]
    environ = claude.record["environ"]
    assert (environ["CI_COMMIT_SHA"], environ["CI_COMMIT_BRANCH"]) == (tip, "straße/$(id)")
    assert "CI_COMMIT_MESSAGE" not in environ


async def test_edits_of_the_checked_out_branch_are_committed_to_it(claude: ClaudeJob, sandbox: Sandbox) -> None:
    item = opened(sandbox, "work")
    done = claude.run(*options(sandbox, item, asked(sandbox, item, "@claude change it")), timeout=BOUND)
    assert done.returncode == 0, done.stdout
    (claude.checkout / "src" / "new.py").write_text("new = 2\n")
    async with connect(read_settings(Flags(), claude.server_environ, claude.checkout)) as agent:
        await agent.call("commit_files", branch="work", message="Change it", paths=["src/new.py"])
    file = get(sandbox, "/repository/files/src%2Fnew.py?ref=work")
    assert file["last_commit_id"] == get(sandbox, "/repository/branches/work")["commit"]["id"]


@pytest.mark.parametrize("how", ["Closes", "See"])
def test_a_mention_on_an_issue_goes_on_with_our_open_merge_request(
    claude: ClaudeJob, sandbox: Sandbox, how: str
) -> None:
    item = opened(sandbox, f"7-{how.lower()}", description=f"{how} #7")
    place = asked(sandbox, SEED.crash_issue, "@claude also the tests")
    done = claude.run(*options(sandbox, SEED.crash_issue, place), timeout=BOUND)
    assert done.returncode == 0, done.stdout
    assert f"Checked out the branch of {item.reference}" in done.stdout
    assert (claude.checkout / "src" / "new.py").exists()
    told = instructions(read_settings(Flags(), claude.server_environ, claude.checkout), ("commit_files",), ())
    assert f"Merge request {item.reference} of an earlier run is open for it" in told
    assert "a branch of your own" not in told


def test_a_merge_request_of_somebody_else_is_not_gone_on_with(claude: ClaudeJob, sandbox: Sandbox) -> None:
    issue = SEED.legacy_issue
    opened(sandbox, "8-theirs", "maintainer", description=f"Closes {issue.reference}")
    done = claude.run(*options(sandbox, issue, asked(sandbox, issue, "@claude fix it")), timeout=BOUND)
    assert done.returncode == 0, done.stdout
    assert not (claude.checkout / "src" / "new.py").exists()
    assert claude.record["environ"]["CI_COMMIT_BRANCH"] == "main"


def test_a_merge_request_that_was_merged_or_closed_is_not_checked_out(claude: ClaudeJob, sandbox: Sandbox) -> None:
    item = opened(sandbox, "closed")
    place = asked(sandbox, item, "@claude why?")
    send(sandbox, "PUT", item.path, state_event="close")
    done = claude.run(*options(sandbox, item, place), timeout=BOUND)
    assert (done.returncode, claude.was_started) == (0, True), done.stdout
    assert not (claude.checkout / "src" / "new.py").exists()


# What GitLab says of the merge request, and what the person who asked is told.
NOT_RUN = {
    "fork": ({"source_project_id": 999}, "comes from a fork"),
    "branch-is-gone": ({"source_branch": "gone"}, "The branch of !1 does not exist any more."),
}


@pytest.mark.parametrize(("fields", "reason"), NOT_RUN.values(), ids=NOT_RUN)
def test_what_must_not_or_cannot_be_checked_out_is_answered_and_not_run(
    claude: ClaudeJob, sandbox: Sandbox, fields: dict[str, Any], reason: str
) -> None:
    item = SEED.merge_request
    place = asked(sandbox, item, "@claude look at it")
    given = options(sandbox, item, place)
    sandbox.faults.fail("GET", f"{item.path}$", status=200, body=get(sandbox, item.path) | fields, times=9)
    head = git(claude.checkout, "rev-parse", "HEAD")
    done = claude.run(*given, timeout=BOUND)
    assert (done.returncode, claude.was_started) == (0, False), done.stdout
    [text] = texts(sandbox, place)
    assert text.startswith("Not started after")
    assert reason in text
    assert git(claude.checkout, "rev-parse", "HEAD") == head


def test_a_job_without_a_clone_says_what_it_needs(claude: ClaudeJob, sandbox: Sandbox) -> None:
    item = opened(sandbox, "no-clone")
    place = asked(sandbox, item, "@claude go on")
    (claude.checkout / ".git").rename(claude.folder / "git")
    done = claude.run(*options(sandbox, item, place), timeout=BOUND)
    assert (done.returncode, claude.was_started) == (2, False), done.stdout
    assert "GIT_STRATEGY" in done.stdout


def test_locally_the_files_of_a_person_stay_as_they_are(claude: ClaudeJob, sandbox: Sandbox) -> None:
    for name in [name for name in claude.environment if name.startswith(("CI", "GITLAB_CI"))]:
        del claude.environment[name]
    claude.environment.update({"GITLAB_URL": sandbox.url, "GITLAB_PROJECT": sandbox.project})
    item = opened(sandbox, "local")
    done = claude.run(*options(sandbox, item, asked(sandbox, item, "@claude go on")), timeout=BOUND)
    assert done.returncode == 0, done.stdout
    assert not (claude.checkout / "src" / "new.py").exists()
