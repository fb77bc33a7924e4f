"""Pipelines and their jobs: just what a job has to know of itself, as nothing is ever run here."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gitlab_mcp.sandbox.model import Project, User


@dataclass(eq=False)
class Pipeline:
    """A pipeline of a branch or a merge request."""

    id: int
    iid: int
    project: Project
    ref: str
    sha: str
    user: User
    created_at: datetime
    status: str = "running"
    source: str = "push"
    jobs: list[Job] = field(default_factory=list)


@dataclass(eq=False)
class Job:
    """A job of a pipeline; its CI_JOB_TOKEN is good for as long as it runs."""

    id: int
    name: str
    stage: str
    pipeline: Pipeline
    started_at: datetime
    finished_at: datetime | None = None

    @property
    def status(self) -> str:
        return "success" if self.finished_at else "running"

    @property
    def running(self) -> bool:
        return self.finished_at is None

    @property
    def project(self) -> Project:
        return self.pipeline.project
