"""The bodies that webhooks send, with the fields of GitLab's hook builders and of captured requests."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date, datetime
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

from gitlab_mcp.sandbox.entities.issues import issue_url, time_stats
from gitlab_mcp.sandbox.entities.merge_requests import merge_request_url
from gitlab_mcp.sandbox.entities.projects import web_url
from gitlab_mcp.sandbox.git.repository import Commit
from gitlab_mcp.sandbox.state.diff_position import line_code
from gitlab_mcp.sandbox.state.events import Event, IssuableEvent, NoteEvent
from gitlab_mcp.sandbox.state.merge_status import merge_status
from gitlab_mcp.sandbox.state.model import Issuable, Issue, Label, MergeRequest, Project
from gitlab_mcp.sandbox.state.notes import Note
from gitlab_mcp.sandbox.state.pipelines import head_pipeline
from gitlab_mcp.sandbox.state.users import User
from gitlab_mcp.sandbox.state.webhooks import Delivery
from gitlab_mcp.sandbox.state.world import World

_LEVELS = {"private": 0, "internal": 10, "public": 20}
_STATES = {"opened": 1, "closed": 2, "merged": 3, "locked": 4}


def deliveries_of(world: World, events: Iterable[Event]) -> list[Delivery]:
    """The requests to the webhooks that want these events, which one request caused."""
    cause, due = str(uuid4()), []
    for event in events:
        kind, trigger = kind_and_trigger(event)
        project = event.project if isinstance(event, NoteEvent) else event.issuable.project
        wanting = [webhook for webhook in list(world.webhooks.values()) if webhook.wants(project, kind)]
        if wanting:
            sent = body(world, event)
            due += [Delivery(webhook, trigger, sent, cause) for webhook in wanting]
    return due


def kind_and_trigger(event: Event) -> tuple[str, str]:
    """The kind of events that a webhook must want, and GitLab's name of the event.

    Note#confidential? with include_noteable: an internal note, or any note on a confidential issue.
    """
    if isinstance(event, NoteEvent):
        confidential = event.note.internal or getattr(event.noteable, "confidential", False)
        return (
            ("confidential_note_events", "confidential_note_hooks") if confidential else ("note_events", "note_hooks")
        )
    if isinstance(event.issuable, MergeRequest):
        return "merge_requests_events", "merge_request_hooks"
    if getattr(event.issuable, "confidential", False):
        return "confidential_issues_events", "confidential_issue_hooks"
    return "issues_events", "issue_hooks"


def body(world: World, event: Event) -> dict[str, Any]:
    """The body that is sent for an event."""
    return _of_note(world, event) if isinstance(event, NoteEvent) else _of_issuable(world, event)


def _of_note(world: World, event: NoteEvent) -> dict[str, Any]:
    """Gitlab::DataBuilder::Note."""
    project, note = _project(world, event.project), event.note
    attributes = {**_note(world, event.noteable, note, event.project), "action": event.action}
    subject: dict[str, Any]
    if isinstance(event.noteable, Commit):
        subject = {"commit": _commit(world, event.project, event.noteable)}
    elif isinstance(event.noteable, MergeRequest):
        subject = {"merge_request": _merge_request(world, event.noteable)}
    else:
        subject = {"issue": _issue(world, event.noteable)}
    return {
        "object_kind": "note",
        "event_type": "confidential_note" if kind_and_trigger(event)[0].startswith("confidential") else "note",
        "user": _user(note.author),
        "project_id": event.project.id,
        "project": project,
        "object_attributes": attributes,
        "repository": _repository(project),
        **subject,
    }


def _of_issuable(world: World, event: IssuableEvent) -> dict[str, Any]:
    """Gitlab::DataBuilder::Issuable."""
    issuable, project = event.issuable, _project(world, event.issuable.project)
    merge_request = isinstance(issuable, MergeRequest)
    kind = "merge_request" if merge_request else "issue"
    attributes = _merge_request(world, issuable) if isinstance(issuable, MergeRequest) else _issue(world, issuable)
    attributes["action"] = event.action
    if event.oldrev:
        attributes["oldrev"] = event.oldrev
    sent: dict[str, Any] = {
        "object_kind": kind,
        "event_type": "confidential_issue" if getattr(issuable, "confidential", False) else kind,
        "user": _user(event.user),
        "project": project,
        "object_attributes": attributes,
        "labels": [_label(issuable.project, label) for label in issuable.labels],
        "changes": {
            name: {"previous": _value(issuable, name, before), "current": _value(issuable, name, after)}
            for name, (before, after) in event.changes.items()
        },
        "repository": _repository(project),
    }
    if issuable.assignees:
        sent["assignees"] = [_user(user) for user in issuable.assignees]
    if isinstance(issuable, MergeRequest) and issuable.reviewers:
        sent["reviewers"] = [_reviewer(issuable, user) for user in issuable.reviewers]
    return sent


def _value(issuable: Issuable, name: str, value: Any) -> Any:
    shown: dict[str, Callable[[Any], Any]] = {
        "labels": lambda labels: [_label(issuable.project, label) for label in labels],
        "assignees": lambda users: [_user(user) for user in users],
        "reviewers": lambda users: [_reviewer(issuable, user) for user in users],
    }
    if name in shown:
        return shown[name](value)
    return _time(value) if isinstance(value, datetime) else str(value) if isinstance(value, date) else value


def _time(moment: datetime | None) -> str | None:
    """A time as Ruby's to_s writes it, which the queue of the webhooks does: 2015-05-17 17:06:40 UTC."""
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC" if moment else None


def _user(user: User) -> dict[str, Any]:
    """User#hook_attrs; nobody has a public e-mail address here."""
    return {
        "id": user.id,
        "name": user.name,
        "username": user.username,
        "avatar_url": None,
        "email": "[REDACTED]",
    }


def _reviewer(issuable: Issuable, user: User) -> dict[str, Any]:
    """MergeRequest#hook_reviewers."""
    states = issuable.review_states if isinstance(issuable, MergeRequest) else {}
    return {**_user(user), "state": states.get(user, "unreviewed"), "re_requested": False}


def _project(world: World, project: Project) -> dict[str, Any]:
    """Project#hook_attrs."""
    url = web_url(world, project)
    ssh, http = f"git@{urlsplit(world.url).hostname}:{project.full_path}.git", f"{url}.git"
    return {
        "id": project.id,
        "name": project.name,
        "description": project.description,
        "web_url": url,
        "avatar_url": None,
        "git_ssh_url": ssh,
        "git_http_url": http,
        "namespace": project.group.title(),
        "visibility_level": _LEVELS[project.visibility],
        "path_with_namespace": project.full_path,
        "default_branch": project.repository.default_branch,
        "ci_config_path": project.settings.get("ci_config_path") or None,
        "homepage": url,
        "url": ssh,
        "ssh_url": ssh,
        "http_url": http,
    }


def _repository(project: dict[str, Any]) -> dict[str, Any]:
    return {name: project[name] for name in ("name", "url", "description", "homepage")}


def _label(project: Project, label: Label) -> dict[str, Any]:
    """Label#hook_attrs."""
    return {
        "id": label.id,
        "title": label.name,
        "color": label.color,
        "project_id": project.id,
        "created_at": _time(project.created_at),
        "updated_at": _time(project.created_at),
        "template": False,
        "description": label.description,
        "type": "ProjectLabel",
        "group_id": None,
    }


def _commit(world: World, project: Project, commit: Commit) -> dict[str, Any]:
    """Commit#hook_attrs."""
    return {
        "id": commit.sha,
        "message": commit.message,
        "title": commit.title,
        "timestamp": commit.committed_at,
        "url": f"{web_url(world, project)}/-/commit/{commit.sha}",
        "author": {"name": commit.author_name, "email": commit.author_email},
    }


def _note(world: World, noteable: Issuable | Commit, note: Note, project: Project) -> dict[str, Any]:
    """Gitlab::HookData::NoteBuilder."""
    if isinstance(noteable, Issuable):
        kind, page = noteable.kind, "merge_requests" if isinstance(noteable, MergeRequest) else "issues"
        url = f"{web_url(world, project)}/-/{page}/{noteable.iid}"
    else:
        kind, url = "Commit", f"{web_url(world, project)}/-/commit/{noteable.sha}"
    placed = note.position if isinstance(noteable, MergeRequest) else None
    return {
        "id": note.id,
        "note": note.body,
        "noteable_type": kind,
        "author_id": note.author.id,
        "created_at": _time(note.created_at),
        "updated_at": _time(note.updated_at),
        "project_id": project.id,
        "attachment": None,
        "line_code": line_code(noteable, placed) if placed and isinstance(noteable, MergeRequest) else None,
        "commit_id": noteable.sha if isinstance(noteable, Commit) else None,
        "noteable_id": None if isinstance(noteable, Commit) else noteable.id,
        "system": note.system,
        "st_diff": None,
        "updated_by_id": None,
        "type": note.type,
        "position": placed,
        "original_position": placed,
        "resolved_at": _time(note.resolved_at),
        "resolved_by_id": note.resolved_by.id if note.resolved_by else None,
        "discussion_id": note.discussion_id,
        "change_position": None,
        "resolved_by_push": None,
        "internal": note.internal,
        "description": note.body,
        "url": f"{url}#note_{note.id}",
    }


def _issuable(issuable: Issuable) -> dict[str, Any]:
    """What the builders of issues and merge requests have in common."""
    times = time_stats(issuable)
    return {
        "id": issuable.id,
        "iid": issuable.iid,
        "title": issuable.title,
        "description": issuable.description,
        "author_id": issuable.author.id,
        "assignee_ids": [user.id for user in issuable.assignees],
        "assignee_id": issuable.assignees[0].id if issuable.assignees else None,
        "created_at": _time(issuable.created_at),
        "updated_at": _time(issuable.updated_at),
        "updated_by_id": issuable.updated_by.id if issuable.updated_by else None,
        "last_edited_at": _time(issuable.last_edited_at),
        "last_edited_by_id": issuable.last_edited_by.id if issuable.last_edited_by else None,
        "milestone_id": issuable.milestone.id if issuable.milestone else None,
        "state_id": _STATES[issuable.state],
        "state": issuable.state,
        "discussion_locked": issuable.discussion_locked,
        "labels": [_label(issuable.project, label) for label in issuable.labels],
        "time_change": 0,
        "human_time_change": None,
        **times,
    }


def _issue(world: World, issuable: Issuable) -> dict[str, Any]:
    """Gitlab::HookData::IssueBuilder."""
    assert isinstance(issuable, Issue)  # noqa: S101 - an issuable is one or the other
    return {
        **_issuable(issuable),
        "project_id": issuable.project.id,
        "closed_at": _time(issuable.closed_at),
        "confidential": issuable.confidential,
        "due_date": str(issuable.due_date) if issuable.due_date else None,
        "duplicated_to_id": None,
        "moved_to_id": None,
        "relative_position": None,
        "severity": "unknown",
        "type": issuable.issue_type.replace("_", " ").capitalize(),
        "customer_relations_contacts": [],
        "url": issue_url(world, issuable),
    }


def _merge_request(world: World, merge_request: MergeRequest) -> dict[str, Any]:
    """Gitlab::HookData::MergeRequestBuilder."""
    project, status = _project(world, merge_request.project), merge_status(merge_request)
    pipeline, merged_by = head_pipeline(merge_request), merge_request.merged_by or merge_request.auto_merge_user
    commit = merge_request.project.repository.commit(merge_request.version.head)
    return {
        **_issuable(merge_request),
        "draft": merge_request.draft,
        "work_in_progress": merge_request.draft,
        "head_pipeline_id": pipeline.id if pipeline else None,
        "merge_commit_sha": merge_request.merge_commit_sha,
        "merge_error": merge_request.merge_error,
        "merge_params": {},
        "merge_status": "cannot_be_merged" if status.unmergeable else "can_be_merged",
        "detailed_merge_status": status.detailed,
        "merge_user_id": merged_by.id if merged_by else None,
        "merge_when_pipeline_succeeds": merge_request.auto_merge,
        "prepared_at": _time(merge_request.created_at),
        "source_branch": merge_request.source_branch,
        "source_project_id": merge_request.project.id,
        "target_branch": merge_request.target_branch,
        "target_project_id": merge_request.project.id,
        "reviewer_ids": [user.id for user in merge_request.reviewers],
        "first_contribution": False,
        "blocking_discussions_resolved": not any(note.resolvable and not note.resolved for note in merge_request.notes),
        "source": project,
        "target": project,
        "last_commit": _commit(world, merge_request.project, commit),
        "url": merge_request_url(world, merge_request),
    }
