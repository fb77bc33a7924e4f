"""The roles of the authors of issues, comments and merge requests, for the user-content filter."""

import threading
from collections.abc import Iterable, Mapping
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial

from gitlab_mcp.api.client import GitLab
from gitlab_mcp.api.deadline import Call, current_call
from gitlab_mcp.api.entity import Entity
from gitlab_mcp.api.uploads import Upload, uploads_in
from gitlab_mcp.errors import Failure, NotFound

SECONDS_TO_LOOK_AGAIN = 0.2  # between two looks whether the call that another one waits for was cancelled
MAX_LOOK_UPS = 20  # of single members, in one tool call
NO_MEMBER, DEVELOPER = 0, 30  # https://docs.gitlab.com/api/access_requests/#valid-access-levels


@dataclass(frozen=True)
class Authors:
    """The access levels of authors by user id; one that is missing is not known.

    `looked_up` is whether GitLab was asked for roles at all. With `trusted_only`, a text is withheld unless its author
    is known to have role Developer or higher. `vouched` are the uploads that the shown texts of such authors name.
    """

    levels: Mapping[int, int] = field(default_factory=dict)
    looked_up: bool = False
    trusted_only: bool = False
    vouched: set[Upload] = field(default_factory=set)

    def vouch(self, author: Entity, text: str) -> None:
        """Record the uploads that a text names as ones that may be read with --trusted-only, if its author is trusted.

        GitLab says only to maintainers who uploaded a file, so that the author of a text that names it decides.
        """
        if self.trusted_only and not self.withholds(author):
            self.vouched.update(uploads_in(text))

    def role_remark(self, author: Entity) -> str:
        """The text behind the author's name: "(not a member)", "(role unknown)", or "" for a member."""
        if not self.looked_up:
            return ""
        level = self.levels.get(author.number("id"))
        return " (role unknown)" if level is None else "" if level else " (not a member)"

    def withholds(self, author: Entity) -> bool:
        """Whether the texts of `author` are withheld."""
        return self.trusted_only and self.levels.get(author.number("id"), NO_MEMBER) < DEVELOPER


@dataclass(frozen=True)
class MemberPage:
    """The first page of a project's members: access levels by user id, and whether it is the only page.

    `failed` is whether GitLab did not list them; it would refuse to show a single member for the same reason.
    """

    levels: dict[int, int]
    complete: bool
    failed: bool = False


@dataclass(frozen=True)
class Listing:
    """A list of members on its way, and the tool call that asked for it."""

    call: Call
    page: Future[MemberPage]


class Members:
    """The access levels of users in projects, cached for the run. Thread-safe."""

    def __init__(self, gitlab: GitLab) -> None:
        self._gitlab = gitlab
        self._levels: dict[tuple[str, int], int] = {}
        self._listed: dict[str, Listing] = {}
        self._lock = threading.Lock()
        self.vouched: set[Upload] = set()

    def begin(self, project: str) -> None:
        """Start to list the members of the project at the API path `project`, in parallel to other requests."""
        if self._gitlab.settings.credential.kind == "access token":
            self._listing(project)

    def authors(self, project: str, users: Iterable[Entity]) -> Authors:
        """The roles of `users` in the project at the API path `project`.

        Users who are not on the first page of its members are looked up one by one, at most MAX_LOOK_UPS in a call.
        """
        settings = self._gitlab.settings
        if settings.credential.kind != "access token":
            return Authors(trusted_only=settings.trusted_only, vouched=self.vouched)
        ids = {number for user in users if (number := user.number("id"))}
        members = self._members(project)
        if members.failed:
            levels: dict[int, int] = {}
        elif members.complete:
            levels = {number: members.levels.get(number, NO_MEMBER) for number in ids}
        else:
            levels = self._look_up(project, ids, members)
        return Authors(levels, looked_up=True, trusted_only=settings.trusted_only, vouched=self.vouched)

    def _look_up(self, project: str, ids: set[int], members: MemberPage) -> dict[int, int]:
        """The access levels that are known once users who are not on the first page have been looked up."""
        with self._lock:
            known = members.levels | {user: level for (path, user), level in self._levels.items() if path == project}
        missing = sorted(ids - set(known))[:MAX_LOOK_UPS]
        levels = self._gitlab.together(partial(self._level, project, number) for number in missing)
        new = {number: level for number, level in zip(missing, levels, strict=True) if level is not None}
        with self._lock:
            self._levels |= {(project, number): level for number, level in new.items()}
        return known | new

    def _members(self, project: str) -> MemberPage:
        """The first page of members. The call that waits for it ends when it is cancelled or out of time."""
        while True:
            listing = self._listing(project)
            with suppress(TimeoutError):
                return listing.page.result(timeout=min(SECONDS_TO_LOOK_AGAIN, current_call.get().remaining()))

    def _listing(self, project: str) -> Listing:
        """The list of members that is there or on its way; a new one after a failure or a call that was cancelled."""
        with self._lock:
            listing = self._listed.get(project)
            if listing is None or self._is_useless(listing):
                listing = Listing(current_call.get(), self._gitlab.start(self._list, project))
                self._listed[project] = listing
            return listing

    def _is_useless(self, listing: Listing) -> bool:
        if not listing.page.done():
            return listing.call.is_cancelled
        return listing.page.result().failed and listing.call is not current_call.get()

    def _list(self, project: str) -> MemberPage:
        try:
            page = self._gitlab.page(f"{project}/members/all")
        except Failure:
            return MemberPage({}, complete=False, failed=True)
        levels: dict[int, int] = {}
        for member in page.rows:
            levels[member.number("id")] = max(member.number("access_level"), levels.get(member.number("id"), 0))
        return MemberPage(levels, complete=page.next_number is None)

    def _level(self, project: str, user: int) -> int | None:
        """The access level of a user, 0 for one who is not a member; None where GitLab does not answer."""
        try:
            return self._gitlab.get(f"{project}/members/all/{user}").number("access_level")
        except NotFound:
            return NO_MEMBER
        except Failure:
            return None
