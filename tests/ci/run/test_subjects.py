"""What a run is about: an issue locally, a confidential one, and a mention that was answered before."""

import json
from pathlib import Path

import pytest

from gitlab_mcp.api.deadline import limited
from gitlab_mcp.api.tracking_note import TrackingNote
from gitlab_mcp.sandbox import Sandbox
from tests.support.claude_program import ClaudeJob, begun, claude_job, ended, said
from tests.support.gitlab_requests import writes
from tests.support.seed import SEED
from tests.support.tracking_notes import asked, client, texts

BOUND = 90
SECRET_PLAN = "The answer tells of the takeover."


@pytest.fixture
def claude(sandbox: Sandbox, tmp_path: Path) -> ClaudeJob:
    """A job with an access token."""
    return claude_job(sandbox, tmp_path, GITLAB_ACCESS_TOKEN=sandbox.tokens["developer"], CI_PIPELINE_ID="501")


@pytest.mark.parametrize(
    ("iid", "words"), [("7", "issue #7"), ("!1", "merge request !1")], ids=["issue", "merge-request"]
)
def test_locally_a_run_works_on_what_iid_names_and_writes_no_report(
    claude: ClaudeJob, sandbox: Sandbox, iid: str, words: str
) -> None:
    for name in [name for name in claude.environment if name.startswith(("CI", "GITLAB_CI"))]:
        del claude.environment[name]
    local = {"GITLAB_URL": sandbox.url, "GITLAB_PROJECT": sandbox.project, "HTTPS_PROXY": "http://127.0.0.1:9"}
    claude.environment.update({**local, "ANTHROPIC_BASE_URL": "http://127.0.0.1:8", "CLAUDE_CONFIG_DIR": "/nowhere"})
    sandbox.faults.clear_requests()
    done = claude.run("--iid", iid, timeout=BOUND)
    assert done.returncode == 0, done.stdout
    assert words in claude.record["prompt"]
    given = claude.record["environ"]
    assert [given.get(name) for name in ("ANTHROPIC_BASE_URL", "HTTPS_PROXY", "CLAUDE_CONFIG_DIR")] == [
        "http://127.0.0.1:8",
        "http://127.0.0.1:9",
        "/nowhere",
    ]
    assert sandbox.tokens["developer"] not in repr(given)
    # A person watches at the terminal: nobody else is written to.
    assert writes(sandbox) == []
    assert not (claude.checkout / "claude-result.json").exists()
    assert claude.record["instructions"] == ""


def test_an_iid_that_names_nothing_is_a_mistake(claude: ClaudeJob) -> None:
    done = claude.run("--iid", "seven", timeout=BOUND)
    assert (done.returncode, claude.was_started) == (2, False)
    assert "--iid" in done.stdout


GONE = {
    "issue": (("--iid", "999"), {}, 1, "#999 cannot be read"),
    "merge-request": (("--iid", "!999"), {}, 1, "!999 cannot be read"),
    "comment": (("--note", "#7 999999"), {}, 1, "Comment 999999 on #7 cannot be read"),
    "gitlab": (("--iid", "7"), {"GITLAB_URL": "http://127.0.0.1:9"}, 1, "http://127.0.0.1:9 cannot be reached"),
    "project": (("--iid", "7"), {"GITLAB_PROJECT": ""}, 2, "--iid needs a project"),
}


@pytest.mark.parametrize(("arguments", "more", "code", "reason"), GONE.values(), ids=GONE)
def test_locally_what_cannot_be_read_is_not_worked_on(
    claude: ClaudeJob, sandbox: Sandbox, arguments: tuple[str, ...], more: dict[str, str], code: int, reason: str
) -> None:
    for name in [name for name in claude.environment if name.startswith(("CI", "GITLAB_CI"))]:
        del claude.environment[name]
    claude.environment.update({"GITLAB_URL": sandbox.url, "GITLAB_PROJECT": sandbox.project, **more})
    if "GITLAB_PROJECT" in more:
        (claude.checkout / ".git" / "config").unlink()  # which names the project by its remote
    done = claude.run(*arguments, timeout=BOUND)
    assert (done.returncode, claude.was_started) == (code, False), done.stdout
    assert reason in done.stdout


def test_of_a_confidential_issue_the_log_and_the_artifact_tell_nothing(claude: ClaudeJob, sandbox: Sandbox) -> None:
    place = asked(sandbox, SEED.confidential_issue, "@claude plan it")
    context = {"iid": SEED.confidential_issue.iid}
    flow = {"AI_FLOW_INPUT": "@claude plan it", "AI_FLOW_CONTEXT": json.dumps(context), "AI_FLOW_EVENT": "mention"}
    claude.environment.update({**flow, "AI_FLOW_DISCUSSION_ID": place.thread})
    claude.plan(begun(), said(SECRET_PLAN), {"complain": SECRET_PLAN}, ended(SECRET_PLAN))
    done = claude.run(timeout=BOUND)
    assert done.returncode == 0, done.stdout
    assert SECRET_PLAN not in done.stdout
    assert "plan it" not in done.stdout
    reports = [(claude.checkout / f"claude-result.{kind}").read_text() for kind in ("json", "env")]
    assert SECRET_PLAN not in "".join(reports)
    assert "is confidential" in claude.record["instructions"]
    # Who asked, in that thread, gets the answer.
    [text] = texts(sandbox, place)
    assert text.rstrip().endswith(SECRET_PLAN)


@pytest.mark.parametrize("answered", [True, False], ids=["answered", "waiting"])
def test_a_mention_that_a_note_says_was_answered_is_not_worked_on_again(
    claude: ClaudeJob, sandbox: Sandbox, answered: bool
) -> None:
    place = asked(sandbox, SEED.crash_issue, "@claude once")
    note = TrackingNote(client(sandbox), place, "600" if answered else "")
    with limited(30):
        note.write("Working on it", ended=answered)
    payload = {"id": place.mention, "note": "@claude once", "noteable_type": "Issue", "discussion_id": place.thread}
    hook = {"object_kind": "note", "object_attributes": payload, "issue": {"iid": SEED.crash_issue.iid}}
    claude.environment["TRIGGER_PAYLOAD"] = json.dumps(hook)
    done = claude.run("--prompt", "Go.", "--tracking-note", str(note.id), timeout=BOUND)
    assert (done.returncode, claude.was_started) == (0, not answered), done.stdout
    if answered:
        assert "was answered" in done.stdout
        assert texts(sandbox, place) == ["Working on it"]


def test_an_answer_that_gitlab_refused_at_the_end_is_written_by_finish(claude: ClaudeJob, sandbox: Sandbox) -> None:
    place = asked(sandbox, SEED.crash_issue, "@claude later")
    context = {"AI_FLOW_CONTEXT": json.dumps({"iid": SEED.crash_issue.iid}), "AI_FLOW_EVENT": "mention"}
    flow = {"AI_FLOW_INPUT": "@claude later", "AI_FLOW_DISCUSSION_ID": place.thread}
    claude.environment.update({**context, **flow})
    claude.plan(begun(), ended("It is a question of taste."))
    for method in ("POST", "PUT"):
        sandbox.faults.fail(method, "/notes", 403, times=100)
    assert claude.run(timeout=BOUND).returncode == 0
    assert texts(sandbox, place) == []
    before = (claude.checkout / "claude-result.json").read_bytes()
    sandbox.faults.clear_faults()
    done = claude.run("--finish", timeout=BOUND)
    assert (done.returncode, done.stdout) == (0, "")
    [text] = texts(sandbox, place)
    assert text.startswith("Done in")
    assert text.rstrip().endswith("It is a question of taste.")
    assert (claude.checkout / "claude-result.json").read_bytes() == before
