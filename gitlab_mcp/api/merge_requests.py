"""Merge requests: opening and changing one, and an overview of what belongs to one."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Literal

from gitlab_mcp.api.client import GitLab, unless_refused
from gitlab_mcp.api.entity import Entity
from gitlab_mcp.api.field_comparison import Asked, Difference, cleared, given, may_clear, not_taken
from gitlab_mcp.api.idempotency import WriteResult, look_with, write_once
from gitlab_mcp.api.project import Noteable, Project
from gitlab_mcp.api.reviews.diff import ChangedFile
from gitlab_mcp.errors import Conflict, InvalidArgument, NotFound, Refused, naming

# https://docs.gitlab.com/user/project/merge_requests/drafts/
DRAFT = re.compile(r"^\s*(?:(?:\[draft\]|\(draft\)|draft:)\s*)+", re.IGNORECASE)

TITLE_CHARACTERS = 255
OVERVIEW_FILES = 30

CommittedTo = Literal["", "old", "new"]


@dataclass(frozen=True)
class NewMergeRequest:
    """The attributes of a new merge request. None stands for GitLab's default."""

    title: str
    description: str = ""
    draft: bool | None = None
    labels: Sequence[str] = ()
    assignees: Sequence[str] = ()
    reviewers: Sequence[str] = ()
    remove_source_branch: bool | None = None
    squash: bool | None = None


@dataclass(frozen=True)
class Update:
    """Changes to a merge request. None leaves an attribute as it is; assignees and reviewers replace the old ones."""

    title: str | None = None
    description: str | None = None
    target_branch: str | None = None
    state: str | None = None
    draft: bool | None = None
    add_labels: Sequence[str] = ()
    remove_labels: Sequence[str] = ()
    assignees: Sequence[str] | None = None
    reviewers: Sequence[str] | None = None
    remove_source_branch: bool | None = None
    squash: bool | None = None

    def __bool__(self) -> bool:
        return self != Update()


@dataclass(frozen=True)
class Overview:
    """The issues that a merge request closes, its approvals, its reviewers with their states, and its first files."""

    closes: list[Entity] = field(default_factory=list)
    approvals: Entity = field(default_factory=lambda: Entity(None))
    reviewers: list[Entity] = field(default_factory=list)
    files: list[ChangedFile] = field(default_factory=list)


def open_merge_request(
    project: Project, source: str, target: str, wanted: NewMergeRequest, committed_to: CommittedTo = ""
) -> tuple[WriteResult[Entity], bool]:
    """Open a merge request from `source` to `target`, and return it and whether it is new.

    One that is already open is returned as it is. Raises Refused when the source has no commits of its own,
    InvalidArgument for a user who is not a member of the project.

    `committed_to` says that a commit to the source was just made, on an old or a new branch: the commits are not looked
    up then, nor is an open merge request of a new branch. Should it have one after all, GitLab answers with a conflict.
    """
    if source == target:
        raise InvalidArgument(f"source_branch and target_branch are both {source}: commit to another branch first.")
    gitlab = project.gitlab
    already_open = None if committed_to == "new" else gitlab.start(_find_open, project, source, target)
    has_commits = None if committed_to else gitlab.start(_has_commits, project, target, source)
    assignees = gitlab.start(user_ids, project, wanted.assignees)
    reviewers = gitlab.start(user_ids, project, wanted.reviewers)
    if already_open and (existing := already_open.result()):
        return WriteResult(existing, confirmed=False), False
    if has_commits and not has_commits.result():
        raise Refused(f"{source} has no commits that {target} lacks.")
    body: dict[str, object] = {
        "source_branch": source,
        "target_branch": target,
        "title": titled(wanted.title, wanted.draft),
        "description": wanted.description or None,
        "labels": ",".join(wanted.labels) or None,
        "assignee_ids": assignees.result() or None,
        "reviewer_ids": reviewers.result() or None,
        "remove_source_branch": wanted.remove_source_branch,
        "squash": wanted.squash,
    }
    attributes = {name: value for name, value in body.items() if value is not None}
    send = partial(gitlab.post, f"{project.path}/merge_requests", attributes)
    try:
        check = f"Look{naming(' with {}', 'list_merge_requests')} before opening it again."
        return write_once(send, partial(_find_open, project, source, target), check), True
    except Conflict:
        # Somebody opened one since the look-up.
        if existing := _find_open(project, source, target):
            return WriteResult(existing, confirmed=False), False
        raise


@dataclass(frozen=True)
class UpdatedMergeRequest:
    """A merge request that was changed, the fields that GitLab did not set, and those that the change cleared."""

    merge_request: WriteResult[Entity]
    not_taken: Sequence[Difference]
    cleared: Sequence[Difference]


def update_merge_request(target: Noteable, update: Update) -> UpdatedMergeRequest:
    """Change a merge request over REST: https://docs.gitlab.com/api/merge_requests/#update-mr"""
    project, gitlab = target.project, target.project.gitlab
    body: dict[str, object] = {
        "title": update.title,
        "description": update.description,
        "target_branch": update.target_branch,
        "state_event": update.state,
        "add_labels": ",".join(update.add_labels) or None,
        "remove_labels": ",".join(update.remove_labels) or None,
        "assignee_ids": None if update.assignees is None else user_ids(project, update.assignees),
        "reviewer_ids": None if update.reviewers is None else user_ids(project, update.reviewers),
        "remove_source_branch": update.remove_source_branch,
        "squash": update.squash,
    }
    changes = {name: value for name, value in body.items() if value is not None}
    asked = {**asked_of_update(gitlab, update)}
    before = gitlab.get(target.path) if may_clear(asked) else Entity(None)
    if update.title is not None or update.draft is not None:
        title = new_title(update, lambda: before or gitlab.get(target.path))
        changes["title"], asked["title"] = title, gitlab.outgoing(title)

    def find() -> Entity | None:
        now = gitlab.get(target.path)
        return None if not_taken(asked, now) else now

    # Repeating the same change has no further effect, so that the look-up only compares the current state.
    written = write_once(partial(gitlab.put, target.path, changes), find, look_with("get_merge_request"))
    now = written.result
    return UpdatedMergeRequest(written, not_taken(asked, now), cleared(asked, before, now))


def asked_of_new(gitlab: GitLab, target: str, wanted: NewMergeRequest) -> Asked:
    """The fields of a new merge request into `target`, to compare with the one that GitLab opened."""
    return given(
        {
            "title": gitlab.outgoing(titled(wanted.title, wanted.draft)),
            "description": gitlab.outgoing(wanted.description) or None,
            "target_branch": target,
            "labels": list(wanted.labels),
            "assignees": list(wanted.assignees) or None,
            "reviewers": list(wanted.reviewers) or None,
            "remove_source_branch": wanted.remove_source_branch,
            "squash": wanted.squash,
        }
    )


def asked_of_update(gitlab: GitLab, update: Update) -> Asked:
    """The fields that an update sets, without the title, which depends on the one before."""
    return given(
        {
            "description": None if update.description is None else gitlab.outgoing(update.description),
            "target_branch": update.target_branch,
            "state": update.state,
            "draft": update.draft,
            "add_labels": list(update.add_labels),
            "remove_labels": list(update.remove_labels),
            "assignees": update.assignees,
            "reviewers": update.reviewers,
            "remove_source_branch": update.remove_source_branch,
            "squash": update.squash,
        }
    )


def new_title(update: Update, now: Callable[[], Entity]) -> str:
    """The title after `update`. GitLab stores draft as a prefix of the title.

    `now` returns the current merge request, which is needed where only one of title and draft changes.
    """
    if update.title is None:
        return titled(now().text("title"), update.draft)
    draft = update.draft
    if draft is None and not DRAFT.match(update.title):
        draft = now().flag("draft")
    return titled(update.title, draft)


def titled(title: str, draft: bool | None) -> str:
    """The title with or without the prefix "Draft: ". Raises InvalidArgument for a title that GitLab refuses."""
    bare = DRAFT.sub("", title).strip()
    if draft is None:
        draft = bool(DRAFT.match(title))
    if not bare:
        raise InvalidArgument("title is empty: say in a few words what changes.")
    full = f"Draft: {bare}" if draft else bare
    if len(full) > TITLE_CHARACTERS:
        raise InvalidArgument(f"title has {len(full)} characters, and GitLab takes {TITLE_CHARACTERS}: shorten it.")
    return full


def user_ids(project: Project, usernames: Sequence[str]) -> list[int]:
    """The ids of members by username. Raises InvalidArgument that names a user who is not a member."""
    return project.gitlab.together([partial(_user_id, project, username) for username in usernames])


def _user_id(project: Project, username: str) -> int:
    for member in project.gitlab.every(f"{project.path}/members/all", query=username):
        if member.text("username").lower() == username.lower():
            return member.number("id")
    raise InvalidArgument(f"There is no member @{username} in this project: give the username of a member.")


def _find_open(project: Project, source: str, target: str) -> Entity | None:
    """The open merge request between two branches of the project, without those from forks."""
    query = {"state": "opened", "source_branch": source, "target_branch": target}
    for row in project.gitlab.page(f"{project.path}/merge_requests", 1, 20, **query).rows:
        if row.number("source_project_id") == row.number("target_project_id"):
            return row
    return None


def open_from(project: Project, source: str) -> list[Entity]:
    """The open merge requests whose source is a branch of the project; [] where GitLab does not list them.

    GitLab closes them when the branch is deleted (MergeRequests::RefreshService).
    """
    path = f"{project.path}/merge_requests"
    rows = unless_refused(
        lambda: project.gitlab.page(path, 1, 20, state="opened", source_branch=source).rows, list[Entity]()
    )
    return [row for row in rows if row.number("source_project_id") == row.number("target_project_id")]


def own_for_issue(issue: Noteable, author: int) -> Entity:
    """The newest open merge request that `author`, the id of a run's user, opened for an issue, from the project.

    It mentions or closes the issue. An empty object where there is none, and where GitLab does not list them.
    """
    found = [
        row
        for row in issue.project.gitlab.every_readable(f"{issue.path}/related_merge_requests")
        if row.text("state") == "opened"
        and author
        and row.number("author", "id") == author
        and row.number("source_project_id") == row.number("target_project_id")
        and issue.project.is_called(row.text("project_id"))
    ]
    return max(found, key=lambda row: row.number("iid"), default=Entity(None))


def _has_commits(project: Project, target: str, source: str) -> bool:
    """Whether `source` has commits that `target` lacks: GitLab opens a merge request without commits too.

    GitLab's list of commits accepts a revision range as ref_name.
    """
    try:
        path = f"{project.path}/repository/commits"
        return bool(project.gitlab.page(path, 1, 1, ref_name=f"{target}..{source}").rows)
    except NotFound:
        return True  # a branch is missing: GitLab's response to the write says which


def overview(target: Noteable) -> Overview:
    """The overview of a merge request, with parallel requests; a part that GitLab refuses is empty."""
    gitlab = target.project.gitlab
    closes = gitlab.start(gitlab.every_readable, f"{target.path}/closes_issues")
    reviewers = gitlab.start(gitlab.every_readable, f"{target.path}/reviewers")
    approvals = gitlab.start(unless_refused, partial(gitlab.get, f"{target.path}/approvals"), Entity(None))
    diffs = unless_refused(lambda: gitlab.page(f"{target.path}/diffs", 1, OVERVIEW_FILES).rows, list[Entity]())
    files = [ChangedFile(diff) for diff in diffs]
    return Overview(closes.result(), approvals.result(), reviewers.result(), files)
