"""Payloads of GitLab's webhooks, written after its documentation, about what a new sandbox holds.

https://docs.gitlab.com/user/project/integrations/webhook_events/
"""

from copy import deepcopy
from typing import Any

from gitlab_mcp.mentions.decision import Ignore
from gitlab_mcp.mentions.events import read_event
from gitlab_mcp.mentions.screening import Candidate, ProjectSettings, screen
from tests.support.seed import SEED

Payload = dict[str, Any]

PROJECT_ID = 1
NOTE = 1301
DISCUSSION = "6a9c1750b37d513a43987b574953fceb50b03ce7"
COMMIT = "da1560886d4f094c3e6c9ef40349f7d38b5d27d7"
WRITTEN_AT = "2026-11-28 09:30:00 UTC"

DEVELOPER: Payload = {
    "id": 4,
    "name": "Dana Developer",
    "username": "developer",
    "avatar_url": None,
    "email": "[REDACTED]",
}
CLAUDE: Payload = {"id": 77, "name": "Claude", "username": "claude", "avatar_url": None, "email": "[REDACTED]"}
BUG: Payload = {"id": 11, "title": "bug", "color": "#d9534f", "project_id": PROJECT_ID, "type": "ProjectLabel"}
RUN_LABEL: Payload = {"id": 12, "title": "claude", "color": "#6699cc", "project_id": PROJECT_ID, "type": "ProjectLabel"}
PROJECT: Payload = {
    "id": PROJECT_ID,
    "name": "app",
    "description": "",
    "web_url": "https://gitlab.example.com/acme/app",
    "git_ssh_url": "git@gitlab.example.com:acme/app.git",
    "git_http_url": "https://gitlab.example.com/acme/app.git",
    "namespace": "acme",
    "visibility_level": 0,
    "path_with_namespace": "acme/app",
    "default_branch": "main",
    "ci_config_path": None,
}
ISSUE: Payload = {
    "id": 207,
    "iid": SEED.crash_issue.iid,
    "project_id": PROJECT_ID,
    "title": "Crash when the configuration file is empty",
    "description": "It ends with a traceback.",
    "state": "opened",
    "confidential": False,
    "labels": [BUG],
    "assignee_ids": [],
    "author_id": 3,
    "milestone_id": None,
    "created_at": "2026-11-20 08:00:00 UTC",
    "updated_at": WRITTEN_AT,
    "type": "Issue",
    "url": f"https://gitlab.example.com/acme/app/-/issues/{SEED.crash_issue.iid}",
}
MERGE_REQUEST: Payload = {
    "id": 93,
    "iid": SEED.merge_request.iid,
    "title": "Add --verbose",
    "description": "Closes #3",
    "state": "opened",
    "draft": False,
    "work_in_progress": False,
    "labels": [],
    "author_id": 4,
    "source_branch": "3-verbose",
    "target_branch": "main",
    "source_project_id": PROJECT_ID,
    "target_project_id": PROJECT_ID,
    "merge_status": "can_be_merged",
    "last_commit": {"id": COMMIT, "message": "Add --verbose\n", "timestamp": "2026-11-20T08:00:00+00:00"},
    "created_at": "2026-11-20 08:00:00 UTC",
    "updated_at": WRITTEN_AT,
    "url": f"https://gitlab.example.com/acme/app/-/merge_requests/{SEED.merge_request.iid}",
}


def note_on_issue(text: str = "@claude fix this", **changed: Any) -> Payload:
    """The payload of a new comment on an issue; `changed` are fields of the comment."""
    return _note(text, "Issue", ISSUE["id"], {"issue": ISSUE}, changed)


def note_on_work_item(text: str = "@claude fix this", **changed: Any) -> Payload:
    """The payload of a new comment on a task."""
    task = {**ISSUE, "type": "Task"}
    return _note(text, "WorkItem", task["id"], {"work_item": task}, changed)


def note_on_merge_request(text: str = "@claude fix this", **changed: Any) -> Payload:
    """The payload of a new comment on a merge request."""
    return _note(text, "MergeRequest", MERGE_REQUEST["id"], {"merge_request": MERGE_REQUEST}, changed)


def note_on_diff_line(text: str = "@claude fix this", **changed: Any) -> Payload:
    """The payload of a new comment on a line of a merge request's diff."""
    position: Payload = {"base_sha": COMMIT, "start_sha": COMMIT, "head_sha": COMMIT, "old_path": "a", "new_path": "a"}
    position |= {"position_type": "text", "old_line": None, "new_line": 3}
    return note_on_merge_request(text, type="DiffNote", position=position, line_code="1_0_3", **changed)


def note_on_commit(text: str = "@claude fix this", **changed: Any) -> Payload:
    """The payload of a new comment on a commit."""
    commit = {"id": COMMIT, "message": "Add --verbose\n\nFor #3", "title": "Add --verbose"}
    return _note(text, "Commit", None, {"commit": commit}, {"commit_id": COMMIT, **changed})


def note_on_snippet(text: str = "@claude fix this", **changed: Any) -> Payload:
    """The payload of a new comment on a snippet."""
    return _note(text, "Snippet", 53, {"snippet": {"id": 53, "title": "A", "content": "a"}}, changed)


def issue_changed(changes: Payload, **changed: Any) -> Payload:
    """The payload of a changed issue; `changes` is GitLab's object of that name, `changed` are fields of the issue."""
    return _subject("issue", {**ISSUE, "action": "update", **changed}, changes)


def merge_request_changed(changes: Payload, **changed: Any) -> Payload:
    """The payload of a changed merge request."""
    return _subject("merge_request", {**MERGE_REQUEST, "action": "update", **changed}, changes)


def added(key: str, before: list[Payload], after: list[Payload]) -> Payload:
    """GitLab's object `changes`, where `key` was `before` and is `after` now."""
    updated = {"previous": "2026-11-27 10:00:00 UTC", "current": WRITTEN_AT}
    return {"updated_at": updated, key: {"previous": before, "current": after}}


def with_value(payload: Payload, path: str, value: object) -> Payload:
    """A copy of a payload with another value at a path of keys, such as "issue.confidential"."""
    copy = deepcopy(payload)
    *parents, last = path.split(".")
    place = copy
    for key in parents:
        place = place[key]
    place[last] = value
    return copy


def _note(text: str, noteable_type: str, noteable_id: int | None, noteable: Payload, changed: Payload) -> Payload:
    attributes = {
        "id": NOTE,
        "note": text,
        "description": text,
        "noteable_type": noteable_type,
        "noteable_id": noteable_id,
        "author_id": DEVELOPER["id"],
        "project_id": PROJECT_ID,
        "discussion_id": DISCUSSION,
        "type": None,
        "internal": False,
        "system": False,
        "created_at": WRITTEN_AT,
        "updated_at": WRITTEN_AT,
        "action": "create",
        "url": f"https://gitlab.example.com/acme/app/-/issues/7#note_{NOTE}",
    }
    return deepcopy(
        {
            "object_kind": "note",
            "event_type": "note",
            "user": DEVELOPER,
            "project_id": PROJECT_ID,
            "project": PROJECT,
            "repository": {"name": "app", "url": "", "description": "", "homepage": ""},
            "object_attributes": {**attributes, **changed},
            **noteable,
        }
    )


def _subject(kind: str, attributes: Payload, changes: Payload) -> Payload:
    return deepcopy(
        {
            "object_kind": kind,
            "event_type": kind,
            "user": DEVELOPER,
            "project": PROJECT,
            "object_attributes": attributes,
            "labels": attributes["labels"],
            "changes": changes,
            "repository": {"name": "app", "url": "", "description": "", "homepage": ""},
        }
    )


def candidate_of(payload: Payload, settings: ProjectSettings) -> Candidate:
    """The candidate that a payload makes by the settings of its project."""
    event = read_event(payload)
    assert not isinstance(event, Ignore), event
    found = screen(event, settings)
    assert isinstance(found, Candidate), found
    return found
