"""Fields that GitLab drops in silence are named in the answer of the write, for every field of every write."""

from typing import Any

import pytest

from gitlab_mcp.sandbox import Sandbox
from tests.support.agent import connect
from tests.support.ci_job import allow_job_pushes
from tests.support.gitlab_requests import commit, get, send
from tests.support.seed import SEED
from tests.support.settings import EVERY_TOOLSET, job_settings, settings_for

PEOPLE = "more than one assignee or reviewer needs Premium, and each must be a member who may read this"
PLANNER, DEVELOPER = "role Planner is needed", "role Developer is needed"
ISSUE: dict[str, tuple[Any, str]] = {
    "title": ("Another title", f"title: {PLANNER}"),
    "description": ("Another text", f"description: {PLANNER}"),
    "state": ("close", f"state: {PLANNER}"),
    "add_labels": (["bug", "p9"], f"add_labels (p9): {PLANNER}"),
    "remove_labels": (["p2"], f"remove_labels (p2): {PLANNER}"),
    "assignees": (["developer", "maintainer"], f"assignees (@maintainer): {PEOPLE}"),
    "milestone": ("", f"milestone: {PLANNER}"),
    "due_date": ("2027-01-15", f"due_date: {PLANNER}"),
    "confidential": (True, f"confidential: {PLANNER}"),
}
MERGE_REQUEST: dict[str, tuple[Any, str]] = {
    "title": ("Another title", f"title: {DEVELOPER}"),
    "description": ("Another text", f"description: {DEVELOPER}"),
    "target_branch": ("stale/no-commits", f"target_branch: {DEVELOPER}"),
    "state": ("close", f"state: {DEVELOPER}"),
    "add_labels": (["p9"], f"add_labels (p9): {DEVELOPER}"),
    "remove_labels": (["feature"], f"remove_labels (feature): {DEVELOPER}"),
    "assignees": (["developer", "maintainer"], f"assignees (@developer, @maintainer): {PEOPLE}"),
    "reviewers": (["maintainer", "reporter"], f"reviewers (@reporter): {PEOPLE}"),
    "remove_source_branch": (False, f"remove_source_branch: {DEVELOPER}"),
    "squash": (True, f"squash: {DEVELOPER}"),
}


@pytest.mark.parametrize("field", ISSUE)
async def test_a_field_of_an_issue_that_stayed_as_it_was_is_named(sandbox: Sandbox, field: str) -> None:
    value, said = ISSUE[field]
    unchanged = get(sandbox, SEED.crash_issue.path)
    sandbox.faults.fail("PUT", SEED.crash_issue.path, status=200, body=unchanged)
    async with connect(settings_for(sandbox)) as agent:
        answer = await agent.call("update_issue", iid=SEED.crash_issue.iid, **{field: value})
    assert answer == f"Updated #7: {unchanged['web_url']}\nGitLab did not take {said}."


@pytest.mark.parametrize("field", MERGE_REQUEST)
async def test_a_field_of_a_merge_request_that_stayed_is_named(sandbox: Sandbox, field: str) -> None:
    value, said = MERGE_REQUEST[field]
    send(sandbox, "PUT", SEED.merge_request.path, reviewer_ids=[2], assignee_ids=[])
    unchanged = get(sandbox, SEED.merge_request.path)
    sandbox.faults.fail("PUT", SEED.merge_request.path, status=200, body=unchanged)
    async with connect(settings_for(sandbox)) as agent:
        answer = await agent.call("update_merge_request", iid=SEED.merge_request.iid, **{field: value})
    assert answer.split("\n")[1:] == [f"GitLab did not take {said}."]


@pytest.mark.parametrize(
    ("field", "value", "shown", "said"),
    [
        ("labels", ["bug", "p9"], {"labels": ["bug"]}, f"labels (p9): {DEVELOPER}"),
        ("description", "Why", {"description": None}, f"description: {DEVELOPER}"),
        ("assignees", ["developer"], {"assignees": []}, f"assignees (@developer): {PEOPLE}"),
        ("reviewers", ["maintainer", "reporter"], {}, f"reviewers (@reporter): {PEOPLE}"),
        ("squash", True, {"squash": False}, f"squash: {DEVELOPER}"),
        ("remove_source_branch", True, {"force_remove_source_branch": None}, f"remove_source_branch: {DEVELOPER}"),
    ],
)
async def test_a_field_that_a_new_merge_request_lacks_is_named(
    sandbox: Sandbox, field: str, value: object, shown: dict[str, Any], said: str
) -> None:
    source = f"dropped-{field}"
    commit(sandbox, source, "main", {"action": "create", "file_path": f"{source}.txt", "content": "x"})
    made = {**get(sandbox, SEED.merge_request.path), "title": "New", "reviewers": [{"id": 2, "username": "maintainer"}]}
    sandbox.faults.fail("POST", "/merge_requests$", status=201, body={**made, **shown})
    async with connect(settings_for(sandbox)) as agent:
        answer = await agent.call("create_merge_request", source_branch=source, title="New", **{field: value})
    assert answer.split("\n")[1:] == [f"GitLab did not take {said}."]


async def test_an_open_merge_request_is_compared_with_what_was_asked_for(sandbox: Sandbox) -> None:
    arguments = {"source_branch": "feature/verbose-flag", "title": "Add --verbose", "labels": ["p9"], "squash": True}
    async with connect(settings_for(sandbox)) as agent:
        answer = await agent.call("create_merge_request", **arguments)
    assert answer.endswith("differs from this call in labels, squash: use update_merge_request.")


async def test_who_a_push_did_not_assign_is_named_when_a_commit_opens_the_merge_request(
    fresh_sandbox: Sandbox,
) -> None:
    allow_job_pushes(fresh_sandbox)
    merge_request = {"title": "By a commit", "labels": ["p9"]}
    async with connect(job_settings(fresh_sandbox)) as agent:
        again = {"branch": "by-commit", "message": "m", "merge_request": merge_request}
        await agent.call("commit_files", ref="main", actions=[{"path": "a", "content": "a"}], **again)
        send(fresh_sandbox, "PUT", SEED.next_merge_request.path, labels="")
        answer = await agent.call("commit_files", actions=[{"path": "b", "content": "b"}], **again)
    assert "differs from this call in labels: use update_merge_request." in answer


async def test_a_note_that_is_not_internal_or_has_another_text_is_said_to_be_so(sandbox: Sandbox) -> None:
    public = {"id": 4711, "body": "Another", "internal": False, "system": False}
    sandbox.faults.fail("POST", "/notes$", status=201, body=public)
    async with connect(settings_for(sandbox)) as agent:
        answer = await agent.call("create_note", iid=SEED.crash_issue.reference, body="Hush", internal=True)
        assert "GitLab did not take body, internal: " in answer
        note = await agent.call("create_note", iid=SEED.crash_issue.reference, body="First")
        number = note.split(": n")[1].split()[0]
        sandbox.faults.fail("PUT", f"/notes/{number}$", status=200, body={**public, "body": "First"})
    async with connect(settings_for(sandbox, toolsets=EVERY_TOOLSET, allow_opt_in_tools=True)) as agent:
        answer = await agent.call("update_note", iid=SEED.crash_issue.reference, note=number, body="Second")
    assert "GitLab did not take body: " in answer
