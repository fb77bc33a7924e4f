"""The first look at an event, inside the webhook's answer: it asks neither GitLab nor the store."""

import re
from dataclasses import dataclass, field

from gitlab_mcp.mentions.decision import Ignore
from gitlab_mcp.mentions.events import ChangeKind, EventProject, NoteEvent, Person, Subject, SubjectEvent
from gitlab_mcp.safety.marker import marker_of
from gitlab_mcp.safety.mention import CommentRequest, OptionLimits, read_comment

DEVELOPER_LEVEL = 30  # https://docs.gitlab.com/api/access_requests/#valid-access-levels

NOT_CONFIGURED = "The configuration does not name the project."

# The usernames that GitLab gives to the users of access tokens and to service accounts, and those of its own bots. Who
# has another name is known only to GitLab's API: `Facts.is_human`.
BOT = re.compile(
    r"(?:project|group)_\d+_bot(?:_?[0-9a-z]+)?|service_account(?:_(?:group|project)_\d+)*_[0-9a-f]{32}"
    r"|(?:alert|support|visual-review|migration|automation|admin|suggested-reviewers)-?bot\d*|ghost\d*"
    r"|gitlab-(?:security|admin|migration|automation)-bot\d*|gitlab-?duo\d*",
    re.IGNORECASE | re.ASCII,
)


@dataclass(frozen=True)
class ProjectSettings:
    """What the listener's configuration says about one project.

    `handle` has no @. `label` is the title of the label that starts runs, "" for none; `user` is the username whose
    assignment or review request starts runs, "" for none. `own_users` are the ids of the users that the listener and
    the runs write as, as far as they are known. `minimum_role` is an access level. `hourly_per_person` and
    `hourly_per_project` are numbers of runs, `daily_budget` is in US dollars, None for any. `confidential` is whether
    confidential issues and internal notes start runs.
    """

    handle: str = "claude"
    label: str = ""
    user: str = ""
    own_users: tuple[int, ...] = ()
    enabled: bool = True
    confidential: bool = False
    minimum_role: int = DEVELOPER_LEVEL
    hourly_per_person: int = 10
    hourly_per_project: int = 30
    daily_budget: float | None = None
    options: OptionLimits = field(default_factory=OptionLimits)


@dataclass(frozen=True)
class Candidate:
    """An event that starts or stops a run, if the person may do so.

    `comment` is None for a label, an assignee or a reviewer, and `change` None for a comment. `unit` names the event
    within its project, the same for a project hook and a group hook, such as note/101 or
    issues/7/label/2026-11-28T09:30:00+00:00. `text` is the whole comment as GitLab stores it, for the digest. `at` is
    when it happened, in ISO 8601.
    """

    unit: str
    project: EventProject
    subject: Subject
    person: Person
    at: str
    comment: CommentRequest | None = None
    text: str = field(default="", repr=False)
    note: int = 0
    discussion: str = ""
    is_reply: bool = False
    change: ChangeKind | None = None
    confidential: bool = False

    @property
    def thread(self) -> str:
        """Where the person is answered: the id of the discussion, else the noteable."""
        return self.discussion or self.subject.noteable


def screen(event: NoteEvent | SubjectEvent, settings: ProjectSettings | None) -> Candidate | Ignore:
    """Return the candidate that the event makes by the settings of its project, or why it starts nothing.

    `settings` is None for a project that the configuration does not name.
    """
    if settings is None:
        return Ignore(NOT_CONFIGURED)
    if reason := ignored(settings, event.person, confidential=event.confidential):
        return Ignore(reason)
    return _comment(event, settings) if isinstance(event, NoteEvent) else _change(event, settings)


def ignored(settings: ProjectSettings, person: Person, *, confidential: bool) -> str:
    """Why the settings of a project let this person's events start nothing, "" where they do not say so."""
    if not settings.enabled:
        return "The project is switched off in the configuration."
    if person.id in settings.own_users:
        return "The event is by a user of this service itself."
    if BOT.fullmatch(person.username):
        return "The event is by a bot."
    if confidential and not settings.confidential:
        return "The issue is confidential or the comment internal, which the configuration does not allow."
    return ""


def _comment(event: NoteEvent, settings: ProjectSettings) -> Candidate | Ignore:
    if marker_of(event.text):
        return Ignore("The comment is the tracking note of a run.")
    comment = read_comment(event.text, settings.handle, settings.options)
    if comment is None:
        return Ignore("The comment does not mention the handle.")
    return Candidate(
        unit=f"note/{event.note}",
        project=event.project,
        subject=event.subject,
        person=event.person,
        at=event.created_at,
        comment=comment,
        text=event.text,
        note=event.note,
        discussion=event.discussion,
        is_reply=event.is_reply,
        confidential=event.confidential,
    )


def _change(event: SubjectEvent, settings: ProjectSettings) -> Candidate | Ignore:
    user = settings.user.casefold()
    for added in event.added:
        if added.kind == "label":
            starts = settings.label != "" and settings.label in added.names
        else:
            starts = user != "" and user in (name.casefold() for name in added.names)
        if starts:
            return Candidate(
                unit=f"{event.subject.noteable}/{added.kind}/{event.updated_at}",
                project=event.project,
                subject=event.subject,
                person=event.person,
                at=event.updated_at,
                change=added.kind,
                confidential=event.confidential,
            )
    return Ignore("The event does not add the label, assignee or reviewer that starts runs.")
