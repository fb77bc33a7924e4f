"""The file actions that an agent requests for a commit, checked against each other and against the existing files."""

import base64
import binascii
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from gitlab_mcp.errors import Conflict, InvalidArgument, NotFound, Refused
from gitlab_mcp.git.change import Change
from gitlab_mcp.git.objects import FOLDER, LINK, SUBMODULE, TreeEntry
from gitlab_mcp.repository.paths import folders_above


@dataclass(frozen=True)
class RequestedChange:
    """A change to one file, as an agent requested it.

    `action` "" creates the file, or updates it where it exists. `content` None is read from the working directory;
    `encoding` is the encoding of `content`. `previous_path` is the current path of a file to move. `last_commit_id` is
    the newest commit that changed the file as far as the agent knows: with another one the change is refused. With
    `old_text`, `content` replaces only this part of the file.
    """

    path: str
    action: Literal["", "create", "update", "delete", "move", "chmod"] = ""
    content: str | None = None
    encoding: Literal["text", "base64"] = "text"
    executable: bool | None = None
    previous_path: str = ""
    last_commit_id: str = ""
    old_text: str = ""


# What to do instead of a second action on the old path of a move.
INSTEAD_OF_SECOND_ACTION = {
    "delete": "leave the delete out, since the move removes the file there",
    "chmod": "give executable to the move",
    "move": "commit one after the other",
}
CONTENT_INSTEAD = "give its new content to the move, or commit one after the other"


def changes_of(actions: Sequence[RequestedChange], tree: Mapping[str, TreeEntry]) -> list[Change]:
    """The changes that actions request. `tree` holds every entry in the folders of their paths.

    Raises InvalidArgument for incomplete or contradictory actions; Conflict, NotFound and Refused for actions that the
    existing files do not allow.
    """
    _check_together(actions)
    changes = [_change_of(action, tree) for action in actions]
    check_fit(changes, tree)
    return changes


def check_fit(changes: Sequence[Change], tree: Mapping[str, TreeEntry]) -> None:
    """Raise Refused where a file would replace a folder or be below another file, once all changes are made.

    `tree` holds every entry of the repository, or every entry in the folders of the changes' paths.
    """
    removed = {path for change in changes for path in _removed(change)}
    written = [change.path for change in changes if change.action != "delete"]
    for path in written:
        for above in folders_above(path)[1:]:
            existing = tree.get(above)
            if existing and existing.mode != FOLDER and above not in removed:
                kind = _kind_of(existing)
                raise Refused(f"{path} cannot be written: {above} is {kind}, and nothing can be below it.")
    new = {path for path in written if path not in tree or tree[path].mode == FOLDER}
    listed = {above for path in tree for above in folders_above(path)[-1:]}
    for path, entry in tree.items() if new else ():
        # A folder exists as long as an entry in it does. One whose entries are not in `tree` stays.
        stays = path not in listed if entry.mode == FOLDER else path not in removed
        if stays and (folder := next((name for name in (*folders_above(path), path) if name in new), "")):
            raise Refused(f"{folder} is a folder: name the files in it.")


def _check_together(actions: Iterable[RequestedChange]) -> None:
    """Raise InvalidArgument for two actions that contradict each other, or whose order would matter."""
    by_path: dict[str, RequestedChange] = {}
    moves: dict[str, RequestedChange] = {}
    for action in actions:
        path, origin = action.path, action.previous_path
        if not path:
            raise InvalidArgument("An action has an empty path.")
        if other := by_path.get(path):
            origins = [moving.previous_path for moving in (other, action) if moving.previous_path]
            moved = f" (and {' and '.join(origins)} is to be moved there)" if origins else ""
            raise InvalidArgument(f"{path} is in actions twice{moved}: put its whole change into one action.")
        if origin and (other := moves.get(origin)):
            raise InvalidArgument(
                f"{origin} is moved twice, to {other.path} and to {path}: move it once, and create the other one."
            )
        by_path[path] = action
        if action.action == "move" and origin:
            moves[origin] = action
    for origin, move in moves.items():
        if (other := by_path.get(origin)) and other is not move:
            raise InvalidArgument(
                f"{origin} is moved to {move.path} by one action and changed by another:"
                f" {INSTEAD_OF_SECOND_ACTION.get(other.action, CONTENT_INSTEAD)}."
            )
    for path, action in by_path.items():
        above = next((folder for folder in folders_above(path)[1:] if folder in by_path), "")
        if above and action.action != "delete" and by_path[above].action != "delete":
            raise InvalidArgument(
                f"{above} and {path} cannot both be files, since nothing can be below a file: rename one of them."
            )


def _change_of(action: RequestedChange, tree: Mapping[str, TreeEntry]) -> Change:
    """The change that an action requests, checked against the entries at its own paths."""
    path, existing = action.path, tree.get(action.path)
    is_folder = existing is not None and existing.mode == FOLDER
    kind = action.action or ("update" if existing and not is_folder else "create")
    if is_folder and kind not in ("create", "move"):
        raise Refused(f"{path} is a folder: name the files in it.")
    if existing and (existing.mode == SUBMODULE or (existing.mode == LINK and kind != "delete")):
        raise Refused(f"{path} is {_kind_of(existing)}, and its content cannot be written here: change it with git.")
    if kind in ("create", "move") and existing and not is_folder:
        raise Conflict(f"{path} already exists: leave action out to update it.")
    if kind in ("update", "delete", "chmod") and not existing:
        raise NotFound(f"{path} does not exist, so there is nothing to {kind}.")
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


def _check_origin(action: RequestedChange, tree: Mapping[str, TreeEntry]) -> None:
    if not action.previous_path:
        raise InvalidArgument(f"The action move to {action.path} needs previous_path: where the file is now.")
    origin = tree.get(action.previous_path)
    if not origin:
        raise NotFound(f"{action.previous_path} does not exist, so it cannot be moved.")
    if origin.mode in (FOLDER, LINK, SUBMODULE):
        raise Refused(f"{action.previous_path} is {_kind_of(origin)}: only files can be moved here.")


def _removed(change: Change) -> tuple[str, ...]:
    """The path that a change removes: that of a deletion, or the old path of a move."""
    return (change.path,) if change.action == "delete" else (change.previous_path,) if change.previous_path else ()


def _kind_of(entry: TreeEntry) -> str:
    return {LINK: "a symbolic link", SUBMODULE: "a submodule", FOLDER: "a folder"}.get(entry.mode, "a file")


def _content(action: RequestedChange) -> bytes | None:
    if action.content is None:
        return None
    if action.encoding == "base64":
        try:
            return base64.b64decode("".join(action.content.split()), validate=True)
        except (binascii.Error, ValueError) as error:
            raise InvalidArgument(f"The content of {action.path} is not valid base64: {error}.") from error
    try:
        return action.content.encode()
    except UnicodeEncodeError as error:
        raise InvalidArgument(
            f"The content of {action.path} cannot be encoded as UTF-8: send its bytes as base64."
        ) from error
