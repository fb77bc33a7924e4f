"""Assignees and reviewers without a licence: GitLab takes one of each, and drops who cannot read the project."""

from __future__ import annotations

from typing import Any

import pytest

from gitlab_mcp.sandbox import Sandbox
from tests.sandbox.conftest import Api
from tests.support.seed import SEED

DEVELOPER, REPORTER, STRANGER, UNKNOWN = 3, 4, 5, 999
FIELDS = [
    pytest.param(SEED.plan_issue.path, "assignee_ids", "assignees", id="assignees of an issue"),
    pytest.param(SEED.merge_request.path, "assignee_ids", "assignees", id="assignees of a merge request"),
    pytest.param(SEED.merge_request.path, "reviewer_ids", "reviewers", id="reviewers"),
]


def ids(entity: dict[str, Any], name: str) -> list[int]:
    return [user["id"] for user in entity[name]]


@pytest.mark.parametrize(("item", "parameter", "name"), FIELDS)
def test_only_the_first_stays_and_nobody_known_changes_nothing(
    maintainer: Api, item: str, parameter: str, name: str
) -> None:
    """IssuableBaseService#filter_assignees_using_checks and MergeRequests::BaseService#filter_reviewer."""
    path = f"/projects/:p{item}"
    assert ids(maintainer.put(path, **{parameter: [REPORTER, DEVELOPER]}), name) == [REPORTER]
    assert ids(maintainer.put(path, **{parameter: [UNKNOWN]}), name) == [REPORTER]
    assert ids(maintainer.put(path, **{parameter: [UNKNOWN, DEVELOPER]}), name) == [REPORTER]
    assert ids(maintainer.put(path, **{parameter: [STRANGER]}), name) == [STRANGER]  # the project is public
    assert ids(maintainer.put(path, **{parameter: [0]}), name) == []
    maintainer.put(path, **{parameter: [DEVELOPER]})
    assert ids(maintainer.put(path, **{parameter: []}), name) == []


@pytest.mark.parametrize(("item", "parameter", "name"), FIELDS)
def test_who_cannot_read_the_project_is_dropped(
    sandbox: Sandbox, maintainer: Api, item: str, parameter: str, name: str
) -> None:
    sandbox.world.projects[sandbox.project_id].visibility = "private"
    maintainer.put(f"/projects/:p{item}", **{parameter: [DEVELOPER]})
    assert ids(maintainer.put(f"/projects/:p{item}", **{parameter: [STRANGER]}), name) == [DEVELOPER]


def test_a_new_issue_and_merge_request_take_the_first_only(developer: Api) -> None:
    both = [REPORTER, DEVELOPER]
    assert ids(developer.post("/projects/:p/issues", title="New", assignee_ids=both), "assignees") == [REPORTER]
    action = {"action": "create", "file_path": "n.txt", "content": "x\n"}
    developer.commit("people", action, start_branch="main")
    body = {"source_branch": "people", "target_branch": "main", "assignee_ids": both, "reviewer_ids": both[::-1]}
    made = developer.post("/projects/:p/merge_requests", title="New", **body)
    assert (ids(made, "assignees"), ids(made, "reviewers")) == ([REPORTER], [DEVELOPER])


def test_who_may_not_set_metadata_sets_no_reviewers(people: Any, maintainer: Api) -> None:
    path = f"/projects/:p{SEED.merge_request.path}"
    before = ids(maintainer.get(path), "reviewers")
    maintainer.put(path, assignee_ids=[REPORTER])
    assert ids(people["reporter"].put(path, title="Mine", reviewer_ids=[DEVELOPER]), "reviewers") == before


def test_an_author_may_approve_without_a_licence(developer: Api) -> None:
    """Approvable#eligible_for_approval_by? and MergeRequestPolicy; only EE can forbid it."""
    path = f"/projects/:p{SEED.merge_request.path}"
    assert developer.get(f"{path}/approvals")["user_can_approve"] is True
    assert developer.post(f"{path}/approve")["user_has_approved"] is True
    assert developer.refusal("POST", f"{path}/approve")[0] == 401
    assert developer.get(f"{path}/approvals")["user_can_approve"] is False


def test_what_only_ee_has_is_404(developer: Api) -> None:
    path = f"/projects/:p{SEED.merge_request.path}/approval_state"
    assert developer.refusal("GET", path) == (404, {"error": "404 Not Found"})
