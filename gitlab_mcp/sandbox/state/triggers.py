"""Trigger tokens of a project."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from gitlab_mcp.sandbox.state.users import User

PREFIX = "glptt-"


@dataclass(eq=False)
class Trigger:
    """A trigger token (Ci::Trigger); the pipelines that it starts run as its owner."""

    id: int
    token: str
    owner: User
    description: str
    created_at: datetime
    updated_at: datetime
    last_used: datetime | None = None
    expires_at: datetime | None = None
