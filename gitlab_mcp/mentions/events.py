"""The payloads of GitLab's webhooks that can start a run, as typed values.

A payload is foreign JSON of any shape. What cannot be read, and what starts nothing whoever did it, becomes an Ignore
with the reason; nothing is raised. Fields: https://docs.gitlab.com/user/project/integrations/webhook_events/, and
lib/gitlab/data_builder and lib/gitlab/hook_data of GitLab.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from gitlab_mcp.api.entity import Entity
from gitlab_mcp.config.job_context import DISCUSSION, USERNAME, iso_time
from gitlab_mcp.mentions.decision import Ignore

SubjectKind = Literal["issues", "merge_requests", "commits"]
ChangeKind = Literal["label", "assignee", "reviewer"]

COMMIT_ID = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
LARGEST_GITLAB_ID = 10**18
# The payload's object that a comment was written on, by the comment's noteable_type.
NOTEABLES: Mapping[str, tuple[SubjectKind, tuple[str, ...]]] = {
    "Issue": ("issues", ("issue", "work_item")),
    "WorkItem": ("issues", ("work_item", "issue")),
    "MergeRequest": ("merge_requests", ("merge_request",)),
    "Commit": ("commits", ("commit",)),
}
# What AI_FLOW_CONTEXT takes over, where the payload has it. GitLab's own flows send more.
NUMBER_FIELDS = ("id", "iid", "project_id", "author_id", "milestone_id", "source_project_id", "target_project_id")
PLAIN_FIELDS = ("state", "due_date", "created_at", "updated_at", "source_branch", "target_branch")
FLAG_FIELDS = ("confidential", "draft")
FIELD_CHARACTERS = 255
MOST_LABELS = 100
# The changes that start runs: the key in `changes` and in the payload, and which field names one of them.
RUN_CHANGES: tuple[tuple[ChangeKind, str, str], ...] = (
    ("label", "labels", "title"),
    ("assignee", "assignees", "username"),
    ("reviewer", "reviewers", "username"),
)


@dataclass(frozen=True)
class EventProject:
    """The project of an event; texts are "" where the payload has none."""

    id: int
    path: str = ""
    web_url: str = ""
    default_branch: str = ""


@dataclass(frozen=True)
class Person:
    """The user who wrote the comment or made the change."""

    id: int
    username: str


@dataclass(frozen=True)
class Subject:
    """The issue, merge request or commit that an event is about, as of the event.

    `reference` is the iid in digits, of a commit its full id. A work item of a project is an issue. `title` and
    `description` are GitLab's texts, unchanged and untrusted; a commit's description is its message. `is_fork` is
    whether a merge request comes from another project, or the payload does not say from which one. `labels` are the
    titles of the labels, `fields` the other fields that AI_FLOW_CONTEXT takes over.
    """

    kind: SubjectKind
    reference: str
    title: str = field(default="", repr=False)
    description: str = field(default="", repr=False)
    confidential: bool = False
    is_fork: bool = False
    labels: tuple[str, ...] = ()
    fields: Mapping[str, str | int] = field(default_factory=dict, repr=False)

    @property
    def noteable(self) -> str:
        """The kind and number, such as issues/7, merge_requests/12 or commits/SHA."""
        return f"{self.kind}/{self.reference}"


@dataclass(frozen=True)
class NoteEvent:
    """A comment that somebody wrote.

    `text` is untrusted. `created_at` is in ISO 8601 with its zone. `discussion` is "" where the payload names none,
    `is_reply` whether the comment stands in a thread and not alone, `confidential` whether the comment is internal or
    its issue confidential.
    """

    project: EventProject
    subject: Subject
    person: Person
    note: int
    text: str = field(repr=False)
    created_at: str
    discussion: str = ""
    is_reply: bool = False
    confidential: bool = False


@dataclass(frozen=True)
class SubjectChange:
    """Something that one event added to an issue or merge request.

    `names` are the titles of labels, or the usernames of assignees or reviewers, that were not there before.
    """

    kind: ChangeKind
    names: tuple[str, ...]


@dataclass(frozen=True)
class SubjectEvent:
    """An issue or merge request to which somebody added labels, assignees or reviewers.

    `updated_at` is in ISO 8601 with its zone.
    """

    project: EventProject
    subject: Subject
    person: Person
    added: tuple[SubjectChange, ...]
    updated_at: str

    @property
    def confidential(self) -> bool:
        """Whether the issue is confidential."""
        return self.subject.confidential


def read_event(payload: object) -> NoteEvent | SubjectEvent | Ignore:
    """Return what a webhook's payload (parsed JSON, of any shape) tells, or why it starts nothing.

    Ignored are edited comments, system notes, comments on snippets, what belongs to a group and to no project, and
    every event of another kind.
    """
    event = Entity(payload)
    kind, attributes = event.text("object_kind"), event.entity("object_attributes")
    if kind not in ("note", "issue", "work_item", "merge_request"):
        return Ignore("The event is not about a comment, an issue or a merge request.")
    if not attributes:
        return Ignore("The payload has no object_attributes.")
    project = _project(event, attributes)
    if project is None:
        return Ignore("The payload does not name one project: it is of a group, or malformed.")
    person = Person(_id(event, "user", "id") or _id(attributes, "author_id"), event.text("user", "username"))
    if kind == "note" and person.id != _id(attributes, "author_id"):
        return Ignore("The payload does not name the author of the comment.")
    if not person.id or not USERNAME.fullmatch(person.username) or not person.username.isascii():
        return Ignore("The payload does not name the user.")
    if kind == "note":
        return _note_event(event, attributes, project, person)
    return _subject_event(event, attributes, project, person)


def _project(event: Entity, attributes: Entity) -> EventProject | None:
    """The project of an event; None where the payload names none, or several."""
    ids = {
        _id(event, "project", "id"),
        _id(event, "project_id"),
        _id(attributes, "project_id"),
        _id(attributes, "target_project_id"),
        _id(event, "issue", "project_id"),
        _id(event, "work_item", "project_id"),
        _id(event, "merge_request", "target_project_id"),
    } - {0}
    if len(ids) != 1:
        return None
    project = event.entity("project")
    return EventProject(
        ids.pop(),
        project.text("path_with_namespace")[:FIELD_CHARACTERS],
        project.url("web_url"),
        project.text("default_branch")[:FIELD_CHARACTERS],
    )


def _note_event(event: Entity, note: Entity, project: EventProject, person: Person) -> NoteEvent | Ignore:
    if note.flag("system"):
        return Ignore("It is a system note.")
    # Before GitLab 16.11 there was no action, and edits fired no event that differs in anything but its times.
    action = note.text("action") or ("create" if note.text("created_at") == note.text("updated_at") else "update")
    if action != "create":
        return Ignore("The comment is not new: it was edited.")
    kind, names = NOTEABLES.get(note.text("noteable_type"), (None, ()))
    if kind is None:
        return Ignore("The comment is not on an issue, a merge request or a commit.")
    noteable = next((found for name in names if (found := event.entity(name))), Entity(None))
    subject = _commit(noteable, note) if kind == "commits" else _subject(kind, noteable, event)
    number, created_at = _id(note, "id"), iso_time(note.text("created_at"))
    if subject is None or not number or not created_at:
        return Ignore("The payload does not name the comment, its time, or what it is on.")
    discussion = note.text("discussion_id")
    return NoteEvent(
        project=project,
        subject=subject,
        person=person,
        note=number,
        text=note.text("note"),
        created_at=created_at,
        discussion=discussion if DISCUSSION.fullmatch(discussion) else "",
        is_reply=bool(note.text("type")),
        confidential=subject.confidential
        or note.flag("internal")
        or note.flag("confidential")
        or event.text("event_type").startswith("confidential"),
    )


def _subject_event(event: Entity, attributes: Entity, project: EventProject, person: Person) -> SubjectEvent | Ignore:
    kind: SubjectKind = "merge_requests" if event.text("object_kind") == "merge_request" else "issues"
    subject, updated_at = _subject(kind, attributes, event), iso_time(attributes.text("updated_at"))
    if subject is None or not updated_at:
        return Ignore("The payload does not name the issue or merge request, or its time.")
    # A new issue or merge request has no changes: all that it has was added by this event.
    is_new = attributes.text("action") == "open"
    added = []
    for change, key, name in RUN_CHANGES:
        current = event.entities(key) if is_new else event.entities("changes", key, "current")
        if not is_new and "previous" not in event.names("changes", key):
            continue
        previous = {_identity(each, name) for each in event.entities("changes", key, "previous")}
        names = [each.text(name) for each in current if is_new or _identity(each, name) not in previous]
        if new := tuple(filter(None, names)):
            added.append(SubjectChange(change, new))
    if not added:
        return Ignore("The event adds no label, assignee or reviewer.")
    return SubjectEvent(project, subject, person, tuple(added), updated_at)


def _identity(entity: Entity, name: str) -> tuple[int, str]:
    """What a label or user is recognized by: its id, else its name."""
    number = _id(entity, "id")
    return number, "" if number else entity.text(name)


def _subject(kind: SubjectKind, noteable: Entity, event: Entity) -> Subject | None:
    """The issue or merge request; None where the payload has none."""
    iid = _id(noteable, "iid")
    if not iid:
        return None
    labels = noteable.entities("labels") or event.entities("labels")
    source, target = _id(noteable, "source_project_id"), _id(noteable, "target_project_id")
    return Subject(
        kind=kind,
        reference=str(iid),
        title=noteable.text("title"),
        description=noteable.text("description"),
        confidential=noteable.flag("confidential") or event.text("event_type").startswith("confidential"),
        is_fork=kind == "merge_requests" and (not source or source != target),
        labels=tuple(label.text("title") for label in labels[:MOST_LABELS]),
        fields=_fields(noteable),
    )


def _commit(commit: Entity, note: Entity) -> Subject | None:
    """The commit; None where the payload has none."""
    number, message = commit.text("id") or note.text("commit_id"), commit.text("message")
    if not COMMIT_ID.fullmatch(number):
        return None
    title = commit.text("title") or message.partition("\n")[0]
    return Subject("commits", number, title, message, fields={"id": number})


def _fields(noteable: Entity) -> dict[str, str | int]:
    return {
        **{name: number for name in NUMBER_FIELDS if (number := _id(noteable, name))},
        **{name: text[:FIELD_CHARACTERS] for name in PLAIN_FIELDS if (text := noteable.text(name))},
        **{name: noteable.flag(name) for name in FLAG_FIELDS if name in noteable.names()},
    }


def _id(entity: Entity, *keys: str) -> int:
    """A positive number that GitLab can have given; 0 for anything else."""
    number = entity.number(*keys)
    return number if 0 < number < LARGEST_GITLAB_ID else 0
