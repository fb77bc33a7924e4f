"""Tools for a person's own work, across projects."""

from gitlab_mcp.api import my_work as api
from gitlab_mcp.render import my_work as render
from gitlab_mcp.render.pagination import listing
from gitlab_mcp.tools.context import Ctx
from gitlab_mcp.tools.definition import tool
from gitlab_mcp.tools.params import PageNumber, Text

PROJECTS_PER_PAGE = 30


@tool(toolset="my_work", job_token=False)
def list_projects(ctx: Ctx, search: Text = "", mine: bool = True, page: PageNumber = 1) -> str:
    """List projects, latest activity first; mine false: also those where you are not a member."""
    projects = api.projects(ctx.gitlab, search, page, PROJECTS_PER_PAGE, mine=mine)
    arguments = {"search": search} | ({} if mine else {"mine": mine})
    return listing("Projects", "project", map(render.project_row, projects.rows), projects, "list_projects", arguments)


@tool(toolset="my_work", job_token=False)
def list_my_work(ctx: Ctx) -> str:
    """List your work in all projects: merge requests to review, your own, issues; recent projects' failed pipelines."""
    work = api.my_work(ctx.gitlab)
    authors = ctx.authors_across([*work.reviews.rows, *work.merge_requests.rows, *work.issues.rows])
    return render.work(work, authors, ctx.gitlab.site)
