"""What a sandbox holds when it starts: people, projects, and a little history. The same in every run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from gitlab_mcp.sandbox.seed import app, copied, jobs, others, people
from gitlab_mcp.sandbox.state.model import Job, Project
from gitlab_mcp.sandbox.state.world import World


@dataclass(frozen=True)
class Planted:
    """The project that the sandbox is about, the job that runs in it, and the tokens by name."""

    project: Project
    job: Job
    tokens: dict[str, str]


def plant(world: World, repo: Path | None) -> Planted:
    """Fill a new world; with `repo` its copy becomes a project. Raises SandboxError if that is no repository."""
    tokens = people.plant(world)
    project = app.plant(world)
    others.plant(world)
    if repo is not None:
        project = copied.plant(world, repo)
    job, job_tokens = jobs.plant(world, project)
    return Planted(project, job, {**tokens, **job_tokens})
