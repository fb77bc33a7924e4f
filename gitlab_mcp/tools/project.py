"""Tools for a project and what it keeps beside code, issues and merge requests."""

from dataclasses import replace
from typing import Literal

from gitlab_mcp.api.client import segment
from gitlab_mcp.render import project as render
from gitlab_mcp.render.pagination import listing
from gitlab_mcp.tools.context import Ctx
from gitlab_mcp.tools.definition import tool
from gitlab_mcp.tools.params import PageNumber, Project, Text, Username, Words

ROWS_PER_PAGE = 50
RELEASES = 10


@tool(toolset="project", opt_in=True, job_token=False)
def get_project(ctx: Ctx, project: Project = "") -> str:
    """Read a project: description, default branch, how it merges, your role."""
    return render.project(ctx.gitlab.get(ctx.project(project).path))


@tool(toolset="project", opt_in=True, job_token=False)
def list_labels(ctx: Ctx, search: Text = "", page: PageNumber = 1, project: Project = "") -> str:
    """List labels of the project and the groups above it."""
    found = ctx.gitlab.page(f"{ctx.project(project).path}/labels", page, ROWS_PER_PAGE, search=search)
    given = {"search": search, "project": project}
    return listing("Labels", "label", map(render.label_row, found.rows), found, "list_labels", given)


@tool(toolset="project", opt_in=True, job_token=False)
def list_milestones(
    ctx: Ctx,
    state: Literal["active", "closed", "all"] = "active",
    search: Text = "",
    page: PageNumber = 1,
    project: Project = "",
) -> str:
    """List milestones of the project and the groups above it."""
    query = {"state": "" if state == "all" else state, "search": search, "include_ancestors": "true"}
    found = ctx.gitlab.page(f"{ctx.project(project).path}/milestones", page, ROWS_PER_PAGE, **query)
    given = {"state": state, "search": search, "project": project}
    return listing("Milestones", "milestone", map(render.milestone_row, found.rows), found, "list_milestones", given)


@tool(toolset="project", opt_in=True, job_token=False)
def search_members(ctx: Ctx, search: Username = "", page: PageNumber = 1, project: Project = "") -> str:
    """List members with their role; search matches part of name or username."""
    found = ctx.gitlab.page(f"{ctx.project(project).path}/members/all", page, ROWS_PER_PAGE, query=search)
    given = {"search": search, "project": project}
    return listing("Members", "member", map(render.member_row, found.rows), found, "search_members", given)


@tool(toolset="project", opt_in=True)
def list_releases(ctx: Ctx, page: PageNumber = 1, project: Project = "") -> str:
    """List releases with their notes, newest first."""
    target = ctx.project(project)
    found = ctx.gitlab.page(f"{target.path}/releases", page, RELEASES)
    return render.releases(found, ctx.list_authors(target, found.rows), {"project": project})


@tool(toolset="project", opt_in=True, job_token=False)
def list_wiki_pages(ctx: Ctx, search: Text = "", project: Project = "") -> str:
    """List the pages of the wiki; search matches part of the slug."""
    found = ctx.gitlab.page(f"{ctx.project(project).path}/wikis")  # which GitLab does not cut into pages
    chosen = [page for page in found.rows if search.lower() in page.text("slug").lower()]
    found = replace(found, rows=chosen)
    return listing("Wiki pages", "page", map(render.wiki_row, found.rows), found, "list_wiki_pages", {})


@tool(toolset="project", opt_in=True, job_token=False)
def get_wiki_page(ctx: Ctx, slug: Words, page: PageNumber = 1, project: Project = "") -> str:
    """Read a page of the wiki by its slug, as list_wiki_pages names it; page 2 goes on where a long one is cut."""
    slug = slug.strip()
    found = ctx.gitlab.get(f"{ctx.project(project).path}/wikis/{segment(slug)}")
    return render.wiki_page(found, page, {"slug": slug, "project": project})
