"""Pipelines and their jobs. Nothing is ever run here: what a job said and how it ended is told by who makes it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gitlab_mcp.sandbox.model import Project, User

# A job in one of these can be canceled, and has not ended.
WAITING = ("created", "pending", "running", "manual")


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
    finished_at: datetime | None = None


@dataclass(eq=False)
class Job:
    """A job of a pipeline; its CI_JOB_TOKEN is good for as long as it runs.

    `state` is its status where its times do not tell; `log` is what the runner sent, with its terminal codes.
    """

    id: int
    name: str
    stage: str
    pipeline: Pipeline
    started_at: datetime | None = None
    finished_at: datetime | None = None
    state: str = ""
    allow_failure: bool = False
    failure_reason: str = ""
    retried: bool = False
    log: bytes = b""
    tests: list[ReportedTest] = field(default_factory=list)

    @property
    def status(self) -> str:
        return self.state or ("success" if self.finished_at else "running" if self.started_at else "created")

    @property
    def running(self) -> bool:
        return self.status == "running"

    @property
    def project(self) -> Project:
        return self.pipeline.project


@dataclass(frozen=True)
class ReportedTest:
    """A case in the JUnit report of a job; `status` is success, failed, error or skipped."""

    name: str
    classname: str
    status: str = "success"
    seconds: float = 0.01
    output: str | None = None
    file: str | None = None
