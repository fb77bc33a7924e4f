"""Tools for the jobs of pipelines."""

from typing import Annotated

from pydantic import Field

from gitlab_mcp.api import pipelines as api
from gitlab_mcp.api.job_logs.pattern import compiled
from gitlab_mcp.api.job_logs.reading import read_first_failed, read_log
from gitlab_mcp.context import Ctx
from gitlab_mcp.errors import InvalidArgument
from gitlab_mcp.params import JobId, Project, Ref
from gitlab_mcp.registry import tool
from gitlab_mcp.render import job_logs as render
from gitlab_mcp.render.pipelines import job_started
from gitlab_mcp.tools.pipelines import MergeRequest, located


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
    """Read a job's log: the part around the failure and the end, or what grep, start_line and end_line choose.

    Without job_id the first failed job of the latest pipeline, as get_pipeline. context: lines on either
    side of a match.
    """
    if end_line and end_line < start_line:
        raise InvalidArgument(f"end_line {end_line} is before start_line {start_line}.")
    if job_id and (ref or iid):
        raise InvalidArgument(f"job_id and {'ref' if ref else 'iid'} exclude each other: give one of them.")
    pattern = compiled(grep) if grep else None
    if job_id:
        log = read_log(ctx.gitlab, ctx.project(project).path, job_id)
    else:
        log = read_first_failed(ctx.gitlab, located(ctx, ref=ref, iid=iid, project=project))
    if pattern:
        return render.found(log, pattern, context, start_line, end_line)
    return render.part(log, start_line or 1, end_line) if start_line or end_line else render.failure(log)


@tool(toolset="pipelines", writes=True, job_token=False, opt_in=True)
def retry_job(ctx: Ctx, job_id: JobId, project: Project = "") -> str:
    """Run a job that has ended again."""
    return job_started(api.retry_job(ctx.project(project), job_id), job_id)
