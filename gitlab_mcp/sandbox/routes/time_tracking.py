"""Time that was estimated for issues and merge requests, and time that was spent on them."""

from __future__ import annotations

from typing import Any

from gitlab_mcp.sandbox.entities.issues import time_stats
from gitlab_mcp.sandbox.http.call import Call, Reply
from gitlab_mcp.sandbox.http.errors import bad_request, forbidden
from gitlab_mcp.sandbox.routes.noteables import both, noteable
from gitlab_mcp.sandbox.state import permissions
from gitlab_mcp.sandbox.state.model import Issuable
from gitlab_mcp.sandbox.text import durations


def _changeable(call: Call) -> Issuable:
    one = noteable(call)
    if not permissions.may_set_metadata(call.user, one):
        raise forbidden()
    return one


def _seconds(call: Call) -> int:
    found = durations.seconds(call.params["duration"])
    if found is None:
        raise bad_request({"base": ["Time estimate must have a valid format and be greater than or equal to zero."]})
    return found


@both("GET", "time_stats")
def get_stats(call: Call) -> Any:
    return time_stats(noteable(call))


@both("POST", "time_estimate", "duration*")
def set_estimate(call: Call) -> Reply:
    one = _changeable(call)
    one.time_estimate = _seconds(call)
    return Reply(time_stats(one))


@both("POST", "reset_time_estimate")
def reset_estimate(call: Call) -> Reply:
    one = _changeable(call)
    one.time_estimate = 0
    return Reply(time_stats(one))


@both("POST", "add_spent_time", "duration* summary")
def add_time(call: Call) -> Any:
    one = _changeable(call)
    one.time_spent = max(0, one.time_spent + _seconds(call))
    return time_stats(one)


@both("POST", "reset_spent_time")
def reset_time(call: Call) -> Reply:
    one = _changeable(call)
    one.time_spent = 0
    return Reply(time_stats(one))
