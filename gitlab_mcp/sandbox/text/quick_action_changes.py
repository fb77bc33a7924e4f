"""Making the changes that quick actions asked for, as the API would on the same words."""

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


def make(call: Call, one: Issuable, changes: dict[str, Any]) -> list[str]:
    """Make the changes; returns what GitLab says of those that failed. Those before a failed one stay made."""
    try:
        _set_texts(call, one, changes)
        _set_lists(call, one, changes)
        _set_times(call, one, changes)
        if isinstance(one, Issue):
            _change_issue(call, one, changes)
        elif isinstance(one, MergeRequest):
            _change_merge_request(call, one, changes)
        _set_state(call, one, changes)
    except ApiError as error:
        return [str(error.body.get("message") or error.body.get("error"))]
    return []


def _set_texts(call: Call, one: Issuable, changes: dict[str, Any]) -> None:
    title = changes.get("title")
    if "wip_event" in changes and isinstance(one, MergeRequest):
        plain = one.title
        while plain.lower().startswith(("draft:", "[draft]", "(draft)")):
            plain = plain[6 if plain.lower().startswith("draft:") else 7 :].lstrip()
        title = f"Draft: {plain}" if changes["wip_event"] == "draft" else plain
    if title is not None:
        check_texts(title, None)
        activity.set_title(call.world, one, call.me, title)


def _set_lists(call: Call, one: Issuable, changes: dict[str, Any]) -> None:
    world, me = call.world, call.me
    if {"label_ids", "add_label_ids", "remove_label_ids"} & set(changes):
        gone = changes.get("remove_label_ids", [])
        labels = _labels(one, changes["label_ids"]) if "label_ids" in changes else list(one.labels)
        labels += [label for label in _labels(one, changes.get("add_label_ids", [])) if label not in labels]
        activity.set_labels(world, one, me, [label for label in labels if label.id not in gone])
    if "milestone_id" in changes:
        found = (each for each in one.project.milestones if each.id == changes["milestone_id"])
        activity.set_milestone(world, one, me, next(found, None))
    if "assignee_ids" in changes:
        activity.set_assignees(world, one, me, people(call, changes["assignee_ids"]))
    if "emoji_award" in changes:
        _toggle(call, one, changes["emoji_award"])


def _labels(one: Issuable, ids: Sequence[int]) -> list[Label]:
    return [label for label in one.project.labels.values() if label.id in ids]


def _toggle(call: Call, one: Issuable, name: str) -> None:
    mine = [emoji for emoji in one.award_emoji if emoji.user is call.user and emoji.name == name]
    if mine:
        one.award_emoji.remove(mine[0])
    else:
        one.award_emoji.append(AwardEmoji(call.world.next_id("award_emoji"), name, call.me, call.world.now()))


def _set_times(call: Call, one: Issuable, changes: dict[str, Any]) -> None:
    if "time_estimate" in changes:
        one.time_estimate = changes["time_estimate"]
        activity.system_note(call.world, one, call.me, "changed time estimate")
    if spent := changes.get("spend_time"):
        one.time_spent = 0 if spent["duration"] == "reset" else max(0, one.time_spent + spent["duration"])
        activity.system_note(call.world, one, call.me, "changed time spent")


def _change_issue(call: Call, one: Issue, changes: dict[str, Any]) -> None:
    if changes.get("confidential"):
        activity.set_confidential(call.world, one, call.me, True)
    if "due_date" in changes:
        one.due_date = date.fromisoformat(changes["due_date"]) if changes["due_date"] else None
        activity.system_note(call.world, one, call.me, "changed due date")
    original = one.project.issues.get(_iid(one, changes.get("canonical_issue_id")))
    if original is not None:
        activity.system_note(call.world, one, call.me, f"marked this issue as a duplicate of {original.reference}")
        activity.close(call.world, one, call.me)


def _iid(one: Issue, number: int | None) -> int:
    return next((issue.iid for issue in one.project.issues.values() if issue.id == number), 0)


def _change_merge_request(call: Call, one: MergeRequest, changes: dict[str, Any]) -> None:
    if "reviewer_ids" in changes:
        activity.set_reviewers(call.world, one, call.me, people(call, changes["reviewer_ids"]))
    if "target_branch" in changes:
        merge_requests.set_target(call.world, one, call.me, changes["target_branch"])
        activity.add_version(call.world, one, None)
    if changes.get("rebase"):
        merging.rebase_now(call, one)
    if changes.get("merge"):
        merging.merge_now(call, one)


def _set_state(call: Call, one: Issuable, changes: dict[str, Any]) -> None:
    if "discussion_locked" in changes:
        one.discussion_locked = changes["discussion_locked"]
        word = "locked" if one.discussion_locked else "unlocked"
        activity.system_note(call.world, one, call.me, f"{word} the discussion")
    match changes.get("state_event"):
        case "close":
            activity.close(call.world, one, call.me)
        case "reopen":
            activity.reopen(call.world, one, call.me)
    one.updated_at = call.world.now()
