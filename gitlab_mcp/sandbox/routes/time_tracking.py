"""Time tracking: estimates for issues and merge requests, and the time spent on them."""

from __future__ import annotations

from typing import Any

from gitlab_mcp.sandbox.entities.issues import time_stats
from gitlab_mcp.sandbox.http.call import Call, Response
from gitlab_mcp.sandbox.http.errors import bad_request, forbidden
from gitlab_mcp.sandbox.routes.noteables import noteable_of, noteable_route
from gitlab_mcp.sandbox.state import permissions
from gitlab_mcp.sandbox.state.model import Issuable
from gitlab_mcp.sandbox.text import durations


def _changeable(call: Call) -> Issuable:
    noteable = noteable_of(call)
    if not permissions.may_set_metadata(call.user, noteable):
        raise forbidden()
    return noteable


def _seconds(call: Call) -> int:
    seconds = durations.parse_duration(call.params["duration"])
    if seconds is None:
        raise bad_request({"base": ["Time estimate must have a valid format and be greater than or equal to zero."]})
    return seconds


@noteable_route("GET", "time_stats")
def get_stats(call: Call) -> Any:
    return time_stats(noteable_of(call))


@noteable_route("POST", "time_estimate", "duration*")
def set_estimate(call: Call) -> Response:
    noteable = _changeable(call)
    noteable.time_estimate = _seconds(call)
    return Response(time_stats(noteable))


@noteable_route("POST", "reset_time_estimate")
def reset_estimate(call: Call) -> Response:
    noteable = _changeable(call)
    noteable.time_estimate = 0
    return Response(time_stats(noteable))


@noteable_route("POST", "add_spent_time", "duration* summary")
def add_time(call: Call) -> Any:
    noteable = _changeable(call)
    noteable.time_spent = max(0, noteable.time_spent + _seconds(call))
    return time_stats(noteable)


@noteable_route("POST", "reset_spent_time")
def reset_time(call: Call) -> Response:
    noteable = _changeable(call)
    noteable.time_spent = 0
    return Response(time_stats(noteable))
