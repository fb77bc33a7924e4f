"""The pipeline of a developer's push: one job has finished, the other runs for as long as the sandbox."""

from __future__ import annotations

import secrets

from gitlab_mcp.sandbox.git.repository import ZERO
from gitlab_mcp.sandbox.seed.issues import at, minutes
from gitlab_mcp.sandbox.seed.people import person
from gitlab_mcp.sandbox.state.model import Job, Pipeline, Project
from gitlab_mcp.sandbox.state.world import World


def populate(world: World, project: Project) -> tuple[Job, dict[str, str]]:
    """Create the pipeline; returns the running job, and the tokens of both jobs by name."""
    branch = project.repository.default_branch
    started_at, user = at(11, 22, 9), person(world, "developer")
    pipeline = Pipeline(
        world.next_id("pipeline"), 1, project, branch, project.repository.branch(branch) or ZERO, user, started_at
    )
    project.pipelines[pipeline.id] = pipeline
    finished = Job(world.next_id("job"), "prepare", ".pre", pipeline, started_at, started_at + minutes(1))
    running = Job(world.next_id("job"), "claude", "ai", pipeline, started_at + minutes(1))
    pipeline.jobs += [finished, running]
    tokens: dict[str, str] = {}
    for name, job in (("job", running), ("job_ended", finished)):
        tokens[name] = f"glcbt-64_{secrets.token_urlsafe(20)}"
        world.add_token(tokens[name], name, user, (), kind="job", created_at=job.started_at, job=job)
    return running, tokens
