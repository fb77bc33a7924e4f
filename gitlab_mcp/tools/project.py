"""Tools for a project, its labels, milestones, members, releases and wiki."""

from dataclasses import replace
from typing import Literal

from gitlab_mcp.api.client import segment
from gitlab_mcp.render import project as render
from gitlab_mcp.render.pagination import listing
from gitlab_mcp.tools.context import Ctx
from gitlab_mcp.tools.definition import tool
from gitlab_mcp.tools.params import OneLineText, PageNumber, Project, Text, Username

ROWS_PER_PAGE = 50
RELEASES = 10


@tool(toolset="project", opt_in=True, job_token=False)
def get_project(ctx: Ctx, project: Project = "") -> str:
    """Read a project: description, default branch, merge method, your role."""
    return render.project(ctx.gitlab.get(ctx.project(project).path))


@tool(toolset="project", opt_in=True, job_token=False)
def list_labels(ctx: Ctx, search: Text = "", page: PageNumber = 1, project: Project = "") -> str:
    """List labels of the project and the groups above it."""
    labels = ctx.gitlab.page(f"{ctx.project(project).path}/labels", page, ROWS_PER_PAGE, search=search)
    arguments = {"search": search, "project": project}
    return listing("Labels", "label", map(render.label_row, labels.rows), labels, "list_labels", arguments)


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
    milestones = ctx.gitlab.page(f"{ctx.project(project).path}/milestones", page, ROWS_PER_PAGE, **query)
    arguments = {"state": state, "search": search, "project": project}
    rows = map(render.milestone_row, milestones.rows)
    return listing("Milestones", "milestone", rows, milestones, "list_milestones", arguments)


@tool(toolset="project", opt_in=True, job_token=False)
def search_members(ctx: Ctx, search: Username = "", page: PageNumber = 1, project: Project = "") -> str:
    """List members with their role; search matches part of name or username."""
    members = ctx.gitlab.page(f"{ctx.project(project).path}/members/all", page, ROWS_PER_PAGE, query=search)
    arguments = {"search": search, "project": project}
    return listing("Members", "member", map(render.member_row, members.rows), members, "search_members", arguments)


@tool(toolset="project", opt_in=True)
def list_releases(ctx: Ctx, page: PageNumber = 1, project: Project = "") -> str:
    """List releases with their notes, newest first."""
    target = ctx.project(project)
    releases = ctx.gitlab.page(f"{target.path}/releases", page, RELEASES)
    return render.releases(releases, ctx.list_authors(target, releases.rows), {"project": project})


@tool(toolset="project", opt_in=True, job_token=False)
def list_wiki_pages(ctx: Ctx, search: Text = "", project: Project = "") -> str:
    """List the pages of the wiki; search matches part of the slug."""
    pages = ctx.gitlab.page(f"{ctx.project(project).path}/wikis")  # GitLab does not paginate this list
    pages = replace(pages, rows=[page for page in pages.rows if search.lower() in page.text("slug").lower()])
    return listing("Wiki pages", "page", map(render.wiki_row, pages.rows), pages, "list_wiki_pages", {})


@tool(toolset="project", opt_in=True, job_token=False)
def get_wiki_page(ctx: Ctx, slug: OneLineText, page: PageNumber = 1, project: Project = "") -> str:
    """Read a wiki page by its slug, as list_wiki_pages shows it; page 2 continues a long one."""
    slug = slug.strip()
    wiki_page = ctx.gitlab.get(f"{ctx.project(project).path}/wikis/{segment(slug)}")
    return render.wiki_page(wiki_page, page, {"slug": slug, "project": project})
