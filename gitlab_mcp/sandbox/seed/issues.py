"""Adding issues, comments and labels to a seed project, at fixed times."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from gitlab_mcp.sandbox.seed.people import person
from gitlab_mcp.sandbox.state import activity
from gitlab_mcp.sandbox.state.model import Issuable, Issue, Label, Project
from gitlab_mcp.sandbox.state.notes import Note, discussion_id
from gitlab_mcp.sandbox.state.world import World


def at(month: int, day: int, hour: int = 10, minute: int = 0) -> datetime:
    """A time in 2026, the year of the seed data."""
    return datetime(2026, month, day, hour, minute, tzinfo=UTC)


def add_labels(world: World, project: Project, labels: dict[str, tuple[str, str]]) -> None:
    """Add labels, which map a name to (color, description)."""
    for name, (color, description) in labels.items():
        project.labels[name] = Label(world.next_id("label"), name, color, description)


def add_issue(
    world: World,
    project: Project,
    author: str,
    when: datetime,
    title: str,
    description: str,
    labels: tuple[str, ...] = (),
    **fields: Any,
) -> Issue:
    """Add an issue with the next number; `fields` are further fields of Issue."""
    issue = Issue(
        id=world.next_id("issue"),
        iid=max(project.issues, default=0) + 1,
        project=project,
        title=title,
        author=person(world, author),
        created_at=when,
        updated_at=when,
        description=description,
        labels=[project.labels[name] for name in labels],
        **fields,
    )
    project.issues[issue.iid] = issue
    return issue


def say(
    world: World, noteable: Issuable, author: str, when: datetime, body: str, *, to: Note | None = None, **fields: Any
) -> Note:
    """Add a comment, or with `to` a reply in the thread of that comment; `fields` are further fields of Note."""
    number = world.next_id("note")
    thread = to.discussion_id if to else discussion_id(number)
    if to is not None and to.type is None:
        to.type = "DiscussionNote"
    note = Note(number, person(world, author), body, when, when, thread, to.type if to else None)
    for name, value in fields.items():
        setattr(note, name, value)
    noteable.notes.append(note)
    noteable.updated_at = max(noteable.updated_at, when)
    return note


def close(world: World, issue: Issue, who: str, when: datetime) -> None:
    """Close an issue."""
    issue.state, issue.closed_at, issue.closed_by = "closed", when, person(world, who)
    activity.record_event(world, issue, person(world, who), "state", "closed", when)


def minutes(count: int) -> timedelta:
    """A duration in minutes."""
    return timedelta(minutes=count)
