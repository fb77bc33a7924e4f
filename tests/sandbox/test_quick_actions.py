"""Quick actions in posted text are executed with the permissions of its author."""

from __future__ import annotations

from typing import Any

import pytest

from gitlab_mcp.sandbox import Sandbox
from tests.sandbox.conftest import Api, People
from tests.support.seed import SEED

ISSUE = f"/projects/:p{SEED.crash_issue.path}"
REQUEST = f"/projects/:p{SEED.merge_request.path}"


def names(sandbox: Sandbox) -> list[str]:
    return [entry["command"] for entry in sandbox.executed_quick_actions]


def only_commands(api: Api, path: str, body: str, **more: Any) -> dict[str, Any]:
    """The response to a note of only commands."""
    response = api.call("POST", f"{path}/notes", json={"body": body, **more})
    assert response.status_code == 202, response.text
    assert set(response.json()) == {"commands_changes", "summary"}
    found: dict[str, Any] = response.json()
    return found


def test_a_note_of_only_commands_is_answered_202_and_not_created(developer: Api, sandbox: Sandbox) -> None:
    before = len(developer.get(f"{ISSUE}/notes", activity_filter="only_comments"))
    response = only_commands(developer, ISSUE, "/close\n/label ~docs\n/title Other words")
    assert response["commands_changes"]["state_event"] == "close"
    assert response["summary"] == ['Closed this issue. Added ~docs label. Changed the title to "Other words".']
    issue = developer.get(ISSUE)
    assert (issue["state"], issue["title"], "docs" in issue["labels"]) == ("closed", "Other words", True)
    assert len(developer.get(f"{ISSUE}/notes", activity_filter="only_comments")) == before
    assert sandbox.executed_quick_actions[1] == {
        "command": "label",
        "argument": "~docs",
        "user": "developer",
        "where": "acme/app#7 note",
    }


def test_a_mixed_note_is_stored_without_its_commands(developer: Api) -> None:
    note = developer.post(f"{ISSUE}/notes", body="Done.\n/close\r\n\nThanks.")
    assert (note["body"], note["commands_changes"]) == ("Done.\nThanks.", {"state_event": "close"})
    assert developer.get(ISSUE)["state"] == "closed"
    assert developer.get(f"{ISSUE}/notes/{note['id']}")["commands_changes"] == {}


def test_commands_without_effect_and_message_are_answered_400(developer: Api) -> None:
    response = developer.refusal("POST", f"{ISSUE}/notes", body="/label ~none")
    assert response == (400, {"message": "400 Bad request - Failed to apply commands."})


def test_a_command_without_permission_is_extracted_without_effect(people: People, sandbox: Sandbox) -> None:
    response = only_commands(people[SEED.stranger], ISSUE, "/close\n/label ~docs\n/confidential")
    assert response["commands_changes"] == {}
    assert response["summary"][0].startswith("Could not apply close command. Could not apply label command.")
    assert people["developer"].get(ISSUE)["state"] == "opened"
    assert names(sandbox) == ["close", "label", "confidential"]


def test_neutralized_text_is_stored_and_executes_nothing(developer: Api, sandbox: Sandbox) -> None:
    note = developer.post(f"{ISSUE}/notes", body=" /close\n```\n /merge\n```")
    assert note["body"] == " /close\n```\n /merge\n```"
    assert sandbox.executed_quick_actions == []
    assert developer.get(ISSUE)["state"] == "opened"


@pytest.mark.parametrize(
    ("command", "field", "value"),
    [
        ("/unlabel ~bug", "labels", ["p2"]),
        ("/unlabel", "labels", []),
        ("/relabel ~docs", "labels", ["docs"]),
        ("/label ~\"needs discussion\"", "labels", ["bug", "needs discussion", "p2"]),
        ("/remove_milestone", "milestone", None),
        ("/confidential", "confidential", True),
        ("/lock", "discussion_locked", True),
        ("/due 2030-01-31", "due_date", "2030-01-31"),
        ("/unassign", "assignees", []),
    ],
)  # fmt: skip
def test_commands_on_issues_change_them(developer: Api, command: str, field: str, value: object) -> None:
    assert only_commands(developer, ISSUE, command)["summary"]
    assert developer.get(ISSUE)[field] == value


def test_a_command_is_undone_by_its_opposite(developer: Api) -> None:
    for body in ("/close", "/reopen", "/lock", "/unlock", "/due 2030-01-31", "/remove_due_date", "/unassign"):
        only_commands(developer, ISSUE, body)
    only_commands(developer, ISSUE, "/assign @reporter me\n/remove_milestone")
    only_commands(developer, ISSUE, '/assign @maintainer\n/milestone %"1.4"')
    issue = developer.get(ISSUE)
    assert (issue["state"], issue["discussion_locked"], issue["due_date"]) == ("opened", False, None)
    assert [user["username"] for user in issue["assignees"]] == ["maintainer"]
    assert issue["milestone"]["title"] == "1.4"


def test_commands_on_merge_requests_change_them(maintainer: Api, developer: Api) -> None:
    developer.post("/projects/:p/repository/branches", branch="release", ref="main")
    only_commands(maintainer, REQUEST, "/draft\n/assign_reviewer @reporter\n/target_branch release")
    found = maintainer.get(REQUEST)
    assert (found["draft"], found["title"], found["target_branch"]) == (True, "Draft: Add --verbose", "release")
    assert [user["username"] for user in found["reviewers"]] == ["reporter"]  # one, without a licence
    only_commands(maintainer, REQUEST, "/ready\n/unassign_reviewer @reporter\n/target_branch main")
    found = maintainer.get(REQUEST)
    assert (found["title"], found["target_branch"]) == ("Add --verbose", "main")
    assert [user["username"] for user in found["reviewers"]] == []


@pytest.mark.parametrize("path", [ISSUE, REQUEST])
@pytest.mark.parametrize(
    "command",
    [
        "/merge",
        "/rebase",
        "/approve",
        "/spend 1h",
        "/react :tada:",
        "/relate #8",
        "/duplicate #8",
        "/todo",
        "/weight 3",
    ],
)
def test_commands_without_effect_here_are_removed_and_recorded(
    maintainer: Api, sandbox: Sandbox, path: str, command: str
) -> None:
    before = maintainer.get(path)
    note = maintainer.post(f"{path}/notes", body=f"Done.\n{command}")
    assert (note["body"], note["commands_changes"]) == ("Done.", {})
    name, _, argument = command.removeprefix("/").partition(" ")
    assert [(one["command"], one["argument"]) for one in sandbox.executed_quick_actions] == [(name, argument)]
    response = only_commands(maintainer, path, command, merge_request_diff_head_sha=before.get("sha"))
    assert response == {"commands_changes": {}, "summary": [f"Could not apply {name} command."]}
    # The note that was saved changed these two.
    after = {**maintainer.get(path), "updated_at": before["updated_at"], "user_notes_count": before["user_notes_count"]}
    assert after == before


def test_threads_and_replies_execute_commands(developer: Api, sandbox: Sandbox) -> None:
    thread = developer.post(f"{ISSUE}/discussions", body="Look.\n/label ~docs")
    assert thread["notes"][0]["body"] == "Look."
    assert thread["notes"][0]["commands_changes"] == {"add_label_ids": [12]}
    response = developer.call("POST", f"{ISSUE}/discussions/{thread['id']}/notes", json={"body": "/close"})
    assert (response.status_code, response.json()["summary"]) == (202, ["Closed this issue."])
    assert len(developer.get(f"{ISSUE}/discussions/{thread['id']}")["notes"]) == 1
    assert {entry["where"] for entry in sandbox.executed_quick_actions} == {"acme/app#7 discussion note"}


def test_an_edited_note_runs_its_new_commands_and_is_deleted_if_left_empty(developer: Api) -> None:
    note = developer.post(f"{ISSUE}/notes", body="text")
    changed = developer.put(f"{ISSUE}/notes/{note['id']}", body="other\n/label ~docs")
    assert changed["body"] == "other"
    developer.put(f"{ISSUE}/notes/{note['id']}", body="/close")
    assert developer.get(ISSUE)["state"] == "closed"
    assert developer.refusal("GET", f"{ISSUE}/notes/{note['id']}")[0] == 404


def test_drafts_execute_their_commands_when_they_are_published(maintainer: Api, sandbox: Sandbox) -> None:
    drafts = f"{REQUEST}/draft_notes"
    maintainer.post(drafts, note="Fine.\n/label ~docs")
    maintainer.post(drafts, note="/lock")
    assert sandbox.executed_quick_actions == []
    assert maintainer.call("POST", f"{drafts}/bulk_publish", json={"note": "/title Better"}).status_code == 204
    assert names(sandbox) == ["label", "lock", "title"]
    found = maintainer.get(REQUEST)
    assert (found["discussion_locked"], found["title"], found["labels"]) == (True, "Better", ["docs", "feature"])
    assert maintainer.get(f"{REQUEST}/notes", activity_filter="only_comments")[0]["body"] == "Fine."


def test_issue_descriptions_execute_their_commands(developer: Api, sandbox: Sandbox) -> None:
    made = developer.post(
        "/projects/:p/issues", title="New", description="Text.\n/label ~bug\n/assign @reporter\n/due 2030-01-01\n/close"
    )
    assert (made["description"], made["labels"], made["due_date"]) == ("Text.", ["bug"], "2030-01-01")
    assert (made["assignee"]["username"], made["state"]) == (
        "reporter",
        "opened",
    )  # an issue cannot be closed while it is created
    changed = developer.put(f"/projects/:p/issues/{made['iid']}", description="Text.\n/close")
    assert (changed["description"], changed["state"]) == ("Text.", "closed")
    assert sandbox.executed_quick_actions[-1]["where"] == f"acme/app#{made['iid']} description"


def test_merge_request_descriptions_execute_their_commands(developer: Api) -> None:
    developer.commit("work", {"action": "create", "file_path": "x", "content": "x"}, start_branch="main")
    made = developer.post(
        "/projects/:p/merge_requests",
        title="Work",
        source_branch="work",
        target_branch="main",
        description="/draft\n/label ~docs\n/reviewer @maintainer",
    )
    assert (made["title"], made["description"], made["labels"]) == ("Draft: Work", "", ["docs"])
    changed = developer.put(f"/projects/:p/merge_requests/{made['iid']}", description="Why.\n/ready\n/close")
    assert (changed["title"], changed["state"], changed["description"]) == ("Work", "closed", "Why.")


def test_commands_already_in_a_description_are_not_executed_again(maintainer: Api, sandbox: Sandbox) -> None:
    hostile = maintainer.get(f"/projects/:p{SEED.hostile_issue.path}")
    assert "\n/close\n" in hostile["description"]
    changed = maintainer.put(f"/projects/:p{SEED.hostile_issue.path}", description=hostile["description"] + "\nMore.")
    assert (changed["state"], "p1" in changed["labels"]) == ("opened", False)
    assert sandbox.executed_quick_actions == []


def test_commands_in_a_commit_message_are_not_executed(developer: Api, sandbox: Sandbox) -> None:
    made = developer.commit(
        "work", {"action": "create", "file_path": "x"}, start_branch="main", message="Work\n\n/close #7"
    )
    assert made["message"] == "Work\n\n/close #7"
    assert sandbox.executed_quick_actions == []


def test_mentions_are_recorded(developer: Api, sandbox: Sandbox) -> None:
    developer.post(f"{ISSUE}/notes", body="@all: ask @maintainer, not `@claude`")
    developer.post("/projects/:p/issues", title="New", description="cc @reporter")
    assert sandbox.mentions == [
        {"username": "all", "where": "acme/app#7 note"},
        {"username": "maintainer", "where": "acme/app#7 note"},
        {"username": "reporter", "where": "acme/app#9 description"},
    ]
