"""Tools for pipelines and their jobs: status, test reports, logs; running, retrying and canceling."""

from typing import Annotated, Any, Literal

from pydantic import Field

from gitlab_mcp.api import pipelines as api
from gitlab_mcp.api.job_logs.pattern import LogPattern
from gitlab_mcp.api.job_logs.reading import read_first_failed, read_log
from gitlab_mcp.errors import InvalidArgument
from gitlab_mcp.render import job_logs as job_log_render
from gitlab_mcp.render import pipelines as render
from gitlab_mcp.render import test_reports
from gitlab_mcp.render.pagination import listing
from gitlab_mcp.repository.branches import newest_commit
from gitlab_mcp.tools.context import Ctx
from gitlab_mcp.tools.definition import tool
from gitlab_mcp.tools.params import Detail, Iid, JobId, PageNumber, PipelineId, Project, Ref, Username

PIPELINES_PER_PAGE = 20
CI_FILE = ".gitlab-ci.yml"

MergeRequest = Annotated[Iid, Field(description="merge request 12 or !12")]


@tool(toolset="pipelines")
def get_pipeline(
    ctx: Ctx,
    pipeline_id: PipelineId = 0,
    ref: Ref = "",
    iid: MergeRequest = "",
    detail: Detail = "concise",
    project: Project = "",
) -> str:
    """Read a pipeline: failed jobs with the reason, the others by stage.

    Without pipeline_id: the latest one of ref, of merge request iid, or of what this run is about.
    """
    path = pipeline_path(ctx, pipeline_id, ref, iid, project)
    pipeline, jobs = api.read(ctx.gitlab, path)
    view = render.View(
        own=str(path.id) == ctx.settings.job.pipeline,
        every=detail == "full",
        ahead=path.ahead,
        logs=ctx.settings.credential.kind != "job token",
    )
    return render.pipeline(pipeline, jobs, view)


@tool(toolset="pipelines", job_token=False)
def get_test_report(
    ctx: Ctx,
    pipeline_id: PipelineId = 0,
    ref: Ref = "",
    iid: MergeRequest = "",
    search: str = "",
    page: PageNumber = 1,
    project: Project = "",
) -> str:
    """Read a pipeline's test report: counts, failed cases with their output.

    search: only failed cases with this in name, class or file. Without pipeline_id: the latest, as in get_pipeline.
    """
    path = pipeline_path(ctx, pipeline_id, ref, iid, project)
    return test_reports.test_report(path, api.test_report(ctx.gitlab, path), search, page)


@tool(toolset="pipelines", opt_in=True)
def list_pipelines(
    ctx: Ctx,
    ref: Ref = "",
    status: Literal["", "running", "pending", "success", "failed", "canceled", "skipped", "manual"] = "",
    author: Username = "",
    page: PageNumber = 1,
    project: Project = "",
) -> str:
    """List pipelines, newest first."""
    target = ctx.project(project)
    pipelines = ctx.gitlab.page(
        f"{target.path}/pipelines", page, PIPELINES_PER_PAGE, ref=ref, status=status, username=author
    )
    arguments = {"ref": ref, "status": status, "author": author, "project": project}
    rows = map(render.pipeline_row, pipelines.rows)
    return listing("Pipelines", "pipeline", rows, pipelines, "list_pipelines", arguments)


@tool(toolset="pipelines", job_token=False, opt_in=True)
def lint_ci_config(ctx: Ctx, content: str = "", ref: Ref = "", project: Project = "") -> str:
    """Validate CI configuration: content, else .gitlab-ci.yml at ref, else the one in the working directory."""
    if content and ref:
        raise InvalidArgument("content and ref exclude each other: give one of them.")
    target = ctx.project(project)
    worktree = ctx.worktree(target)
    source = "content" if content else f"{CI_FILE} at {ref or 'the default branch'}"
    if not content and not ref and worktree and worktree.has(CI_FILE):
        on_disk = worktree.read([CI_FILE], [CI_FILE])[CI_FILE].content
        content, source = on_disk.decode("utf-8", "replace"), f"{CI_FILE} in the working directory"
    return render.lint_result(api.lint(target, content, ref), source)


@tool(toolset="pipelines", writes=True, job_token=False, opt_in=True)
def run_pipeline(
    ctx: Ctx,
    ref: Ref = "",
    variables: dict[str, str] = {},
    inputs: dict[str, Any] = {},
    project: Project = "",
) -> str:
    """Run a pipeline for a branch or tag (default: the default branch)."""
    target = ctx.project(project)
    ref = ref or ctx.repository(target).default_branch
    written = api.run(target, ref, variables, inputs)
    lacking = api.lacking_variables(target, written.result, variables)
    return render.started(written, {"ref": ref}, lacking)


@tool(toolset="pipelines", writes=True, destructive=True, idempotent=True, job_token=False, opt_in=True)
def cancel_pipeline(ctx: Ctx, pipeline_id: PipelineId, project: Project = "") -> str:
    """Cancel a pipeline: its jobs that have not finished."""
    return render.canceled(api.cancel(ctx.project(project), pipeline_id))


def pipeline_path(ctx: Ctx, pipeline_id: int = 0, ref: str = "", iid: str = "", project: str = "") -> api.PipelinePath:
    """Return the pipeline with that id, else the latest one of ref, of the merge request, or of what the run is about.

    Raises InvalidArgument when more than one of `pipeline_id`, `ref` and `iid` is given.
    """
    if bool(pipeline_id) + bool(ref) + bool(iid) > 1:
        raise InvalidArgument("pipeline_id, ref and iid exclude each other: give one of them.")
    if pipeline_id:
        return api.PipelinePath(ctx.project(project).path, pipeline_id)
    job = ctx.settings.job
    if iid or (not ref and not project and job.noun == "merge request"):
        return api.of_merge_request(ctx.noteable("merge request", iid, project))
    target = ctx.project(project)
    repository = ctx.repository(target)
    ref = ref or ("" if project else job.branch) or repository.default_branch
    return api.of_ref(target, ref, ctx.gitlab.start(newest_commit, repository, ref).result)


@tool(toolset="pipelines", job_token=False)
def get_job_log(
    ctx: Ctx,
    job_id: JobId = 0,
    ref: Ref = "",
    iid: MergeRequest = "",
    grep: Annotated[str, Field(description="regex, case-insensitive")] = "",
    context: Annotated[int, Field(ge=0, le=20)] = 2,
    start_line: Annotated[int, Field(ge=0)] = 0,
    end_line: Annotated[int, Field(ge=0)] = 0,
    project: Project = "",
) -> str:
    """Read a job's log: the part around the failure and the end, or what grep, start_line and end_line select.

    Without job_id: the first failed job of the latest pipeline, as in get_pipeline. context: lines around a match.
    """
    if end_line and end_line < start_line:
        raise InvalidArgument(f"end_line {end_line} is before start_line {start_line}.")
    if job_id and (ref or iid):
        raise InvalidArgument(f"job_id and {'ref' if ref else 'iid'} exclude each other: give one of them.")
    pattern = LogPattern(grep) if grep else None
    if job_id:
        log = read_log(ctx.gitlab, ctx.project(project).path, job_id)
    else:
        log = read_first_failed(ctx.gitlab, pipeline_path(ctx, ref=ref, iid=iid, project=project))
    if pattern:
        return job_log_render.matches(log, pattern, context, start_line, end_line)
    if start_line or end_line:
        return job_log_render.part(log, start_line or 1, end_line)
    return job_log_render.failure(log)


@tool(toolset="pipelines", writes=True, job_token=False, opt_in=True)
def retry_job(ctx: Ctx, job_id: JobId, project: Project = "") -> str:
    """Retry a finished job."""
    return render.job_started(api.retry_job(ctx.project(project), job_id), job_id)
