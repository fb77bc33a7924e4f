"""Tools for tags."""

from gitlab_mcp.context import Ctx
from gitlab_mcp.params import PageNumber, Project
from gitlab_mcp.registry import tool
from gitlab_mcp.render.lists import listing
from gitlab_mcp.render.tags import tag_row

ROWS = 50


@tool(toolset="repository", opt_in=True)
def list_tags(ctx: Ctx, search: str = "", page: PageNumber = 1, project: Project = "") -> str:
    """List tags, newest first; search matches part of the name."""
    path = f"{ctx.project(project).path}/repository/tags"
    found = ctx.gitlab.page(path, page, ROWS, search=search, order_by="updated", sort="desc")
    given = {"search": search, "project": project}
    return listing("Tags", "tag", map(tag_row, found.rows), found, "list_tags", given)
