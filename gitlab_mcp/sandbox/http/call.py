"""One REST call, with its user, project and parameters, and the response to it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar
from urllib.parse import urlencode

from gitlab_mcp.sandbox.http.errors import forbidden, invalid_parameter, not_found, unauthorized
from gitlab_mcp.sandbox.state import permissions
from gitlab_mcp.sandbox.state.model import Issue, MergeRequest, Project, Token
from gitlab_mcp.sandbox.state.users import User
from gitlab_mcp.sandbox.state.world import World

# Query parameters that hold a token: no link in a response repeats them.
_SECRET = ("private_token", "access_token", "job_token", "token")


class _WithId(Protocol):
    @property
    def id(self) -> int: ...


Identified = TypeVar("Identified", bound=_WithId)


@dataclass
class Response:
    """A response with its own status, headers or media type; `body` is bytes, or a value that is sent as JSON."""

    body: Any
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    media_type: str = "application/json"


@dataclass
class Call:
    """A REST call whose token and parameters were checked.

    `raw_path` is the percent-encoded path after /api/v4, `path` the decoded values of the route's path parameters,
    `query` the raw query parameters, and `params` the declared parameters of query and body, converted. `arguments` are
    all parameters as they came, and `headers` those of the request by lower-case name.
    """

    world: World
    method: str
    raw_path: str
    query: Mapping[str, Any]
    path: dict[str, str]
    params: dict[str, Any]
    token: Token | None
    user: User | None
    maybe_project: Project | None = None
    arguments: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def project(self) -> Project:
        """The project of the path, which the caller may see; raises 404 for a route without a project."""
        if self.maybe_project is None:
            raise not_found("Project")
        return self.maybe_project

    @property
    def me(self) -> User:
        """The caller; raises 401 if there is none."""
        if self.user is None:
            raise unauthorized()
        return self.user

    @property
    def role(self) -> int:
        """The caller's access level in the project."""
        return permissions.role(self.user, self.project)

    def require(self, level: int) -> None:
        """Raise 403 unless the caller has at least this access level in the project."""
        if self.role < level:
            raise forbidden()

    def require_code(self) -> None:
        """Raise 403 unless the caller may read the repository."""
        if not permissions.may_read_code(self.user, self.project):
            raise forbidden()

    def number(self, name: str, what: str) -> int:
        """A numeric path parameter; raises 400 if it is not a number, and 404 for `what` if it is out of range."""
        value = self.path[name]
        if not value.isdecimal():
            raise invalid_parameter(f"{name} is invalid")
        if len(value) > 18:
            raise not_found(what)
        return int(value)

    def item(self, name: str, items: Iterable[Identified], what: str = "") -> Identified:
        """The item with the id that a path parameter is; raises 404 for `what` if there is none."""
        number = self.number(name, what)
        for item in items:
            if item.id == number:
                return item
        raise not_found(what)

    def issue(self, name: str = "issue_iid") -> Issue:
        """The issue of the path; raises 404 if it does not exist or the caller may not see it."""
        issue = self.project.issues.get(self.number(name, "Issue"))
        if issue is None or not permissions.may_read_issue(self.user, issue):
            raise not_found("Issue")
        return issue

    def merge_request(self, name: str = "merge_request_iid") -> MergeRequest:
        """The merge request of the path; raises 404 if it does not exist, 403 if the caller may not read code."""
        merge_request = self.project.merge_requests.get(self.number(name, "Merge Request"))
        if merge_request is None:
            raise not_found("Merge Request")
        if not permissions.may_read_code(self.user, self.project):
            raise forbidden()
        return merge_request

    def get(self, name: str, default: Any = None) -> Any:
        """A parameter, or the default if the request does not have it."""
        return self.params.get(name, default)

    def has(self, *names: str) -> bool:
        """Whether the request has any of these parameters."""
        return any(name in self.params for name in names)

    def address_with(self, project: str) -> str:
        """The path and query of this call after /api/v4, with `project` in the place of the project's id."""
        rest = "".join(f"/{part}" for part in self.raw_path.split("/")[3:])
        query = urlencode(_flat({name: value for name, value in self.query.items() if name not in _SECRET}))
        return f"/projects/{project}{rest}" + (f"?{query}" if query else "")

    def page_url(self, page: int, per_page: int) -> str:
        """The URL of another page of this list."""
        return self.list_url(page=page, per_page=per_page)

    def list_url(self, **changed: int) -> str:
        """The URL of this list with some query parameters changed."""
        query = {name: value for name, value in self.query.items() if name not in (*changed, *_SECRET)}
        pairs = [*_flat(query), *((name, str(value)) for name, value in changed.items())]
        return f"{self.world.url}/api/v4{self.raw_path}?{urlencode(pairs)}"


def _flat(query: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    pairs: list[tuple[str, str]] = []
    for name, value in query.items():
        key = f"{prefix}[{name}]" if prefix else name
        if isinstance(value, dict):
            pairs += _flat(value, key)
        elif isinstance(value, list):
            pairs += [(f"{key}[]", str(item)) for item in value]
        else:
            pairs.append((key, str(value)))
    return pairs
