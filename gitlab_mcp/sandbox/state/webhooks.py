"""Webhooks of projects and groups, what they are to be sent, and when GitLab disables one that fails."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from gitlab_mcp.sandbox.state.model import Project

# app/models/concerns/web_hooks/auto_disabling.rb.
_TEMPORARILY_DISABLED_AFTER = 3
_PERMANENTLY_DISABLED_AFTER = 39
_FIRST_BACKOFF, _LAST_BACKOFF = timedelta(minutes=1), timedelta(days=1)


@dataclass(eq=False)
class Webhook:
    """A webhook of a project, or of a group if `project` is None; `events` says which kinds of events it is sent.

    `signing_token` is "whsec_" and the key in base64. `custom_headers` are sent with each request.
    """

    id: int
    url: str
    created_at: datetime
    project: Project | None
    group: str
    events: dict[str, bool]
    name: str | None = None
    description: str | None = None
    token: str = ""
    signing_token: str = ""
    enable_ssl_verification: bool = True
    custom_headers: dict[str, str] = field(default_factory=dict)
    recent_failures: int = 0
    disabled_until: datetime | None = None
    attempts: list[Attempt] = field(default_factory=list)

    def wants(self, project: Project, kind: str) -> bool:
        """Whether it is sent events of this kind, such as note_events, of a project."""
        own = project is self.project if self.project else project.group == self.group
        return own and self.events.get(kind, False)

    def alert_status(self, now: datetime) -> str:
        """Whether it is executable, temporarily_disabled or disabled."""
        if self.recent_failures > _PERMANENTLY_DISABLED_AFTER:
            return "disabled"
        if self.disabled_until and self.disabled_until >= now and self.recent_failures > _TEMPORARILY_DISABLED_AFTER:
            return "temporarily_disabled"
        return "executable"

    def succeeded(self) -> None:
        """Forget earlier failures."""
        self.recent_failures, self.disabled_until = 0, None

    def failed(self, now: datetime) -> None:
        """Count a failure; from the fourth in a row on, disable the webhook for a time that doubles with each."""
        if self.alert_status(now) != "executable":
            return
        if self.recent_failures >= _TEMPORARILY_DISABLED_AFTER:
            doublings = min(self.recent_failures - _TEMPORARILY_DISABLED_AFTER, 20)
            self.disabled_until = now + min(_FIRST_BACKOFF * 2**doublings, _LAST_BACKOFF)
        self.recent_failures = min(self.recent_failures + 1, _PERMANENTLY_DISABLED_AFTER + 1)


@dataclass(frozen=True)
class Delivery:
    """A request that is due: `trigger` is GitLab's name of the event, such as note_hooks.

    `cause` is the UUID of the request that the event is of, `key` that of the delivery, which stays when it is sent
    again.
    """

    webhook: Webhook
    trigger: str
    body: dict[str, Any]
    cause: str
    key: str = field(default_factory=lambda: str(uuid4()))


@dataclass(frozen=True)
class Attempt:
    """A request that was sent; `status` is that of the response, or "internal error" without one (WebHookLog)."""

    id: int
    delivery: Delivery
    headers: dict[str, str]
    status: str
    response_headers: dict[str, str]
    response_body: str
    seconds: float
    created_at: datetime

    @property
    def ok(self) -> bool:
        """Whether GitLab counts it as a success, which a redirection is too."""
        return self.status.isdecimal() and 200 <= int(self.status) < 400
