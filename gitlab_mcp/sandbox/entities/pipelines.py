"""Pipelines, jobs and test reports."""

from __future__ import annotations

from typing import Any

from gitlab_mcp.sandbox.entities import repository, runners
from gitlab_mcp.sandbox.entities.projects import web_url
from gitlab_mcp.sandbox.entities.users import stamp, user_basic, user_full
from gitlab_mcp.sandbox.state.model import Job, Pipeline, ReportedTest
from gitlab_mcp.sandbox.state.world import World

_ENDS = ("success", "failed", "skipped", "error")


def pipeline_basic(world: World, pipeline: Pipeline) -> dict[str, Any]:
    """Ci::PipelineBasic."""
    return {
        "id": pipeline.id,
        "iid": pipeline.iid,
        "project_id": pipeline.project.id,
        "sha": pipeline.sha,
        "ref": pipeline.ref,
        "status": pipeline.status,
        "source": pipeline.source,
        "created_at": stamp(pipeline.created_at),
        "updated_at": stamp(pipeline.finished_at or pipeline.created_at),
        "web_url": f"{web_url(world, pipeline.project)}/-/pipelines/{pipeline.id}",
    }


def pipeline_with_metadata(world: World, one: Pipeline) -> dict[str, Any]:
    """Ci::PipelineWithMetadata."""
    return {**pipeline(world, one), "name": None}


def pipeline(world: World, pipeline: Pipeline) -> dict[str, Any]:
    """Ci::Pipeline."""
    return {
        **pipeline_basic(world, pipeline),
        "before_sha": "0" * 40,
        "tag": False,
        "yaml_errors": None,
        "user": user_basic(world, pipeline.user),
        "started_at": stamp(pipeline.created_at) if pipeline.status == "running" or pipeline.finished_at else None,
        "finished_at": stamp(pipeline.finished_at),
        "committed_at": None,
        "duration": int((pipeline.finished_at - pipeline.created_at).total_seconds()) if pipeline.finished_at else None,
        "queued_duration": 1,
        "coverage": None,
        "detailed_status": None,
        "archived": False,
    }


def job(world: World, job: Job) -> dict[str, Any]:
    """Ci::Job."""
    project = job.project
    sha = project.repository.resolve(job.pipeline.sha)
    seconds = (job.finished_at or world.now()) - job.started_at if job.started_at else None
    created = stamp(job.started_at or job.pipeline.created_at)
    entity = {
        "id": job.id,
        "status": job.status,
        "stage": job.stage,
        "name": job.name,
        "ref": job.pipeline.ref,
        "tag": False,
        "coverage": None,
        "allow_failure": job.allow_failure,
        "created_at": created,
        "started_at": stamp(job.started_at),
        "finished_at": stamp(job.finished_at),
        "erased_at": None,
        "duration": seconds.total_seconds() if seconds is not None else None,
        "queued_duration": 0.5,
        "user": user_full(world, job.pipeline.user),
        "commit": repository.commit(world, project, project.repository.commit(sha)) if sha else None,
        "pipeline": pipeline_basic(world, job.pipeline),
        "web_url": f"{web_url(world, project)}/-/jobs/{job.id}",
        "project": {"ci_job_token_scope_enabled": bool(project.settings.get("ci_job_token_scope_enabled", False))},
        "artifacts": [],
        "runner": runners.runner(job),
        "runner_manager": runners.runner_manager(job),
        "artifacts_expire_at": None,
        "archived": False,
        "tag_list": [],
    }
    if job.status == "failed":
        entity["failure_reason"] = job.failure_reason or "script_failure"
    return entity


def test_report(pipeline: Pipeline) -> dict[str, Any]:
    """TestReport: a suite for each job with a report; jobs that were retried are left out."""
    suites = [_suite(job) for job in pipeline.jobs if job.tests and not job.retried]
    return {**_counts([job for job in pipeline.jobs if not job.retried]), "test_suites": suites}


def test_report_summary(pipeline: Pipeline) -> dict[str, Any]:
    """TestReportSummary: the counts of a TestReport, without its test cases."""
    reporting = [job for job in pipeline.jobs if job.tests and not job.retried]
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


def _case(test: ReportedTest) -> dict[str, Any]:
    return {
        "status": test.status,
        "name": test.name,
        "classname": test.classname,
        "file": test.file,
        "execution_time": test.seconds,
        "system_output": test.output,
        "stack_trace": None,
        "recent_failures": None,
        "attachment_url": None,
    }
