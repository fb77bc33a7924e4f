"""Issues and issue links."""

from __future__ import annotations

import re
from typing import Any

from gitlab_mcp.sandbox.entities.projects import label, milestone, web_url
from gitlab_mcp.sandbox.entities.users import day, maybe_user, stamp, user_basic
from gitlab_mcp.sandbox.state.model import Issuable, Issue, IssueLink
from gitlab_mcp.sandbox.state.subscriptions import subscribed as is_subscribed
from gitlab_mcp.sandbox.state.users import User
from gitlab_mcp.sandbox.state.world import World
from gitlab_mcp.sandbox.text import durations
from gitlab_mcp.sandbox.text.changes import TASK


def tasks(text: str | None) -> dict[str, int]:
    """TaskCompletionStatus: the task list items of a description."""
    marks = [mark for mark, _ in TASK.findall(text or "")]
    return {"count": len(marks), "completed_count": sum(1 for mark in marks if mark != " ")}


def votes(issuable: Issuable) -> dict[str, int]:
    """The counts of thumbs up and thumbs down."""
    names = [emoji.name for emoji in issuable.award_emoji]
    return {"upvotes": names.count("thumbsup"), "downvotes": names.count("thumbsdown")}


def time_stats(issuable: Issuable) -> dict[str, Any]:
    """IssuableTimeStats."""
    return {
        "time_estimate": issuable.time_estimate,
        "total_time_spent": issuable.time_spent,
        "human_time_estimate": durations.format_duration(issuable.time_estimate),
        "human_total_time_spent": durations.format_duration(issuable.time_spent),
    }


def references(issuable: Issuable) -> dict[str, str]:
    """IssuableReferences."""
    return {
        "short": issuable.reference,
        "relative": issuable.reference,
        "full": f"{issuable.project.full_path}{issuable.reference}",
    }


def issue_url(world: World, issue: Issue) -> str:
    """The web URL of an issue."""
    return f"{web_url(world, issue.project)}/-/issues/{issue.iid}"


def issue_basic(world: World, issue: Issue, *, labels_details: bool = False) -> dict[str, Any]:
    """IssueBasic."""
    assignees = [user_basic(world, user) for user in issue.assignees]
    labels = sorted(issue.labels, key=lambda each: each.name.lower())
    return {
        "id": issue.id,
        "iid": issue.iid,
        "project_id": issue.project.id,
        "title": issue.title,
        "description": issue.description,
        "state": issue.state,
        "created_at": stamp(issue.created_at),
        "updated_at": stamp(issue.updated_at),
        "closed_at": stamp(issue.closed_at),
        "closed_by": maybe_user(world, issue.closed_by),
        "labels": [label(issue.project, each) if labels_details else each.name for each in labels],
        "milestone": milestone(world, issue.project, issue.milestone),
        "assignees": assignees,
        "author": user_basic(world, issue.author),
        "type": issue.issue_type.upper(),
        "assignee": assignees[0] if assignees else None,
        "user_notes_count": sum(1 for note in issue.notes if not note.system),
        "merge_requests_count": len(mentioning(issue)),
        **votes(issue),
        "start_date": None,
        "due_date": day(issue.due_date),
        "confidential": issue.confidential,
        "discussion_locked": issue.discussion_locked,
        "issue_type": issue.issue_type,
        "web_url": issue_url(world, issue),
        "time_stats": time_stats(issue),
        "task_completion_status": tasks(issue.description),
        "blocking_issues_count": sum(1 for link in issue.links if link.link_type == "blocks"),
    }


def mentioning(issue: Issue) -> list[int]:
    """The iids of the merge requests in the project whose title or description mentions the issue."""
    pattern = re.compile(rf"(?<![\w&/]){issue.reference}(?!\d)")
    requests = list(issue.project.merge_requests.values())
    return [found.iid for found in requests if pattern.search(f"{found.title}\n{found.description or ''}")]


def issue(
    world: World, issue: Issue, user: User | None = None, *, labels_details: bool = False, subscribed: bool = True
) -> dict[str, Any]:
    """Issue, as `user` sees it."""
    api = f"{world.url}/api/v4/projects/{issue.project.id}"
    status = tasks(issue.description)
    entity = {
        **issue_basic(world, issue, labels_details=labels_details),
        "has_tasks": status["count"] > 0,
        "_links": {
            "self": f"{api}/issues/{issue.iid}",
            "notes": f"{api}/issues/{issue.iid}/notes",
            "award_emoji": f"{api}/issues/{issue.iid}/award_emoji",
            "project": api,
            "closed_as_duplicate_of": None,
        },
        "references": references(issue),
        "severity": "UNKNOWN",
        "moved_to_id": None,
        "imported": False,
        "imported_from": "none",
        "service_desk_reply_to": None,
    }
    if status["count"]:
        entity["task_status"] = f"{status['completed_count']} of {status['count']} checklist items completed"
    if subscribed:
        entity["subscribed"] = is_subscribed(issue, user)
    return entity


def related_issue(world: World, link: IssueLink, seen_from: Issue) -> dict[str, Any]:
    """RelatedIssue: the other issue of a link, with the link type as seen from `seen_from`."""
    turned = {"relates_to": "relates_to", "blocks": "is_blocked_by", "is_blocked_by": "blocks"}
    mine = link.source is seen_from
    return {
        **issue(world, link.target if mine else link.source, subscribed=False),
        "issue_link_id": link.id,
        "link_type": link.link_type if mine else turned[link.link_type],
        "link_created_at": stamp(link.created_at),
        "link_updated_at": stamp(link.created_at),
    }


def issue_link(world: World, link: IssueLink) -> dict[str, Any]:
    """IssueLink."""
    return {
        "id": link.id,
        "source_issue": issue_basic(world, link.source),
        "target_issue": issue_basic(world, link.target),
        "link_type": link.link_type,
    }
