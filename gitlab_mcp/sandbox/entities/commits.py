"""Commits with their pipelines and statuses."""

from __future__ import annotations

from typing import Any

from gitlab_mcp.sandbox.entities import pipelines, repository
from gitlab_mcp.sandbox.entities.users import stamp, user_basic
from gitlab_mcp.sandbox.git.repository import Commit
from gitlab_mcp.sandbox.state.model import CommitStatus, Job, Project
from gitlab_mcp.sandbox.state.world import World


def commit_detail(world: World, project: Project, commit: Commit, *, stats: bool = True) -> dict[str, Any]:
    """CommitDetail: its status is that of its last pipeline, of whatever ref (app/models/commit.rb)."""
    pipelines_of_commit = [one for one in list(project.pipelines.values()) if one.sha == commit.sha]
    last = max(pipelines_of_commit, key=lambda one: one.id, default=None)
    return {
        **repository.commit(world, project, commit),
        **({"stats": repository.commit_stats(project, commit)} if stats else {}),
        "status": last.status if last else None,
        "project_id": project.id,
        "last_pipeline": pipelines.pipeline_basic(world, last) if last else None,
    }


def commit_status(world: World, status: CommitStatus | Job) -> dict[str, Any]:
    """CommitStatus, of a job or of something outside GitLab's CI."""
    external = status if isinstance(status, CommitStatus) else None
    pipeline = status.pipeline
    return {
        "id": status.id,
        "sha": pipeline.sha,
        "ref": pipeline.ref,
        "status": status.status,
        "name": status.name,
        "target_url": external.target_url if external else None,
        "description": external.description if external else None,
        "created_at": stamp(external.created_at if external else pipeline.created_at),
        "started_at": stamp(status.started_at),
        "finished_at": stamp(status.finished_at),
        "allow_failure": status.allow_failure if isinstance(status, Job) else False,
        "coverage": external.coverage if external else None,
        "pipeline_id": pipeline.id,
        "author": user_basic(world, external.author if external else pipeline.user),
    }
