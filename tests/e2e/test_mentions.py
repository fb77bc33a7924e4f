"""From a comment to a merge request, with no part faked but the model: GitLab's webhook, the listener, the trigger API,
the template's job and the real Claude Code CLI.
"""

from pathlib import Path
from typing import Any

import pytest

from tests.e2e.ci_local import needs_ci_local
from tests.e2e.mention_service import Gate, fix, running, until
from tests.e2e.model import Request, Turn
from tests.support.gitlab_requests import commit, get, send
from tests.support.seed import SEED

pytestmark = needs_ci_local

ISSUE, REQUEST = SEED.crash_issue, SEED.next_merge_request
BRANCH = "7-empty-config"


def fixing(request: Request) -> Turn:
    """Open a merge request, then answer."""
    return fix(BRANCH, "one\n", "Handle an empty file") if request.turn == 0 else "I handle an empty file now."


def file_of(gitlab: Any, branch: str) -> str:
    """The content of the file that the model writes."""
    url = f"/repository/files/fix.txt?ref={branch}"
    content: str = get(gitlab, url)["content"]
    return content


def test_a_comment_becomes_a_merge_request_and_an_answer(tmp_path: Path) -> None:
    with running(tmp_path, fixing) as service:
        note = service.say(ISSUE, "@claude please fix the crash")
        (pipeline,) = service.ended()
        (merge_request,) = service.merge_requests()
        (answer,) = service.thread(ISSUE, note)
        reactions = get(service.gitlab, f"{ISSUE.path}/notes/{note['id']}/award_emoji")
        variables = get(service.gitlab, f"/pipelines/{pipeline['id']}/variables")
        asked = service.model.requests[0].said("user")
    assert (pipeline["status"], pipeline["ref"]) == ("success", "main")
    assert (merge_request["source_branch"], merge_request["state"]) == (BRANCH, "opened")
    assert "I handle an empty file now." in answer
    assert merge_request["reference"] in answer
    assert [one["name"] for one in reactions] == ["eyes"]
    # The pipeline got ids, and the run fetched the text.
    assert [one["key"] for one in variables] == ["TRIGGER_PAYLOAD"]
    assert "fix the crash" not in variables[0]["value"]
    assert "please fix the crash" in asked


@pytest.mark.parametrize("how", ["label", "assignment"])
def test_a_label_or_an_assignment_starts_a_run_too(tmp_path: Path, how: str) -> None:
    with running(tmp_path, fixing) as service:
        bot = next(user.id for user in service.gitlab.world.users.values() if user.username == "developer")
        change = {"add_labels": "claude"} if how == "label" else {"assignee_ids": [bot]}
        item = SEED.plan_issue
        send(service.gitlab, "PUT", item.path, "maintainer", **change)
        service.ended()
        assert len(service.merge_requests()) == 1
        assert "I handle an empty file now." in service.notes(item)[-1]
        assert "Work on what was labeled or assigned." in service.model.requests[0].said("user")


def test_a_comment_on_its_merge_request_goes_on_with_the_branch(tmp_path: Path) -> None:
    def script(request: Request) -> Turn:
        if "again" in request.said("user"):
            return fix(BRANCH, "two\n") if request.turn == 0 else "I did it again."
        return fixing(request)

    with running(tmp_path, script) as service:
        service.say(ISSUE, "@claude please fix the crash")
        service.ended()
        before = service.merge_requests()[0]["sha"]
        note = service.say(REQUEST, "@claude do it again")
        first, second = service.ended(2)
        (merge_request,) = service.merge_requests()
        assert (first["ref"], second["ref"]) == ("main", "main")
        assert (merge_request["iid"], merge_request["sha"] != before) == (REQUEST.iid, True)
        assert file_of(service.gitlab, BRANCH) == "dHdvCg=="
        (answer,) = service.thread(REQUEST, note)
        assert "I did it again." in answer


def test_two_mentions_at_the_same_time_on_one_issue_queue_up(tmp_path: Path) -> None:
    gate = Gate()

    def script(request: Request) -> Turn:
        gate()
        return "First." if "number one" in request.said("user") else "Second."

    with running(tmp_path, script) as service:
        notes = [service.say(ISSUE, f"@claude number {name}") for name in ("one", "two")]
        try:
            gate.wait()
            until(lambda: len(service.pipelines()) == 2)
            states = until(
                lambda: [
                    found
                    for found in [sorted(one["status"] for one in service.pipelines())]
                    if found == ["running", "waiting_for_resource"]
                ]
            )
            assert len(states) == 1
        finally:
            gate.opened.set()
        assert [one["status"] for one in service.ended(2)] == ["success", "success"]
        answers = [service.thread(ISSUE, note) for note in notes]
    assert [len(one) for one in answers] == [1, 1]
    assert ("First." in answers[0][0], "Second." in answers[1][0]) == (True, True)


def test_a_person_stops_a_run(tmp_path: Path) -> None:
    gate = Gate()

    def script(_: Request) -> Turn:
        gate()
        return "Too late."

    with running(tmp_path, script) as service:
        note = service.say(ISSUE, "@claude take your time")
        try:
            gate.wait()
            thread = next(
                each["id"]
                for each in get(service.gitlab, f"{ISSUE.path}/discussions?per_page=100")
                if note["id"] in [one["id"] for one in each["notes"]]
            )
            path = f"{ISSUE.path}/discussions/{thread}/notes"
            send(service.gitlab, "POST", path, "maintainer", body="@claude stop")
            until(lambda: service.pipelines()[0]["status"] == "canceled")
        finally:
            gate.opened.set()
        service.listener.reached("done", 1)
        texts = service.thread(ISSUE, note)
    assert "Too late." not in "".join(texts)
    assert any("stopped by maintainer" in text for text in texts)
    assert len(service.model.requests) == 1


HOSTILE = """
claude:
  script: [touch HOSTILE]
  before_script: [touch HOSTILE]
hostile: {script: [touch HOSTILE]}
"""


def test_a_hostile_ci_file_of_a_branch_never_runs_by_a_mention_on_it(tmp_path: Path) -> None:
    mark = tmp_path / "hostile"
    with running(tmp_path, lambda _: "It is a bad idea.") as service:
        changes = {".gitlab-ci.yml": HOSTILE.replace("HOSTILE", str(mark)), "templates/claude.yml": "nothing: []\n"}
        actions = [{"action": "update", "file_path": path, "content": text} for path, text in changes.items()]
        commit(service.gitlab, "hostile", "main", *actions)
        body = {"source_branch": "hostile", "target_branch": "main", "title": "Please review"}
        send(service.gitlab, "POST", "/merge_requests", **body)
        note = service.say(REQUEST, "@claude what do you think?")
        (pipeline,) = service.ended()
        jobs = get(service.gitlab, f"/pipelines/{pipeline['id']}/jobs")
        (answer,) = service.thread(REQUEST, note)
        main = get(service.gitlab, "/repository/branches/main")["commit"]["id"]
    assert (pipeline["ref"], pipeline["sha"], pipeline["status"]) == ("main", main, "success")
    assert [job["name"] for job in jobs] == ["claude"]
    assert "It is a bad idea." in answer
    assert not mark.exists()
