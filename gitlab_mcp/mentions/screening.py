"""The first look at an event, inside the webhook's answer: it asks neither GitLab nor the store."""

from dataclasses import dataclass, field

from gitlab_mcp.mentions.decision import Ignore
from gitlab_mcp.mentions.events import ChangeKind, EventProject, NoteEvent, Person, Subject, SubjectEvent
from gitlab_mcp.safety.mention import CommentRequest, OptionLimits

DEVELOPER_LEVEL = 30  # https://docs.gitlab.com/api/access_requests/#valid-access-levels


@dataclass(frozen=True)
class ProjectSettings:
    """What the listener's configuration says about one project.

    `handle` has no @. `label` is the title of the label that starts runs, "" for none; `user` is the username whose
    assignment or review request starts runs, "" for none. `own_user` is the id of the listener's user, 0 where not
    known. `minimum_role` is an access level. `hourly_per_person` and `hourly_per_project` are numbers of runs,
    `daily_budget` is in US dollars, None for any. `confidential` is whether confidential issues and internal notes
    start runs.
    """

    handle: str = "claude"
    label: str = ""
    user: str = ""
    own_user: int = 0
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

    `comment` is None for a label, an assignee or a reviewer, and `change` "" for a comment. `unit` names the event
    within its project, the same for a project hook and a group hook, such as note/101 or
    issues/7/label/2026-11-28T09:30:00+00:00. `text` is the whole comment as GitLab stores it, for the digest. `at` is
    when it happened, in ISO 8601, or "".
    """

    unit: str
    project: EventProject
    subject: Subject
    person: Person
    comment: CommentRequest | None = None
    text: str = field(default="", repr=False)
    note: int = 0
    discussion: str = ""
    is_reply: bool = False
    change: ChangeKind | None = None
    confidential: bool = False
    at: str = ""

    @property
    def thread(self) -> str:
        """Where the person is answered: the id of the discussion, else the noteable."""
        return self.discussion or self.subject.noteable


def screen(event: NoteEvent | SubjectEvent, settings: ProjectSettings | None) -> Candidate | Ignore:
    """Return the candidate that the event makes by the settings of its project, or why it starts nothing.

    `settings` is None for a project that the configuration does not name.
    """
    raise NotImplementedError
