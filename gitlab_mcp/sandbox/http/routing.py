"""Which function answers which REST route."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_to_bytes

from gitlab_mcp.sandbox.http.call import Call
from gitlab_mcp.sandbox.http.parameters import Parameter, declare

Handler = Callable[[Call], Any]


@dataclass(frozen=True)
class Route:
    """A REST route: its template is written as in GitLab's docs, `/projects/:id/issues/:issue_iid`."""

    method: str
    template: str
    handler: Handler
    parameters: tuple[Parameter, ...]
    user_needed: bool  # GitLab answers 401 to an anonymous GET too
    job_token: bool  # GitLab docs: the route accepts CI_JOB_TOKEN
    archived: bool  # the route writes also in an archived project

    @property
    def in_project(self) -> bool:
        return self.template.startswith("/projects/:id/") or self.template == "/projects/:id"


_routes: defaultdict[tuple[str, int], list[Route]] = defaultdict(list)


def route(
    method: str,
    template: str,
    parameters: str = "",
    *,
    user_needed: bool = False,
    job_token: bool = False,
    archived: bool = False,
) -> Callable[[Handler], Handler]:
    """Register a function as the answer to a route; `parameters` as params.declare reads them."""

    def register(handler: Handler) -> Handler:
        one = Route(method, template, handler, declare(parameters), user_needed, job_token, archived)
        # Literal parts come before parameters: /notes/bulk_publish is not the note "bulk_publish".
        key = (method, template.count("/"))
        _routes[key].append(one)
        _routes[key].sort(key=lambda other: [part.startswith(":") for part in other.template.split("/")])
        return handler

    return register


def all_routes() -> list[Route]:
    """Every registered route."""
    return [route for routes in _routes.values() for route in routes]


def match(method: str, raw_path: str) -> tuple[Route, dict[str, str]] | None:
    """The route of a percent-encoded path after /api/v4, with the decoded values of its parameters."""
    parts = raw_path.split("/")
    for candidate in _routes.get((method, len(parts) - 1), []):
        values: dict[str, str] = {}
        for wanted, given in zip(candidate.template.split("/"), parts, strict=True):
            if wanted.startswith(":"):
                if not given:
                    break
                values[wanted[1:]] = unquote_to_bytes(given).decode("utf-8", "replace")
            elif wanted != given:
                break
        else:
            return candidate, values
    return None


def template_of(raw_path: str) -> str:
    """A path with its project replaced by :id, to name a route that the sandbox does not have."""
    parts = raw_path.split("/")
    if len(parts) > 2 and parts[1] in ("projects", "groups", "users"):
        parts[2] = ":id"
    return "/".join(parts)
