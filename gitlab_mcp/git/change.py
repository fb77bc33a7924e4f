"""The changes of a commit, and its author."""

from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True)
class Author:
    """The author and committer of a commit."""

    name: str
    email: str


@dataclass(frozen=True)
class Change:
    """One change of a commit. `content` is None where the content stays the same (move, chmod) or is removed (delete).

    `executable` is None where the mode stays the same. `previous_path` is the old path of a moved file.
    `last_commit_id` is the newest commit that changed the file as far as the caller knows, "" if not checked.
    `from_disk` is whether the content, or the deletion, was read from the working directory.
    """

    action: Literal["create", "update", "delete", "move", "chmod"]
    path: str
    content: bytes | None = field(default=None, repr=False)
    executable: bool | None = None
    previous_path: str = ""
    last_commit_id: str = ""
    from_disk: bool = False

    @property
    def paths(self) -> tuple[str, ...]:
        """Every path that this change reads or writes: the old path of a move first, then `path`."""
        return (self.previous_path, self.path) if self.previous_path else (self.path,)
