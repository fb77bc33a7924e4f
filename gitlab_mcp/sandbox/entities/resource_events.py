"""Resource events: changes of labels, milestones and states (lib/api/entities/resource_*_event.rb)."""

from __future__ import annotations

from typing import Any

from gitlab_mcp.sandbox.entities.projects import label_basic, milestone
from gitlab_mcp.sandbox.entities.users import stamp, user_basic
from gitlab_mcp.sandbox.state.model import Issuable, ResourceEvent
from gitlab_mcp.sandbox.state.world import World


def resource_event(world: World, issuable: Issuable, event: ResourceEvent) -> dict[str, Any]:
    """ResourceLabelEvent, ResourceMilestoneEvent or ResourceStateEvent, by the kind of the event."""
    entity = {
        "id": event.id,
        "user": user_basic(world, event.user),
        "created_at": stamp(event.created_at),
        "resource_type": issuable.kind,
        "resource_id": issuable.id,
    }
    match event.kind:
        case "label":
            label = label_basic(event.label) if event.label else None
            return {**entity, "label": label, "action": event.action}
        case "milestone":
            shown = milestone(world, issuable.project, event.milestone)
            return {**entity, "milestone": shown, "action": event.action, "state": issuable.state}
    source = {"source_commit": event.source_commit, "source_merge_request_id": event.source_merge_request_id}
    return {**entity, **source, "state": event.action}
