"""Committing files: the requested changes are checked against the branch, and the rest is sent as one commit."""

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace

from gitlab_mcp.api.entity import Entity
from gitlab_mcp.api.merge_requests import NewMergeRequest
from gitlab_mcp.api.project import Project
from gitlab_mcp.config.checkout import other_origin
from gitlab_mcp.errors import Conflict, InvalidArgument, NotFound, Refused
from gitlab_mcp.git.change import Change
from gitlab_mcp.git.objects import EXECUTABLE, FOLDER, TreeEntry, blob_id
from gitlab_mcp.repository.branches import explain_name_conflict
from gitlab_mcp.repository.file_actions import RequestedChange, changes_of, check_fit
from gitlab_mcp.repository.git_attributes import refuse_filtered
from gitlab_mcp.repository.interface import Committed, NewCommit, Repository
from gitlab_mcp.repository.parts_of_files import check_not_lost, with_replacements
from gitlab_mcp.repository.paths import folders_above
from gitlab_mcp.repository.worktree import Worktree
from gitlab_mcp.safety.policy import Policy
from gitlab_mcp.safety.sanitize import one_line
from gitlab_mcp.safety.validation import INVALID_UNICODE, is_valid_unicode

FILES_NAMED = 5


@dataclass(frozen=True)
class CommitRequest:
    """A commit to create: of `actions`, or of the files in the working directory that the globs `paths` match.

    With `ref` the branch is created there. With `merge_request` a merge request into `target`, by default the default
    branch, is opened too.
    """

    branch: str
    message: str
    ref: str
    actions: Sequence[RequestedChange]
    paths: Sequence[str]
    target: str = ""
    merge_request: NewMergeRequest | None = None


@dataclass(frozen=True)
class CommitOutcome:
    """A commit that was created.

    `start` is the ref at which its new branch was created, "" for an existing branch. `unchanged` is how many of the
    requested files needed no change, `left_out` holds matching paths on disk that are not committed, with the reason.
    `from_globs` is whether the files were found by globs.
    """

    made: Committed
    branch: str
    start: str
    changes: Sequence[Change]
    unchanged: int
    left_out: Mapping[str, str]
    remarks: Sequence[str]
    from_globs: bool


def commit(
    project: Project, repository: Repository, worktree: Worktree | None, request: CommitRequest
) -> CommitOutcome:
    """Create the commit, with all of its changes or none.

    Raises Refused when nothing would change or a path cannot be written, Conflict when the branch or a file exists
    already or has changed, NotFound when one does not exist, InvalidArgument for changes that no repository can take.
    """
    _check_message(request.message)
    Policy(project.gitlab.settings).check_branch(project.name, request.branch)
    tip, start, default_branch = _looked_up(project, repository, request)
    left_out: dict[str, str] = {}
    if request.paths:
        tree = repository.all_files(tip) if tip else {}
        requested, left_out = _checkout(worktree, project).differences(request.paths, tree)
        check_fit(requested, tree)
    else:
        paths = [path for action in request.actions for path in (action.path, action.previous_path) if path]
        tree = repository.entries(tip, paths) if tip else {}
        actions = with_replacements(repository, tip, request.actions)
        requested = _with_content(changes_of(actions, tree), tree, worktree, project)
        refuse_filtered(repository, tip, tree, [change.path for change in requested if change.content is not None])
    changes = _in_order((needed for change in requested if (needed := _needed(change, tree.get(change.path)))), tree)
    if not changes:
        holder = request.branch if tip else "the empty repository"
        hint = "For other files give other paths: * stays in its folder, ** crosses folders." if request.paths else ""
        same = "the rest of what these paths match" if left_out else "all of this"
        raise Refused(f"There is nothing to commit: {holder} already has {same}. {left_out_text(left_out)}{hint}")
    check_not_lost(repository, tip, changes)
    touched = [path for change in changes for path in change.paths]
    remarks = Policy(project.gitlab.settings).remarks(request.branch, touched, default_branch)
    if tip and not start:
        changes = repository.pinned(changes, tip, tree)
    new = NewCommit(
        request.branch,
        request.message,
        changes,
        tip,
        tree,
        is_new=bool(start),
        target=request.target or default_branch,
        merge_request=request.merge_request,
    )
    if new.is_new:
        made = explain_name_conflict(repository, new.branch, lambda: repository.create_commit(new))
    else:
        made = repository.create_commit(new)
    if worktree:
        worktree.remember(changes)
    unchanged = len(requested) - len(changes)
    return CommitOutcome(
        made, request.branch, start, changes, unchanged, left_out, [*made.remarks, *remarks], bool(request.paths)
    )


def left_out_text(left_out: Mapping[str, str]) -> str:
    """A sentence that names the paths that were left out, by reason, and a space; "" for none."""
    reasons: dict[str, list[str]] = {}
    for path, reason in left_out.items():
        reasons.setdefault(reason, []).append(path)
    groups = []
    for reason, paths in reasons.items():
        more = f" and {len(paths) - FILES_NAMED} more" if len(paths) > FILES_NAMED else ""
        groups.append(f"{one_line(', '.join(paths[:FILES_NAMED]), 500)}{more} ({reason})")
    return f"Left out: {'; '.join(groups)}. " if groups else ""


def _check_message(message: str) -> None:
    """Raise InvalidArgument for characters that a commit message cannot contain."""
    if "\0" in message:
        raise InvalidArgument("message contains a NUL character, which a commit message cannot contain: leave it out.")
    if not is_valid_unicode(message):
        raise InvalidArgument(f"message contains {INVALID_UNICODE}.")


def _in_order(changes: Iterable[Change], tree: Mapping[str, TreeEntry]) -> list[Change]:
    """The changes in an order in which each path is free when it is written: GitLab applies one after the other.

    Deletions come first, then moves, then the rest; a move to a path that is occupied at first comes with the rest.
    """

    def rank(change: Change) -> int:
        occupied = any(path in tree and tree[path].mode != FOLDER for path in folders_above(change.path))
        occupied = occupied or (change.path in tree and change.action == "move")
        return ("delete", "move").index(change.action) if change.action in ("delete", "move") and not occupied else 2

    return sorted(changes, key=rank)


def _looked_up(project: Project, repository: Repository, request: CommitRequest) -> tuple[str, str, str]:
    """The parent commit, the ref at which a new branch is created, and the default branch, looked up in parallel.

    The commit is "" in an empty repository, the ref "" where no branch is created. Raises InvalidArgument for a target
    that is the branch itself, NotFound for one that does not exist.
    """
    gitlab = project.gitlab
    branch = gitlab.start(repository.branch, request.branch)
    start = gitlab.start(repository.commit, request.ref) if request.ref else None
    target = gitlab.start(repository.branch, request.target) if request.target else None
    default_branch = repository.default_branch
    if request.merge_request and request.branch == (request.target or default_branch):
        raise InvalidArgument(f"{request.branch} cannot be merged into itself: commit to another branch.")
    if target:
        try:
            target.result()
        except NotFound as missing:
            raise NotFound(f"There is no branch {request.target} to merge into. {missing}") from missing
    return *_tip(repository, request, branch, start), default_branch


def _tip(
    repository: Repository, request: CommitRequest, branch: Future[Entity], start: Future[Entity] | None
) -> tuple[str, str]:
    """The parent commit ("" in an empty repository), and the ref at which a new branch is created ("" for none)."""
    try:
        existing = branch.result()
    except NotFound as missing:
        if start:
            return start.result().text("id"), request.ref
        if repository.is_empty():
            return "", ""
        raise NotFound(
            f'There is no branch {request.branch}: to create it here give ref, such as "{repository.default_branch}".'
        ) from missing
    if start:
        raise _branch_exists(request.branch, existing)
    return existing.text("commit", "id"), ""


def _branch_exists(branch: str, existing: Entity) -> Conflict:
    """The failure for a branch that was to be created and exists already."""
    return Conflict(
        f"The branch {branch} already exists, at {existing.text('commit', 'short_id')}:"
        " leave ref out to commit on top of it, or choose another name."
    )


def _checkout(worktree: Worktree | None, project: Project) -> Worktree:
    if worktree is None:
        settings = project.gitlab.settings
        raise InvalidArgument(
            f"There is no working directory of project {project.name} to take files from: give content in actions."
            f" {other_origin(settings.other_checkout, settings.url)}".rstrip()
        )
    return worktree


def _with_content(
    changes: Sequence[Change], tree: Mapping[str, TreeEntry], worktree: Worktree | None, project: Project
) -> list[Change]:
    """The changes, with content that the caller left out read from the working directory."""
    wanted = [change.path for change in changes if change.content is None and change.action in ("create", "update")]
    moved = [change.path for change in changes if change.content is None and change.action == "move"]
    if worktree:
        wanted += [path for path in moved if worktree.has(path)]
    if not wanted:
        return list(changes)
    local_files = _checkout(worktree, project).read(
        wanted, [path for path in wanted if path in tree and tree[path].mode != FOLDER]
    )
    completed = []
    for change in changes:
        if local := local_files.get(change.path):
            executable = local.executable if change.executable is None else change.executable
            completed.append(replace(change, content=local.content, executable=executable, from_disk=True))
        else:
            completed.append(change)
    return completed


def _needed(change: Change, existing: TreeEntry | None) -> Change | None:
    """The part of a change by which it differs from the existing entry; None when it would change nothing."""
    if existing is None or existing.mode == FOLDER or change.action in ("delete", "move"):
        # A new file is not executable by default.
        return replace(change, executable=change.executable or None) if change.action == "create" else change
    mode = None if change.executable is (existing.mode == EXECUTABLE) else change.executable
    if change.content is not None and blob_id(change.content, len(existing.id)) == existing.id:
        return None if mode is None else Change("chmod", change.path, executable=mode)
    if change.action == "chmod" and mode is None:
        return None
    return replace(change, executable=mode)
