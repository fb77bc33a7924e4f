"""Subscribing to issues and merge requests, and leaving them (lib/api/subscriptions.rb)."""

from __future__ import annotations

from typing import Any

from gitlab_mcp.sandbox.entities.issues import issue
from gitlab_mcp.sandbox.entities.merge_requests import merge_request
from gitlab_mcp.sandbox.http.call import Call, Response
from gitlab_mcp.sandbox.http.errors import forbidden
from gitlab_mcp.sandbox.routes.noteables import noteable_of, noteable_route
from gitlab_mcp.sandbox.state import permissions
from gitlab_mcp.sandbox.state.model import Issue, MergeRequest
from gitlab_mcp.sandbox.state.subscriptions import subscribed


@noteable_route("POST", "subscribe")
def subscribe(call: Call) -> Any:
    return _set(call, True)


@noteable_route("POST", "unsubscribe")
def unsubscribe(call: Call) -> Any:
    return _set(call, False)


def _set(call: Call, wanted: bool) -> Any:
    """Set the subscription; the response is 304 without a body if the user has it already."""
    target = noteable_of(call)
    if isinstance(target, MergeRequest) and not permissions.may_edit(call.user, target):
        raise forbidden()
    if subscribed(target, call.user) == wanted:
        return Response(b"", 304)
    target.subscriptions[call.me] = wanted
    if isinstance(target, Issue):
        return issue(call.world, target, call.user)
    assert isinstance(target, MergeRequest)  # noqa: S101 - for the type checker: a noteable is one of the two
    return merge_request(call.world, target, call.user)
