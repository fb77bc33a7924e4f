"""Issues."""

from __future__ import annotations

from typing import Any

from gitlab_mcp.sandbox.entities import issues
from gitlab_mcp.sandbox.http.call import Call, Response
from gitlab_mcp.sandbox.http.errors import conflict, forbidden, invalid_parameter
from gitlab_mcp.sandbox.http.pagination import paginate
from gitlab_mcp.sandbox.http.routing import route
from gitlab_mcp.sandbox.routes.issuable_filters import ISSUE_FILTERS, check_exclusive, filtered
from gitlab_mcp.sandbox.routes.issuables import (
    FIELDS,
    check_texts,
    initial_fields,
    set_fields,
)
from gitlab_mcp.sandbox.state import activity, events, permissions, todos
from gitlab_mcp.sandbox.state.model import Issue
from gitlab_mcp.sandbox.state.users import OWNER, PLANNER
from gitlab_mcp.sandbox.text.quick_action_interpreter import apply_new_description, interpret_description

_TYPE = "issue_type:enum(issue|incident|test_case|requirement|task|ticket)"
_FIELDS = f"{FIELDS} due_date:date confidential:bool {_TYPE} created_at:dt updated_at:dt"


@route(
    "GET",
    "/projects/:id/issues",
    ISSUE_FILTERS,
    job_token=True,
)
def list_issues(call: Call) -> Response:
    listed = [one for one in list(call.project.issues.values()) if permissions.may_read_issue(call.user, one)]
    details = bool(call.get("with_labels_details"))
    return paginate(call, filtered(call, listed), lambda one: issues.issue(
        call.world, one, labels_details=details, subscribed=False
    ))  # fmt: skip


@route("GET", "/projects/:id/issues/:issue_iid", job_token=True)
def get_issue(call: Call) -> Any:
    return issues.issue(call.world, call.issue(), call.user)


@route("POST", "/projects/:id/issues", f"title+ {_FIELDS} iid:int")
def create_issue(call: Call) -> Any:
    check_exclusive(call, ("milestone", "milestone_id"))
    check_texts(call.params["title"] or "", call.get("description"))
    project, world = call.project, call.world
    number = max(project.issues, default=0) + 1
    if call.has("iid") and call.role >= OWNER:
        number = call.params["iid"]
        if number in project.issues:
            raise conflict("Duplicated issue")
    raw_description = call.get("description")
    interpret_description(call)
    now = call.world.now()
    if call.role >= OWNER and call.get("created_at"):
        now = call.params["created_at"]
    issue = Issue(
        id=world.next_id("issue"),
        iid=number,
        project=project,
        title=call.params["title"].strip(),
        author=call.me,
        created_at=now,
        updated_at=now,
        description=call.get("description"),
        confidential=call.get("confidential", False),
        issue_type=call.get("issue_type") or "issue",
    )
    events.opened(issue)
    initial_fields(call, issue)
    apply_new_description(call, issue, raw_description)
    project.issues[number] = issue
    activity.mention(world, issue, call.me, f"{issue.title}\n{issue.description or ''}")
    todos.new_issuable(world, issue, call.me)
    return issues.issue(world, issue, call.user)


@route("PUT", "/projects/:id/issues/:issue_iid", f"title state_event:enum(close|reopen) {_FIELDS}")
def update_issue(call: Call) -> Any:
    check_exclusive(call, ("milestone", "milestone_id"))
    if not set(call.params) - {"updated_at"}:
        raise invalid_parameter(
            "assignee_id, assignee_ids, confidential, created_at, description, discussion_locked, due_date, "
            "start_date, labels, add_labels, remove_labels, milestone_id, milestone, severity, state_event, title, "
            "issue_type are missing, at least one parameter must be provided"
        )
    issue = call.issue()
    if not permissions.may_edit(call.user, issue):
        raise forbidden()
    check_texts(call.get("title"), call.get("description"))
    described = interpret_description(call, issue)
    with events.updating(call.world, issue, call.me):
        set_fields(call, issue)
    if described:
        described.apply()
    return issues.issue(call.world, issue, call.user)


@route("DELETE", "/projects/:id/issues/:issue_iid")
def delete_issue(call: Call) -> Any:
    issue = call.issue()
    if call.role < OWNER and not (issue.author is call.user and call.role >= PLANNER):
        raise forbidden()
    del call.project.issues[issue.iid]
    return None
