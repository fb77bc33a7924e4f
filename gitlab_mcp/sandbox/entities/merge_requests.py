"""Merge requests, their versions and approvals."""

from __future__ import annotations

from typing import Any

from gitlab_mcp.sandbox.entities import pipelines
from gitlab_mcp.sandbox.entities.issues import references, tasks, time_stats, votes
from gitlab_mcp.sandbox.entities.projects import label, milestone, web_url
from gitlab_mcp.sandbox.entities.users import maybe_user, stamp, user_basic
from gitlab_mcp.sandbox.git.diff_limits import MAX_FILES
from gitlab_mcp.sandbox.git.diffs import changed_files, patch_id
from gitlab_mcp.sandbox.state import permissions
from gitlab_mcp.sandbox.state.merge_status import MergeStatus, merge_status
from gitlab_mcp.sandbox.state.model import DiffVersion, MergeRequest
from gitlab_mcp.sandbox.state.pipelines import pipelines_of
from gitlab_mcp.sandbox.state.subscriptions import subscribed
from gitlab_mcp.sandbox.state.users import User
from gitlab_mcp.sandbox.state.world import World


def merge_request_url(world: World, merge_request: MergeRequest) -> str:
    """The web URL of a merge request."""
    return f"{web_url(world, merge_request.project)}/-/merge_requests/{merge_request.iid}"


def merge_request_simple(world: World, merge_request: MergeRequest) -> dict[str, Any]:
    """MergeRequestSimple, for view=simple."""
    return {
        "id": merge_request.id,
        "iid": merge_request.iid,
        "project_id": merge_request.project.id,
        "title": merge_request.title,
        "description": merge_request.description,
        "state": merge_request.state,
        "created_at": stamp(merge_request.created_at),
        "updated_at": stamp(merge_request.updated_at),
        "web_url": merge_request_url(world, merge_request),
    }


def merge_request_basic(world: World, merge_request: MergeRequest, *, labels_details: bool = False) -> dict[str, Any]:
    """MergeRequestBasic."""
    return _basic(world, merge_request, merge_status(merge_request), labels_details=labels_details)


def _basic(
    world: World, merge_request: MergeRequest, status: MergeStatus, *, labels_details: bool = False
) -> dict[str, Any]:
    assignees = [user_basic(world, user) for user in merge_request.assignees]
    labels = sorted(merge_request.labels, key=lambda each: each.name.lower())
    return {
        **merge_request_simple(world, merge_request),
        "merged_by": maybe_user(world, merge_request.merged_by),
        "merge_user": maybe_user(world, merge_request.merged_by or merge_request.auto_merge_user),
        "merged_at": stamp(merge_request.merged_at),
        "closed_by": maybe_user(world, merge_request.closed_by),
        "closed_at": stamp(merge_request.closed_at),
        "target_branch": merge_request.target_branch,
        "source_branch": merge_request.source_branch,
        "user_notes_count": sum(1 for note in merge_request.notes if not note.system),
        **votes(merge_request),
        "author": user_basic(world, merge_request.author),
        "assignees": assignees,
        "assignee": assignees[0] if assignees else None,
        "reviewers": [user_basic(world, user) for user in merge_request.reviewers],
        "source_project_id": merge_request.project.id,
        "target_project_id": merge_request.project.id,
        "labels": [label(merge_request.project, each) if labels_details else each.name for each in labels],
        "draft": merge_request.draft,
        "imported": False,
        "imported_from": "none",
        "work_in_progress": merge_request.draft,
        "milestone": milestone(world, merge_request.project, merge_request.milestone),
        "merge_when_pipeline_succeeds": merge_request.auto_merge,
        "merge_status": "cannot_be_merged" if status.unmergeable else "can_be_merged",
        "detailed_merge_status": status.detailed,
        "merge_after": None,
        "sha": merge_request.version.head,
        "merge_commit_sha": merge_request.merge_commit_sha,
        "squash_commit_sha": merge_request.squash_commit_sha,
        "discussion_locked": merge_request.discussion_locked,
        "should_remove_source_branch": merge_request.should_remove_source_branch,
        "force_remove_source_branch": merge_request.remove_source_branch,
        "prepared_at": stamp(merge_request.created_at),
        "reference": merge_request.reference,
        "references": references(merge_request),
        "time_stats": time_stats(merge_request),
        "squash": merge_request.squash,
        "squash_on_merge": merge_request.squash,
        "task_completion_status": tasks(merge_request.description),
        "has_conflicts": status.conflicts,
        "blocking_discussions_resolved": not any(note.resolvable and not note.resolved for note in merge_request.notes),
    }


def merge_request(
    world: World, merge_request: MergeRequest, user: User | None, *, diverged: bool = False, rebasing: bool = False
) -> dict[str, Any]:
    """MergeRequest."""
    repository = merge_request.project.repository
    version = merge_request.version
    files = changed_files(repository, version.base, version.head)
    newest = pipelines_of(merge_request)  # may be of an older commit: a push that creates no pipeline does not clear it
    build = pipelines.pipeline(world, newest[0]) if newest else {}
    entity = {
        **_basic(world, merge_request, merge_status(merge_request)),
        "subscribed": subscribed(merge_request, user),
        "changes_count": None if files == 0 else f"{MAX_FILES}+" if files > MAX_FILES else str(files),
        "latest_build_started_at": build.get("started_at"),
        "latest_build_finished_at": build.get("finished_at"),
        "first_deployed_to_production_at": None,
        "pipeline": pipelines.pipeline_basic(world, newest[0]) if newest else None,
        "head_pipeline": build or None,
        "diff_refs": {"base_sha": version.base, "head_sha": version.head, "start_sha": version.start},
        "merge_error": merge_request.merge_error,
        "first_contribution": False,
        "user": {"can_merge": permissions.may_push(user, merge_request.project, merge_request.target_branch)},
    }
    if rebasing:
        entity["rebase_in_progress"] = (
            merge_request.rebasing_until is not None and world.now() < merge_request.rebasing_until
        )
    if diverged:
        tip = repository.branch(merge_request.target_branch)
        entity["diverged_commits_count"] = repository.count(f"{version.head}..{tip}") if tip else 0
    return entity


def diff_version(merge_request: MergeRequest, version: DiffVersion) -> dict[str, Any]:
    """MergeRequestDiff."""
    files = changed_files(merge_request.project.repository, version.base, version.head)
    return {
        "id": version.id,
        "head_commit_sha": version.head,
        "base_commit_sha": version.base,
        "start_commit_sha": version.start,
        "created_at": stamp(version.created_at),
        "merge_request_id": merge_request.id,
        "state": "collected" if files else "empty",
        "real_size": str(files),
        "patch_id_sha": patch_id(merge_request.project.repository, version.base, version.head),
    }


def approvals(world: World, merge_request: MergeRequest, user: User | None) -> dict[str, Any]:
    """MergeRequestApprovals."""
    approved = user in merge_request.approvals
    may = user is not None and permissions.may_edit(user, merge_request)
    return {
        "user_has_approved": approved,
        "user_can_approve": may and not approved and merge_request.state == "opened",
        "approved": bool(merge_request.approvals),
        "approved_by": [
            {"user": user_basic(world, who), "approved_at": stamp(when)}
            for who, when in merge_request.approvals.items()
        ],
    }


def reviewer(world: World, merge_request: MergeRequest, user: User) -> dict[str, Any]:
    """MergeRequestReviewer."""
    state = merge_request.review_states.get(user, "unreviewed")
    return {"user": user_basic(world, user), "state": state, "created_at": stamp(merge_request.created_at)}
