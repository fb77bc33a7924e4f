"""Every argument of every tool that writes: GitLab's answer is compared with it, or there is a reason not to."""

from typing import Any

import pytest

from gitlab_mcp.sandbox import Sandbox
from gitlab_mcp.tools import TOOLS
from tests.support.agent import connect
from tests.support.gitlab_requests import commit, get, send
from tests.support.merge_requests import open_for_review
from tests.support.seed import SEED
from tests.support.settings import EVERY_TOOLSET, settings_for

FINDS = "it says which object is written"
PART = "it says how another argument is meant"
GUARD = "GitLab refuses the write where it does not hold"
LINKED = "it becomes links in the text, which is compared"
SHOWN = "the answer shows what GitLab gave back"
WHOLE = "GitLab stores a commit with all that was sent, or refuses it"
# Other tests: test_fields_not_taken.py (issues, merge requests, comments), test_reviews.py (what a review lost).
ELSEWHERE = "compared, in another test"
HERE = "compared, in a test of this file"

ISSUE_FIELDS = "title description assignees milestone due_date confidential"
MERGE_REQUEST_FIELDS = "title description draft assignees reviewers remove_source_branch squash"
ARGUMENTS: dict[str, dict[str, str]] = {
    "create_issue": {HERE: f"{ISSUE_FIELDS} labels", LINKED: "attach"},
    "update_issue": {ELSEWHERE: f"{ISSUE_FIELDS} state add_labels remove_labels", PART: "old_text make_public"},
    "create_merge_request": {ELSEWHERE: f"{MERGE_REQUEST_FIELDS} labels target_branch", FINDS: "source_branch"},
    "update_merge_request": {
        ELSEWHERE: f"{MERGE_REQUEST_FIELDS} state add_labels remove_labels target_branch",
        PART: "old_text",
    },
    "create_note": {ELSEWHERE: "body internal", LINKED: "attach", FINDS: "on reply_to"},
    "update_note": {ELSEWHERE: "body", FINDS: "note on", PART: "old_text"},
    "resolve_discussion": {HERE: "resolved", FINDS: "thread on"},
    "review_merge_request": {ELSEWHERE: "summary comments verdict", GUARD: "sha", PART: "submit"},
    "merge_merge_request": {HERE: "auto_merge squash remove_source_branch", GUARD: "sha"},
    "rebase_merge_request": {},
    "run_pipeline": {HERE: "ref variables", GUARD: "inputs"},
    "cancel_pipeline": {FINDS: "pipeline_id"},
    "retry_job": {FINDS: "job_id"},
    "create_branch": {SHOWN: "branch ref"},
    "delete_branch": {FINDS: "branch"},
    "commit_files": {WHOLE: "message actions paths", SHOWN: "branch ref", ELSEWHERE: "merge_request"},
}


@pytest.mark.parametrize("tool", [tool for tool in TOOLS if tool.writes], ids=lambda tool: str(tool.name))
async def test_every_argument_of_a_write_is_compared_or_has_a_reason(sandbox: Sandbox, tool: Any) -> None:
    async with connect(settings_for(sandbox, toolsets=EVERY_TOOLSET)) as agent:
        [listed] = [each for each in (await agent.client.list_tools()).tools if each.name == tool.name]
    told = [name for names in ARGUMENTS[tool.name].values() for name in names.split()]
    assert sorted(told) == sorted(set(listed.input_schema["properties"]) - {"project", "iid"})


ISSUE: dict[str, tuple[Any, dict[str, Any]]] = {
    "title": ("Wanted", {"title": "Another"}),
    "description": ("Wanted", {"description": None}),
    "labels": (["bug", "p9"], {"labels": ["bug"]}),
    "assignees": (["developer"], {"assignees": []}),
    "milestone": ("1.4", {"milestone": None}),
    "due_date": ("2027-01-15", {"due_date": None}),
    "confidential": (True, {"confidential": False}),
}


@pytest.mark.parametrize("field", ISSUE)
async def test_a_field_that_a_new_issue_lacks_is_named(sandbox: Sandbox, field: str) -> None:
    value, shown = ISSUE[field]
    made = {**get(sandbox, SEED.crash_issue.path), "title": "New", "description": None, **shown}
    sandbox.faults.fail("POST", "/issues$", status=201, body=made)
    async with connect(settings_for(sandbox)) as agent:
        answer = await agent.call("create_issue", **{"title": "New", field: value})
    assert f"\nGitLab did not take {field}" in answer
    assert answer.count("GitLab did not take") == 1


@pytest.mark.parametrize("resolved", [True, False], ids=["resolved", "reopened"])
async def test_a_thread_that_stayed_as_it_was_is_named(sandbox: Sandbox, resolved: bool) -> None:
    thread = {"id": "a" * 40, "individual_note": False, "notes": [{"id": 4711}], "resolved": not resolved}
    sandbox.faults.fail("PUT", "/discussions/", status=200, body=thread)
    arguments = {"thread": str(SEED.review_notes.stderr), "iid": SEED.merge_request.reference, "resolved": resolved}
    async with connect(settings_for(sandbox)) as agent:
        answer = await agent.call("resolve_discussion", **arguments)
    assert "\nGitLab did not take resolved: " in answer


async def test_a_squash_that_gitlab_did_not_take_is_named(sandbox: Sandbox) -> None:
    number = open_for_review(sandbox, "not-squashed")
    made = get(sandbox, f"/merge_requests/{number}")
    merged = {**made, "state": "merged", "merge_commit_sha": made["sha"], "squash": False}
    sandbox.faults.fail("PUT", "/merge$", status=200, body=merged)
    async with connect(settings_for(sandbox, toolsets=EVERY_TOOLSET)) as agent:
        answer = await agent.call("merge_merge_request", iid=number, sha=made["sha"], squash=True)
    assert "\nGitLab did not take squash: " in answer


@pytest.mark.parametrize(
    ("remove", "protects", "told"),
    [
        (True, False, ""),
        (True, True, "GitLab kept its source branch: it is protected or the default branch."),
        (False, False, ""),
        (False, True, ""),
    ],
    ids=["removed", "protected", "kept", "kept and protected"],
)
async def test_a_source_branch_that_is_not_as_asked_for_is_named(
    fresh_sandbox: Sandbox, remove: bool, protects: bool, told: str
) -> None:
    number = open_for_review(fresh_sandbox, "source")
    if protects:
        send(fresh_sandbox, "POST", "/protected_branches", "maintainer", name="source")
    sha = get(fresh_sandbox, f"/merge_requests/{number}")["sha"]
    async with connect(settings_for(fresh_sandbox, toolsets=EVERY_TOOLSET)) as agent:
        answer = await agent.call("merge_merge_request", iid=number, sha=sha, remove_source_branch=remove)
    assert answer.split("\n")[2:] == ([told] if told else [])
    assert bool(get(fresh_sandbox, "/repository/branches?search=^source$")) == (protects or not remove)


@pytest.mark.parametrize(
    ("status", "body", "told"),
    [
        (404, {"message": "404 Branch Not Found"}, "Its source branch is gone, although it was to be kept."),
        (403, {"message": "403 Forbidden"}, "Whether its source branch was removed could not be read."),
    ],
    ids=["gone", "not readable"],
)
async def test_what_became_of_a_source_branch_is_said_where_it_is_not_known_to_be_there(
    sandbox: Sandbox, status: int, body: dict[str, str], told: str
) -> None:
    number = open_for_review(sandbox, f"looked-at-{status}")
    sha = get(sandbox, f"/merge_requests/{number}")["sha"]
    sandbox.faults.fail("GET", f"/branches/looked-at-{status}$", status=status, body=body, times=9)
    async with connect(settings_for(sandbox, toolsets=EVERY_TOOLSET)) as agent:
        answer = await agent.call("merge_merge_request", iid=number, sha=sha, remove_source_branch=False)
    assert answer.split("\n")[2:] == [told]


@pytest.mark.parametrize(
    ("field", "value", "shown", "told"),
    [
        ("remove_source_branch", True, {}, "GitLab did not take remove_source_branch: role Developer is needed."),
        ("remove_source_branch", True, {"should_remove_source_branch": True}, ""),
        ("auto_merge", True, {"merge_when_pipeline_succeeds": False}, "neither as merged nor as set to auto-merge."),
    ],
    ids=["removal not taken", "removal taken", "not set"],
)
async def test_what_auto_merge_did_not_take_is_named(
    sandbox: Sandbox, field: str, value: bool, shown: dict[str, bool], told: str
) -> None:
    number = open_for_review(sandbox, f"auto-{len(told)}")
    made = get(sandbox, f"/merge_requests/{number}")
    sandbox.faults.fail("PUT", "/merge$", status=200, body={**made, "merge_when_pipeline_succeeds": True, **shown})
    arguments = {"iid": number, "sha": made["sha"], "auto_merge": True, field: value}
    async with connect(settings_for(sandbox, toolsets=EVERY_TOOLSET)) as agent:
        answer = await agent.call("merge_merge_request", **arguments)
    assert told in answer
    assert ("did not take" in answer) == ("did not take" in told)


async def test_what_a_pipeline_did_not_take_is_named_without_its_value(fresh_sandbox: Sandbox) -> None:
    commit(fresh_sandbox, "asked", "main", {"action": "create", "file_path": "x", "content": "x"})
    project = fresh_sandbox.world.projects[fresh_sandbox.project_id]
    project.settings["ci_pipeline_variables_minimum_override_role"] = "developer"
    variables = {"RELEASE": "1.4", "LEVEL": "wanted-level"}
    async with connect(settings_for(fresh_sandbox, toolsets=EVERY_TOOLSET)) as agent:
        assert "did not take" not in await agent.call("run_pipeline", ref="asked", variables=variables)
        taken = [{"key": "RELEASE", "value": "1.4"}, {"key": "LEVEL", "value": "another"}]
        fresh_sandbox.faults.fail("GET", "/variables$", status=200, body=taken)
        answer = await agent.call("run_pipeline", ref="asked", variables=variables)
        assert "GitLab did not take variables (LEVEL): " in answer
        assert "wanted-level" not in answer
        fresh_sandbox.faults.fail("GET", "/variables$", status=403, body={"message": "403 Forbidden"})
        assert "did not take" not in await agent.call("run_pipeline", ref="asked", variables=variables)
        fresh_sandbox.faults.fail("POST", "/pipeline$", status=201, body={"id": 4711, "ref": "other", "status": "x"})
        assert "GitLab did not take ref: " in await agent.call("run_pipeline", ref="asked")
