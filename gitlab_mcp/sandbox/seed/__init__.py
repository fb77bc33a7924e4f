"""Seed data: the users, projects and history of a new sandbox, the same in every run except for tokens."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from gitlab_mcp.sandbox.seed import app, copied_project, jobs, other_projects, people
from gitlab_mcp.sandbox.state.model import Job, Project
from gitlab_mcp.sandbox.state.world import World


@dataclass(frozen=True)
class Seeded:
    """The main project, the job that runs in it, and the tokens by name."""

    project: Project
    job: Job
    tokens: dict[str, str]


def populate(world: World, repo: Path | None) -> Seeded:
    """Fill a new world with seed data; a copy of the repository at `repo`, if set, becomes the main project.

    Raises SandboxError if `repo` is not a git repository.
    """
    tokens = people.populate(world)
    project = app.populate(world)
    other_projects.populate(world)
    if repo is not None:
        project = copied_project.populate(world, repo)
    job, job_tokens = jobs.populate(world, project)
    return Seeded(project, job, {**tokens, **job_tokens})
