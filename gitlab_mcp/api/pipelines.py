"""Pipelines: which one is meant, what is in it, and starting, repeating and ending it, each once."""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

from gitlab_mcp.api.client import GitLab
from gitlab_mcp.api.deadline import current_call
from gitlab_mcp.api.entity import Entity
from gitlab_mcp.api.idempotency import WriteResult, write_once
from gitlab_mcp.api.project import Noteable, Project
from gitlab_mcp.errors import AnswerLost, Conflict, GitLabRefusal, NotFound, Unreachable

# What ended, or is about to, by a cancel.
CANCELED = ("canceling", "canceled")

# Who may start a pipeline of a GitLab's project and ref: one call at a time.
_STARTS: dict[tuple[str, str, str], threading.Lock] = {}
_STARTING = threading.Lock()


@dataclass(frozen=True)
class PipelinePath:
    """Where a pipeline is in the API: a merge request from another project has its pipelines there.

    `ahead` is the commit that its branch or merge request is at now and for which no pipeline ran; "" where there is
    no such commit, or it is not known.
    """

    project: str
    id: int
    ahead: str = ""

    @property
    def path(self) -> str:
        return f"{self.project}/pipelines/{self.id}"


@dataclass(frozen=True)
class Report:
    """A test report. `cases` is whether its cases are in it: they are not where it is too large to be read."""

    report: Entity
    cases: bool


def of_ref(project: Project, ref: str, newest: Callable[[], str]) -> PipelinePath:
    """The newest pipeline of a branch or tag, or of the merge request open for it. Raises NotFound.

    `newest` tells the commit that a branch is at; "" where that is not known.
    """
    found = project.gitlab.page(f"{project.path}/pipelines", 1, 1, ref=ref)
    head = newest()
    own = [PipelinePath(project.path, row.number("id"), ahead(row, head)) for row in found.rows]
    if own and not own[0].ahead:
        return own[0]
    candidates = [*own, *_of_open_merge_request(project, ref, head)]
    if not candidates:
        raise NotFound(f"{ref} has no pipeline: none ran for it. A merge request is named by iid, not by ref.")
    return max(candidates, key=lambda each: (not each.ahead, each.id))


def _of_open_merge_request(project: Project, ref: str, head: str) -> list[PipelinePath]:
    """The newest pipeline of the merge request that is open for a branch of the project, if there is one."""
    query = {"state": "opened", "source_branch": ref}
    for row in project.gitlab.page(f"{project.path}/merge_requests", 1, **query).rows:
        if row.number("source_project_id") != row.number("target_project_id"):
            continue  # a fork may have a branch of the same name
        merge_request = project.gitlab.get(f"{project.path}/merge_requests/{row.number('iid')}")
        found = _head_pipeline(project, merge_request, head)
        return [found] if found else []
    return []


def of_merge_request(target: Noteable) -> PipelinePath:
    """The newest pipeline of a merge request. Raises NotFound where it has none."""
    merge_request = target.project.gitlab.get(target.path)
    if found := _head_pipeline(target.project, merge_request, merge_request.sha("sha")):
        return found
    raise NotFound(f"{target.sign} has no pipeline: none ran for its commits.")


def _head_pipeline(project: Project, merge_request: Entity, head: str) -> PipelinePath | None:
    """The pipeline that GitLab shows at a merge request, which may be of an older commit than `head`."""
    pipeline = merge_request.entity("head_pipeline")
    number, elsewhere = pipeline.number("id"), pipeline.number("project_id")
    if not number:
        return None
    is_here = elsewhere in (0, merge_request.number("project_id"))
    return PipelinePath(project.path if is_here else f"/projects/{elsewhere}", number, ahead(pipeline, head))


def ahead(pipeline: Entity, head: str) -> str:
    """`head` where a pipeline is of another commit; one of merged results or of a merge train has a commit made up."""
    is_made_up = pipeline.text("ref").endswith(("/merge", "/train")) and pipeline.text("ref").startswith("refs/")
    return "" if is_made_up or pipeline.sha("sha") in ("", head) else head


def read(gitlab: GitLab, where: PipelinePath) -> tuple[Entity, list[Entity]]:
    """A pipeline and its jobs, without those that were tried again."""
    pipeline = gitlab.start(gitlab.get, where.path)
    jobs = gitlab.start(gitlab.every, f"{where.path}/jobs")
    return pipeline.result(), jobs.result()


def first_failed_job(gitlab: GitLab, where: PipelinePath) -> Entity:
    """The first job that made the pipeline fail, else the first that failed. Raises NotFound where none did."""
    failed = gitlab.every(f"{where.path}/jobs", scope="failed")
    if not failed:
        older = f", which is of an older commit than {where.ahead[:8]}," if where.ahead else ""
        raise NotFound(f"No job of pipeline {where.id}{older} failed: take a job_id from get_pipeline.")
    return min(failed, key=lambda job: (job.flag("allow_failure"), job.number("id")))


def test_report(gitlab: GitLab, where: PipelinePath) -> Report:
    """The test report of a pipeline; only its counts where the whole is too large."""
    try:
        return Report(gitlab.get(f"{where.path}/test_report"), cases=True)
    except Unreachable as failure:
        if failure.passing:
            raise
        return Report(gitlab.get(f"{where.path}/test_report_summary"), cases=False)


def run(project: Project, ref: str, variables: Mapping[str, str], inputs: Mapping[str, object]) -> WriteResult[Entity]:
    """Start a pipeline, once. Raises AnswerLost also where one began of which it is not known what it was given."""
    body: dict[str, object] = {"ref": ref}
    if variables:
        body["variables"] = [{"key": key, "value": value} for key, value in variables.items()]
    if inputs:
        body["inputs"] = dict(inputs)
    send = partial(project.gitlab.post, f"{project.path}/pipeline", body)
    check = "Look with list_pipelines before starting it again."
    if variables or inputs:
        check = f"{check} GitLab does not say there what a pipeline was given."
    try:
        with _alone(project, ref):
            newest = project.gitlab.page(f"{project.path}/pipelines", 1, 1).rows
            after = newest[0].number("id") if newest else 0
            return write_once(send, partial(_begun, project, ref, after, is_plain=len(body) == 1), check)
    except GitLabRefusal as refused:
        if variables and "pipeline variables" in refused.reason:
            whose = "A maintainer says who may give some (Settings > CI/CD > Variables); inputs need no such leave."
            refused.args = (f"{refused} {whose}",)
        raise


@contextmanager
def _alone(project: Project, ref: str) -> Iterator[None]:
    """While no other call of this process starts a pipeline of `ref`: two would take each other's for their own."""
    key = (project.gitlab.settings.url, project.full_path.lower(), ref)
    with _STARTING:
        lock = _STARTS.setdefault(key, threading.Lock())
    while not lock.acquire(timeout=min(1.0, current_call.get().remaining())):
        pass
    try:
        yield
    finally:
        lock.release()


def _begun(project: Project, ref: str, after: int, *, is_plain: bool) -> Entity | None:
    """The pipeline after the one with the id `after` that this user started by the API for `ref`.

    Raises AnswerLost where there is one and it may have been given other variables: another process started it.
    """
    gitlab = project.gitlab
    query = {"ref": ref, "source": "api", "username": gitlab.user.text("username")}
    found = next((row for row in gitlab.page(f"{project.path}/pipelines", 1, 1, **query).rows), None)
    if found is None or found.number("id") <= after:
        return None
    if not is_plain:
        raise AnswerLost(f"Pipeline {found.number('id')} began meanwhile.")
    return found


def cancel(project: Project, number: int) -> WriteResult[Entity]:
    """End a pipeline; one that has ended stays as it is."""
    path = f"{project.path}/pipelines/{number}"

    def find() -> Entity | None:
        now = project.gitlab.get(path)
        return now if now.text("status") in CANCELED else None

    return write_once(partial(project.gitlab.post, f"{path}/cancel", {}), find, "Look with get_pipeline.")


def retry_job(project: Project, number: int) -> WriteResult[Entity]:
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
