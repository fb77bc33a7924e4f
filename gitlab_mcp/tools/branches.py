"""Tools for branches and tags."""

from gitlab_mcp.api.merge_requests import open_from
from gitlab_mcp.errors import Conflict
from gitlab_mcp.render import branches as render
from gitlab_mcp.render.pagination import listing
from gitlab_mcp.repository.branches import explain_name_conflict
from gitlab_mcp.repository.interface import Repository
from gitlab_mcp.tools.context import Ctx
from gitlab_mcp.tools.definition import tool
from gitlab_mcp.tools.params import Branch, PageNumber, Project, Ref

BRANCHES_PER_PAGE = 50


@tool(toolset="repository")
def list_branches(ctx: Ctx, search: str = "", page: PageNumber = 1, project: Project = "") -> str:
    """List branches with their newest commit; search matches part of the name."""
    branches = ctx.repository(ctx.project(project)).branches(search, page, BRANCHES_PER_PAGE)
    rows = map(render.branch_row, branches.rows)
    return listing("Branches", "branch", rows, branches, "list_branches", {"search": search, "project": project})


@tool(toolset="repository", writes=True, idempotent=True)
def create_branch(ctx: Ctx, branch: Branch, ref: Ref = "", project: Project = "") -> str:
    """Create a branch from ref (default: the default branch). commit_files can create it with its first commit."""
    target = ctx.project(project)
    ctx.gitlab.policy.check_branch(target.name, branch)
    repository = ctx.repository(target)
    start = ref or repository.default_branch
    try:
        created = explain_name_conflict(repository, branch, lambda: repository.create_branch(branch, start))
    except Conflict as conflict:
        if not conflict.already_exists:
            raise
        return _existing(repository, branch, start)
    return render.branch_created(created, start, repository.pipelines)


def _existing(repository: Repository, branch: str, start: str) -> str:
    """Answer for a branch that exists already. Raises Conflict when it is not at the commit of `start`."""
    existing = repository.branch(branch)
    if existing.text("commit", "id") != repository.commit(start).text("id"):
        tip = existing.text("commit", "short_id")
        raise Conflict(
            f"The branch {branch} already exists, at {tip}, and that is not where {start} is:"
            " commit to it as it is, or choose another name."
        )
    return render.branch_exists(existing, start)


@tool(toolset="repository", writes=True, destructive=True, idempotent=True, opt_in=True)
def delete_branch(ctx: Ctx, branch: Branch, project: Project = "") -> str:
    """Delete a branch; never the default branch or a protected one. GitLab closes its open merge requests with it."""
    target = ctx.project(project)
    ctx.gitlab.policy.check_branch(target.name, branch)
    merge_requests = open_from(target, branch)
    return render.branch_deleted(ctx.repository(target).delete_branch(branch), merge_requests)


TAGS_PER_PAGE = 50


@tool(toolset="repository", opt_in=True)
def list_tags(ctx: Ctx, search: str = "", page: PageNumber = 1, project: Project = "") -> str:
    """List tags, newest first; search matches part of the name."""
    path = f"{ctx.project(project).path}/repository/tags"
    tags = ctx.gitlab.page(path, page, TAGS_PER_PAGE, search=search, order_by="updated", sort="desc")
    arguments = {"search": search, "project": project}
    return listing("Tags", "tag", map(render.tag_row, tags.rows), tags, "list_tags", arguments)
