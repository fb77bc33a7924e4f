"""Which credential this run has and what it can do: asked of GitLab at first need, and each thing once."""

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

# The classic scope that writes, and the mark of a token whose permissions are listed one by one.
WRITING_SCOPES = {"api", "granular"}


class Reader(Protocol):
    """What can read from GitLab: the client, as far as the identity and the explanations of errors need it."""

    @property
    def settings(self) -> Settings:
        """The configuration of the run."""

    @property
    def user(self) -> Entity:
        """The user to whom the credential belongs."""

    def get(self, path: str, /, **query: object) -> Entity:
        """GET one object."""


class Identity:
    """Who this run is to GitLab. What GitLab does not tell is empty, and never a failure."""

    def __init__(self, gitlab: Reader) -> None:
        self._gitlab = gitlab
        self._known: dict[str, Entity] = {}
        self._lock = threading.Lock()

    @property
    def token(self) -> Entity:
        """What GitLab says of an access token: scopes, expires_at, name."""
        return self._ask("token", lambda: self._gitlab.get("/personal_access_tokens/self"))

    @property
    def scopes(self) -> list[str]:
        """The scopes of an access token."""
        return self.token.texts("scopes") if self._gitlab.settings.credential.kind == "access token" else []

    @property
    def job(self) -> Entity:
        """The job whose token this is."""
        return self._ask("job", lambda: self._gitlab.get("/job"))

    @property
    def user(self) -> Entity:
        """Whom the credential belongs to; a job acts as the user who started its pipeline."""
        if self._gitlab.settings.credential.kind == "job token":
            return self.job.entity("user")
        return self._ask("user", lambda: self._gitlab.user)

    def role(self, project: str) -> str:
        """The user's role in the project at the API path `project`, such as Developer; "none" for who is no member."""
        user = self.user.number("id")
        if not user or self._gitlab.settings.credential.kind == "job token":
            return ""
        path = f"{project}/members/all/{user}"
        member = self._ask(path, lambda: self._gitlab.get(path))
        return ROLES.get(member.number("access_level"), "none" if member.text("refused") == "404" else "")

    def pushes(self) -> bool:
        """Whether this run writes to repositories by git: it has a job token, and nothing that may write over REST."""
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
                    return Entity(None)  # no answer is no knowledge: asked again next time
            return self._known[name]
