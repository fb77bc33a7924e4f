"""The credential of this run, its user and their permissions: requested from GitLab when needed, and cached."""

import threading
from collections.abc import Callable
from typing import Protocol

from gitlab_mcp.api.entity import Entity
from gitlab_mcp.config.settings import Settings
from gitlab_mcp.errors import Failure, GitLabRefusal

# https://docs.gitlab.com/api/access_requests/#valid-access-levels
ROLES = {
    5: "Minimal Access",
    10: "Guest",
    15: "Planner",
    20: "Reporter",
    30: "Developer",
    40: "Maintainer",
    50: "Owner",
}

# The scope that allows writes, and the one of a fine-grained token, whose permissions are listed one by one.
WRITING_SCOPES = {"api", "granular"}


class Reader(Protocol):
    """The part of the GitLab client that the identity and the context of errors need."""

    @property
    def settings(self) -> Settings:
        """The configuration of the run."""

    @property
    def user(self) -> Entity:
        """The user to whom the credential belongs."""

    def get(self, path: str, /, **query: object) -> Entity:
        """GET one object."""


class Identity:
    """The user and the credential of this run. What GitLab does not answer is empty, and never raises a Failure."""

    def __init__(self, gitlab: Reader) -> None:
        self._gitlab = gitlab
        self._known: dict[str, Entity] = {}
        self._lock = threading.Lock()

    @property
    def token(self) -> Entity:
        """The access token as GitLab describes it: scopes, expires_at, name."""
        return self._ask("token", lambda: self._gitlab.get("/personal_access_tokens/self"))

    @property
    def scopes(self) -> list[str]:
        """The scopes of an access token; [] for another kind of credential."""
        return self.token.texts("scopes") if self._gitlab.settings.credential.kind == "access token" else []

    @property
    def job(self) -> Entity:
        """The CI job to which the job token belongs."""
        return self._ask("job", lambda: self._gitlab.get("/job"))

    @property
    def user(self) -> Entity:
        """The user to whom the credential belongs; a job acts as the user who started its pipeline."""
        if self._gitlab.settings.credential.kind == "job token":
            return self.job.entity("user")
        return self._ask("user", lambda: self._gitlab.user)

    def role(self, project: str) -> str:
        """The user's role in the project at the API path `project`, such as Developer.

        "none" for a user who is not a member; "" where it is not known, and always with a job token.
        """
        user = self.user.number("id")
        if not user or self._gitlab.settings.credential.kind == "job token":
            return ""
        path = f"{project}/members/all/{user}"
        member = self._ask(path, lambda: self._gitlab.get(path))
        return ROLES.get(member.number("access_level"), "none" if member.text("refused") == "404" else "")

    def pushes(self) -> bool:
        """Whether this run writes to repositories by git: it has a job token, and no token that may write over REST."""
        settings = self._gitlab.settings
        if settings.push_token is None or settings.credential.kind == "flow token":
            return False
        if settings.credential.kind == "job token":
            return True
        scopes = set(self.scopes)
        return bool(scopes) and not scopes & WRITING_SCOPES

    def _ask(self, name: str, ask: Callable[[], Entity]) -> Entity:
        with self._lock:
            if name not in self._known:
                try:
                    self._known[name] = ask()
                except GitLabRefusal as refused:
                    self._known[name] = Entity({"refused": refused.status})
                except Failure:
                    return Entity(None)  # no response: the next call asks again
            return self._known[name]
