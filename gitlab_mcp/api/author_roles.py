"""The roles of those who wrote what is read."""

import threading
from collections.abc import Iterable, Mapping
from concurrent.futures import Future
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


@dataclass(frozen=True)
class Listed:
    """The first page of a project's members: access levels by user id, and whether there are no more."""

    levels: dict[int, int]
    complete: bool


class Members:
    """The access levels of users in projects, each asked for once a run."""

    def __init__(self, gitlab: GitLab) -> None:
        self._gitlab = gitlab
        self._levels: dict[tuple[str, int], int] = {}
        self._listed: dict[str, Future[Listed]] = {}
        self._lock = threading.Lock()

    def begin(self, project: str) -> None:
        """Begin to list the members of the project at the API path `project`, beside what else is asked."""
        if self._gitlab.settings.credential.kind == "access token":
            self._members(project)

    def authors(self, project: str, users: Iterable[Entity]) -> Authors:
        """What is known of `users` in the project at the API path `project`.

        Those who are not on the first page of its members are looked up one by one, at most 20 a call.
        """
        settings = self._gitlab.settings
        if settings.credential.kind != "access token":
            return Authors(trusted_only=settings.trusted_only)
        ids = {number for user in users if (number := user.number("id"))}
        members = self._members(project).result()
        if members.complete:
            levels = {number: members.levels.get(number, NO_MEMBER) for number in ids}
        else:
            levels = self._looked_up(project, ids, members)
        return Authors(levels, looked_up=True, trusted_only=settings.trusted_only)

    def _looked_up(self, project: str, ids: set[int], members: Listed) -> dict[int, int]:
        """The access levels that are known after looking up who is not on the first page of the members."""
        with self._lock:
            known = members.levels | {user: level for (path, user), level in self._levels.items() if path == project}
        missing = sorted(ids - set(known))[:LOOK_UPS]
        found = self._gitlab.together(partial(self._level, project, number) for number in missing)
        learnt = {number: level for number, level in zip(missing, found, strict=True) if level is not None}
        with self._lock:
            self._levels |= {(project, number): level for number, level in learnt.items()}
        return known | learnt

    def _members(self, project: str) -> Future[Listed]:
        with self._lock:
            if project not in self._listed:
                self._listed[project] = self._gitlab.start(self._list, project)
            return self._listed[project]

    def _list(self, project: str) -> Listed:
        try:
            page = self._gitlab.page(f"{project}/members/all")
        except Failure:
            return Listed({}, complete=False)
        levels: dict[int, int] = {}
        for member in page.rows:
            levels[member.number("id")] = max(member.number("access_level"), levels.get(member.number("id"), 0))
        return Listed(levels, complete=page.next_number is None)

    def _level(self, project: str, user: int) -> int | None:
        """0 for who is no member; None where it cannot be learnt."""
        try:
            return self._gitlab.get(f"{project}/members/all/{user}").number("access_level")
        except NotFound:
            return NO_MEMBER
        except Failure:
            return None
