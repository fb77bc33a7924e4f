"""The roles of those who wrote what is read."""

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial

from gitlab_mcp.api.client import GitLab
from gitlab_mcp.api.entity import Entity
from gitlab_mcp.errors import Failure, NotFound

LOOK_UPS = 20  # a call
NO_MEMBER, DEVELOPER = 0, 30  # https://docs.gitlab.com/api/access_requests/#valid-access-levels


@dataclass(frozen=True)
class Authors:
    """What is known of the authors of an answer's texts: access levels by user id; a missing one is unknown.

    `looked_up` is whether roles were asked for at all. With `trusted_only`, the text of whoever is not known to be
    Developer or more is withheld.
    """

    levels: Mapping[int, int] = field(default_factory=dict)
    looked_up: bool = False
    trusted_only: bool = False

    def standing(self, author: Entity) -> str:
        """`(not a member)` or `(role unknown)`; "" for a member."""
        if not self.looked_up:
            return ""
        level = self.levels.get(author.number("id"))
        return " (role unknown)" if level is None else "" if level else " (not a member)"

    def withholds(self, author: Entity) -> bool:
        """Whether the texts of `author` are not shown."""
        return self.trusted_only and self.levels.get(author.number("id"), NO_MEMBER) < DEVELOPER


class Members:
    """The access levels of users in projects, each asked for once a run."""

    def __init__(self, gitlab: GitLab) -> None:
        self._gitlab = gitlab
        self._levels: dict[tuple[str, int], int] = {}
        self._lock = threading.Lock()

    def authors(self, project: str, users: Iterable[Entity]) -> Authors:
        """What is known of `users` in the project at the API path `project`, after at most 20 look-ups."""
        settings = self._gitlab.settings
        if settings.credential.kind != "access token":
            return Authors(trusted_only=settings.trusted_only)
        ids = {number for user in users if (number := user.number("id"))}
        with self._lock:
            missing = sorted(number for number in ids if (project, number) not in self._levels)[:LOOK_UPS]
        found = self._gitlab.together(partial(self._level, project, number) for number in missing)
        with self._lock:
            for number, level in zip(missing, found, strict=True):
                if level is not None:
                    self._levels[project, number] = level
            levels = {number: self._levels[project, number] for number in ids if (project, number) in self._levels}
        return Authors(levels, looked_up=True, trusted_only=settings.trusted_only)

    def _level(self, project: str, user: int) -> int | None:
        """0 for who is no member; None where it cannot be learnt."""
        try:
            return self._gitlab.get(f"{project}/members/all/{user}").number("access_level")
        except NotFound:
            return NO_MEMBER
        except Failure:
            return None
