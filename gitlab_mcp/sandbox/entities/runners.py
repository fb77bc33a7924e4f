"""The runner that runs the jobs; GitLab assigns it when a job starts."""

from __future__ import annotations

from typing import Any

from gitlab_mcp.sandbox.entities.users import stamp
from gitlab_mcp.sandbox.state.model import Job

_STATUS = {"ip_address": "127.0.0.1", "status": "online", "job_execution_status": "active"}


def runner(job: Job) -> dict[str, Any] | None:
    """Ci::Runner, or null for a job that has not started."""
    if job.started_at is None:
        return None
    return {
        **_STATUS,
        "id": 1,
        "description": "sandbox-runner",
        "active": True,
        "paused": False,
        "is_shared": True,
        "runner_type": "instance_type",
        "name": "gitlab-runner",
        "online": True,
        "created_by": None,
        "created_at": stamp(job.project.created_at),
    }


def runner_manager(job: Job) -> dict[str, Any] | None:
    """Ci::RunnerManager, or null for a job that has not started."""
    if job.started_at is None:
        return None
    return {
        **_STATUS,
        "id": 1,
        "system_id": "s_000000000001",
        "version": "19.2.0",
        "revision": "5a9db0a1",
        "platform": "linux",
        "architecture": "amd64",
        "created_at": stamp(job.project.created_at),
        "contacted_at": stamp(job.finished_at or job.started_at),
    }
