"""Issues and links between them."""

from __future__ import annotations

import re
from typing import Any

from gitlab_mcp.sandbox.entities.projects import label, milestone, web_url
from gitlab_mcp.sandbox.entities.users import day, maybe_user, stamp, user_basic
from gitlab_mcp.sandbox.state.model import Issuable, Issue, IssueLink
from gitlab_mcp.sandbox.state.world import World
from gitlab_mcp.sandbox.text import durations

_TASK = re.compile(r"^\s*(?:[-*+]|\d+[.)])\s+\[([ xX])\]\s", re.MULTILINE)


def tasks(text: str | None) -> dict[str, int]:
    """TaskCompletionStatus: the check boxes of a description."""
    marks = _TASK.findall(text or "")
    return {"count": len(marks), "completed_count": sum(1 for mark in marks if mark != " ")}


def votes(one: Issuable) -> dict[str, int]:
    """Thumbs up and down."""
    names = [emoji.name for emoji in one.award_emoji]
    return {"upvotes": names.count("thumbsup"), "downvotes": names.count("thumbsdown")}


def time_stats(one: Issuable) -> dict[str, Any]:
    """IssuableTimeStats."""
    return {
        "time_estimate": one.time_estimate,
        "total_time_spent": one.time_spent,
        "human_time_estimate": durations.human(one.time_estimate),
        "human_total_time_spent": durations.human(one.time_spent),
    }


def references(one: Issuable) -> dict[str, str]:
    """IssuableReferences."""
    return {"short": one.reference, "relative": one.reference, "full": f"{one.project.full_path}{one.reference}"}


def issue_url(world: World, one: Issue) -> str:
    """The page of an issue."""
    return f"{web_url(world, one.project)}/-/issues/{one.iid}"


def issue_basic(world: World, one: Issue, *, labels_details: bool = False) -> dict[str, Any]:
    """IssueBasic."""
    assignees = [user_basic(world, user) for user in one.assignees]
    labels = sorted(one.labels, key=lambda each: each.name.lower())
    return {
        "id": one.id,
        "iid": one.iid,
        "project_id": one.project.id,
        "title": one.title,
        "description": one.description,
        "state": one.state,
        "created_at": stamp(one.created_at),
        "updated_at": stamp(one.updated_at),
        "closed_at": stamp(one.closed_at),
        "closed_by": maybe_user(world, one.closed_by),
        "labels": [label(one.project, each) if labels_details else each.name for each in labels],
        "milestone": milestone(world, one.project, one.milestone),
        "assignees": assignees,
        "author": user_basic(world, one.author),
        "type": one.issue_type.upper(),
        "assignee": assignees[0] if assignees else None,
        "user_notes_count": sum(1 for note in one.notes if not note.system),
        "merge_requests_count": len(mentioning(one)),
        **votes(one),
        "start_date": None,
        "due_date": day(one.due_date),
        "confidential": one.confidential,
        "discussion_locked": one.discussion_locked,
        "issue_type": one.issue_type,
        "web_url": issue_url(world, one),
        "time_stats": time_stats(one),
        "task_completion_status": tasks(one.description),
        "blocking_issues_count": sum(1 for link in one.links if link.link_type == "blocks"),
    }


def mentioning(one: Issue) -> list[int]:
    """Numbers of the project's merge requests whose title or description names the issue."""
    pattern = re.compile(rf"(?<![\w&/]){one.reference}(?!\d)")
    requests = list(one.project.merge_requests.values())
    return [found.iid for found in requests if pattern.search(f"{found.title}\n{found.description or ''}")]


def issue(world: World, one: Issue, *, labels_details: bool = False, subscribed: bool = True) -> dict[str, Any]:
    """Issue."""
    api = f"{world.url}/api/v4/projects/{one.project.id}"
    status = tasks(one.description)
    shown = {
        **issue_basic(world, one, labels_details=labels_details),
        "has_tasks": status["count"] > 0,
        "_links": {
            "self": f"{api}/issues/{one.iid}",
            "notes": f"{api}/issues/{one.iid}/notes",
            "award_emoji": f"{api}/issues/{one.iid}/award_emoji",
            "project": api,
            "closed_as_duplicate_of": None,
        },
        "references": references(one),
        "severity": "UNKNOWN",
        "moved_to_id": None,
        "imported": False,
        "imported_from": "none",
        "service_desk_reply_to": None,
    }
    if status["count"]:
        shown["task_status"] = f"{status['completed_count']} of {status['count']} checklist items completed"
    if subscribed:
        shown["subscribed"] = True
    return shown


def related_issue(world: World, link: IssueLink, seen_from: Issue) -> dict[str, Any]:
    """RelatedIssue: the other issue of a link, with the link as this side sees it."""
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
