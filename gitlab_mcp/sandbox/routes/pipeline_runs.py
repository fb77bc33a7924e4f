"""Creating and canceling pipelines, retrying jobs, and validating .gitlab-ci.yml (CI lint)."""

from __future__ import annotations

from typing import Any

from gitlab_mcp.sandbox.entities import pipelines
from gitlab_mcp.sandbox.http.call import Call, Response
from gitlab_mcp.sandbox.http.errors import bad_request, forbidden, invalid_parameter, not_found
from gitlab_mcp.sandbox.http.routing import route
from gitlab_mcp.sandbox.routes.pipelines import job_of, pipeline_of
from gitlab_mcp.sandbox.state import permissions, todos
from gitlab_mcp.sandbox.state.model import WAITING, Job
from gitlab_mcp.sandbox.state.pipelines import begin_requested, read_ci_file
from gitlab_mcp.sandbox.state.users import DEVELOPER, MAINTAINER, OWNER
from gitlab_mcp.sandbox.text.ci_configuration import read_configuration

_OVERRIDING = {"developer": DEVELOPER, "maintainer": MAINTAINER, "owner": OWNER}
_NO_VARIABLES = "Insufficient permissions to set pipeline variables"


@route("POST", "/projects/:id/pipeline", "ref* variables:array inputs:obj")
def create_pipeline(call: Call) -> Any:
    call.require(DEVELOPER)
    ref, project = call.params["ref"], call.project
    sha = project.repository.resolve(ref)
    if sha is None:
        raise bad_request({"base": ["Reference not found"]})
    if permissions.protection(project, ref) and not permissions.may_push(call.user, project, ref):
        raise bad_request({"base": ["You do not have sufficient permission to run a pipeline on this branch"]})
    # GitLab docs, CI/CD variables: a project setting decides which role may pass variables; the default is nobody.
    least = _OVERRIDING.get(str(project.settings.get("ci_pipeline_variables_minimum_override_role")))
    if call.get("variables") and (least is None or call.role < least):
        raise bad_request({"base": [_NO_VARIABLES]})
    pipeline = begin_requested(call.world, project, call.me, ref, sha)
    pipeline.variables = [_variable(each) for each in call.get("variables") or []]
    return pipelines.pipeline(call.world, pipeline)


def _variable(given: Any) -> dict[str, Any]:
    """Ci::Variable, of a pipeline; raises Grape's 400 if it has no key or no value."""
    if not isinstance(given, dict) or not given.get("key") or "value" not in given:
        raise invalid_parameter("variables is invalid")
    kind = given.get("variable_type") or "env_var"
    if kind not in ("env_var", "file"):
        raise invalid_parameter("variables[0][variable_type] does not have a valid value")
    return {"variable_type": kind, "key": str(given["key"]), "value": str(given["value"]), "raw": False}


@route("GET", "/projects/:id/pipelines/:pipeline_id/variables")
def list_variables(call: Call) -> Any:
    """The variables that were given to a pipeline. Ci::PipelinePolicy: only a Developer or its creator sees them."""
    pipeline = pipeline_of(call)
    if call.user is not pipeline.user:
        call.require(DEVELOPER)
    return pipeline.variables


@route("DELETE", "/projects/:id/pipelines/:pipeline_id")
def delete_pipeline(call: Call) -> Any:
    pipeline = pipeline_of(call)
    call.require(OWNER)
    del call.project.pipelines[pipeline.id]
    return None


@route("POST", "/projects/:id/pipelines/:pipeline_id/retry")
def retry_pipeline(call: Call) -> Any:
    """Run the failed and canceled jobs of a pipeline again (Ci::RetryPipelineService)."""
    call.require(DEVELOPER)
    pipeline = pipeline_of(call)
    for job in [job for job in pipeline.jobs if not job.retried and job.status in ("failed", "canceled")]:
        _retried(call, job)
    for job in pipeline.jobs:
        if job.status == "skipped":
            job.state = "created"
    return pipelines.pipeline(call.world, pipeline)


@route("POST", "/projects/:id/pipelines/:pipeline_id/cancel")
def cancel_pipeline(call: Call) -> Response:
    call.require(DEVELOPER)
    pipeline = pipeline_of(call)
    now = call.world.now()
    if pipeline.status in WAITING:
        for job in pipeline.jobs:
            if job.status in WAITING:
                job.state, job.finished_at = "canceled", now
        pipeline.status, pipeline.finished_at = "canceled", now
    # GitLab sends the same response if the pipeline has already finished.
    return Response(pipelines.pipeline(call.world, pipeline), 200)


@route("POST", "/projects/:id/jobs/:job_id/retry", "inputs:obj", user_needed=True)
def retry_job(call: Call) -> Any:
    call.require(DEVELOPER)
    old = job_of(call)
    if old.retried or old.status not in ("success", "failed", "canceled"):
        raise forbidden("Job is not retryable")
    return pipelines.job(call.world, _retried(call, old))


def _retried(call: Call, old: Job) -> Job:
    """A new, pending job in the place of one that has finished."""
    number, pipeline = call.world.next_id("job"), old.pipeline
    new = Job(number, old.name, old.stage, pipeline, state="pending", allow_failure=old.allow_failure)
    old.retried = True
    todos.build_retried(call.world, pipeline)
    pipeline.jobs.append(new)
    pipeline.status, pipeline.finished_at = "running", None
    return new


@route(
    "GET", "/projects/:id/ci/lint", "content_ref dry_run:bool dry_run_ref include_jobs:bool ref sha", user_needed=True
)
def lint_file(call: Call) -> Any:
    call.require_code()
    ref = call.get("content_ref") or call.get("sha") or call.project.repository.default_branch
    if call.project.repository.resolve(ref) is None:
        raise not_found("Commit")
    text = read_ci_file(call.project, ref)
    if text is None:
        return _lint_result("", ["Please provide content of .gitlab-ci.yml"], call)
    return _lint_result(text, read_configuration(text).errors, call)


@route("POST", "/projects/:id/ci/lint", "content*:str dry_run:bool include_jobs:bool ref", user_needed=True)
def lint_content(call: Call) -> Response:
    call.require(DEVELOPER)
    text = call.params["content"]
    return Response(_lint_result(text, read_configuration(text).errors, call), 200)


def _lint_result(text: str, errors: list[str], call: Call) -> dict[str, Any]:
    jobs = read_configuration(text).jobs if call.get("include_jobs") and not errors else None
    result: dict[str, Any] = {
        "valid": not errors,
        "errors": errors,
        "warnings": [],
        "merged_yaml": f"---\n{text}" if not errors else None,
        "includes": [],
    }
    if jobs is not None:
        result["jobs"] = [{"name": job.name, "stage": job.stage} for job in jobs]
    return result
