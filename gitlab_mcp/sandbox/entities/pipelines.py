"""Pipelines and jobs."""

from __future__ import annotations

from typing import Any

from gitlab_mcp.sandbox.entities import repository
from gitlab_mcp.sandbox.entities.projects import web_url
from gitlab_mcp.sandbox.entities.users import stamp, user_basic, user_full
from gitlab_mcp.sandbox.state.model import Job, Pipeline, ReportedTest
from gitlab_mcp.sandbox.state.world import World

_ENDS = ("success", "failed", "skipped", "error")
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
        "updated_at": stamp(one.finished_at or one.created_at),
        "web_url": f"{web_url(world, one.project)}/-/pipelines/{one.id}",
    }


def pipeline_with_metadata(world: World, one: Pipeline) -> dict[str, Any]:
    """Ci::PipelineWithMetadata."""
    return {**pipeline(world, one), "name": None}


def pipeline(world: World, one: Pipeline) -> dict[str, Any]:
    """Ci::Pipeline."""
    return {
        **pipeline_basic(world, one),
        "before_sha": "0" * 40,
        "tag": False,
        "yaml_errors": None,
        "user": user_basic(world, one.user),
        "started_at": stamp(one.created_at) if one.status == "running" or one.finished_at else None,
        "finished_at": stamp(one.finished_at),
        "committed_at": None,
        "duration": int((one.finished_at - one.created_at).total_seconds()) if one.finished_at else None,
        "queued_duration": 1,
        "coverage": None,
        "detailed_status": None,
        "archived": False,
    }


def job(world: World, one: Job) -> dict[str, Any]:
    """Ci::Job."""
    project = one.project
    sha = project.repository.resolve(one.pipeline.sha)
    seconds = (one.finished_at or world.now()) - one.started_at if one.started_at else None
    created = stamp(one.started_at or one.pipeline.created_at)
    shown = {
        "id": one.id,
        "status": one.status,
        "stage": one.stage,
        "name": one.name,
        "ref": one.pipeline.ref,
        "tag": False,
        "coverage": None,
        "allow_failure": one.allow_failure,
        "created_at": created,
        "started_at": stamp(one.started_at),
        "finished_at": stamp(one.finished_at),
        "erased_at": None,
        "duration": seconds.total_seconds() if seconds is not None else None,
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
    if one.status == "failed":
        shown["failure_reason"] = one.failure_reason or "script_failure"
    return shown


def test_report(one: Pipeline) -> dict[str, Any]:
    """TestReport: a suite for each job that reported; retried ones do not count."""
    suites = [_suite(job) for job in one.jobs if job.tests and not job.retried]
    return {**_counts([job for job in one.jobs if not job.retried]), "test_suites": suites}


def test_report_summary(one: Pipeline) -> dict[str, Any]:
    """TestReportSummary: the counts of the same without the cases."""
    reporting = [job for job in one.jobs if job.tests and not job.retried]
    total = {name.removeprefix("total_").removesuffix("_count"): count for name, count in _counts(reporting).items()}
    suites = [{**_suite(job), "build_ids": [job.id]} for job in reporting]
    for suite in suites:
        del suite["test_cases"]
    return {"total": {**total, "suite_error": None}, "test_suites": suites}


def _suite(job: Job) -> dict[str, Any]:
    return {"name": job.name, **_counts([job]), "suite_error": None, "test_cases": [_case(one) for one in job.tests]}


def _counts(jobs: list[Job]) -> dict[str, Any]:
    tests = [test for job in jobs for test in job.tests]
    by_status = {status: sum(test.status == status for test in tests) for status in _ENDS}
    return {
        "total_time": round(sum(test.seconds for test in tests), 3),
        "total_count": len(tests),
        **{f"{status}_count": count for status, count in by_status.items()},
    }


def _case(one: ReportedTest) -> dict[str, Any]:
    return {
        "status": one.status,
        "name": one.name,
        "classname": one.classname,
        "file": one.file,
        "execution_time": one.seconds,
        "system_output": one.output,
        "stack_trace": None,
        "recent_failures": None,
        "attachment_url": None,
    }
