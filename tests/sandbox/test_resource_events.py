"""Labels, milestones and states: GitLab records their changes as resource events, and writes no notes about them."""

from __future__ import annotations

from typing import Any

import pytest

from gitlab_mcp.sandbox import Sandbox
from tests.contract.contract import Contract
from tests.sandbox.conftest import Api
from tests.support.seed import SEED, SeededItem

KINDS = ("label", "milestone", "state")


def events(api: Api, item: str, kind: str) -> list[dict[str, Any]]:
    listed = api.get(f"/projects/:p{item}/resource_{kind}_events")
    assert isinstance(listed, list)
    return listed


def system_notes(api: Api, item: str) -> list[str]:
    return [note["body"] for note in api.get(f"/projects/:p{item}/notes", per_page=100) if note["system"]]


@pytest.mark.parametrize("item", [SEED.plan_issue, SEED.merge_request], ids=["an issue", "a merge request"])
def test_changes_of_labels_milestone_and_state_are_events(developer: Api, item: SeededItem) -> None:
    path = f"/projects/:p{item.path}"
    milestone = developer.get("/projects/:p/milestones")[0]
    before = developer.put(path, milestone_id=0)
    assert events(developer, item.path, "label") == []
    already = len(events(developer, item.path, "milestone"))
    developer.put(path, add_labels="bug,p2", remove_labels="feature")
    developer.put(path, milestone_id=milestone["id"])
    developer.put(path, state_event="close")
    developer.put(path, state_event="reopen")
    told = [(one["action"], one["label"]["name"]) for one in events(developer, item.path, "label")]
    assert told == [("add", "bug"), ("add", "p2"), ("remove", "feature")]
    (added,) = events(developer, item.path, "milestone")[already:]
    assert (added["action"], added["milestone"]["title"], added["state"]) == ("add", "1.4", "opened")
    closed, reopened = events(developer, item.path, "state")
    assert (closed["state"], reopened["state"], closed["user"]["username"]) == ("closed", "reopened", "developer")
    assert system_notes(developer, item.path) == []
    for kind in KINDS:
        for one in events(developer, item.path, kind):
            assert (one["resource_id"], one["resource_type"]) == (before["id"], item.noun.title().replace(" ", ""))
            assert developer.get(f"{path}/resource_{kind}_events/{one['id']}") == one


def test_a_new_issue_has_events_of_its_labels_and_its_milestone(developer: Api) -> None:
    """Issuable::CommonSystemNotesService records what is set at creation as it records changes."""
    milestone = developer.get("/projects/:p/milestones")[0]["id"]
    body = {"labels": "bug", "milestone_id": milestone, "assignee_ids": [3], "due_date": "2027-01-31"}
    item = f"/issues/{developer.post('/projects/:p/issues', title='New', **body)['iid']}"
    assert [len(events(developer, item, kind)) for kind in KINDS] == [1, 1, 0]
    assert sorted(system_notes(developer, item)) == ["assigned to @developer", "changed due date to January 31, 2027"]


def test_a_merge_says_in_events_what_closed_the_issue(developer: Api, maintainer: Api) -> None:
    merged = maintainer.put(f"/projects/:p{SEED.merge_request.path}/merge")
    (event,) = events(developer, SEED.merge_request.path, "state")
    assert (event["state"], event["source_commit"], event["source_merge_request_id"]) == ("merged", None, None)
    (closed,) = events(developer, SEED.verbose_issue.path, "state")
    assert (closed["state"], closed["source_merge_request_id"]) == ("closed", merged["id"])


def test_a_commit_that_closes_an_issue_is_the_source_of_its_event(maintainer: Api) -> None:
    action = {"action": "create", "file_path": "fix.txt", "content": "x\n"}
    sha = maintainer.commit("main", action, message=f"Fixes {SEED.crash_issue.reference}")["id"]
    (closed,) = events(maintainer, SEED.crash_issue.path, "state")
    assert (closed["state"], closed["source_commit"]) == ("closed", sha)
    assert system_notes(maintainer, SEED.crash_issue.path) == [f"mentioned in commit {sha}"]


def test_the_event_of_a_deleted_label_has_no_label(maintainer: Api) -> None:
    maintainer.put(f"/projects/:p{SEED.plan_issue.path}", add_labels="passing")
    maintainer.call("DELETE", "/projects/:p/labels/passing")
    assert events(maintainer, SEED.plan_issue.path, "label")[-1]["label"] is None


@pytest.mark.parametrize("kind", KINDS)
def test_events_take_a_user_and_are_404_when_there_is_none(sandbox: Sandbox, developer: Api, kind: str) -> None:
    path = f"/projects/:p{SEED.plan_issue.path}/resource_{kind}_events"
    assert Api(sandbox).refusal("GET", path)[0] == 401
    assert developer.refusal("GET", f"{path}/99")[0] == 404


def test_the_entities_are_in_the_contract() -> None:
    names = {f"Resource{kind.title()}Event" for kind in KINDS}
    assert names <= set(Contract().entities)
