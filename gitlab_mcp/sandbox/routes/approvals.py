"""Approvals and reviewers of merge requests."""

from __future__ import annotations

from typing import Any

from gitlab_mcp.sandbox.entities.merge_requests import approvals, reviewer
from gitlab_mcp.sandbox.http.call import Call, Response
from gitlab_mcp.sandbox.http.errors import ApiError, conflict, not_found, unauthorized
from gitlab_mcp.sandbox.http.pagination import paginate
from gitlab_mcp.sandbox.http.routing import route
from gitlab_mcp.sandbox.state import activity, events, merge_requests, permissions, todos

_ONE = "/projects/:id/merge_requests/:merge_request_iid"


@route("GET", f"{_ONE}/approvals")
def get_approvals(call: Call) -> Any:
    return approvals(call.world, call.merge_request(), call.user)


@route("GET", f"{_ONE}/approval_state")
def get_approval_state(_: Call) -> Any:
    """404 as for any unknown route: only ee/lib/ee/api/merge_request_approvals.rb has it, and the sandbox is not EE."""
    raise ApiError(404, {"error": "404 Not Found"})


@route("GET", f"{_ONE}/reviewers")
def list_reviewers(call: Call) -> Response:
    merge_request = call.merge_request()
    return paginate(call, merge_request.reviewers, lambda user: reviewer(call.world, merge_request, user))


@route("POST", f"{_ONE}/approve", "sha")
def approve(call: Call) -> Any:
    merge_request = call.merge_request()
    if call.get("sha") and call.params["sha"] != merge_request.version.head:
        raise conflict(f"SHA does not match HEAD of source branch: {merge_request.version.head}")
    # Approvable#eligible_for_approval_by?: whoever may update it, once; the author too, as only a licence forbids that.
    if merge_request.state != "opened" or call.me in merge_request.approvals:
        raise unauthorized()
    if not permissions.may_edit(call.user, merge_request):
        raise unauthorized()
    merge_request.approvals[call.me] = call.world.now()
    activity.system_note(call.world, merge_request, call.me, "approved this merge request")
    events.record(events.IssuableEvent(merge_request, call.me, "approved"))
    merge_requests.set_reviewer_state(call.world, merge_request, call.me, "approved")
    todos.resolve(call.world, merge_request, call.me)
    return approvals(call.world, merge_request, call.user)


@route("POST", f"{_ONE}/unapprove")
def unapprove(call: Call) -> Any:
    merge_request = call.merge_request()
    if call.me not in merge_request.approvals:
        raise not_found()
    del merge_request.approvals[call.me]
    activity.system_note(call.world, merge_request, call.me, "unapproved this merge request")
    events.record(events.IssuableEvent(merge_request, call.me, "unapproved"))
    merge_requests.set_reviewer_state(call.world, merge_request, call.me, "unapproved")
    return approvals(call.world, merge_request, call.user)
