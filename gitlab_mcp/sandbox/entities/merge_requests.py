"""Merge requests, their versions and approvals."""

from __future__ import annotations

from typing import Any

from gitlab_mcp.sandbox.entities import pipelines
from gitlab_mcp.sandbox.entities.issues import references, tasks, time_stats, votes
from gitlab_mcp.sandbox.entities.projects import label, milestone, web_url
from gitlab_mcp.sandbox.entities.users import maybe_user, stamp, user_basic
from gitlab_mcp.sandbox.git.diffs import MAX_FILES, changed_files
from gitlab_mcp.sandbox.state import permissions
from gitlab_mcp.sandbox.state.merge_status import MergeStatus, merge_status
from gitlab_mcp.sandbox.state.model import DiffVersion, MergeRequest
from gitlab_mcp.sandbox.state.pipelines import pipelines_of
from gitlab_mcp.sandbox.state.users import User
from gitlab_mcp.sandbox.state.world import World


def merge_request_url(world: World, one: MergeRequest) -> str:
    """The page of a merge request."""
    return f"{web_url(world, one.project)}/-/merge_requests/{one.iid}"


def merge_request_simple(world: World, one: MergeRequest) -> dict[str, Any]:
    """MergeRequestSimple, what view=simple shows."""
    return {
        "id": one.id,
        "iid": one.iid,
        "project_id": one.project.id,
        "title": one.title,
        "description": one.description,
        "state": one.state,
        "created_at": stamp(one.created_at),
        "updated_at": stamp(one.updated_at),
        "web_url": merge_request_url(world, one),
    }


def merge_request_basic(world: World, one: MergeRequest, *, labels_details: bool = False) -> dict[str, Any]:
    """MergeRequestBasic."""
    return _basic(world, one, merge_status(one), labels_details=labels_details)


def _basic(world: World, one: MergeRequest, status: MergeStatus, *, labels_details: bool = False) -> dict[str, Any]:
    assignees = [user_basic(world, user) for user in one.assignees]
    labels = sorted(one.labels, key=lambda each: each.name.lower())
    return {
        **merge_request_simple(world, one),
        "merged_by": maybe_user(world, one.merged_by),
        "merge_user": maybe_user(world, one.merged_by),
        "merged_at": stamp(one.merged_at),
        "closed_by": maybe_user(world, one.closed_by),
        "closed_at": stamp(one.closed_at),
        "target_branch": one.target_branch,
        "source_branch": one.source_branch,
        "user_notes_count": sum(1 for note in one.notes if not note.system),
        **votes(one),
        "author": user_basic(world, one.author),
        "assignees": assignees,
        "assignee": assignees[0] if assignees else None,
        "reviewers": [user_basic(world, user) for user in one.reviewers],
        "source_project_id": one.project.id,
        "target_project_id": one.project.id,
        "labels": [label(one.project, each) if labels_details else each.name for each in labels],
        "draft": one.draft,
        "imported": False,
        "imported_from": "none",
        "work_in_progress": one.draft,
        "milestone": milestone(world, one.project, one.milestone),
        "merge_when_pipeline_succeeds": one.auto_merge,
        "merge_status": "cannot_be_merged" if status.unmergeable else "can_be_merged",
        "detailed_merge_status": status.detailed,
        "merge_after": None,
        "sha": one.version.head,
        "merge_commit_sha": one.merge_commit_sha,
        "squash_commit_sha": one.squash_commit_sha,
        "discussion_locked": one.discussion_locked,
        "should_remove_source_branch": None,
        "force_remove_source_branch": one.remove_source_branch,
        "prepared_at": stamp(one.created_at),
        "reference": one.reference,
        "references": references(one),
        "time_stats": time_stats(one),
        "squash": one.squash,
        "squash_on_merge": one.squash,
        "task_completion_status": tasks(one.description),
        "has_conflicts": status.conflicts,
        "blocking_discussions_resolved": not any(note.resolvable and not note.resolved for note in one.notes),
    }


def merge_request(
    world: World, one: MergeRequest, user: User | None, *, diverged: bool = False, rebasing: bool = False
) -> dict[str, Any]:
    """MergeRequest."""
    repository = one.project.repository
    version = one.version
    files = changed_files(repository, version.base, version.head)
    newest = pipelines_of(one)  # also of an older commit: a push that begins no pipeline does not clear it
    shown = {
        **_basic(world, one, merge_status(one)),
        "subscribed": user is one.author or user in one.assignees,
        "changes_count": None if files == 0 else f"{MAX_FILES}+" if files > MAX_FILES else str(files),
        "latest_build_started_at": None,
        "latest_build_finished_at": None,
        "first_deployed_to_production_at": None,
        "pipeline": pipelines.pipeline_basic(world, newest[0]) if newest else None,
        "head_pipeline": pipelines.pipeline(world, newest[0]) if newest else None,
        "diff_refs": {"base_sha": version.base, "head_sha": version.head, "start_sha": version.start},
        "merge_error": one.merge_error,
        "first_contribution": False,
        "user": {"can_merge": permissions.may_push(user, one.project, one.target_branch)},
    }
    if rebasing:
        shown["rebase_in_progress"] = one.rebasing_until is not None and world.now() < one.rebasing_until
    if diverged:
        tip = repository.branch(one.target_branch)
        shown["diverged_commits_count"] = repository.count(f"{version.head}..{tip}") if tip else 0
    return shown


def diff_version(one: MergeRequest, version: DiffVersion) -> dict[str, Any]:
    """MergeRequestDiff."""
    files = changed_files(one.project.repository, version.base, version.head)
    return {
        "id": version.id,
        "head_commit_sha": version.head,
        "base_commit_sha": version.base,
        "start_commit_sha": version.start,
        "created_at": stamp(version.created_at),
        "merge_request_id": one.id,
        "state": "collected" if files else "empty",
        "real_size": str(files),
        "patch_id_sha": None,
    }


def approvals(world: World, one: MergeRequest, user: User | None) -> dict[str, Any]:
    """MergeRequestApprovals."""
    approved = user in one.approvals
    may = user is not None and user is not one.author and permissions.may_edit(user, one)
    return {
        "user_has_approved": approved,
        "user_can_approve": may and not approved and one.state == "opened",
        "approved": bool(one.approvals),
        "approved_by": [
            {"user": user_basic(world, who), "approved_at": stamp(when)} for who, when in one.approvals.items()
        ],
    }


def reviewer(world: World, one: MergeRequest, user: User) -> dict[str, Any]:
    """MergeRequestReviewer."""
    state = one.review_states.get(user, "unreviewed")
    return {"user": user_basic(world, user), "state": state, "created_at": stamp(one.created_at)}
