"""What happened in a request that webhooks report: new and changed notes, and changes of issues and merge requests.

Each request collects its own events, and a push does too. What happens outside of one, as while seeding, has none.

Not collected, although GitLab reports it: time tracking, links between issues, and that the last thread was resolved.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from gitlab_mcp.sandbox.git.repository import Commit
from gitlab_mcp.sandbox.state.model import Issuable, Issue, MergeRequest, Project
from gitlab_mcp.sandbox.state.notes import Note
from gitlab_mcp.sandbox.state.users import User
from gitlab_mcp.sandbox.state.world import World


@dataclass(frozen=True)
class NoteEvent:
    """A note was created or changed; `action` is create or update. System notes have no events."""

    project: Project
    noteable: Issuable | Commit
    note: Note
    action: str


@dataclass(frozen=True)
class IssuableEvent:
    """An issue or merge request changed; `action` is open, update, close, reopen, merge, approved or unapproved.

    `changes` are the values before and after, by GitLab's names of the attributes; people, labels and times are those
    of the data model. `oldrev` is the head before a push to the source branch.
    """

    issuable: Issuable
    user: User
    action: str
    changes: dict[str, tuple[Any, Any]] = field(default_factory=dict)
    oldrev: str | None = None


Event = NoteEvent | IssuableEvent
_collected: ContextVar[list[Event] | None] = ContextVar("collected", default=None)


@contextmanager
def collect() -> Iterator[list[Event]]:
    """Collect the events of the `with` block, which is that of one request."""
    events: list[Event] = []
    token = _collected.set(events)
    try:
        yield events
    finally:
        _collected.reset(token)


def record(event: Event) -> None:
    """Add an event to those of the request.

    What sets the first fields of a new issue or merge request is part of its opening and no update of its own.
    """
    events = _collected.get()
    if events is None:
        return
    if isinstance(event, IssuableEvent) and event.action == "update":
        opened = [one.issuable for one in events if isinstance(one, IssuableEvent) and one.action == "open"]
        if event.issuable in opened:
            return
    events.append(event)


def opened(issuable: Issuable) -> None:
    """Record that an issue or merge request was created.

    Issuable#to_hook_data compares the associations with those before, of which a new one has none: labels and people
    that it was created with are not among its changes.
    """
    names = ("author_id", "created_at", "description", "id", "iid", "title", "updated_at")
    values = {**_attributes(issuable), "author_id": issuable.author.id, "id": issuable.id, "iid": issuable.iid}
    values |= {"created_at": issuable.created_at, "project_id": issuable.project.id}
    record(
        IssuableEvent(
            issuable, issuable.author, "open", {name: (None, values[name]) for name in (*names, "project_id")}
        )
    )


@contextmanager
def updating(world: World, issuable: Issuable, user: User) -> Iterator[None]:
    """Record one update with all that the `with` block changes, if it changes anything that a hook reports."""
    before = _attributes(issuable)
    yield
    # The state has events of its own: close, reopen and merge.
    if all(after == before[name] for name, after in _attributes(issuable).items() if name != "updated_at"):
        return
    issuable.updated_by, issuable.updated_at = user, max(issuable.updated_at, world.now())
    changes = {name: (before[name], after) for name, after in _attributes(issuable).items() if after != before[name]}
    record(IssuableEvent(issuable, user, "update", changes))


def _attributes(issuable: Issuable) -> dict[str, Any]:
    """The attributes that changes report (SAFE_HOOK_ATTRIBUTES and SAFE_HOOK_RELATIONS of the hook builders)."""
    values: dict[str, Any] = {
        "title": issuable.title,
        "description": issuable.description,
        "labels": list(issuable.labels),
        "assignees": list(issuable.assignees),
        "milestone_id": issuable.milestone.id if issuable.milestone else None,
        "discussion_locked": issuable.discussion_locked,
        "time_estimate": issuable.time_estimate,
        "total_time_spent": issuable.time_spent,
        "updated_at": issuable.updated_at,
        "updated_by_id": issuable.updated_by.id if issuable.updated_by else None,
        "last_edited_at": issuable.last_edited_at,
        "last_edited_by_id": issuable.last_edited_by.id if issuable.last_edited_by else None,
    }
    if isinstance(issuable, Issue):
        values |= {"confidential": issuable.confidential, "due_date": issuable.due_date}
    if isinstance(issuable, MergeRequest):
        values |= {"draft": issuable.draft, "target_branch": issuable.target_branch}
        values["reviewers"] = list(issuable.reviewers)
    return values
