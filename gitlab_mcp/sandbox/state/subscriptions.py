"""Subscriptions to issues and merge requests (app/models/concerns/subscribable.rb and participable.rb)."""

from __future__ import annotations

from gitlab_mcp.sandbox.state.model import Issuable
from gitlab_mcp.sandbox.state.users import User


def participants(issuable: Issuable) -> list[User]:
    """The author, the assignees and whoever commented, in this order."""
    authors = [note.author for note in issuable.notes if not note.system]
    return list(dict.fromkeys([issuable.author, *issuable.assignees, *authors]))


def subscribed(issuable: Issuable, user: User | None) -> bool:
    """Whether the user gets notifications: as they chose, or without a choice because they are a participant."""
    if user is None:
        return False
    return issuable.subscriptions.get(user, user in participants(issuable))
