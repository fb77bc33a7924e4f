"""Payloads of GitLab's webhooks about what is in the sandbox, as a hook of its project sends them."""

from typing import Any

from gitlab_mcp.sandbox import Sandbox
from tests.support.gitlab_requests import get, send
from tests.support.seed import SEED, SeededItem


def person(sandbox: Sandbox, username: str) -> dict[str, Any]:
    """A user, as a payload has them."""
    user = next(one for one in sandbox.world.users.values() if one.username == username)
    return {"id": user.id, "name": user.name, "username": user.username, "email": "[REDACTED]"}


def note_hook(sandbox: Sandbox, note: dict[str, Any], item: SeededItem = SEED.crash_issue, **changes: Any) -> Any:
    """The payload about a comment; `changes` are other values of its `object_attributes`."""
    about = get(sandbox, item.path)
    project = sandbox.world.projects[sandbox.project_id]
    items = project.issues if item.noun == "issue" else project.merge_requests
    thread = next(one.discussion_id for one in items[item.iid].notes if one.id == note["id"])
    is_issue = item.noun == "issue"
    names = ["id", "iid", "title", "description", "state", "confidential", "source_branch", "target_branch"]
    names += ["source_project_id", "target_project_id"]
    attributes = {
        "id": note["id"],
        "note": note["body"],
        "noteable_type": "Issue" if is_issue else "MergeRequest",
        "noteable_id": about["id"],
        "author_id": note["author"]["id"],
        "created_at": _time(note["created_at"]),
        "updated_at": _time(note["created_at"]),
        "project_id": sandbox.project_id,
        "system": False,
        "internal": note["internal"],
        "type": note["type"],
        "discussion_id": thread,
        "action": "create",
    }
    return {
        "object_kind": "note",
        "event_type": "confidential_note" if note["internal"] else "note",
        "user": person(sandbox, note["author"]["username"]),
        "project_id": sandbox.project_id,
        "project": _project(sandbox),
        "object_attributes": {**attributes, **changes},
        "issue" if is_issue else "merge_request": {name: about[name] for name in names if name in about},
    }


def comment(
    sandbox: Sandbox, text: str, who: str = "developer", item: SeededItem = SEED.crash_issue, **more: Any
) -> tuple[dict[str, Any], Any]:
    """Write a comment; the note, and the payload about it."""
    note = send(sandbox, "POST", f"{item.path}/notes", who, body=text, **more)
    return note, note_hook(sandbox, note, item)


def label_hook(sandbox: Sandbox, label: str, who: str = "developer", item: SeededItem = SEED.crash_issue) -> Any:
    """Add a label to an issue; the payload about it."""
    issue = send(sandbox, "PUT", item.path, who, add_labels=label)
    labels = [{"id": number, "title": title} for number, title in enumerate(issue["labels"], start=1)]
    names = ("id", "iid", "title", "description", "state", "confidential")
    return {
        "object_kind": "issue",
        "event_type": "issue",
        "user": person(sandbox, who),
        "project": _project(sandbox),
        "object_attributes": {
            **{name: issue[name] for name in names},
            "action": "update",
            "updated_at": _time(issue["updated_at"]),
        },
        "changes": {"labels": {"previous": [one for one in labels if one["title"] != label], "current": labels}},
    }


def _project(sandbox: Sandbox) -> dict[str, Any]:
    return {
        "id": sandbox.project_id,
        "path_with_namespace": sandbox.project,
        "web_url": f"{sandbox.url}/{sandbox.project}",
        "default_branch": "main",
    }


def _time(text: str) -> str:
    """A time as payloads write it: 2026-11-28 09:30:00 UTC."""
    return f"{text[:10]} {text[11:19]} UTC"
