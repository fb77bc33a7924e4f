"""The payloads of GitLab's webhooks that can start a run, as typed values.

A payload is foreign JSON of any shape. What cannot be read, and what starts nothing whoever did it, becomes an Ignore
with the reason; nothing is raised. Fields: https://docs.gitlab.com/user/project/integrations/webhook_events/.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from gitlab_mcp.mentions.decision import Ignore

SubjectKind = Literal["issues", "merge_requests", "commits"]
ChangeKind = Literal["label", "assignee", "reviewer"]


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
    `description` are GitLab's texts, unchanged and untrusted; a commit's description is its message. `fields` are the
    other fields of the payload that AI_FLOW_CONTEXT takes over. `is_fork` is whether a merge request comes from another
    project, or the payload does not say from which one.
    """

    kind: SubjectKind
    reference: str
    title: str = field(default="", repr=False)
    description: str = field(default="", repr=False)
    confidential: bool = False
    is_fork: bool = False
    fields: Mapping[str, object] = field(default_factory=dict, repr=False)

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

    `updated_at` is in ISO 8601 with its zone, or "".
    """

    project: EventProject
    subject: Subject
    person: Person
    added: tuple[SubjectChange, ...]
    updated_at: str = ""

    @property
    def confidential(self) -> bool:
        """Whether the issue is confidential."""
        return self.subject.confidential


def read_event(payload: object) -> NoteEvent | SubjectEvent | Ignore:
    """Return what a webhook's payload (parsed JSON, of any shape) tells, or why it starts nothing.

    Ignored are edited comments, system notes, comments on snippets, on group-level objects and in other projects than
    the payload's, and every event of another kind.
    """
    raise NotImplementedError
