"""Reading pipelines, jobs, job logs and test reports, and the job that a job token belongs to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gitlab_mcp.sandbox.entities import pipelines
from gitlab_mcp.sandbox.entities.pipelines import updated_at
from gitlab_mcp.sandbox.http.call import Call, Response
from gitlab_mcp.sandbox.http.errors import forbidden, not_found
from gitlab_mcp.sandbox.http.pagination import paginate
from gitlab_mcp.sandbox.http.routing import route
from gitlab_mcp.sandbox.state.model import Job, Pipeline

_STATES = (
    "created|waiting_for_resource|preparing|waiting_for_callback|pending|running|success|failed|canceling|canceled|"
    "skipped|manual|scheduled"
)
_SCOPES: dict[str, Callable[[Pipeline], bool]] = {
    "running": lambda one: one.status == "running",
    "pending": lambda one: one.status == "pending",
    "finished": lambda one: one.status in ("success", "failed", "canceled"),
}


@route("GET", "/job", user_needed=True, job_token=True)
def get_own_job(call: Call) -> Any:
    if call.token is None or call.token.job is None:
        raise not_found("Job")
    return pipelines.job(call.world, call.token.job)


@route(
    "GET",
    "/projects/:id/pipelines",
    f"scope:enum(running|pending|finished|branches|tags) status:enum({_STATES}) ref sha username yaml_errors:bool "
    "updated_before:dt updated_after:dt created_before:dt created_after:dt source name "
    "order_by:enum(id|status|ref|updated_at|user_id)=id sort:enum(asc|desc)=desc",
    job_token=True,
)
def list_pipelines(call: Call) -> Response:
    call.require_code()
    listed = list(call.project.pipelines.values())
    scope = call.get("scope")
    if scope in _SCOPES:
        listed = [one for one in listed if _SCOPES[scope](one)]
    elif scope:
        # Ci::PipelinesFinder: the newest pipeline of each branch or tag that exists.
        prefix = "refs/tags/" if scope == "tags" else "refs/heads/"
        names = call.project.repository.refs(prefix)
        newest = {one.ref: one for one in listed if one.ref in names and one.tag == (scope == "tags")}
        listed = list(newest.values())
    for name in ("status", "ref", "sha", "source"):
        if call.get(name):
            listed = [one for one in listed if getattr(one, name) == call.params[name]]
    if username := call.get("username"):
        listed = [one for one in listed if one.user.username == username]
    if call.has("yaml_errors"):
        listed = [one for one in listed if bool(one.yaml_errors) == call.params["yaml_errors"]]
    if call.get("name"):
        listed = [one for one in listed if one.name == call.params["name"]]
    for name, when in (("created", lambda one: one.created_at), ("updated", updated_at)):
        if after := call.get(f"{name}_after"):
            listed = [one for one in listed if when(one) > after]
        if before := call.get(f"{name}_before"):
            listed = [one for one in listed if when(one) < before]
    key = {"status": lambda one: one.status, "ref": lambda one: one.ref, "updated_at": updated_at}
    key["user_id"] = lambda one: one.user.id
    by = key.get(call.params["order_by"] or "id", lambda one: one.id)
    listed.sort(key=lambda one: (by(one), one.id), reverse=call.get("sort") == "desc")
    return paginate(call, listed, lambda one: pipelines.pipeline_basic(call.world, one))


@route("GET", "/projects/:id/pipelines/latest", "ref")
def get_latest_pipeline(call: Call) -> Any:
    """Project#latest_pipeline: the newest of the newest commit of a branch; 403 if there is none, as in GitLab."""
    call.require_code()
    repo = call.project.repository
    ref = call.get("ref") or repo.default_branch
    sha = repo.resolve(ref)
    found = [one for one in list(call.project.pipelines.values()) if (one.ref, one.sha) == (ref, sha)]
    if not found:
        raise forbidden()
    return pipelines.pipeline_with_metadata(call.world, found[-1])


def pipeline_of(call: Call) -> Pipeline:
    """The pipeline of the path. Raises 404."""
    call.require_code()
    pipeline = call.project.pipelines.get(call.number("pipeline_id", "Pipeline"))
    if pipeline is None:
        raise not_found("Pipeline")
    return pipeline


@route("GET", "/projects/:id/pipelines/:pipeline_id", job_token=True)
def get_pipeline(call: Call) -> Any:
    return pipelines.pipeline_with_metadata(call.world, pipeline_of(call))


def _job_list(call: Call, jobs: list[Job]) -> Response:
    if scope := call.get("scope"):
        jobs = [one for one in jobs if one.status in scope]
    return paginate(call, jobs[::-1], lambda one: pipelines.job(call.world, one))


@route(
    "GET",
    "/projects/:id/pipelines/:pipeline_id/jobs",
    "scope:list include_retried:bool",
    user_needed=True,
    job_token=True,
)
def list_pipeline_jobs(call: Call) -> Response:
    jobs = pipeline_of(call).jobs
    return _job_list(call, [job for job in jobs if not job.retried or call.get("include_retried")])


@route("GET", "/projects/:id/jobs", "scope:list ref", user_needed=True, job_token=True)
def list_jobs(call: Call) -> Response:
    call.require_code()
    return _job_list(call, _jobs(call))


def _jobs(call: Call) -> list[Job]:
    return [job for pipeline in list(call.project.pipelines.values()) for job in pipeline.jobs]


def job_of(call: Call) -> Job:
    """The job of the path. Raises 404."""
    call.require_code()
    return call.item("job_id", _jobs(call))


@route("GET", "/projects/:id/jobs/:job_id", user_needed=True)
def get_job(call: Call) -> Any:
    return pipelines.job(call.world, job_of(call))


@route("GET", "/projects/:id/jobs/:job_id/trace", "byte_offset:int byte_limit:int", user_needed=True)
def get_trace(call: Call) -> Response:
    """The raw job log. GitLab before 19.3 has neither parameter, and no version supports range requests."""
    log = job_of(call).log
    begin = min(call.get("byte_offset") or 0, len(log))
    limit = call.get("byte_limit")
    return Response(log[begin : begin + limit if limit else None], media_type="text/plain")


@route("GET", "/projects/:id/pipelines/:pipeline_id/test_report")
def get_test_report(call: Call) -> Any:
    return pipelines.test_report(pipeline_of(call))


@route("GET", "/projects/:id/pipelines/:pipeline_id/test_report_summary")
def get_test_report_summary(call: Call) -> Any:
    return pipelines.test_report_summary(pipeline_of(call))
