"""The data model: tokens, projects, and the issues, merge requests and pipelines in them. Repositories are on disk.

Pipelines and jobs are only stored. The sandbox runs no job: whoever takes one (state/runner.py) or creates one sets its
log and its result.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import date, datetime
from threading import RLock
from typing import Any

from gitlab_mcp.sandbox.git.repository import Repository
from gitlab_mcp.sandbox.state.ci_variables import CiVariable
from gitlab_mcp.sandbox.state.notes import AwardEmoji, DraftNote, Note
from gitlab_mcp.sandbox.state.packages import Package
from gitlab_mcp.sandbox.state.triggers import Trigger
from gitlab_mcp.sandbox.state.users import User
from gitlab_mcp.sandbox.text.ci_jobs import PlannedJob

# The statuses of a job that has not finished, which can be canceled.
WAITING = ("created", "waiting_for_resource", "pending", "running", "manual")


@dataclass(eq=False)
class Token:
    """A credential: `kind` is pat (personal access token), job (CI_JOB_TOKEN, with its job) or oauth."""

    id: int
    value: str
    name: str
    user: User
    scopes: tuple[str, ...]
    created_at: datetime
    kind: str = "pat"
    expires_at: date | None = None
    revoked: bool = False
    last_used_at: datetime | None = None
    job: Job | None = None
    description: str = ""


@dataclass(eq=False)
class Label:
    """A project label."""

    id: int
    name: str
    color: str = "#6699cc"
    description: str | None = None


@dataclass(eq=False)
class Milestone:
    """A project milestone."""

    id: int
    iid: int
    title: str
    created_at: datetime
    updated_at: datetime
    description: str = ""
    due_date: date | None = None
    start_date: date | None = None
    state: str = "active"


@dataclass(eq=False, kw_only=True)
class ResourceEvent:
    """A change of labels, milestone or state: GitLab records those as resource events, not as system notes.

    `kind` is label, milestone or state; `action` is add or remove, or the new state. What closed or merged the
    issuable is in `source_commit` or `source_merge_request_id`.
    """

    id: int
    kind: str
    user: User
    created_at: datetime
    action: str
    label: Label | None = None
    milestone: Milestone | None = None
    source_commit: str | None = None
    source_merge_request_id: int | None = None


@dataclass(eq=False, kw_only=True)
class Issuable:
    """What issues and merge requests have in common."""

    id: int
    iid: int
    project: Project
    title: str
    author: User
    created_at: datetime
    updated_at: datetime
    description: str | None = None
    state: str = "opened"
    labels: list[Label] = field(default_factory=list)
    milestone: Milestone | None = None
    assignees: list[User] = field(default_factory=list)
    discussion_locked: bool | None = None
    closed_at: datetime | None = None
    closed_by: User | None = None
    notes: list[Note] = field(default_factory=list)
    events: list[ResourceEvent] = field(default_factory=list)
    award_emoji: list[AwardEmoji] = field(default_factory=list)
    subscriptions: dict[User, bool] = field(default_factory=dict)  # what users chose, True for a subscription
    time_estimate: int = 0  # seconds, as the time spent
    time_spent: int = 0
    updated_by: User | None = None
    last_edited_at: datetime | None = None  # when its title or description changed
    last_edited_by: User | None = None

    kind = ""  # GitLab's name of the type: Issue or MergeRequest
    symbol = ""  # the character before the number in a reference

    @property
    def reference(self) -> str:
        return f"{self.symbol}{self.iid}"


@dataclass(eq=False, kw_only=True)
class Issue(Issuable):
    """An issue."""

    confidential: bool = False
    due_date: date | None = None
    issue_type: str = "issue"
    links: list[IssueLink] = field(default_factory=list)

    kind = "Issue"
    symbol = "#"


@dataclass(eq=False)
class Todo:
    """An item of a user's to-do list; `action` is GitLab's action_name, `note` the note that mentions the user."""

    id: int
    user: User
    author: User
    target: Issuable
    action: str
    created_at: datetime
    updated_at: datetime
    note: Note | None = None
    state: str = "pending"


@dataclass(eq=False)
class IssueLink:
    """A link between two issues; `link_type` is as seen from the source."""

    id: int
    source: Issue
    target: Issue
    link_type: str
    created_at: datetime


@dataclass(eq=False)
class DiffVersion:
    """A version of a merge request's diff, identified by three commits."""

    id: int
    base: str
    start: str
    head: str
    created_at: datetime


_DRAFT = re.compile(r"(?:(?:draft:|\[draft\]|\(draft\))\s*)+", re.IGNORECASE)


def without_draft(title: str) -> str:
    """A title without what makes it a draft's (MergeRequest.draftless_title)."""
    match = _DRAFT.match(title)
    return title[match.end() :] if match else title


def is_draft(title: str) -> bool:
    """GitLab docs: a title that begins with Draft:, [Draft] or (Draft) makes a merge request a draft."""
    return title.lower().startswith(("draft:", "[draft]", "(draft)"))


@dataclass(eq=False, kw_only=True)
class MergeRequest(Issuable):
    """A merge request between two branches of one project."""

    source_branch: str
    target_branch: str
    reviewers: list[User] = field(default_factory=list)
    review_states: dict[User, str] = field(default_factory=dict)
    squash: bool = False
    remove_source_branch: bool = False
    versions: list[DiffVersion] = field(default_factory=list)
    approvals: dict[User, datetime] = field(default_factory=dict)
    drafts: list[DraftNote] = field(default_factory=list)
    merged_at: datetime | None = None
    merged_by: User | None = None
    merge_commit_sha: str | None = None
    squash_commit_sha: str | None = None
    merge_error: str | None = None
    auto_merge: bool = False
    should_remove_source_branch: bool | None = None  # of its auto-merge
    auto_merge_user: User | None = None  # who set it
    rebasing_until: datetime | None = None

    kind = "MergeRequest"
    symbol = "!"

    @property
    def draft(self) -> bool:
        return is_draft(self.title)

    @property
    def version(self) -> DiffVersion:
        return self.versions[-1]


@dataclass(eq=False)
class Pipeline:
    """A pipeline of a branch, a tag or a merge request; an invalid configuration leaves `yaml_errors`."""

    id: int
    iid: int
    project: Project
    ref: str
    sha: str
    user: User
    created_at: datetime
    status: str = "running"
    source: str = "push"
    jobs: list[Job] = field(default_factory=list)
    finished_at: datetime | None = None
    tag: bool = False
    yaml_errors: str | None = None
    variables: list[dict[str, Any]] = field(default_factory=list)  # as Ci::Variable presents them
    name: str | None = None  # from workflow:name
    statuses: list[CommitStatus] = field(default_factory=list)

    @property
    def active(self) -> bool:
        """Whether its jobs have not all ended; Ci::Pipeline counts a manual one as ended."""
        return self.status in (*WAITING[:4], "preparing", "scheduled", "canceling")


@dataclass(eq=False)
class CommitStatus:
    """A status that something outside GitLab's CI reported for a commit (GenericCommitStatus)."""

    id: int
    name: str
    pipeline: Pipeline
    author: User
    created_at: datetime
    status: str
    target_url: str | None = None
    description: str | None = None
    coverage: float | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    retried: bool = False


@dataclass(eq=False)
class Job:
    """A job of a pipeline; its CI_JOB_TOKEN is valid while it runs.

    `state` is its status, or "" to derive that from its times. `log` is what the runner sent, with ANSI escape codes.
    """

    id: int
    name: str
    stage: str
    pipeline: Pipeline
    started_at: datetime | None = None
    finished_at: datetime | None = None
    state: str = ""
    allow_failure: bool = False
    failure_reason: str = ""
    retried: bool = False
    log: bytes = b""
    tests: list[ReportedTest] = field(default_factory=list)
    artifacts: dict[str, bytes] = field(default_factory=dict)  # path in the archive -> content
    plan: PlannedJob | None = None  # what the configuration says, if the job can be taken

    @property
    def status(self) -> str:
        return self.state or ("success" if self.finished_at else "running" if self.started_at else "created")

    @property
    def running(self) -> bool:
        """Whether its token is valid: also while its after_script runs behind a cancellation (Ci::AuthJobFinder)."""
        return self.status in ("running", "canceling")

    @property
    def project(self) -> Project:
        return self.pipeline.project


@dataclass(frozen=True)
class ReportedTest:
    """A test case in the JUnit report of a job; `status` is success, failed, error or skipped."""

    name: str
    classname: str
    status: str = "success"
    seconds: float = 0.01
    output: str | None = None
    file: str | None = None


@dataclass(eq=False)
class Upload:
    """A file uploaded to a project for use in Markdown; whoever knows the secret may read it."""

    id: int
    secret: str
    name: str
    content: bytes
    user: User
    created_at: datetime


@dataclass(eq=False)
class Release:
    """A release, which belongs to a tag."""

    tag_name: str
    name: str
    description: str
    author: User
    released_at: datetime
    links: list[dict[str, Any]] = field(default_factory=list)  # as ReleasesLink
    milestones: list[Milestone] = field(default_factory=list)


@dataclass(eq=False)
class Project:
    """A project with its repository and all its content."""

    id: int
    name: str
    path: str
    group: str
    group_id: int
    created_at: datetime
    repository: Repository
    creator: User
    description: str = ""
    visibility: str = "public"
    archived: bool = False
    members: dict[User, int] = field(default_factory=dict)
    protected: dict[str, int] = field(default_factory=dict)  # branch name or wildcard -> least role that may push
    labels: dict[str, Label] = field(default_factory=dict)
    milestones: list[Milestone] = field(default_factory=list)
    issues: dict[int, Issue] = field(default_factory=dict)
    merge_requests: dict[int, MergeRequest] = field(default_factory=dict)
    pipelines: dict[int, Pipeline] = field(default_factory=dict)
    triggers: dict[int, Trigger] = field(default_factory=dict)
    releases: list[Release] = field(default_factory=list)
    uploads: list[Upload] = field(default_factory=list)
    commit_notes: dict[str, list[Note]] = field(default_factory=dict)  # sha -> comments on the commit
    wiki: dict[str, str] = field(default_factory=dict)  # slug -> Markdown
    settings: dict[str, Any] = field(default_factory=dict)
    variables: list[CiVariable] = field(default_factory=list)
    packages: list[Package] = field(default_factory=list)
    inbound_job_token_scope_enabled: bool = True
    job_token_allowlist: list[int] = field(default_factory=list)  # the numbers of other projects
    lock: RLock = field(default_factory=RLock)

    @property
    def full_path(self) -> str:
        return f"{self.group}/{self.path}"
