"""Tools that search."""

from gitlab_mcp.render import search as render
from gitlab_mcp.tools.context import Ctx
from gitlab_mcp.tools.definition import tool
from gitlab_mcp.tools.params import OneLineText, PageNumber, Project, Ref

MATCHES_PER_PAGE = 20


@tool(toolset="repository")
def search_code(ctx: Ctx, search: OneLineText, ref: Ref = "", page: PageNumber = 1, project: Project = "") -> str:
    """Search names and contents of files at ref (default: the default branch) for a text, case-insensitively."""
    blobs = ctx.repository(ctx.project(project)).search(search, ref, page, MATCHES_PER_PAGE)
    return render.code(blobs, search, ref, {"search": search, "ref": ref, "project": project})
