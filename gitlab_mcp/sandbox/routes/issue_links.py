"""Links of an issue: related issues, merge requests that mention or close it, and its participants."""

from __future__ import annotations

from typing import Any

from gitlab_mcp.sandbox.entities import issues
from gitlab_mcp.sandbox.entities.merge_requests import merge_request_basic
from gitlab_mcp.sandbox.entities.users import user_basic
from gitlab_mcp.sandbox.http.call import Call, Response
from gitlab_mcp.sandbox.http.errors import conflict, forbidden, not_found
from gitlab_mcp.sandbox.http.pagination import paginate
from gitlab_mcp.sandbox.http.routing import route
from gitlab_mcp.sandbox.state import activity, permissions
from gitlab_mcp.sandbox.state.model import Issue, IssueLink
from gitlab_mcp.sandbox.state.subscriptions import participants as people_of
from gitlab_mcp.sandbox.state.users import PLANNER
from gitlab_mcp.sandbox.text import references


@route("GET", "/projects/:id/issues/:issue_iid/related_merge_requests")
def related_merge_requests(call: Call) -> Response:
    numbers = issues.mentioning(call.issue())
    merge_requests = [call.project.merge_requests[number] for number in numbers]
    return paginate(call, merge_requests, lambda one: merge_request_basic(call.world, one))


@route("GET", "/projects/:id/issues/:issue_iid/closed_by")
def closed_by(call: Call) -> Response:
    issue = call.issue()
    merge_requests = [one for one in list(call.project.merge_requests.values()) if issue in references.closes(one)]
    return paginate(call, merge_requests, lambda one: merge_request_basic(call.world, one))


@route("GET", "/projects/:id/issues/:issue_iid/links")
def list_links(call: Call) -> Any:
    issue = call.issue()
    return [issues.related_issue(call.world, link, issue) for link in issue.links if _readable(call, link)]


def _readable(call: Call, link: IssueLink) -> bool:
    return permissions.may_read_issue(call.user, link.source) and permissions.may_read_issue(call.user, link.target)


@route(
    "POST",
    "/projects/:id/issues/:issue_iid/links",
    "target_project_id* target_issue_iid* link_type:enum(relates_to|blocks|is_blocked_by)=relates_to",
)
def create_link(call: Call) -> Any:
    issue, target = call.issue(), _target(call)
    if call.role < PLANNER:
        raise forbidden()
    if target is issue or any(target in (link.source, link.target) for link in issue.links):
        raise conflict("Issue(s) already assigned")
    link = activity.link(call.world, issue, target, call.params["link_type"], call.me)
    return issues.issue_link(call.world, link)


@route("GET", "/projects/:id/issues/:issue_iid/links/:issue_link_id")
def get_link(call: Call) -> Any:
    return issues.issue_link(call.world, _link(call, call.issue()))


def _link(call: Call, issue: Issue) -> IssueLink:
    return call.item("issue_link_id", (link for link in issue.links if _readable(call, link)))


def _target(call: Call) -> Issue:
    key = call.params["target_project_id"]
    project = call.world.find_project(key, "GET", f"/projects/{key}")
    number = call.params["target_issue_iid"]
    issue = project.issues.get(int(number)) if number.isdecimal() else None
    if not permissions.may_see(call.user, project):
        raise not_found("Project")
    if issue is None or not permissions.may_read_issue(call.user, issue):
        raise not_found()
    return issue


@route("DELETE", "/projects/:id/issues/:issue_iid/links/:issue_link_id")
def delete_link(call: Call) -> Any:
    link = _link(call, call.issue())
    if call.role < PLANNER:
        raise forbidden()
    for side in (link.source, link.target):
        side.links.remove(link)
    return Response(issues.issue_link(call.world, link))


@route("GET", "/projects/:id/issues/:issue_iid/participants")
def participants(call: Call) -> Response:
    return paginate(call, people_of(call.issue()), lambda user: user_basic(call.world, user))
