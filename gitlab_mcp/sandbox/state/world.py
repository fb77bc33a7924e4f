"""The GitLab instance: its users, tokens and projects, and their common clock and source of ids."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from threading import Event, RLock
from typing import Any

from gitlab_mcp.sandbox.git.process import Git
from gitlab_mcp.sandbox.git.repository import Repository
from gitlab_mcp.sandbox.http.errors import ApiError, not_allowed, not_found
from gitlab_mcp.sandbox.state.model import Job, Project, Todo, Token
from gitlab_mcp.sandbox.state.users import User
from gitlab_mcp.sandbox.state.webhooks import Attempt, Delivery, Webhook

VERSION = "19.2.0"
FIRST_IDS = {
    "user": 2,
    "project": 1,
    "issue": 1001,
    "merge_request": 2001,
    "note": 102,
    "label": 11,
    "milestone": 21,
    "pipeline": 501,
    "job": 601,
}


class World:
    """All state of one GitLab instance; `url` is its base URL, with the prefix and without a trailing slash.

    `version` is the GitLab version that it says it has. `plan` is the plan of every namespace, as GitLab.com has it:
    free, premium or ultimate; a self-managed GitLab without a licence has none.
    """

    def __init__(self, root: Path, url: str, version: str = VERSION, plan: str = "") -> None:
        self.root = root
        self.url = url
        self.version = version
        self.plan = plan
        self.runner_status = "online"  # of the instance's runner; "" where there is none
        self.generic_duplicates_allowed = True  # Namespace::PackageSetting, of every group
        self.git = Git(root)
        self.lock = RLock()
        self.closing = Event()
        self.users: dict[int, User] = {}
        self.tokens: dict[str, Token] = {}
        self.projects: dict[int, Project] = {}
        self.moved: dict[str, str] = {}
        self.groups: dict[str, int] = {}
        self.executed_quick_actions: list[dict[str, Any]] = []
        self.mentions: list[dict[str, Any]] = []
        self.todos: list[Todo] = []
        self.webhooks: dict[int, Webhook] = {}
        self.send_webhook: Callable[[Delivery], Attempt] | None = None  # set by the server, which has the network
        self._ids: defaultdict[str, Iterator[int]] = defaultdict(lambda: itertools.count(1))
        self._last = datetime.min.replace(tzinfo=UTC)
        for what, first in FIRST_IDS.items():
            self._ids[what] = itertools.count(first)

    def is_at_least(self, major: int, minor: int) -> bool:
        """Whether this GitLab has at least a version, for what changed in it."""
        return tuple(int(part) for part in self.version.split(".")[:2]) >= (major, minor)

    def next_id(self, what: str) -> int:
        """A new id for an entity of this kind."""
        return next(self._ids[what])

    def now(self) -> datetime:
        """The time in UTC, in whole milliseconds; it increases with every call, so that sorting by it is stable."""
        with self.lock:
            now = datetime.now(UTC)
            now = now.replace(microsecond=now.microsecond // 1000 * 1000)
            self._last = max(now, self._last + timedelta(milliseconds=1))
            return self._last

    def add_user(self, username: str, name: str, created_at: datetime) -> User:
        """Create a user account."""
        user = User(self.next_id("user"), username, name, created_at)
        self.users[user.id] = user
        return user

    def add_token(
        self,
        value: str,
        name: str,
        user: User,
        scopes: tuple[str, ...],
        *,
        kind: str = "pat",
        expires_at: date | None = None,
        revoked: bool = False,
        created_at: datetime | None = None,
        job: Job | None = None,
    ) -> Token:
        """Add a token."""
        created_at = created_at or self.now()
        number = self.next_id("token")
        token = Token(number, value, name, user, scopes, created_at, kind, expires_at, revoked, job=job)
        self.tokens[value] = token
        return token

    def user_by_name(self, username: str) -> User | None:
        """The user with this username, or None; GitLab ignores case here."""
        return next((user for user in list(self.users.values()) if user.username == username.lower()), None)

    def group_id(self, group: str) -> int:
        """The id of a group, which is created on first use."""
        with self.lock:
            if group not in self.groups:
                self.groups[group] = self.next_id("group")
            return self.groups[group]

    def create_project(
        self, group: str, path: str, name: str, creator: User, *, created_at: datetime | None = None
    ) -> Project:
        """Create a project; its repository does not exist on disk until `Repository.create` is called."""
        with self.lock:
            number = self.next_id("project")
            repository = Repository(self.git, self.root / "repositories" / f"{number}.git")
            created_at = created_at or self.now()
            project = Project(number, name, path, group, self.group_id(group), created_at, repository, creator)
            self.projects[number] = project
            return project

    def project_by_path(self, full_path: str) -> Project | None:
        """The project at `group/project`, or None; GitLab ignores case here."""
        wanted = full_path.lower()
        return next((one for one in list(self.projects.values()) if one.full_path.lower() == wanted), None)

    def find_project(self, key: str, method: str, address: str) -> Project:
        """The project with an id or a path; `address` is the path of the call after /api/v4, with `{id}` for the key.

        Raises 404 if there is none. For the old path of a moved project it raises 301 for a GET and 405 otherwise.
        """
        if key.isdecimal():
            project = self.projects.get(int(key))
        else:
            project = self.project_by_path(key)
            if project is None and key.lower() in self.moved:
                self._refuse_moved(self.moved[key.lower()], method, address)
        if project is None:
            raise not_found("Project")
        return project

    def _refuse_moved(self, new_path: str, method: str, address: str) -> None:
        project = self.project_by_path(new_path)
        if project is None:
            return
        if method not in ("GET", "HEAD"):
            raise not_allowed("Non GET methods are not allowed for moved projects")
        location = f"{self.url}/api/v4{address.replace('{id}', str(project.id), 1)}"
        message = f"This resource has been moved permanently to {location}"
        raise ApiError(301, {"message": message}, {"Location": location})
