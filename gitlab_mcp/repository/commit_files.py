"""Committing files: what was asked for, held against what is there, sent as one commit."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from gitlab_mcp.api.entity import Entity
from gitlab_mcp.api.merge_requests import NewMergeRequest
from gitlab_mcp.api.project import Project
from gitlab_mcp.errors import Conflict, InvalidArgument, NotFound, Refused
from gitlab_mcp.git.change import Change
from gitlab_mcp.git.objects import EXECUTABLE, FOLDER, TreeEntry, blob_id
from gitlab_mcp.repository.branches import creating
from gitlab_mcp.repository.file_actions import RequestedChange, changes_of, check_fit
from gitlab_mcp.repository.git_attributes import refuse_filtered
from gitlab_mcp.repository.interface import Committed, NewCommit, Repository
from gitlab_mcp.repository.paths import folders_above
from gitlab_mcp.repository.worktree import Worktree
from gitlab_mcp.safety.policy import Policy
from gitlab_mcp.safety.validation import INVALID_UNICODE, is_valid_unicode


@dataclass(frozen=True)
class Request:
    """A commit to make: `actions` or the globs `paths`; `ref` is where a new branch begins.

    With `merge_request` one into `target` is opened too.
    """

    branch: str
    message: str
    ref: str
    actions: Sequence[RequestedChange]
    paths: Sequence[str]
    target: str = ""
    merge_request: NewMergeRequest | None = None


@dataclass(frozen=True)
class Done:
    """A commit that was made. `start` is where its new branch began, `left_out` what no commit can take from disk."""

    made: Committed
    branch: str
    start: str
    changes: Sequence[Change]
    unchanged: int
    left_out: Sequence[str]
    remarks: Sequence[str]


def commit(project: Project, repository: Repository, worktree: Worktree | None, request: Request) -> Done:
    """Make the commit, all of it or nothing.

    Raises Refused when nothing would change or a path cannot be written, Conflict when something else is there,
    NotFound when a branch or file is not, InvalidArgument for what no repository could take.
    """
    _check_message(request.message)
    tip, start = _tip(project, repository, request)
    left_out: list[str] = []
    if request.paths:
        tree = repository.all_files(tip) if tip else {}
        asked, left_out = _checkout(worktree, project).differences(request.paths, tree)
        check_fit(asked, tree)
    else:
        paths = [path for action in request.actions for path in (action.path, action.previous_path) if path]
        tree = repository.entries(tip, paths) if tip else {}
        asked = _with_content(changes_of(request.actions, tree), tree, worktree, project)
        refuse_filtered(repository, tip, tree, [each.path for each in asked if each.content is not None])
    changes = _in_order((needed for change in asked if (needed := _needed(change, tree.get(change.path)))), tree)
    if not changes:
        there = request.branch if tip else "it"
        widely = " Other files need other paths: * stays in its folder, ** crosses them." if request.paths else ""
        raise Refused(f"There is nothing to commit: {there} already has all of this as it is.{widely}")
    touched = [path for change in changes for path in change.paths]
    remarks = Policy(project.gitlab.settings).remarks(request.branch, touched, repository.default_branch)
    if tip and not start:
        changes = repository.pinned(changes, tip, tree)
    new = NewCommit(
        request.branch,
        request.message,
        changes,
        tip,
        tree,
        is_new=bool(start),
        target=request.target,
        merge_request=request.merge_request,
    )
    if new.is_new:
        made = creating(repository, new.branch, lambda: repository.create_commit(new))
    else:
        made = repository.create_commit(new)
    if worktree:
        worktree.remember(changes)
    unchanged = len(asked) - len(changes)
    return Done(made, request.branch, start, changes, unchanged, left_out, [*made.remarks, *remarks])


def _check_message(message: str) -> None:
    """Raise InvalidArgument for what no commit's message can hold."""
    if "\0" in message:
        raise InvalidArgument("message holds a NUL character, which no commit can hold: leave it out.")
    if not is_valid_unicode(message):
        raise InvalidArgument(f"message holds {INVALID_UNICODE}.")


def _in_order(changes: Iterable[Change], tree: Mapping[str, TreeEntry]) -> list[Change]:
    """The changes such that each finds its place free: GitLab makes one after the other."""

    def rank(change: Change) -> int:
        taken = any(path in tree and tree[path].mode != FOLDER for path in folders_above(change.path))
        taken = taken or (change.path in tree and change.action == "move")
        return ("delete", "move").index(change.action) if change.action in ("delete", "move") and not taken else 2

    return sorted(changes, key=rank)


def _tip(project: Project, repository: Repository, request: Request) -> tuple[str, str]:
    """The commit to build on ("" in an empty repository), and the ref that a new branch begins at ("" for none)."""
    branch = project.gitlab.start(repository.branch, request.branch)
    start = project.gitlab.start(repository.commit, request.ref) if request.ref else None
    try:
        there = branch.result()
    except NotFound as missing:
        if start:
            return start.result().text("id"), request.ref
        if repository.is_empty():
            return "", ""
        raise NotFound(
            f'There is no branch {request.branch}: to create it here give ref, such as "{repository.default_branch}".'
        ) from missing
    if start:
        raise already_there(request.branch, there)
    return there.text("commit", "id"), ""


def already_there(branch: str, there: Entity) -> Conflict:
    """A branch that was to be created is there."""
    return Conflict(
        f"The branch {branch} is already there, at {there.text('commit', 'short_id')}:"
        " leave ref out to commit on top of it, or choose another name."
    )


def _checkout(worktree: Worktree | None, project: Project) -> Worktree:
    if worktree is None:
        raise InvalidArgument(
            f"There is no working directory of project {project.name} to take files from: give content in actions."
        )
    return worktree


def _with_content(
    changes: Sequence[Change], tree: Mapping[str, TreeEntry], worktree: Worktree | None, project: Project
) -> list[Change]:
    """The changes with the content that was not given, from the working directory."""
    wanted = [change.path for change in changes if change.content is None and change.action in ("create", "update")]
    moved = [change.path for change in changes if change.content is None and change.action == "move"]
    if worktree:
        wanted += [path for path in moved if worktree.has(path)]
    if not wanted:
        return list(changes)
    local = _checkout(worktree, project).read(
        wanted, [path for path in wanted if path in tree and tree[path].mode != FOLDER]
    )
    found = []
    for change in changes:
        if there := local.get(change.path):
            executable = there.executable if change.executable is None else change.executable
            found.append(replace(change, content=there.content, executable=executable, from_disk=True))
        else:
            found.append(change)
    return found


def _needed(change: Change, there: TreeEntry | None) -> Change | None:
    """The change without what is already so; None when nothing is left of it."""
    if there is None or there.mode == FOLDER or change.action in ("delete", "move"):
        # A new file is not executable by itself.
        return replace(change, executable=change.executable or None) if change.action == "create" else change
    mode = None if change.executable is (there.mode == EXECUTABLE) else change.executable
    if change.content is not None and blob_id(change.content, len(there.id)) == there.id:
        return None if mode is None else Change("chmod", change.path, executable=mode)
    if change.action == "chmod" and mode is None:
        return None
    return replace(change, executable=mode)
