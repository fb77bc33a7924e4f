"""Committing files: what was asked for, held against what is there, sent as one commit."""

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from gitlab_mcp.api.entity import Entity
from gitlab_mcp.api.merge_requests import Wanted
from gitlab_mcp.api.project import Project
from gitlab_mcp.errors import Conflict, InvalidArgument, NotFound, Refused
from gitlab_mcp.git.changes import Change
from gitlab_mcp.git.objects import EXECUTABLE, FOLDER, LINK, SUBMODULE, TreeEntry, blob_id
from gitlab_mcp.params import Path
from gitlab_mcp.policy import Policy
from gitlab_mcp.repository import Committed, NewCommit, Repository
from gitlab_mcp.repository.attributes import refuse_filtered
from gitlab_mcp.worktree import Worktree


class FileAction(BaseModel):
    model_config = ConfigDict(extra="forbid")

    path: Path
    action: Literal["", "create", "update", "delete", "move", "chmod"] = ""
    content: Annotated[str | None, Field(description="left out: taken from the working directory")] = None
    encoding: Literal["text", "base64"] = "text"
    executable: bool | None = None
    previous_path: Annotated[Path, Field(description="for move")] = ""
    last_commit_id: Annotated[str, Field(description="refuse if the file changed since")] = ""


@dataclass(frozen=True)
class Request:
    """A commit to make: `actions` or the globs `paths`; `ref` is where a new branch begins.

    With `merge_request` one into `target` is opened too.
    """

    branch: str
    message: str
    ref: str
    actions: Sequence[FileAction]
    paths: Sequence[str]
    target: str = ""
    merge_request: Wanted | None = None


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
    tip, start = _tip(project, repository, request)
    left_out: list[str] = []
    if request.paths:
        tree = repository.all_files(tip) if tip else {}
        asked, left_out = _checkout(worktree, project).differences(request.paths, tree)
    else:
        tree = repository.entries(tip, [action.path for action in request.actions] + _origins(request)) if tip else {}
        asked = _resolve(request.actions, tree, worktree, project)
        refuse_filtered(repository, tip, tree, [each.path for each in asked if each.content is not None])
    changes = [needed for change in asked if (needed := _needed(change, tree.get(change.path)))]
    if not changes:
        raise Refused(
            f"There is nothing to commit: {request.branch if tip else 'it'} already has all of this as it is."
        )
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
    made = repository.create_commit(new)
    if worktree:
        worktree.remember(changes)
    unchanged = len(asked) - len(changes)
    return Done(made, request.branch, start, changes, unchanged, left_out, [*made.remarks, *remarks])


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


def _origins(request: Request) -> list[str]:
    return [action.previous_path for action in request.actions if action.previous_path]


def _resolve(
    actions: Sequence[FileAction], tree: Mapping[str, TreeEntry], worktree: Worktree | None, project: Project
) -> list[Change]:
    changes: dict[str, Change] = {}
    from_disk: list[str] = []
    for action in actions:
        if not action.path:
            raise InvalidArgument("An action has an empty path.")
        if action.path in changes:
            raise InvalidArgument(f"{action.path} is in actions twice: put its whole change into one action.")
        change = _checked(action, tree)
        if action.content is None and change.action in ("create", "update"):
            from_disk.append(action.path)
        changes[action.path] = change
    moved = [path for path, change in changes.items() if change.action == "move" and change.content is None]
    if worktree:
        from_disk += [path for path in moved if worktree.has(path)]
    if from_disk:
        tracked = [path for path in from_disk if path in tree]
        for path, local in _checkout(worktree, project).read(from_disk, tracked).items():
            given = changes[path].executable
            executable = local.executable if given is None else given
            changes[path] = replace(changes[path], content=local.content, executable=executable, from_disk=True)
    return list(changes.values())


def _checked(action: FileAction, tree: Mapping[str, TreeEntry]) -> Change:
    """The change that an action asks for, once the tree allows it."""
    path, there = action.path, tree.get(action.path)
    parts = path.split("/")
    for depth in range(1, len(parts)):
        above = tree.get("/".join(parts[:depth]))
        if above and above.mode != FOLDER:
            raise Refused(f"{path} cannot be written: {above.path} is {_what(above)}, and nothing can be below it.")
    kind = action.action or ("update" if there else "create")
    if there and there.mode == FOLDER:
        raise Refused(f"{path} is a folder: name the files in it.")
    if there and (there.mode == SUBMODULE or (there.mode == LINK and kind != "delete")):
        raise Refused(f"{path} is {_what(there)}, and its content cannot be written here: change it with git.")
    if kind in ("create", "move") and there:
        raise Conflict(f"{path} is already there: leave action out to update it.")
    if kind in ("update", "delete", "chmod") and not there:
        raise NotFound(f"{path} is not there, so there is nothing to {kind}.")
    if kind in ("delete", "chmod") and action.content is not None:
        raise InvalidArgument(f"content does not go with {kind} ({path}): use action update.")
    if kind == "chmod" and action.executable is None:
        raise InvalidArgument(f"The action chmod on {path} needs executable: true or false.")
    if kind == "move":
        _check_origin(action, tree)
    elif action.previous_path:
        raise InvalidArgument(f'previous_path goes with action "move", and the action on {path} is {kind}.')
    content = None if kind in ("delete", "chmod") else _content(action)
    return Change(kind, path, content, action.executable, action.previous_path, action.last_commit_id)


def _check_origin(action: FileAction, tree: Mapping[str, TreeEntry]) -> None:
    if not action.previous_path:
        raise InvalidArgument(f"The action move to {action.path} needs previous_path: where the file is now.")
    origin = tree.get(action.previous_path)
    if not origin:
        raise NotFound(f"{action.previous_path} is not there, so it cannot be moved.")
    if origin.mode in (FOLDER, LINK, SUBMODULE):
        raise Refused(f"{action.previous_path} is {_what(origin)}: only files can be moved here.")


def _what(entry: TreeEntry) -> str:
    return {LINK: "a symbolic link", SUBMODULE: "a submodule", FOLDER: "a folder"}.get(entry.mode, "a file")


def _content(action: FileAction) -> bytes | None:
    if action.content is None:
        return None
    if action.encoding == "base64":
        try:
            return base64.b64decode("".join(action.content.split()), validate=True)
        except (binascii.Error, ValueError) as error:
            raise InvalidArgument(f"The content of {action.path} is no base64: {error}.") from error
    try:
        return action.content.encode()
    except UnicodeEncodeError as error:
        raise InvalidArgument(f"The content of {action.path} is no UTF-8: send its bytes as base64.") from error


def _needed(change: Change, there: TreeEntry | None) -> Change | None:
    """The change without what is already so; None when nothing is left of it."""
    if there is None or change.action in ("delete", "move"):
        # A new file is not executable by itself.
        return replace(change, executable=change.executable or None) if change.action == "create" else change
    mode = None if change.executable is (there.mode == EXECUTABLE) else change.executable
    if change.content is not None and blob_id(change.content, len(there.id)) == there.id:
        return None if mode is None else Change("chmod", change.path, executable=mode)
    if change.action == "chmod" and mode is None:
        return None
    return replace(change, executable=mode)
