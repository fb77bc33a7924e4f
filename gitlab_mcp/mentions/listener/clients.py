"""The clients of GitLab, one for each access token of the configuration, and what GitLab says once and for all."""

import threading
from dataclasses import dataclass, field
from typing import Any

from gitlab_mcp.api.client import GitLab
from gitlab_mcp.config.settings import Settings
from gitlab_mcp.errors import Unreachable
from gitlab_mcp.mentions.listener.config import Target


@dataclass
class Clients:
    """The clients by their settings. Thread-safe."""

    _clients: dict[tuple[str, str], GitLab] = field(default_factory=dict)
    _known: dict[tuple[Any, ...], int] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def of(self, settings: Settings) -> GitLab:
        """The client with the access token and the handle of these settings."""
        key = settings.credential.token, settings.trigger
        with self._lock:
            if key not in self._clients:
                self._clients[key] = GitLab(settings)
            return self._clients[key]

    def known_users(self, target: Target) -> list[int]:
        """The ids of the listener's and the job's user, without a request: those that are known already."""
        with self._lock:
            client = self._clients.get((target.gitlab.credential.token, target.gitlab.trigger))
        own = client.user.number("id") if client and "user" in vars(client) else 0
        return [own, self._known.get((target.gitlab.url, target.job_user.lower()), 0)]

    def job_user(self, target: Target) -> int:
        """The id of the user whose token the job has, where that is another one than the listener's; 0 otherwise.

        Raises a Failure.
        """
        gitlab = self.of(target.gitlab)
        if not target.job_user or gitlab.user.text("username").lower() == target.job_user.lower():
            return 0
        key = gitlab.settings.url, target.job_user.lower()
        if key not in self._known:
            found = gitlab.page("/users", username=target.job_user).rows
            if not found:
                raise Unreachable(f"There is no user {target.job_user}: correct job_user.")
            self._known[key] = found[0].number("id")
        return self._known[key]

    def takes_inputs(self, target: Target) -> bool:
        """Whether this GitLab knows the inputs of a pipeline: 18.1 and newer; an older one would ignore them.

        https://docs.gitlab.com/api/pipeline_triggers/#trigger-a-pipeline-with-a-token. Raises a Failure.
        """
        gitlab = self.of(target.gitlab)
        key = gitlab.settings.url, "version"
        if key not in self._known:
            major, minor = [*gitlab.get("/version").text("version").split("."), "0", "0"][:2]
            self._known[key] = int(major) * 1000 + int(minor) if major.isdecimal() and minor.isdecimal() else 0
        return self._known[key] >= 18_001
