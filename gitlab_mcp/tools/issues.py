"""Tools for issues."""

from functools import partial
from typing import Any, Literal

from gitlab_mcp.api import discussions
from gitlab_mcp.context import Ctx
from gitlab_mcp.params import Detail, Iid, Labels, PageNumber, Project, Username
from gitlab_mcp.registry import tool
from gitlab_mcp.render import issues as render
from gitlab_mcp.render.lists import listing

ROWS = 20


@tool(toolset="issues")
def list_issues(
    ctx: Ctx,
    state: Literal["opened", "closed", "all"] = "opened",
    search: str = "",
    labels: Labels = [],
    author: Username = "",
    assignee: Username = "",
    milestone: str = "",
    page: PageNumber = 1,
    project: Project = "",
) -> str:
    """List issues, newest first. All labels must match; search looks in title and description."""
    arguments: dict[str, Any] = {
        "state": state,
        "search": search,
        "labels": ",".join(labels),
        "author_username": author,
        "assignee_username": assignee,
        "milestone": milestone,
    }
    target = ctx.project(project)
    found = ctx.gitlab.page(f"{target.path}/issues", page, ROWS, **arguments)
    rows = map(partial(render.issue_row, ctx.list_authors(target, found.rows)), found.rows)
    given = {"state": state, "search": search, "labels": labels, "author": author, "assignee": assignee}
    given |= {"milestone": milestone, "project": project}
    return listing("Issues", "issue", rows, found, "list_issues", given)


@tool(toolset="issues", always_load=True)
def get_issue(ctx: Ctx, iid: Iid = "", page: PageNumber = 1, detail: Detail = "concise", project: Project = "") -> str:
    """Read an issue: description, newest 20 comments as threads (page 2 goes back), its merge requests.

    detail "full" adds system notes (who changed what).
    """
    target = ctx.noteable("issue", iid, project)
    gitlab = ctx.gitlab
    issue = gitlab.start(gitlab.get, target.path)
    comments = gitlab.start(discussions.newest, gitlab, target.path, page, system=detail == "full")
    related = gitlab.start(gitlab.every_readable, f"{target.path}/related_merge_requests")
    closing = gitlab.start(gitlab.every_readable, f"{target.path}/closed_by")
    texts = [issue.result(), *(comment.note for comment in comments.result().rows)]
    authors = ctx.authors(target.project, texts)
    return render.issue(issue.result(), related.result(), closing.result(), comments.result(), authors)
