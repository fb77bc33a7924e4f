"""Milestones."""

from __future__ import annotations

from typing import Any

from gitlab_mcp.sandbox.entities import projects
from gitlab_mcp.sandbox.entities.issues import issue_basic
from gitlab_mcp.sandbox.entities.merge_requests import merge_request_basic
from gitlab_mcp.sandbox.http.call import Call, Response
from gitlab_mcp.sandbox.http.errors import bad_request
from gitlab_mcp.sandbox.http.pagination import paginate
from gitlab_mcp.sandbox.http.routing import route
from gitlab_mcp.sandbox.state import permissions
from gitlab_mcp.sandbox.state.model import Milestone
from gitlab_mcp.sandbox.state.users import REPORTER


def _milestone(call: Call) -> Milestone:
    return call.item("milestone_id", call.project.milestones)


@route("GET", "/projects/:id/milestones", "state:enum(active|closed|all)=all iids:ints title search")
def list_milestones(call: Call) -> Response:
    milestones = list(call.project.milestones)[::-1]
    if call.get("state") != "all":
        milestones = [one for one in milestones if one.state == call.get("state")]
    if call.has("iids"):
        milestones = [one for one in milestones if one.iid in call.params["iids"]]
    if title := call.get("title"):
        milestones = [one for one in milestones if one.title == title]
    if search := call.get("search"):
        milestones = [one for one in milestones if search.lower() in f"{one.title} {one.description}".lower()]
    return paginate(call, milestones, lambda one: projects.milestone(call.world, call.project, one))


@route("POST", "/projects/:id/milestones", "title+ description due_date:date start_date:date")
def create_milestone(call: Call) -> Any:
    call.require(REPORTER)
    project, title = call.project, call.params["title"]
    if not (title or "").strip():
        raise bad_request({"title": ["can't be blank"]})
    if any(one.title == title for one in project.milestones):
        raise bad_request({"title": ["already being used for another group or project milestone."]})
    now = call.world.now()
    number = max((one.iid for one in project.milestones), default=0) + 1
    milestone = Milestone(call.world.next_id("milestone"), number, title, now, now, call.get("description") or "")
    milestone.due_date, milestone.start_date = call.get("due_date"), call.get("start_date")
    project.milestones.append(milestone)
    return projects.milestone(call.world, project, milestone)


@route("GET", "/projects/:id/milestones/:milestone_id")
def get_milestone(call: Call) -> Any:
    return projects.milestone(call.world, call.project, _milestone(call))


@route(
    "PUT",
    "/projects/:id/milestones/:milestone_id",
    "title description due_date:date start_date:date state_event:enum(close|activate)",
)
def update_milestone(call: Call) -> Any:
    call.require(REPORTER)
    milestone = _milestone(call)
    milestone.title = call.get("title") or milestone.title
    milestone.description = call.get("description", milestone.description) or ""
    milestone.due_date = call.get("due_date", milestone.due_date)
    milestone.start_date = call.get("start_date", milestone.start_date)
    milestone.state = {"close": "closed", "activate": "active"}.get(call.get("state_event"), milestone.state)
    milestone.updated_at = call.world.now()
    return projects.milestone(call.world, call.project, milestone)


@route("DELETE", "/projects/:id/milestones/:milestone_id")
def delete_milestone(call: Call) -> Any:
    call.require(REPORTER)
    milestone = _milestone(call)
    call.project.milestones.remove(milestone)
    for one in [*call.project.issues.values(), *call.project.merge_requests.values()]:
        one.milestone = None if one.milestone is milestone else one.milestone
    return None


@route("GET", "/projects/:id/milestones/:milestone_id/issues")
def list_issues(call: Call) -> Response:
    milestone = _milestone(call)
    listed = [one for one in list(call.project.issues.values()) if one.milestone is milestone]
    readable = [one for one in listed if permissions.may_read_issue(call.user, one)]
    return paginate(call, readable, lambda one: issue_basic(call.world, one))


@route("GET", "/projects/:id/milestones/:milestone_id/merge_requests")
def list_merge_requests(call: Call) -> Response:
    milestone = _milestone(call)
    call.require_code()
    listed = [one for one in list(call.project.merge_requests.values()) if one.milestone is milestone]
    return paginate(call, listed, lambda one: merge_request_basic(call.world, one))
