"""Notes: comments and system notes, their threads, draft notes of reviews and emoji reactions."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from gitlab_mcp.sandbox.state.users import User


@dataclass(eq=False)
class Note:
    """A comment or a system note; notes with the same `discussion_id` are one thread."""

    id: int
    author: User
    body: str
    created_at: datetime
    updated_at: datetime
    discussion_id: str
    type: str | None = None  # None for a single comment, else DiscussionNote or DiffNote
    system: bool = False
    internal: bool = False
    position: dict[str, Any] | None = None
    resolved: bool = False
    resolved_by: User | None = None
    resolved_at: datetime | None = None
    award_emoji: list[AwardEmoji] = field(default_factory=list)

    @property
    def resolvable(self) -> bool:
        """Whether the note is in a thread that can be resolved; single comments cannot be."""
        return self.type is not None and not self.system


@dataclass(eq=False)
class AwardEmoji:
    """A reaction."""

    id: int
    name: str
    user: User
    created_at: datetime


@dataclass(eq=False)
class DraftNote:
    """A comment of a review that is not published yet, visible only to its author."""

    id: int
    author: User
    note: str
    discussion_id: str | None = None
    resolve_discussion: bool = False
    position: dict[str, Any] | None = None
    line_code: str | None = None


def discussion_id(number: int) -> str:
    """The id of a thread, 40 hexadecimal digits, which is the same for the same number in every run."""
    return hashlib.sha1(f"discussion {number}".encode(), usedforsecurity=False).hexdigest()
