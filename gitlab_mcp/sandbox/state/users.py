"""Users and their access levels in projects."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

GUEST, PLANNER, REPORTER, DEVELOPER, MAINTAINER, OWNER = 10, 15, 20, 30, 40, 50


@dataclass(eq=False)
class User:
    """A user account."""

    id: int
    username: str
    name: str
    created_at: datetime
    bot: bool = False  # the user of a project access token

    @property
    def email(self) -> str:
        return f"{self.username}@{'noreply.' if self.bot else ''}example.com"
