"""The quick actions of merge requests, due dates, time tracking, reactions, links, to-do items and notifications."""

from __future__ import annotations

import re
from datetime import date, timedelta

from gitlab_mcp.sandbox.http.errors import ApiError
from gitlab_mcp.sandbox.routes import approvals
from gitlab_mcp.sandbox.state import activity, permissions
from gitlab_mcp.sandbox.state.merge_status import merge_status
from gitlab_mcp.sandbox.state.model import Issue
from gitlab_mcp.sandbox.text import durations, references
from gitlab_mcp.sandbox.text.quick_action_effects import CannotApply, CommandContext, effect

_EMOJI = re.compile(r":?([a-z0-9_+-]+):?\Z")


@effect("draft")
def draft(context: CommandContext, _: str) -> str:
    merge_request = context.merge_request
    context.need_edit(persisted=False)
    context.changes["wip_event"] = "draft"
    return (
        "No change to this merge request's draft status."
        if merge_request.draft
        else "Marked this merge request as a draft."
    )


@effect("ready")
def ready(context: CommandContext, _: str) -> str:
    merge_request = context.merge_request
    context.need_edit(persisted=False)
    if not merge_request.draft:
        return "No change to this merge request's draft status."
    context.changes["wip_event"] = "ready"
    return "Marked this merge request as ready."


@effect("target_branch")
def target_branch(context: CommandContext, argument: str) -> str:
    merge_request = context.merge_request
    context.need_edit(persisted=False)
    if merge_request.project.repository.branch(argument) is not None:
        context.changes["target_branch"] = argument
    return f"Set target branch to {argument}."


@effect("merge")
def merge(context: CommandContext, _: str) -> str:
    merge_request = context.merge_request
    context.need(
        not context.new and permissions.may_push(context.call.user, merge_request.project, merge_request.target_branch)
    )
    context.need(merge_status(merge_request).detailed == "mergeable")
    # Since 18.x GitLab merges only the head that the caller has seen (merge_request_diff_head_sha of the note).
    if not context.head:
        return "The `/merge` quick action requires the SHA of the head of the branch."
    if context.head != merge_request.version.head:
        return "Branch has been updated since the merge was requested."
    context.changes["merge"] = context.head
    return "Merged this merge request."


@effect("rebase")
def rebase(context: CommandContext, _: str) -> str:
    merge_request = context.merge_request
    context.need(not context.new and merge_request.state == "opened")
    context.need(permissions.may_push(context.call.user, merge_request.project, merge_request.source_branch))
    if merge_status(merge_request).unmergeable:
        return "This merge request is currently in an unmergeable state, and cannot be rebased."
    context.changes["rebase"] = True
    return f"Scheduled a rebase of branch {merge_request.source_branch}."


@effect("approve")
def approve(context: CommandContext, _: str) -> str:
    merge_request = context.merge_request
    context.need(not context.new)
    try:
        approvals.approve_now(context.call, merge_request)
    except ApiError as error:
        raise CannotApply from error
    return "Approved the current merge request."


@effect("unapprove")
def unapprove(context: CommandContext, _: str) -> str:
    merge_request = context.merge_request
    context.need(not context.new)
    try:
        approvals.unapprove_now(context.call, merge_request)
    except ApiError as error:
        raise CannotApply from error
    return "Unapproved the current merge request."


@effect("due")
def due(context: CommandContext, argument: str) -> str:
    context.need_metadata()
    context.need(isinstance(context.one, Issue))
    when = _day(argument, context.call.world.now().date())
    if when is None:
        return ""
    context.changes["due_date"] = when.isoformat()
    return f"Set the due date to {when:%b} {when.day}, {when.year}."


def _day(text: str, today: date) -> date | None:
    """The date that a text stands for, or None; GitLab understands more texts than these, such as "next friday"."""
    if text.lower() in ("today", "tomorrow"):
        return today + timedelta(days=int(text.lower() == "tomorrow"))
    if match := re.fullmatch(r"in (\d{1,4}) (day|week)s?", text.lower()):
        return today + timedelta(days=int(match[1]) * (7 if match[2] == "week" else 1))
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


@effect("remove_due_date")
def remove_due_date(context: CommandContext, _: str) -> str:
    context.need_metadata(persisted=True)
    context.need(isinstance(context.one, Issue) and context.one.due_date is not None)
    context.changes["due_date"] = None
    return "Removed the due date."


@effect("estimate")
def estimate(context: CommandContext, argument: str) -> str:
    context.need_metadata()
    seconds = durations.parse_duration(argument)
    if seconds is None or seconds < 0:
        return ""
    context.changes["time_estimate"] = seconds
    return f"Set time estimate to {durations.format_duration(seconds)}." if seconds else "Removed time estimate."


@effect("remove_estimate")
def remove_estimate(context: CommandContext, _: str) -> str:
    context.need_metadata(persisted=True)
    context.changes["time_estimate"] = 0
    return "Removed time estimate."


@effect("spend")
def spend(context: CommandContext, argument: str) -> str:
    context.need_metadata()
    # A date or a [timecategory:...] may follow.
    seconds = durations.parse_duration(re.sub(r"\s*(\d{4}-\d\d-\d\d|\[timecategory:[^]]*\])\s*$", "", argument))
    if not seconds:
        return ""
    context.changes["spend_time"] = {
        "duration": seconds,
        "user_id": context.call.me.id,
        "spent_at": None,
        "category": None,
    }
    return f"{'Added' if seconds > 0 else 'Subtracted'} {durations.format_duration(abs(seconds))} spent time."


@effect("remove_time_spent")
def remove_time_spent(context: CommandContext, _: str) -> str:
    context.need_metadata(persisted=True)
    context.changes["spend_time"] = {"duration": "reset", "user_id": context.call.me.id}
    return "Removed spent time."


@effect("react")
def react(context: CommandContext, argument: str) -> str:
    context.need(not context.new)
    if not (match := _EMOJI.match(argument)):
        return ""
    context.changes["emoji_award"] = match[1]
    return f"Toggled :{match[1]}: emoji reaction."


def _link(context: CommandContext, argument: str, link_type: str) -> str:
    context.need_edit()
    issue = context.one
    context.need(isinstance(issue, Issue) and permissions.may_set_metadata(context.call.user, issue))
    targets = [
        one for one in references.mentions(issue.project, argument) if isinstance(one, Issue) and one is not issue
    ]
    for target in targets:
        if isinstance(issue, Issue) and not any(target in (link.source, link.target) for link in issue.links):
            activity.link(context.call.world, issue, target, link_type, context.call.me)
    return f"Added {' '.join(one.reference for one in targets)} as a linked item." if targets else ""


@effect("relate")
def relate(context: CommandContext, argument: str) -> str:
    return _link(context, argument, "relates_to")


@effect("blocks")
def blocks(context: CommandContext, argument: str) -> str:
    return _link(context, argument, "blocks")


@effect("blocked_by")
def blocked_by(context: CommandContext, argument: str) -> str:
    return _link(context, argument, "is_blocked_by")


@effect("todo")
def todo(context: CommandContext, _: str) -> str:
    context.need(not context.new)
    context.changes["todo_event"] = "add"
    return "Added a to-do item."


@effect("subscribe")
def subscribe(context: CommandContext, _: str) -> str:
    context.need(not context.new)
    context.changes["subscription_event"] = "subscribe"
    return "Subscribed to notifications."


@effect("unsubscribe")
def unsubscribe(context: CommandContext, _: str) -> str:
    context.need(not context.new)
    context.changes["subscription_event"] = "unsubscribe"
    return "Unsubscribed from notifications."
