"""Lists across all projects that the caller may see."""

from __future__ import annotations

from gitlab_mcp.sandbox.entities import issues, merge_requests
from gitlab_mcp.sandbox.http.call import Call, Response
from gitlab_mcp.sandbox.http.pagination import paginate
from gitlab_mcp.sandbox.http.routing import route
from gitlab_mcp.sandbox.routes.issuable_filters import ISSUE_FILTERS, MERGE_REQUEST_FILTERS, filtered
from gitlab_mcp.sandbox.state import permissions
from gitlab_mcp.sandbox.state.model import Project


def _projects(call: Call) -> list[Project]:
    # GitLab docs: the default scope is created_by_me.
    call.params.setdefault("scope", "created_by_me")
    return [project for project in list(call.world.projects.values()) if permissions.may_see(call.user, project)]


@route("GET", "/issues", ISSUE_FILTERS, user_needed=True)
def list_issues(call: Call) -> Response:
    everything = [issue for project in _projects(call) for issue in list(project.issues.values())]
    readable = [one for one in everything if permissions.may_read_issue(call.user, one)]
    return paginate(call, filtered(call, readable), lambda one: issues.issue(call.world, one, subscribed=False))


@route(
    "GET",
    "/merge_requests",
    MERGE_REQUEST_FILTERS,
    user_needed=True,
)
def list_merge_requests(call: Call) -> Response:
    readable = [project for project in _projects(call) if permissions.may_read_code(call.user, project)]
    listed = [one for project in readable for one in list(project.merge_requests.values())]
    return paginate(call, filtered(call, listed), lambda one: merge_requests.merge_request_basic(call.world, one))
