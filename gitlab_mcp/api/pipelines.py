"""Pipelines: which one is meant, what is in it, and starting, repeating and ending it, each once."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from gitlab_mcp.api.client import GitLab
from gitlab_mcp.api.entity import Entity
from gitlab_mcp.api.project import Noteable, Project
from gitlab_mcp.api.repeats import is_made_since
from gitlab_mcp.api.writes import Written, write_once
from gitlab_mcp.errors import Conflict, GitLabRefusal, NotFound, Unreachable

# What ended, or is about to, by a cancel.
CANCELED = ("canceling", "canceled")


@dataclass(frozen=True)
class PipelinePath:
    """Where a pipeline is in the API: a merge request from another project has its pipelines there.

    `ref` is the branch or tag whose latest it was found to be, if it was.
    """

    project: str
    id: int
    ref: str = ""

    @property
    def path(self) -> str:
        return f"{self.project}/pipelines/{self.id}"


@dataclass(frozen=True)
class Report:
    """A test report. `cases` is whether its cases are in it: they are not where it is too large to be read."""

    report: Entity
    cases: bool


def of_ref(project: Project, ref: str) -> PipelinePath:
    """The newest pipeline of a branch or tag; where it has none, of the merge request open for it. Raises NotFound."""
    found = project.gitlab.page(f"{project.path}/pipelines", 1, 1, ref=ref)
    if found.rows:
        return PipelinePath(project.path, found.rows[0].number("id"), ref)
    query = {"state": "opened", "source_branch": ref}
    for merge_request in project.gitlab.page(f"{project.path}/merge_requests", 1, 1, **query).rows:
        return of_merge_request(Noteable("merge request", project, merge_request.number("iid")))
    raise NotFound(f"{ref} has no pipeline: none ran for it. A merge request is named by iid, not by ref.")


def of_merge_request(target: Noteable) -> PipelinePath:
    """The newest pipeline of a merge request's newest commit. Raises NotFound where there is none."""
    merge_request = target.project.gitlab.get(target.path)
    number = merge_request.number("head_pipeline", "id")
    if not number:
        raise NotFound(f"{target.sign} has no pipeline: none ran for its newest commit.")
    elsewhere = merge_request.number("head_pipeline", "project_id")
    is_here = elsewhere in (0, merge_request.number("project_id"))
    return PipelinePath(target.project.path if is_here else f"/projects/{elsewhere}", number)


def read(gitlab: GitLab, where: PipelinePath) -> tuple[Entity, list[Entity]]:
    """A pipeline and its jobs, without those that were tried again."""
    pipeline = gitlab.start(gitlab.get, where.path)
    jobs = gitlab.start(gitlab.every, f"{where.path}/jobs")
    return pipeline.result(), jobs.result()


def first_failed_job(gitlab: GitLab, where: PipelinePath) -> Entity:
    """The first job that made the pipeline fail, else the first that failed. Raises NotFound where none did."""
    failed = gitlab.every(f"{where.path}/jobs", scope="failed")
    if not failed:
        raise NotFound(f"No job of pipeline {where.id} failed: take a job_id from get_pipeline.")
    return min(failed, key=lambda job: (job.flag("allow_failure"), job.number("id")))


def test_report(gitlab: GitLab, where: PipelinePath) -> Report:
    """The test report of a pipeline; only its counts where the whole is too large."""
    try:
        return Report(gitlab.get(f"{where.path}/test_report"), cases=True)
    except Unreachable as failure:
        if failure.passing:
            raise
        return Report(gitlab.get(f"{where.path}/test_report_summary"), cases=False)


def run(project: Project, ref: str, variables: Mapping[str, str], inputs: Mapping[str, object]) -> Written[Entity]:
    """Start a pipeline, once."""
    body: dict[str, object] = {"ref": ref}
    if variables:
        body["variables"] = [{"key": key, "value": value} for key, value in variables.items()]
    if inputs:
        body["inputs"] = dict(inputs)
    began = time.monotonic()
    send = partial(project.gitlab.post, f"{project.path}/pipeline", body)
    check = "Look with list_pipelines before starting it again."
    try:
        return write_once(send, partial(_begun, project, ref, began), check)
    except GitLabRefusal as refused:
        if variables and "pipeline variables" in refused.reason:
            whose = "A maintainer says who may give some (Settings > CI/CD > Variables); inputs need no such leave."
            refused.args = (f"{refused} {whose}",)
        raise


def _begun(project: Project, ref: str, began: float) -> Entity | None:
    """The pipeline that this user started by the API for `ref` since `began`."""
    gitlab = project.gitlab
    query = {"ref": ref, "source": "api", "username": gitlab.user.text("username")}
    found = gitlab.page(f"{project.path}/pipelines", 1, 1, **query)
    return next((row for row in found.rows if is_made_since(row, began, found)), None)


def cancel(project: Project, number: int) -> Written[Entity]:
    """End a pipeline; one that has ended stays as it is."""
    path = f"{project.path}/pipelines/{number}"

    def find() -> Entity | None:
        now = project.gitlab.get(path)
        return now if now.text("status") in CANCELED else None

    return write_once(partial(project.gitlab.post, f"{path}/cancel", {}), find, "Look with get_pipeline.")


def retry_job(project: Project, number: int) -> Written[Entity]:
    """Run a job again, once; the new job. Raises Conflict for one that has not ended or was run again already."""
    gitlab = project.gitlab
    send = partial(gitlab.post, f"{project.path}/jobs/{number}/retry", {})
    check = "Look with get_pipeline whether it runs again."
    try:
        return write_once(send, partial(_again, project, number), check)
    except GitLabRefusal as refused:
        if "not retryable" not in refused.reason:
            raise
        raise Conflict(
            f"Job {number} cannot be run again: it has not ended, or was run again already. get_pipeline shows its"
            " newest run."
        ) from refused


def _again(project: Project, number: int) -> Entity | None:
    """The newer run of a job, if there is one."""
    gitlab = project.gitlab
    old = gitlab.get(f"{project.path}/jobs/{number}")
    jobs = gitlab.every(f"{project.path}/pipelines/{old.number('pipeline', 'id')}/jobs")
    newer = [job for job in jobs if job.text("name") == old.text("name") and job.number("id") > number]
    return newer[0] if newer else None


def lint(project: Project, content: str, ref: str) -> Entity:
    """What GitLab says of a configuration: of `content`, else of the file at `ref` ("" for the default branch)."""
    path = f"{project.path}/ci/lint"
    if content:
        return project.gitlab.post(path, {"content": content, "include_jobs": True})
    return project.gitlab.get(path, content_ref=ref, include_jobs=True)
