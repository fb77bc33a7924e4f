"""The tool that says what this run is about."""

from gitlab_mcp.render import job as render
from gitlab_mcp.tools.context import Ctx
from gitlab_mcp.tools.definition import tool


@tool(toolset="job", always_load=True)
def get_job_context(ctx: Ctx) -> str:
    """Read what this run is about: its issue or merge request, what was asked by whom, its branch, its credential."""
    return render.job_context(ctx.settings, ctx.gitlab.identity, ctx.app.trigger.job_edits())
