"""Creating pipelines: for pushes and merge requests, without jobs, or on request, with jobs that wait for a runner."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from gitlab_mcp.sandbox.http.errors import bad_request, not_implemented, unprocessable
from gitlab_mcp.sandbox.state.ci_files import InvalidConfiguration, ci_path, configuration, read_file
from gitlab_mcp.sandbox.state.model import Job, MergeRequest, Pipeline, Project
from gitlab_mcp.sandbox.state.predefined_variables import predefined_variables, project_variables
from gitlab_mcp.sandbox.state.users import User
from gitlab_mcp.sandbox.state.world import World
from gitlab_mcp.sandbox.text.ci_configuration import read_configuration
from gitlab_mcp.sandbox.text.ci_jobs import FilteredOut, plan
from gitlab_mcp.sandbox.text.yaml import Unreadable

_MERGE_REQUEST = "merge_request_event"
# Gitlab::Ci::Pipeline::Chain::Skip
_SKIP = re.compile(r"\[(?:ci[ _-]skip|skip[ _-]ci)\]", re.IGNORECASE)


def begin_for_push(
    world: World, project: Project, user: User, ref: str, sha: str, status: str, *, tag: bool = False
) -> None:
    """Create the pipeline of a pushed branch or tag, with this status, if the commit has a .gitlab-ci.yml."""
    _begin_unasked(world, project, user, ref, sha, "push", status, tag=tag)


def tag_pushed(world: World, project: Project, user: User, tag: str, status: str = "created") -> None:
    """Create the pipeline of a new or moved tag (Git::TagHooksService), if the tag is of a commit."""
    sha = project.repository.first_of([f"refs/tags/{tag}"])
    if sha is not None:
        begin_for_push(world, project, user, tag, sha, status, tag=True)


def begin_for_merge_request(world: World, merge_request: MergeRequest) -> None:
    """Create the pipeline of a new merge request, if its .gitlab-ci.yml contains merge_request_event.

    GitLab evaluates the rules of the jobs; here a mention anywhere in the file is enough.
    """
    project, sha = merge_request.project, merge_request.version.head
    if _MERGE_REQUEST in (read_file(project, sha, ci_path(project)) or ""):
        ref = merge_request_ref(merge_request)
        _begin_unasked(world, project, merge_request.author, ref, sha, _MERGE_REQUEST, "created")


def _begin_unasked(
    world: World, project: Project, user: User, ref: str, sha: str, source: str, status: str, *, tag: bool = False
) -> None:
    """Create a pipeline that nobody requested, in the order of Ci::CreatePipelineService::SEQUENCE.

    Chain::Skip comes before Config::Content: a commit that says [skip ci] gets a skipped pipeline even without a
    .gitlab-ci.yml. An invalid one gets a failed pipeline, with the first error as its yaml_errors (Config::Process).
    """
    if status == "skipped" or _SKIP.search(project.repository.commit(sha).message):
        _begin(world, project, user, ref, sha, source, "skipped", tag=tag)
        return
    text = read_file(project, sha, ci_path(project))
    if text is None:
        return
    errors = read_configuration(text).errors
    pipeline = _begin(world, project, user, ref, sha, source, "failed" if errors else status, tag=tag)
    if errors:
        pipeline.yaml_errors, pipeline.finished_at = errors[0], pipeline.created_at


def pipelines_of(merge_request: MergeRequest) -> list[Pipeline]:
    """The pipelines of a merge request and of its source branch, newest first."""
    heads = {version.head for version in merge_request.versions}
    refs = (merge_request_ref(merge_request), merge_request.source_branch)
    pipelines = [
        each for each in list(merge_request.project.pipelines.values()) if each.ref in refs and each.sha in heads
    ]
    return pipelines[::-1]


def head_pipeline(merge_request: MergeRequest) -> Pipeline | None:
    """The newest pipeline of the head (MergeRequest#diff_head_pipeline), or None."""
    head = merge_request.version.head
    return next((each for each in pipelines_of(merge_request) if each.sha == head), None)


def merge_request_ref(merge_request: MergeRequest) -> str:
    """The ref of a merge request's pipelines, which takes the place of a branch."""
    return f"refs/merge-requests/{merge_request.iid}/head"


def begin_requested(
    world: World,
    project: Project,
    user: User,
    ref: str,
    sha: str,
    source: str = "api",
    variables: Sequence[dict[str, Any]] = (),
    inputs: Mapping[str, Any] | None = None,
    *,
    keep_invalid: bool = False,
) -> Pipeline:
    """Create a pipeline on request, with the jobs that its rules want, in the status created.

    Raises 400 with GitLab's messages if there is none to create. With `keep_invalid`, an invalid configuration leaves a
    failed pipeline and answers 422: Chain::Helpers persists config errors for callers that save incomplete pipelines,
    which Ci::PipelineTriggerService calls unprocessable. Raises 501 for a configuration that is not read here.
    """
    tag = f"refs/tags/{ref}" in project.repository.refs("refs/tags/") if not project.repository.branch(ref) else False
    predefined = predefined_variables(world, project, user, ref, sha, source, tag=tag)
    given = project_variables(project, ref) | {str(one["key"]): str(one["value"]) for one in variables}
    try:
        whole = configuration(world, project, user, sha, inputs or {}, {**predefined, **given})
        if whole is None:
            raise bad_request({"base": ["Missing CI config file"]})
        planned = plan(whole, given, predefined)
    except (InvalidConfiguration, FilteredOut) as error:
        message = {"base": [str(error)]}
        if isinstance(error, FilteredOut) or not keep_invalid:
            raise bad_request(message) from error
        failed = _begin(world, project, user, ref, sha, source, "failed", tag=tag)
        failed.yaml_errors, failed.finished_at = str(error), failed.created_at
        raise unprocessable(message) from error
    except Unreadable as error:
        raise not_implemented(f"this {ci_path(project)}: {error}: it") from error
    pipeline = _begin(world, project, user, ref, sha, source, "created", tag=tag)
    pipeline.name, pipeline.variables = planned.name, list(variables)
    for one in planned.jobs:
        job = Job(world.next_id("job"), one.name, one.stage, pipeline, allow_failure=one.allow_failure, plan=one)
        pipeline.jobs.append(job)
    return pipeline


def begin_external(world: World, project: Project, user: User, ref: str, sha: str) -> Pipeline:
    """Create the pipeline that holds the statuses which something outside GitLab's CI reports."""
    return _begin(world, project, user, ref, sha, "external", "created")


def composite_status(pipeline: Pipeline) -> str:
    """The status of a pipeline by those of its jobs and external statuses (Gitlab::Ci::Status::Composite)."""
    found = {one.status for one in pipeline.statuses if not one.retried}
    passing = {"failed": "success", "canceled": "success", "manual": "skipped"}
    found |= {
        passing.get(job.status, job.status) if job.allow_failure else job.status
        for job in pipeline.jobs
        if not job.retried
    }
    rules = (
        ("skipped", {"skipped"}),
        ("success", {"success", "skipped"}),
        ("created", {"created"}),
        ("canceled", {"canceled", "success", "skipped"}),
        ("pending", {"created", "pending", "skipped"}),
    )
    for status, allowed in rules:
        if found <= allowed:
            return status
    order = {"canceling": "canceling", "running": "running", "pending": "running"}
    order |= {"waiting_for_resource": "waiting_for_resource", "manual": "manual", "created": "running"}
    return next((status for one, status in order.items() if one in found), "failed")


def read_ci_file(project: Project, ref: str) -> str | None:
    """The content of .gitlab-ci.yml at a ref, or None if the ref or the file does not exist."""
    sha = project.repository.resolve(ref)
    return read_file(project, sha, ci_path(project)) if sha else None


def _begin(
    world: World, project: Project, user: User, ref: str, sha: str, source: str, status: str, *, tag: bool = False
) -> Pipeline:
    iid = max((pipeline.iid for pipeline in project.pipelines.values()), default=0) + 1
    made = Pipeline(world.next_id("pipeline"), iid, project, ref, sha, user, world.now(), status, source, tag=tag)
    project.pipelines[made.id] = made
    return made
