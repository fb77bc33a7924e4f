"""Pipelines and jobs."""

from __future__ import annotations

from typing import Any

from gitlab_mcp.sandbox.ci import Job, Pipeline
from gitlab_mcp.sandbox.entities import repository
from gitlab_mcp.sandbox.entities.projects import web_url
from gitlab_mcp.sandbox.entities.users import stamp, user_basic, user_full
from gitlab_mcp.sandbox.world import World

_RUNNER = {
    "id": 1,
    "description": "sandbox-runner",
    "ip_address": "127.0.0.1",
    "active": True,
    "paused": False,
    "is_shared": True,
    "runner_type": "instance_type",
    "name": "gitlab-runner",
    "online": True,
    "created_by": None,
    "created_at": None,
    "status": "online",
    "job_execution_status": "active",
}


def pipeline_basic(world: World, one: Pipeline) -> dict[str, Any]:
    """Ci::PipelineBasic."""
    return {
        "id": one.id,
        "iid": one.iid,
        "project_id": one.project.id,
        "sha": one.sha,
        "ref": one.ref,
        "status": one.status,
        "source": one.source,
        "created_at": stamp(one.created_at),
        "updated_at": stamp(one.created_at),
        "web_url": f"{web_url(world, one.project)}/-/pipelines/{one.id}",
    }


def pipeline(world: World, one: Pipeline) -> dict[str, Any]:
    """Ci::PipelineWithMetadata."""
    return {
        **pipeline_basic(world, one),
        "before_sha": "0" * 40,
        "tag": False,
        "yaml_errors": None,
        "user": user_basic(world, one.user),
        "started_at": stamp(one.created_at) if one.status == "running" else None,
        "finished_at": None,
        "committed_at": None,
        "duration": None,
        "queued_duration": 1,
        "coverage": None,
        "detailed_status": None,
        "archived": False,
        "name": None,
    }


def job(world: World, one: Job) -> dict[str, Any]:
    """Ci::Job."""
    project = one.project
    sha = project.repository.resolve(one.pipeline.sha)
    seconds = (one.finished_at or world.now()) - one.started_at
    return {
        "id": one.id,
        "status": one.status,
        "stage": one.stage,
        "name": one.name,
        "ref": one.pipeline.ref,
        "tag": False,
        "coverage": None,
        "allow_failure": False,
        "created_at": stamp(one.started_at),
        "started_at": stamp(one.started_at),
        "finished_at": stamp(one.finished_at),
        "erased_at": None,
        "duration": seconds.total_seconds(),
        "queued_duration": 0.5,
        "user": user_full(world, one.pipeline.user),
        "commit": repository.commit(world, project, project.repository.commit(sha)) if sha else None,
        "pipeline": pipeline_basic(world, one.pipeline),
        "web_url": f"{web_url(world, project)}/-/jobs/{one.id}",
        "project": {"ci_job_token_scope_enabled": bool(project.settings.get("ci_job_token_scope_enabled", False))},
        "artifacts": [],
        "runner": _RUNNER,
        "runner_manager": None,
        "artifacts_expire_at": None,
        "archived": False,
        "tag_list": [],
    }
