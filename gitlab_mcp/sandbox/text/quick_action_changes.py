"""Making the changes of quick actions, as the API makes the same changes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

from gitlab_mcp.sandbox.http.call import Call
from gitlab_mcp.sandbox.http.errors import ApiError
from gitlab_mcp.sandbox.routes import merging
from gitlab_mcp.sandbox.routes.issuables import check_texts, people
from gitlab_mcp.sandbox.state import activity, merge_requests
from gitlab_mcp.sandbox.state.model import Issuable, Issue, Label, MergeRequest
from gitlab_mcp.sandbox.state.notes import AwardEmoji


def make(call: Call, issuable: Issuable, changes: dict[str, Any]) -> list[str]:
    """Make the changes of `commands_changes`; returns GitLab's error messages. Changes before a failed one are kept."""
    try:
        _set_texts(call, issuable, changes)
        _set_lists(call, issuable, changes)
        _set_times(call, issuable, changes)
        if isinstance(issuable, Issue):
            _change_issue(call, issuable, changes)
        elif isinstance(issuable, MergeRequest):
            _change_merge_request(call, issuable, changes)
        _set_state(call, issuable, changes)
    except ApiError as error:
        return [str(error.body.get("message") or error.body.get("error"))]
    return []


def _set_texts(call: Call, issuable: Issuable, changes: dict[str, Any]) -> None:
    title = changes.get("title")
    if "wip_event" in changes and isinstance(issuable, MergeRequest):
        plain = issuable.title
        while plain.lower().startswith(("draft:", "[draft]", "(draft)")):
            plain = plain[6 if plain.lower().startswith("draft:") else 7 :].lstrip()
        title = f"Draft: {plain}" if changes["wip_event"] == "draft" else plain
    if title is not None:
        check_texts(title, None)
        activity.set_title(call.world, issuable, call.me, title)


def _set_lists(call: Call, issuable: Issuable, changes: dict[str, Any]) -> None:
    world, me = call.world, call.me
    if {"label_ids", "add_label_ids", "remove_label_ids"} & set(changes):
        removed = changes.get("remove_label_ids", [])
        labels = _labels(issuable, changes["label_ids"]) if "label_ids" in changes else list(issuable.labels)
        labels += [label for label in _labels(issuable, changes.get("add_label_ids", [])) if label not in labels]
        activity.set_labels(world, issuable, me, [label for label in labels if label.id not in removed])
    if "milestone_id" in changes:
        matches = (each for each in issuable.project.milestones if each.id == changes["milestone_id"])
        activity.set_milestone(world, issuable, me, next(matches, None))
    if "assignee_ids" in changes:
        activity.set_assignees(world, issuable, me, people(call, changes["assignee_ids"]))
    if "emoji_award" in changes:
        _toggle(call, issuable, changes["emoji_award"])


def _labels(issuable: Issuable, ids: Sequence[int]) -> list[Label]:
    return [label for label in issuable.project.labels.values() if label.id in ids]


def _toggle(call: Call, issuable: Issuable, name: str) -> None:
    mine = [emoji for emoji in issuable.award_emoji if emoji.user is call.user and emoji.name == name]
    if mine:
        issuable.award_emoji.remove(mine[0])
    else:
        issuable.award_emoji.append(AwardEmoji(call.world.next_id("award_emoji"), name, call.me, call.world.now()))


def _set_times(call: Call, issuable: Issuable, changes: dict[str, Any]) -> None:
    if "time_estimate" in changes:
        issuable.time_estimate = changes["time_estimate"]
        activity.system_note(call.world, issuable, call.me, "changed time estimate")
    if spent := changes.get("spend_time"):
        issuable.time_spent = 0 if spent["duration"] == "reset" else max(0, issuable.time_spent + spent["duration"])
        activity.system_note(call.world, issuable, call.me, "changed time spent")


def _change_issue(call: Call, issue: Issue, changes: dict[str, Any]) -> None:
    if changes.get("confidential"):
        activity.set_confidential(call.world, issue, call.me, True)
    if "due_date" in changes:
        issue.due_date = date.fromisoformat(changes["due_date"]) if changes["due_date"] else None
        activity.system_note(call.world, issue, call.me, "changed due date")
    original = issue.project.issues.get(_iid(issue, changes.get("canonical_issue_id")))
    if original is not None:
        activity.system_note(call.world, issue, call.me, f"marked this issue as a duplicate of {original.reference}")
        activity.close(call.world, issue, call.me)


def _iid(one: Issue, number: int | None) -> int:
    return next((issue.iid for issue in one.project.issues.values() if issue.id == number), 0)


def _change_merge_request(call: Call, merge_request: MergeRequest, changes: dict[str, Any]) -> None:
    if "reviewer_ids" in changes:
        activity.set_reviewers(call.world, merge_request, call.me, people(call, changes["reviewer_ids"]))
    if "target_branch" in changes:
        merge_requests.set_target(call.world, merge_request, call.me, changes["target_branch"])
        activity.add_version(call.world, merge_request, None)
    if changes.get("rebase"):
        merging.rebase_now(call, merge_request)
    if changes.get("merge"):
        merging.merge_now(call, merge_request)


def _set_state(call: Call, issuable: Issuable, changes: dict[str, Any]) -> None:
    if "discussion_locked" in changes:
        issuable.discussion_locked = changes["discussion_locked"]
        word = "locked" if issuable.discussion_locked else "unlocked"
        activity.system_note(call.world, issuable, call.me, f"{word} the discussion")
    match changes.get("state_event"):
        case "close":
            activity.close(call.world, issuable, call.me)
        case "reopen":
            activity.reopen(call.world, issuable, call.me)
    issuable.updated_at = call.world.now()
