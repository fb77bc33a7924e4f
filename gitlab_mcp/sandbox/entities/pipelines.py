"""Pipelines, jobs and test reports."""

from __future__ import annotations

import io
import zipfile
from datetime import datetime
from typing import Any

from gitlab_mcp.sandbox.entities import repository, runners
from gitlab_mcp.sandbox.entities.projects import web_url
from gitlab_mcp.sandbox.entities.users import stamp, user_basic, user_full
from gitlab_mcp.sandbox.state.model import Job, Pipeline, ReportedTest
from gitlab_mcp.sandbox.state.world import World

ARCHIVE_NAME = "artifacts.zip"
_ENDS = ("success", "failed", "skipped", "error")


def updated_at(pipeline: Pipeline) -> datetime:
    """When a pipeline last changed."""
    return pipeline.finished_at or pipeline.created_at


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
        "updated_at": stamp(updated_at(pipeline)),
        "web_url": f"{web_url(world, pipeline.project)}/-/pipelines/{pipeline.id}",
    }


def pipeline_with_metadata(world: World, one: Pipeline) -> dict[str, Any]:
    """Ci::PipelineWithMetadata."""
    return {**pipeline(world, one), "name": one.name}


def pipeline(world: World, pipeline: Pipeline) -> dict[str, Any]:
    """Ci::Pipeline."""
    started = pipeline.status in ("running", "canceling") or (pipeline.finished_at and not pipeline.yaml_errors)
    return {
        **pipeline_basic(world, pipeline),
        "before_sha": "0" * 40,
        "tag": pipeline.tag,
        "yaml_errors": pipeline.yaml_errors,
        "user": user_basic(world, pipeline.user),
        "started_at": stamp(pipeline.created_at) if started else None,
        "finished_at": stamp(pipeline.finished_at),
        "committed_at": None,
        "duration": int((pipeline.finished_at - pipeline.created_at).total_seconds()) if pipeline.finished_at else None,
        "queued_duration": 1,
        "coverage": None,
        "detailed_status": _detailed_status(pipeline),
        "archived": False,
    }


def _detailed_status(pipeline: Pipeline) -> dict[str, Any]:
    """DetailedStatusEntity, from Gitlab::Ci::Status::Core and its subclass for the status."""
    group, text, label = pipeline.status, pipeline.status.capitalize(), pipeline.status
    icon = f"status_{pipeline.status}"
    if pipeline.status == "success":
        text = label = "passed"
        if any(job.status == "failed" and not job.retried for job in pipeline.jobs):
            # Gitlab::Ci::Status::SuccessWarning: a job that is allowed to fail has failed.
            group, text, label, icon = "success-with-warnings", "warning", "passed with warnings", "status_warning"
        text = text.capitalize()
    elif pipeline.status == "manual":
        text, label = "Blocked", "waiting for manual action"  # Gitlab::Ci::Status::Pipeline::Blocked
    path = f"/{pipeline.project.full_path}/-/pipelines/{pipeline.id}"
    return {
        "icon": icon,
        "text": text,
        "label": label,
        "group": group,
        "tooltip": label,
        "has_details": True,
        "details_path": path,
        "illustration": None,
        "favicon": f"/assets/ci_favicons/favicon_status_{pipeline.status}.png",
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
        "tag": job.pipeline.tag,
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
        "artifacts": _artifacts(job),
        "runner": runners.runner(job),
        "runner_manager": runners.runner_manager(job),
        "artifacts_expire_at": None,
        "archived": False,
        "tag_list": [],
    }
    if job.artifacts:
        entity["artifacts_file"] = {"filename": ARCHIVE_NAME, "size": len(artifacts_archive(job))}
    if job.status == "failed":
        entity["failure_reason"] = job.failure_reason or "script_failure"
    return entity


def artifacts_archive(job: Job) -> bytes:
    """The zip archive of a job's artifacts; the same artifacts give the same bytes."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, data in sorted(job.artifacts.items()):
            archive.writestr(zipfile.ZipInfo(path), data)
    return content.getvalue()


def _artifacts(job: Job) -> list[dict[str, Any]]:
    """Ci::JobArtifact: the archive, and the job log."""
    entries = [("archive", len(artifacts_archive(job)), ARCHIVE_NAME, "zip")] if job.artifacts else []
    entries += [("trace", len(job.log), "job.log", "raw")] if job.log and job.finished_at else []
    return [
        {"file_type": kind, "size": size, "filename": name, "file_format": form} for kind, size, name, form in entries
    ]


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
