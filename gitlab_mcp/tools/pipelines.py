"""Tools for pipelines: how one stands, what its tests said, and starting and ending one."""

from typing import Annotated, Any, Literal

from pydantic import Field

from gitlab_mcp.api import pipelines as api
from gitlab_mcp.context import Ctx
from gitlab_mcp.errors import InvalidArgument
from gitlab_mcp.params import Detail, Iid, PageNumber, PipelineId, Project, Ref, Username
from gitlab_mcp.registry import tool
from gitlab_mcp.render import pipelines as render
from gitlab_mcp.render import test_reports
from gitlab_mcp.render.lists import listing
from gitlab_mcp.repository.branches import newest_commit

ROWS = 20
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

    Without pipeline_id the latest of ref, of merge request iid, or of what this run is about.
    """
    where = located(ctx, pipeline_id, ref, iid, project)
    pipeline, jobs = api.read(ctx.gitlab, where)
    view = render.View(
        own=str(where.id) == ctx.settings.job.pipeline,
        every=detail == "full",
        ahead=where.ahead,
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

    search: only failed cases with this in name, class or file. Without pipeline_id the latest, as get_pipeline.
    """
    where = located(ctx, pipeline_id, ref, iid, project)
    return test_reports.test_report(where, api.test_report(ctx.gitlab, where), search, page)


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
    found = ctx.gitlab.page(f"{target.path}/pipelines", page, ROWS, ref=ref, status=status, username=author)
    given = {"ref": ref, "status": status, "author": author, "project": project}
    return listing("Pipelines", "pipeline", map(render.pipeline_row, found.rows), found, "list_pipelines", given)


@tool(toolset="pipelines", job_token=False, opt_in=True)
def lint_ci_config(ctx: Ctx, content: str = "", ref: Ref = "", project: Project = "") -> str:
    """Let GitLab check a CI configuration: content, else .gitlab-ci.yml at ref, else that of the working directory."""
    if content and ref:
        raise InvalidArgument("content and ref exclude each other: give one of them.")
    target = ctx.project(project)
    worktree = ctx.worktree(target)
    what = "content" if content else f"{CI_FILE} at {ref or 'the default branch'}"
    if not content and not ref and worktree and worktree.has(CI_FILE):
        read = worktree.read([CI_FILE], [CI_FILE])[CI_FILE].content
        content, what = read.decode("utf-8", "replace"), f"{CI_FILE} in the working directory"
    return render.looked_over(api.lint(target, content, ref), what)


@tool(toolset="pipelines", writes=True, job_token=False, opt_in=True)
def run_pipeline(
    ctx: Ctx,
    ref: Ref = "",
    variables: dict[str, str] = {},
    inputs: dict[str, Any] = {},
    project: Project = "",
) -> str:
    """Start a pipeline of a branch or tag (default: the default branch)."""
    target = ctx.project(project)
    ref = ref or ctx.repository(target).default_branch
    return render.started(api.run(target, ref, variables, inputs))


@tool(toolset="pipelines", writes=True, destructive=True, idempotent=True, job_token=False, opt_in=True)
def cancel_pipeline(ctx: Ctx, pipeline_id: PipelineId, project: Project = "") -> str:
    """Cancel a pipeline: its jobs that have not ended."""
    return render.canceled(api.cancel(ctx.project(project), pipeline_id))


def located(ctx: Ctx, pipeline_id: int = 0, ref: str = "", iid: str = "", project: str = "") -> api.PipelinePath:
    """The pipeline that is given, else the latest of ref, of the merge request, of what this run is about."""
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
