"""What a commit changes, and in whose name."""

from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True)
class Author:
    """In whose name a commit is made."""

    name: str
    email: str


@dataclass(frozen=True)
class Change:
    """One change of a commit. `content` is None where the content stays as it is (move, chmod, delete)."""

    action: Literal["create", "update", "delete", "move", "chmod"]
    path: str
    content: bytes | None = field(default=None, repr=False)
    executable: bool | None = None
    previous_path: str = ""
    last_commit_id: str = ""
    from_disk: bool = False

    @property
    def paths(self) -> tuple[str, ...]:
        """The paths that it touches."""
        return (self.previous_path, self.path) if self.previous_path else (self.path,)
