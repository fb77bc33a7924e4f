"""The changes of a commit as an agent asks for them, held against each other and against what is there."""

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
    """A change to one file, as an agent asked for it.

    `action` is empty where the file is to be created or updated, whichever fits. `content` is None where it is to be
    taken from the working directory; `encoding` says how it was sent. `previous_path` is where a moved file is now.
    `last_commit_id` is the newest commit that the agent knows of the file: with another one the change is refused.
    """

    path: str
    action: Literal["", "create", "update", "delete", "move", "chmod"] = ""
    content: str | None = None
    encoding: Literal["text", "base64"] = "text"
    executable: bool | None = None
    previous_path: str = ""
    last_commit_id: str = ""


# What to do instead of a second action on a file that is moved away.
INSTEAD_OF_SECOND_ACTION = {
    "delete": "leave the delete out, the move takes it away",
    "chmod": "give executable to the move",
    "move": "commit one after the other",
}
CONTENT_INSTEAD = "give its new content to the move, or commit one after the other"


def changes_of(actions: Sequence[RequestedChange], tree: Mapping[str, TreeEntry]) -> list[Change]:
    """The changes that actions ask for; `tree` is what is in all folders of their paths.

    Raises InvalidArgument for actions that say too little or do not go together; Conflict, NotFound and Refused for
    what `tree` does not allow.
    """
    _check_together(actions)
    changes = [_change_of(action, tree) for action in actions]
    check_fit(changes, tree)
    return changes


def check_fit(changes: Sequence[Change], tree: Mapping[str, TreeEntry]) -> None:
    """Raise Refused where a file would be at a folder's place or below another file, once all changes are made.

    `tree` is everything that is there, or what is in all folders of the changes' paths.
    """
    gone = {path for change in changes for path in _left(change)}
    written = [change.path for change in changes if change.action != "delete"]
    for path in written:
        for above in folders_above(path)[1:]:
            there = tree.get(above)
            if there and there.mode != FOLDER and above not in gone:
                raise Refused(f"{path} cannot be written: {above} is {_what(there)}, and nothing can be below it.")
    new = {path for path in written if path not in tree or tree[path].mode == FOLDER}
    listed = {above for path in tree for above in folders_above(path)[-1:]}
    for path, entry in tree.items() if new else ():
        # A folder is there as long as anything in it is, or it was not looked into.
        stays = path not in listed if entry.mode == FOLDER else path not in gone
        if stays and (folder := next((each for each in (*folders_above(path), path) if each in new), "")):
            raise Refused(f"{folder} is a folder: name the files in it.")


def _check_together(actions: Iterable[RequestedChange]) -> None:
    """Raise InvalidArgument for two actions that cannot both be done, or whose order would matter."""
    by_path: dict[str, RequestedChange] = {}
    moves: dict[str, RequestedChange] = {}
    for action in actions:
        path, origin = action.path, action.previous_path
        if not path:
            raise InvalidArgument("An action has an empty path.")
        if other := by_path.get(path):
            origins = [each.previous_path for each in (other, action) if each.previous_path]
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
        above = next((each for each in folders_above(path)[1:] if each in by_path), "")
        if above and action.action != "delete" and by_path[above].action != "delete":
            raise InvalidArgument(
                f"{above} and {path} are both to be files, and nothing can be below a file: rename one of them."
            )


def _change_of(action: RequestedChange, tree: Mapping[str, TreeEntry]) -> Change:
    """The change that an action asks for, once what is at its own paths allows it."""
    path, there = action.path, tree.get(action.path)
    is_folder = there is not None and there.mode == FOLDER
    kind = action.action or ("update" if there and not is_folder else "create")
    if is_folder and kind not in ("create", "move"):
        raise Refused(f"{path} is a folder: name the files in it.")
    if there and (there.mode == SUBMODULE or (there.mode == LINK and kind != "delete")):
        raise Refused(f"{path} is {_what(there)}, and its content cannot be written here: change it with git.")
    if kind in ("create", "move") and there and not is_folder:
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


def _check_origin(action: RequestedChange, tree: Mapping[str, TreeEntry]) -> None:
    if not action.previous_path:
        raise InvalidArgument(f"The action move to {action.path} needs previous_path: where the file is now.")
    origin = tree.get(action.previous_path)
    if not origin:
        raise NotFound(f"{action.previous_path} is not there, so it cannot be moved.")
    if origin.mode in (FOLDER, LINK, SUBMODULE):
        raise Refused(f"{action.previous_path} is {_what(origin)}: only files can be moved here.")


def _left(change: Change) -> tuple[str, ...]:
    """The path at which a change leaves nothing."""
    return (change.path,) if change.action == "delete" else (change.previous_path,) if change.previous_path else ()


def _what(entry: TreeEntry) -> str:
    return {LINK: "a symbolic link", SUBMODULE: "a submodule", FOLDER: "a folder"}.get(entry.mode, "a file")


def _content(action: RequestedChange) -> bytes | None:
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
