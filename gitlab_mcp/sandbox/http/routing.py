"""The routing table: which handler answers which REST route."""

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
    """A REST route; its template is written as in GitLab's docs, such as `/projects/:id/issues/:issue_iid`."""

    method: str
    template: str
    handler: Handler
    parameters: tuple[Parameter, ...]
    user_needed: bool  # GitLab answers 401 to an anonymous GET too
    job_token: bool  # GitLab docs: the route accepts CI_JOB_TOKEN
    archived: bool  # the route may write in an archived project
    basic_auth: bool  # a token may be the password of HTTP Basic authentication
    raw_body: bool  # the body is a file, which Workhorse hands on as the parameter `file`
    own_login: bool  # anybody may call it, because its handler checks a token of its own kind

    @property
    def in_project(self) -> bool:
        return self.template.startswith("/projects/:id/") or self.template == "/projects/:id"


# The place of a route whose last parameter, such as *artifact_path, takes the rest of the path.
_ANY_LENGTH = -1
_routes: defaultdict[tuple[str, int], list[Route]] = defaultdict(list)


def route(
    method: str,
    template: str,
    parameters: str = "",
    *,
    user_needed: bool = False,
    job_token: bool = False,
    archived: bool = False,
    basic_auth: bool = False,
    raw_body: bool = False,
    own_login: bool = False,
) -> Callable[[Handler], Handler]:
    """Register a function as the handler of a route; `parameters` is a declaration as parameters.declare parses it."""

    def register(handler: Handler) -> Handler:
        new_route = Route(
            method,
            template,
            handler,
            declare(parameters),
            user_needed,
            job_token,
            archived,
            basic_auth,
            raw_body,
            own_login,
        )
        # Literal segments are matched before parameters: /notes/bulk_publish is not the note "bulk_publish".
        key = (method, _ANY_LENGTH if "/*" in template else template.count("/"))
        _routes[key].append(new_route)
        _routes[key].sort(key=lambda other: [part.startswith(":") for part in other.template.split("/")])
        return handler

    return register


def all_routes() -> list[Route]:
    """Every registered route."""
    return [route for routes in _routes.values() for route in routes]


def match(method: str, raw_path: str) -> tuple[Route, dict[str, str]] | None:
    """The route that matches a percent-encoded path after /api/v4, and the decoded values of its path parameters."""
    parts = raw_path.split("/")
    for candidate in (*_routes.get((method, len(parts) - 1), []), *_routes.get((method, _ANY_LENGTH), [])):
        expected = candidate.template.split("/")
        if expected[-1].startswith("*") and len(parts) >= len(expected):
            values = _values(expected, [*parts[: len(expected) - 1], "/".join(parts[len(expected) - 1 :])])
        else:
            values = _values(expected, parts) if len(expected) == len(parts) else None
        if values is not None:
            return candidate, values
    return None


def _values(expected: list[str], parts: list[str]) -> dict[str, str] | None:
    """The decoded path parameters, or None if a literal segment differs or a parameter is empty."""
    values: dict[str, str] = {}
    for name, part in zip(expected, parts, strict=True):
        if name.startswith((":", "*")):
            if not part:
                return None
            values[name[1:]] = unquote_to_bytes(part).decode("utf-8", "replace")
        elif name != part:
            return None
    return values


def template_of(raw_path: str) -> str:
    """A path with its project replaced by :id, to name a route that the sandbox does not implement."""
    parts = raw_path.split("/")
    if len(parts) > 2 and parts[1] in ("projects", "groups", "users"):
        parts[2] = ":id"
    return "/".join(parts)
