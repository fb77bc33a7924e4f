"""The quick actions of merge requests, those of time, and those that change nothing which is kept here."""

from __future__ import annotations

import re
from datetime import date, timedelta

from gitlab_mcp.sandbox.http.errors import ApiError
from gitlab_mcp.sandbox.routes import approvals
from gitlab_mcp.sandbox.state import activity, permissions
from gitlab_mcp.sandbox.state.merge_status import merge_status
from gitlab_mcp.sandbox.state.model import Issue
from gitlab_mcp.sandbox.text import durations, references
from gitlab_mcp.sandbox.text.quick_action_effects import Acting, CannotApply, effect

_EMOJI = re.compile(r":?([a-z0-9_+-]+):?\Z")


@effect("draft")
def draft(at: Acting, _: str) -> str:
    one = at.merge_request
    at.need_edit(persisted=False)
    at.changes["wip_event"] = "draft"
    return "No change to this merge request's draft status." if one.draft else "Marked this merge request as a draft."


@effect("ready")
def ready(at: Acting, _: str) -> str:
    one = at.merge_request
    at.need_edit(persisted=False)
    if not one.draft:
        return "No change to this merge request's draft status."
    at.changes["wip_event"] = "ready"
    return "Marked this merge request as ready."


@effect("target_branch")
def target_branch(at: Acting, argument: str) -> str:
    one = at.merge_request
    at.need_edit(persisted=False)
    if one.project.repository.branch(argument) is not None:
        at.changes["target_branch"] = argument
    return f"Set target branch to {argument}."


@effect("merge")
def merge(at: Acting, _: str) -> str:
    one = at.merge_request
    at.need(not at.new and permissions.may_push(at.call.user, one.project, one.target_branch))
    at.need(merge_status(one).detailed == "mergeable")
    # Since 18.x GitLab merges only what the caller says it has seen (merge_request_diff_head_sha of the note).
    if not at.head:
        return "The `/merge` quick action requires the SHA of the head of the branch."
    if at.head != one.version.head:
        return "Branch has been updated since the merge was requested."
    at.changes["merge"] = at.head
    return "Merged this merge request."


@effect("rebase")
def rebase(at: Acting, _: str) -> str:
    one = at.merge_request
    at.need(not at.new and one.state == "opened")
    at.need(permissions.may_push(at.call.user, one.project, one.source_branch))
    if merge_status(one).unmergeable:
        return "This merge request is currently in an unmergeable state, and cannot be rebased."
    at.changes["rebase"] = True
    return f"Scheduled a rebase of branch {one.source_branch}."


@effect("approve")
def approve(at: Acting, _: str) -> str:
    one = at.merge_request
    at.need(not at.new)
    try:
        approvals.approve_now(at.call, one)
    except ApiError as error:
        raise CannotApply from error
    return "Approved the current merge request."


@effect("unapprove")
def unapprove(at: Acting, _: str) -> str:
    one = at.merge_request
    at.need(not at.new)
    try:
        approvals.unapprove_now(at.call, one)
    except ApiError as error:
        raise CannotApply from error
    return "Unapproved the current merge request."


@effect("due")
def due(at: Acting, argument: str) -> str:
    at.need_metadata()
    at.need(isinstance(at.one, Issue))
    when = _day(argument, at.call.world.now().date())
    if when is None:
        return ""
    at.changes["due_date"] = when.isoformat()
    return f"Set the due date to {when:%b} {when.day}, {when.year}."


def _day(text: str, today: date) -> date | None:
    """The day of a text: GitLab reads far more than these, as "next friday"."""
    if text.lower() in ("today", "tomorrow"):
        return today + timedelta(days=int(text.lower() == "tomorrow"))
    if match := re.fullmatch(r"in (\d{1,4}) (day|week)s?", text.lower()):
        return today + timedelta(days=int(match[1]) * (7 if match[2] == "week" else 1))
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


@effect("remove_due_date")
def remove_due_date(at: Acting, _: str) -> str:
    at.need_metadata(persisted=True)
    at.need(isinstance(at.one, Issue) and at.one.due_date is not None)
    at.changes["due_date"] = None
    return "Removed the due date."


@effect("estimate")
def estimate(at: Acting, argument: str) -> str:
    at.need_metadata()
    seconds = durations.seconds(argument)
    if seconds is None or seconds < 0:
        return ""
    at.changes["time_estimate"] = seconds
    return f"Set time estimate to {durations.human(seconds)}." if seconds else "Removed time estimate."


@effect("remove_estimate")
def remove_estimate(at: Acting, _: str) -> str:
    at.need_metadata(persisted=True)
    at.changes["time_estimate"] = 0
    return "Removed time estimate."


@effect("spend")
def spend(at: Acting, argument: str) -> str:
    at.need_metadata()
    # A date or a [timecategory:...] may follow.
    seconds = durations.seconds(re.sub(r"\s*(\d{4}-\d\d-\d\d|\[timecategory:[^]]*\])\s*$", "", argument))
    if not seconds:
        return ""
    at.changes["spend_time"] = {"duration": seconds, "user_id": at.call.me.id, "spent_at": None, "category": None}
    return f"{'Added' if seconds > 0 else 'Subtracted'} {durations.human(abs(seconds))} spent time."


@effect("remove_time_spent")
def remove_time_spent(at: Acting, _: str) -> str:
    at.need_metadata(persisted=True)
    at.changes["spend_time"] = {"duration": "reset", "user_id": at.call.me.id}
    return "Removed spent time."


@effect("react")
def react(at: Acting, argument: str) -> str:
    at.need(not at.new)
    if not (match := _EMOJI.match(argument)):
        return ""
    at.changes["emoji_award"] = match[1]
    return f"Toggled :{match[1]}: emoji reaction."


def _link(at: Acting, argument: str, link_type: str) -> str:
    at.need_edit()
    issue = at.one
    at.need(isinstance(issue, Issue) and permissions.may_set_metadata(at.call.user, issue))
    found = [one for one in references.mentions(issue.project, argument) if isinstance(one, Issue) and one is not issue]
    for target in found:
        if isinstance(issue, Issue) and not any(target in (link.source, link.target) for link in issue.links):
            activity.link(at.call.world, issue, target, link_type, at.call.me)
    return f"Added {' '.join(one.reference for one in found)} as a linked item." if found else ""


@effect("relate")
def relate(at: Acting, argument: str) -> str:
    return _link(at, argument, "relates_to")


@effect("blocks")
def blocks(at: Acting, argument: str) -> str:
    return _link(at, argument, "blocks")


@effect("blocked_by")
def blocked_by(at: Acting, argument: str) -> str:
    return _link(at, argument, "is_blocked_by")


@effect("todo")
def todo(at: Acting, _: str) -> str:
    at.need(not at.new)
    at.changes["todo_event"] = "add"
    return "Added a to-do item."


@effect("subscribe")
def subscribe(at: Acting, _: str) -> str:
    at.need(not at.new)
    at.changes["subscription_event"] = "subscribe"
    return "Subscribed to notifications."


@effect("unsubscribe")
def unsubscribe(at: Acting, _: str) -> str:
    at.need(not at.new)
    at.changes["subscription_event"] = "unsubscribe"
    return "Unsubscribed from notifications."
