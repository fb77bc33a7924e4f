"""What each reviewer of a merge request has made of it so far."""

from __future__ import annotations

from gitlab_mcp.sandbox import access, activity
from gitlab_mcp.sandbox.model import MergeRequest, User
from gitlab_mcp.sandbox.world import World


def set_state(world: World, one: MergeRequest, user: User, state: str) -> None:
    """Set the state of a reviewer; nothing happens for who is none, or may not change the merge request.

    app/services/merge_requests/update_reviewer_state_service.rb: who has approved stays so, unless they ask for changes
    or take it back; asking for changes takes the approval back.
    """
    if not access.may_edit(user, one):
        return
    if state == "requested_changes":
        activity.system_note(world, one, user, "requested changes")
    if user not in one.reviewers:
        return
    if one.review_states.get(user) == "approved" and state not in ("requested_changes", "unapproved"):
        return
    one.review_states[user] = state
    if state == "requested_changes" and user in one.approvals:
        del one.approvals[user]
        activity.system_note(world, one, user, "unapproved this merge request")
