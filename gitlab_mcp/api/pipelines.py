"""Pipelines: finding the newest one of a ref or merge request, reading, starting and canceling one, retrying a job."""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

from gitlab_mcp.api.client import GitLab
from gitlab_mcp.api.deadline import current_call
from gitlab_mcp.api.entity import Entity
from gitlab_mcp.api.idempotency import WriteResult, look_with, write_once
from gitlab_mcp.api.project import Noteable, Project
from gitlab_mcp.errors import AnswerLost, Conflict, Failure, GitLabRefusal, NotFound, Unreachable, naming

# The statuses of a pipeline that was canceled, or is about to be.
CANCELED = ("canceling", "canceled")

# One call at a time starts a pipeline of a ref: a lock by the URL of GitLab, the project and the ref.
_START_LOCKS: dict[tuple[str, str, str], threading.Lock] = {}
_START_LOCKS_LOCK = threading.Lock()


@dataclass(frozen=True)
class PipelinePath:
    """A pipeline in the API. `project` is the API path of its project: that of a merge request from a fork is the fork.

    `ahead` is the newer commit of its branch or merge request for which no pipeline ran; "" where the pipeline is of
    the newest commit, or that is not known.
    """

    project: str
    id: int
    ahead: str = ""

    @property
    def path(self) -> str:
        return f"{self.project}/pipelines/{self.id}"


@dataclass(frozen=True)
class Report:
    """A test report. `cases` is whether it includes test cases, which are left out where they are too large to read."""

    report: Entity
    cases: bool


def of_ref(project: Project, ref: str, newest: Callable[[], str]) -> PipelinePath:
    """The newest pipeline of a branch or tag, or of the open merge request from that branch.

    `newest` returns the SHA of the newest commit of the ref; "" where that is not known. Raises NotFound where no
    pipeline ran.
    """
    rows = project.gitlab.page(f"{project.path}/pipelines", 1, 1, ref=ref).rows
    head = newest()
    own = [PipelinePath(project.path, row.number("id"), ahead(row, head)) for row in rows]
    if own and not own[0].ahead:
        return own[0]
    candidates = [*own, *_of_open_merge_request(project, ref, head)]
    if not candidates:
        raise NotFound(f"{ref} has no pipeline: none ran for it. A merge request is named by iid, not by ref.")
    return max(candidates, key=lambda pipeline: (not pipeline.ahead, pipeline.id))


def _of_open_merge_request(project: Project, ref: str, head: str) -> list[PipelinePath]:
    """The newest pipeline of the open merge request from a branch of the project, [] where there is none."""
    query = {"state": "opened", "source_branch": ref}
    for row in project.gitlab.page(f"{project.path}/merge_requests", 1, **query).rows:
        if row.number("source_project_id") != row.number("target_project_id"):
            continue  # a fork may have a branch of the same name
        merge_request = project.gitlab.get(f"{project.path}/merge_requests/{row.number('iid')}")
        pipeline = _head_pipeline(project, merge_request, head)
        return [pipeline] if pipeline else []
    return []


def of_merge_request(target: Noteable) -> PipelinePath:
    """The newest pipeline of a merge request. Raises NotFound where it has none."""
    merge_request = target.project.gitlab.get(target.path)
    if pipeline := _head_pipeline(target.project, merge_request, merge_request.sha("sha")):
        return pipeline
    raise NotFound(f"{target.sign} has no pipeline: none ran for its commits.")


def _head_pipeline(project: Project, merge_request: Entity, head: str) -> PipelinePath | None:
    """The head pipeline of a merge request, which may be of an older commit than `head`."""
    pipeline = merge_request.entity("head_pipeline")
    number, elsewhere = pipeline.number("id"), pipeline.number("project_id")
    if not number:
        return None
    is_here = elsewhere in (0, merge_request.number("project_id"))
    return PipelinePath(project.path if is_here else f"/projects/{elsewhere}", number, ahead(pipeline, head))


def ahead(pipeline: Entity, head: str) -> str:
    """`head` where a pipeline is of another commit, else "".

    Always "" for a merged results pipeline or one of a merge train: GitLab creates a commit for each of these.
    """
    is_synthetic = pipeline.text("ref").endswith(("/merge", "/train")) and pipeline.text("ref").startswith("refs/")
    return "" if is_synthetic or pipeline.sha("sha") in ("", head) else head


def read(gitlab: GitLab, where: PipelinePath) -> tuple[Entity, list[Entity]]:
    """A pipeline and its jobs, without those that were retried."""
    pipeline = gitlab.start(gitlab.get, where.path)
    jobs = gitlab.start(gitlab.every, f"{where.path}/jobs")
    return pipeline.result(), jobs.result()


def first_failed_job(gitlab: GitLab, where: PipelinePath) -> Entity:
    """The first job that made the pipeline fail, else the first failed one of those that are allowed to fail.

    Raises NotFound where no job failed.
    """
    failed = gitlab.every(f"{where.path}/jobs", scope="failed")
    if not failed:
        older = f", which is of an older commit than {where.ahead[:8]}," if where.ahead else ""
        raise NotFound(
            f"No job of pipeline {where.id}{older} failed{naming(': take a job_id from {}', 'get_pipeline')}."
        )
    return min(failed, key=lambda job: (job.flag("allow_failure"), job.number("id")))


def test_report(gitlab: GitLab, where: PipelinePath) -> Report:
    """The test report of a pipeline; only its summary where the full report is too large."""
    try:
        return Report(gitlab.get(f"{where.path}/test_report"), cases=True)
    except Unreachable as failure:
        if failure.transient:
            raise
        return Report(gitlab.get(f"{where.path}/test_report_summary"), cases=False)


def run(project: Project, ref: str, variables: Mapping[str, str], inputs: Mapping[str, object]) -> WriteResult[Entity]:
    """Start a pipeline. Raises AnswerLost also where one started whose variables and inputs cannot be looked up."""
    body: dict[str, object] = {"ref": ref}
    if variables:
        body["variables"] = [{"key": key, "value": value} for key, value in variables.items()]
    if inputs:
        body["inputs"] = dict(inputs)
    send = partial(project.gitlab.post, f"{project.path}/pipeline", body)
    check = f"Look{naming(' with {}', 'list_pipelines')} before starting it again."
    if variables or inputs:
        check = f"{check} GitLab does not show there which variables and inputs a pipeline has."
    try:
        with _start_lock(project, ref):
            newest = project.gitlab.page(f"{project.path}/pipelines", 1, 1).rows
            after = newest[0].number("id") if newest else 0
            find = partial(_find_started, project, ref, after, is_plain=len(body) == 1)
            return write_once(send, find, check, repeats=True)
    except GitLabRefusal as refused:
        if variables and "pipeline variables" in refused.reason:
            advice = (
                "A maintainer sets who may pass variables (Settings > CI/CD > Variables); inputs need no such"
                " permission."
            )
            refused.text += f" {advice}"
        raise


def lacking_variables(project: Project, pipeline: Entity, variables: Mapping[str, str]) -> list[str]:
    """The names of those `variables` that a pipeline does not have with their values; [] where GitLab shows none.

    Nothing shows a pipeline's inputs, but GitLab refuses the ones that its configuration does not declare.
    """
    if not variables:
        return []
    try:
        rows = project.gitlab.every(f"{project.path}/pipelines/{pipeline.number('id')}/variables")
    except Failure:  # the pipeline is started, so that nothing may fail now
        return []
    taken = {row.text("key"): row.text("value") for row in rows}
    return [name for name, value in variables.items() if taken.get(name) != value]


@contextmanager
def _start_lock(project: Project, ref: str) -> Iterator[None]:
    """Keep other calls of this process from starting a pipeline of `ref`: a look-up could not tell them apart."""
    key = (project.gitlab.settings.url, project.full_path.lower(), ref)
    with _START_LOCKS_LOCK:
        lock = _START_LOCKS.setdefault(key, threading.Lock())
    while not lock.acquire(timeout=min(1.0, current_call.get().remaining())):
        pass
    try:
        yield
    finally:
        lock.release()


def _find_started(project: Project, ref: str, after: int, *, is_plain: bool) -> Entity | None:
    """The pipeline of `ref`, newer than the id `after`, that this user started by the API; None where there is none.

    Raises AnswerLost where one exists but variables or inputs were sent (not `is_plain`): it may be another process's.
    """
    gitlab = project.gitlab
    query = {"ref": ref, "source": "api", "username": gitlab.user.text("username")}
    newest = next((row for row in gitlab.page(f"{project.path}/pipelines", 1, 1, **query).rows), None)
    if newest is None or newest.number("id") <= after:
        return None
    if not is_plain:
        raise AnswerLost(f"Pipeline {newest.number('id')} started meanwhile.")
    return newest


def cancel(project: Project, number: int) -> WriteResult[Entity]:
    """Cancel a pipeline; a finished one stays as it is."""
    path = f"{project.path}/pipelines/{number}"

    def find() -> Entity | None:
        now = project.gitlab.get(path)
        return now if now.text("status") in CANCELED else None

    return write_once(partial(project.gitlab.post, f"{path}/cancel", {}), find, look_with("get_pipeline"))


def retry_job(project: Project, number: int) -> WriteResult[Entity]:
    """Retry a finished job. Returns the new job. Raises Conflict for one that has not finished or was retried."""
    gitlab = project.gitlab
    send = partial(gitlab.post, f"{project.path}/jobs/{number}/retry", {})
    check = f"Look{naming(' with {}', 'get_pipeline')} whether it was retried."
    try:
        return write_once(send, partial(_newer_run, project, number), check)
    except GitLabRefusal as refused:
        if "not retryable" not in refused.reason:
            raise
        raise Conflict(
            f"Job {number} cannot be retried: it has not finished, or was retried already."
            f"{naming(' {} shows its newest run.', 'get_pipeline')}"
        ) from refused


def _newer_run(project: Project, number: int) -> Entity | None:
    """The newer run of a job; None where it was not retried."""
    gitlab = project.gitlab
    old = gitlab.get(f"{project.path}/jobs/{number}")
    jobs = gitlab.every(f"{project.path}/pipelines/{old.number('pipeline', 'id')}/jobs")
    newer = [job for job in jobs if job.text("name") == old.text("name") and job.number("id") > number]
    return newer[0] if newer else None


def lint(project: Project, content: str, ref: str) -> Entity:
    """GitLab's validation of a CI configuration: `content`, else the file at `ref` ("" for the default branch)."""
    path = f"{project.path}/ci/lint"
    if content:
        return project.gitlab.post(path, {"content": content, "include_jobs": True})
    return project.gitlab.get(path, content_ref=ref, include_jobs=True)
