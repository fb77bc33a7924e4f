"""The one runner, which belongs to the instance; GitLab assigns it to a job when the job starts."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from gitlab_mcp.sandbox.entities.users import stamp
from gitlab_mcp.sandbox.state.model import Job

_STATUS = {"ip_address": "127.0.0.1", "status": "online", "job_execution_status": "active"}


def runner(job: Job) -> dict[str, Any] | None:
    """Ci::Runner, or null for a job that has not started."""
    return None if job.started_at is None else instance_runner(job.project.created_at, "online")


def instance_runner(created_at: datetime, status: str) -> dict[str, Any]:
    """Ci::Runner; `status` is online, offline, stale or never_contacted."""
    return {
        **_STATUS,
        "status": status,
        "id": 1,
        "description": "sandbox-runner",
        "active": True,
        "paused": False,
        "is_shared": True,
        "runner_type": "instance_type",
        "name": "gitlab-runner",
        "online": status == "online",
        "created_by": None,
        "created_at": stamp(created_at),
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
