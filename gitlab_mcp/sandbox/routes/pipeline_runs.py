"""Creating and canceling pipelines, retrying jobs, and validating .gitlab-ci.yml (CI lint)."""

from __future__ import annotations

import re
from typing import Any

from gitlab_mcp.sandbox.entities import pipelines
from gitlab_mcp.sandbox.http.call import Call, Response
from gitlab_mcp.sandbox.http.errors import bad_request, forbidden, invalid_parameter, not_found
from gitlab_mcp.sandbox.http.routing import route
from gitlab_mcp.sandbox.routes.pipelines import job_of, pipeline_of
from gitlab_mcp.sandbox.state import permissions, runner, todos
from gitlab_mcp.sandbox.state.ci_files import read_file
from gitlab_mcp.sandbox.state.model import WAITING, Job, Pipeline
from gitlab_mcp.sandbox.state.pipelines import begin_requested, read_ci_file
from gitlab_mcp.sandbox.state.users import DEVELOPER, OWNER
from gitlab_mcp.sandbox.text.ci_configuration import read_configuration

_LOCAL_INCLUDE = re.compile(r"""["']?\blocal["']?: *["']?([\w./-]+)""")


@route("POST", "/projects/:id/pipeline", "ref* variables:array inputs:obj")
def create_pipeline(call: Call) -> Any:
    call.require(DEVELOPER)
    ref, project = call.params["ref"], call.project
    sha = project.repository.resolve(ref)
    if sha is None:
        raise bad_request({"base": ["Reference not found"]})
    if permissions.protection(project, ref) and not permissions.may_push(call.user, project, ref):
        raise bad_request({"base": ["You do not have sufficient permission to run a pipeline on this branch"]})
    variables = [_variable(each) for each in call.get("variables") or []]
    if variables and not permissions.may_set_variables(call.user, project):
        raise bad_request({"base": [permissions.NO_VARIABLES]})
    pipeline = begin_requested(call.world, project, call.me, ref, sha, "api", variables, given_inputs(call))
    return begun(call, pipeline)


def begun(call: Call, pipeline: Pipeline) -> dict[str, Any]:
    """The response for a new pipeline, whose jobs start to wait for a runner only behind it."""
    response = pipelines.pipeline(call.world, pipeline)
    runner.process(call.world, pipeline)
    return response


def given_inputs(call: Call) -> dict[str, Any] | None:
    """The inputs for the configuration; GitLab before 18.1 does not know the parameter, and ignores it."""
    return call.get("inputs") if call.world.is_at_least(18, 1) else None


def _variable(given: Any) -> dict[str, Any]:
    """A variable as the API takes it; raises Grape's 400 if it has no key or no value."""
    if not isinstance(given, dict) or not given.get("key") or "value" not in given:
        raise invalid_parameter("variables is invalid")
    kind = given.get("variable_type") or "env_var"
    if kind not in ("env_var", "file"):
        raise invalid_parameter("variables[0][variable_type] does not have a valid value")
    return variable(str(given["key"]), str(given["value"]), kind)


def variable(key: str, value: str, kind: str = "env_var") -> dict[str, Any]:
    """Ci::Variable, of a pipeline."""
    return {"variable_type": kind, "key": key, "value": value, "raw": False}


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
    runner.refresh_all(call.world, call.project)
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
    if any(job.plan for job in pipeline.jobs):
        runner.process(call.world, pipeline)
    return pipelines.pipeline(call.world, pipeline)


@route("POST", "/projects/:id/pipelines/:pipeline_id/cancel")
def cancel_pipeline(call: Call) -> Response:
    call.require(DEVELOPER)
    pipeline = pipeline_of(call)
    if pipeline.status in WAITING:
        runner.cancel(call.world, [job for job in pipeline.jobs if job.status in WAITING])
        pipeline.status, pipeline.finished_at = "canceled", call.world.now()
        if any(job.status == "canceling" for job in pipeline.jobs):
            pipeline.status, pipeline.finished_at = "canceling", None
        runner.refresh_all(call.world, call.project)
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
    new = Job(number, old.name, old.stage, pipeline, allow_failure=old.allow_failure, plan=old.plan)
    new.state = "waiting_for_resource" if old.plan and old.plan.resource_group else "pending"
    old.retried = True
    todos.build_retried(call.world, pipeline)
    pipeline.jobs.append(new)
    pipeline.status, pipeline.finished_at = "running", None
    runner.refresh_all(call.world, call.project)
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
    return _lint_result(text, _errors(call, text, ref), call)


@route("POST", "/projects/:id/ci/lint", "content*:str dry_run:bool include_jobs:bool ref", user_needed=True)
def lint_content(call: Call) -> Response:
    call.require(DEVELOPER)
    text = call.params["content"]
    return Response(_lint_result(text, _errors(call, text, call.project.repository.default_branch), call), 200)


def _errors(call: Call, text: str, ref: str) -> list[str]:
    """What is wrong with a configuration: first its included files that are missing (Config::External::File::Local).

    GitLab looks for them at the commit of the text, or on the default branch for a text that is not committed.
    """
    sha = call.project.repository.resolve(ref)
    included = [path.lstrip("/") for path in _LOCAL_INCLUDE.findall(text)]
    missing = [path for path in included if not sha or read_file(call.project, sha, path) is None]
    return [f"Local file `{path}` does not exist!" for path in missing] or read_configuration(text).errors


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
        result["jobs"] = [{"name": name, "stage": stage} for name, stage in jobs.items()]
    return result
