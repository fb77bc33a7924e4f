"""A realistic failed pipeline: a job to fix, a job that is allowed to fail, and a job that was retried."""

from __future__ import annotations

from datetime import datetime

from gitlab_mcp.sandbox.git.repository import ZERO
from gitlab_mcp.sandbox.seed import job_logs
from gitlab_mcp.sandbox.seed.issues import at, minutes
from gitlab_mcp.sandbox.seed.people import person
from gitlab_mcp.sandbox.state import todos
from gitlab_mcp.sandbox.state.model import Job, Pipeline, Project
from gitlab_mcp.sandbox.state.world import World


def create(world: World, project: Project, branch: str) -> Pipeline:
    """Create a failed pipeline for the newest commit of `branch`."""
    started_at = at(11, 23, 9)
    iid = max((one.iid for one in project.pipelines.values()), default=0) + 1
    sha = project.repository.branch(branch) or ZERO
    user = person(world, "developer")
    pipeline = Pipeline(world.next_id("pipeline"), iid, project, branch, sha, user, started_at, "failed", "push")
    pipeline.finished_at = started_at + minutes(6)
    project.pipelines[pipeline.id] = pipeline

    def add(name: str, stage: str, start: datetime, state: str = "success", log: bytes = b"") -> Job:
        job = Job(world.next_id("job"), name, stage, pipeline, start, start + minutes(2), state, log=log)
        pipeline.jobs.append(job)
        return job

    add("compile", "build", started_at, log=job_logs.passed(["python -m compileall src"], ["Listing 'src'..."]))
    first = add("unit", "test", started_at + minutes(2), "failed", job_logs.unavailable())
    first.failure_reason, first.retried = "runner_system_failure", True
    lint = add("lint", "test", started_at + minutes(2), "failed", job_logs.lint())
    lint.allow_failure = True
    add("types", "test", started_at + minutes(2), log=job_logs.passed(["mypy src"], ["Success: no issues found"]))
    skipped = Job(world.next_id("job"), "release", "deploy", pipeline, state="skipped")
    pipeline.jobs.append(skipped)
    unit = add("unit", "test", started_at + minutes(4), "failed", job_logs.unit())
    unit.tests += job_logs.unit_tests()
    todos.pipeline_failed(world, pipeline)
    unit.artifacts = {"report.txt": b"1 failed, 2 passed\n", "coverage/index.html": b"<p>87%</p>\n"}
    return pipeline
