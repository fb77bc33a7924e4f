"""What happens to the jobs of a requested pipeline: which ones wait, which one is next, and who has taken it.

The sandbox has no runner. Jobs stay pending until somebody takes them, as tests do that run them.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping

from gitlab_mcp.sandbox.state import todos
from gitlab_mcp.sandbox.state.model import Job, Pipeline, Project, Token
from gitlab_mcp.sandbox.state.pipelines import composite_status
from gitlab_mcp.sandbox.state.world import World

_ENDED = ("success", "failed", "canceled", "skipped")
_HOLDING = ("pending", "running", "canceling")


def process(world: World, pipeline: Pipeline) -> None:
    """Let the jobs wait for a runner whose time has come, and set the pipeline's status (Ci::ProcessPipelineService).

    The jobs of a stage start when all jobs of the stages before have ended, or are manual and may fail.
    """
    before: list[Job] = []
    for stage in dict.fromkeys(job.stage for job in pipeline.jobs):
        jobs = [job for job in pipeline.jobs if job.stage == stage and not job.retried]
        failed = any(job.status in ("failed", "canceled") and not job.allow_failure for job in before)
        for job in jobs:
            if job.plan is not None and job.status == "created":
                job.state = _first_status(job.plan.when, failed, bool(job.plan.resource_group))
        if not all(job.status in _ENDED or (job.status == "manual" and job.allow_failure) for job in jobs):
            break
        before += jobs
    assign_resources(pipeline.project)
    _refresh(world, pipeline)


def _first_status(when: str, failed: bool, grouped: bool) -> str:
    if when == "manual" and not failed:
        return "manual"
    if when == "always" or (when == "on_failure") == failed:
        return "waiting_for_resource" if grouped else "pending"
    return "skipped"


def assign_resources(project: Project) -> None:
    """Let the oldest job of each resource group wait for a runner if no other job of the group does or runs.

    Ci::ResourceGroups::AssignResourceFromResourceGroupService, in the process mode unordered.
    """
    jobs = [job for pipeline in list(project.pipelines.values()) for job in pipeline.jobs if job.plan is not None]
    held = {job.plan.resource_group for job in jobs if job.plan and job.status in _HOLDING}
    for job in sorted(jobs, key=lambda job: job.id):
        if job.plan and job.status == "waiting_for_resource" and job.plan.resource_group not in held:
            job.state = "pending"
            held.add(job.plan.resource_group)


def _refresh(world: World, pipeline: Pipeline) -> None:
    was_active = pipeline.active
    pipeline.status = composite_status(pipeline)
    pipeline.finished_at = None if pipeline.active or pipeline.status == "manual" else world.now()
    if was_active and pipeline.status == "failed":
        todos.pipeline_failed(world, pipeline)


def refresh_all(world: World, project: Project) -> None:
    """Give free resources to waiting jobs, and set the status of each pipeline whose jobs can be taken."""
    assign_resources(project)
    for pipeline in list(project.pipelines.values()):
        if pipeline.active and any(job.plan for job in pipeline.jobs):
            _refresh(world, pipeline)


def take(world: World, projects: Iterable[Project]) -> tuple[Job, Token] | None:
    """Take the oldest job that waits for a runner, and get the token that it runs with; None if no job waits."""
    for project in projects:
        with project.lock:
            jobs = [job for pipeline in list(project.pipelines.values()) for job in pipeline.jobs if job.plan]
            waiting = sorted((job for job in jobs if job.status == "pending"), key=lambda job: job.id)
            if waiting:
                job = waiting[0]
                job.state, job.started_at = "running", world.now()
                _refresh(world, job.pipeline)
                value = f"glcbt-64_{secrets.token_urlsafe(20)}"
                return job, world.add_token(value, "job", job.pipeline.user, (), kind="job", job=job)
    return None


def finish(world: World, job: Job, status: str, log: bytes = b"", artifacts: Mapping[str, bytes] | None = None) -> None:
    """Report the end of a job that was taken: success, failed or canceled; one that is being canceled is canceled."""
    with job.project.lock:
        job.state, job.finished_at = "canceled" if job.status == "canceling" else status, world.now()
        job.log, job.artifacts = log, dict(artifacts or {})
        process(world, job.pipeline)
        refresh_all(world, job.project)


def cancel(world: World, jobs: Iterable[Job]) -> None:
    """Cancel jobs; one that runs is canceling until its runner has run its after_script (GitLab 17.0)."""
    for job in jobs:
        if job.plan is not None and job.status == "running":
            job.state = "canceling"
        elif job.status != "canceling":
            job.state, job.finished_at = "canceled", world.now()
