"""Approving merge requests."""

from __future__ import annotations

from typing import Any

from gitlab_mcp.sandbox.entities.merge_requests import approvals, reviewer
from gitlab_mcp.sandbox.http.call import Call, Reply
from gitlab_mcp.sandbox.http.errors import conflict, not_found, unauthorized
from gitlab_mcp.sandbox.http.pagination import paginate
from gitlab_mcp.sandbox.http.routing import route
from gitlab_mcp.sandbox.state import activity, merge_requests, permissions
from gitlab_mcp.sandbox.state.model import MergeRequest

_ONE = "/projects/:id/merge_requests/:merge_request_iid"


@route("GET", f"{_ONE}/approvals")
def get_approvals(call: Call) -> Any:
    return approvals(call.world, call.merge_request(), call.user)


@route("GET", f"{_ONE}/reviewers")
def list_reviewers(call: Call) -> Reply:
    one = call.merge_request()
    return paginate(call, one.reviewers, lambda user: reviewer(call.world, one, user))


@route("POST", f"{_ONE}/approve", "sha approval_password")
def approve(call: Call) -> Any:
    one = call.merge_request()
    if call.get("sha") and call.params["sha"] != one.version.head:
        raise conflict(f"SHA does not match HEAD of source branch: {one.version.head}")
    approve_now(call, one)
    return approvals(call.world, one, call.user)


def approve_now(call: Call, one: MergeRequest) -> None:
    """Approve for the caller; GitLab docs: 401 to whoever may not, the author and a second time included."""
    if one.state != "opened" or one.author is call.user or call.me in one.approvals:
        raise unauthorized()
    if not permissions.may_edit(call.user, one):
        raise unauthorized()
    one.approvals[call.me] = call.world.now()
    activity.system_note(call.world, one, call.me, "approved this merge request")
    merge_requests.set_reviewer_state(call.world, one, call.me, "approved")


@route("POST", f"{_ONE}/unapprove")
def unapprove(call: Call) -> Any:
    one = call.merge_request()
    unapprove_now(call, one)
    return approvals(call.world, one, call.user)


def unapprove_now(call: Call, one: MergeRequest) -> None:
    """Take back the caller's approval; raises 404 if there is none."""
    if call.me not in one.approvals:
        raise not_found()
    del one.approvals[call.me]
    activity.system_note(call.world, one, call.me, "unapproved this merge request")
    merge_requests.set_reviewer_state(call.world, one, call.me, "unapproved")
