"""Resource events of issues and merge requests (lib/api/resource_{label,milestone,state}_events.rb)."""

from __future__ import annotations

from typing import Any

from gitlab_mcp.sandbox.entities.resource_events import resource_event
from gitlab_mcp.sandbox.http.call import Call, Response
from gitlab_mcp.sandbox.http.pagination import paginate
from gitlab_mcp.sandbox.routes.noteables import noteable_of, noteable_route
from gitlab_mcp.sandbox.state.model import Issuable, ResourceEvent


def _events(call: Call, issuable: Issuable) -> list[ResourceEvent]:
    """The events of the kind that the path names, oldest first."""
    kind = call.raw_path.split("/")[5].split("_")[1]
    return [event for event in list(issuable.events) if event.kind == kind]


@noteable_route("GET", "resource_label_events")
@noteable_route("GET", "resource_milestone_events")
@noteable_route("GET", "resource_state_events")
def list_events(call: Call) -> Response:
    issuable = noteable_of(call)
    return paginate(call, _events(call, issuable), lambda event: resource_event(call.world, issuable, event))


@noteable_route("GET", "resource_label_events/:event_id")
@noteable_route("GET", "resource_milestone_events/:event_id")
@noteable_route("GET", "resource_state_events/:event_id")
def get_event(call: Call) -> Any:
    issuable = noteable_of(call)
    return resource_event(call.world, issuable, call.item("event_id", _events(call, issuable)))
