"""Tools for merge requests."""

from functools import partial
from typing import Annotated, Any, Literal

from gitlab_mcp.api import discussions
from gitlab_mcp.api import merge_requests as api
from gitlab_mcp.api.merge_requests import overview
from gitlab_mcp.errors import InvalidArgument
from gitlab_mcp.render import merge_requests as render
from gitlab_mcp.render.notes import changes
from gitlab_mcp.render.pagination import listing
from gitlab_mcp.tools.context import Ctx
from gitlab_mcp.tools.definition import UNCHANGED, tool
from gitlab_mcp.tools.params import (
    CLEARABLE,
    CLEARABLE_LIST,
    Branch,
    Detail,
    Iid,
    Labels,
    OldText,
    PageNumber,
    Project,
    Username,
    Usernames,
)
from gitlab_mcp.tools.text_edits import edited_description

MERGE_REQUESTS_PER_PAGE = 20


@tool(toolset="merge_requests")
def list_merge_requests(
    ctx: Ctx,
    state: Literal["opened", "closed", "merged", "all"] = "opened",
    source_branch: Branch = "",
    target_branch: Branch = "",
    search: str = "",
    labels: Labels = [],
    author: Username = "",
    assignee: Username = "",
    reviewer: Username = "",
    page: PageNumber = 1,
    project: Project = "",
) -> str:
    """List merge requests, newest first. All labels must match."""
    filters: dict[str, Any] = {
        "state": state,
        "source_branch": source_branch,
        "target_branch": target_branch,
        "search": search,
    }
    query = {
        "labels": ",".join(labels),
        "author_username": author,
        "assignee_username": assignee,
        "reviewer_username": reviewer,
    }
    target = ctx.project(project)
    result = ctx.gitlab.page(f"{target.path}/merge_requests", page, MERGE_REQUESTS_PER_PAGE, **filters, **query)
    rows = map(partial(render.merge_request_row, ctx.list_authors(target, result.rows)), result.rows)
    arguments = filters | {"labels": labels, "author": author, "assignee": assignee, "reviewer": reviewer}
    arguments["project"] = project
    return listing("Merge requests", "merge request", rows, result, "list_merge_requests", arguments)


@tool(toolset="merge_requests", always_load=True)
def get_merge_request(
    ctx: Ctx, iid: Iid = "", page: PageNumber = 1, detail: Detail = "concise", project: Project = ""
) -> str:
    """Read a merge request: state, approvals, pipeline, files, description, newest 20 comments (page 2: older ones).

    detail "full" adds system notes and who changed labels, milestone, state.
    """
    target = ctx.noteable("merge request", iid, project)
    gitlab = ctx.gitlab
    ctx.begin_authors(target.project)
    trigger = ctx.app.trigger
    trigger.begin()
    merge_request = gitlab.start(gitlab.get, target.path)
    comments = gitlab.start(discussions.newest, gitlab, target.path, page, system=detail == "full")
    events = discussions.begin_changes(gitlab, target.path) if detail == "full" and page == 1 else None
    around = overview(target)
    entity, shown = trigger.subject(target.path, merge_request.result()), trigger.comments(comments.result())
    authors = ctx.authors(target.project, [entity, *(comment.note for comment in shown.rows)])
    whole = render.merge_request(entity, around, shown, authors)
    return whole + changes(events() if events else [])


@tool(toolset="merge_requests", writes=True, idempotent=True, always_load=True)
def create_merge_request(
    ctx: Ctx,
    source_branch: Branch,
    title: str,
    description: str = "",
    target_branch: Branch = "",
    draft: bool | None = None,
    labels: Labels = [],
    assignees: Usernames = [],
    reviewers: Usernames = [],
    remove_source_branch: bool | None = None,
    squash: bool | None = None,
    project: Project = "",
) -> str:
    """Open a merge request (target: the default branch). "Closes #7" in the description closes the issue on merge.

    If one is already open for these branches, it is returned unchanged.
    """
    target = ctx.project(project)
    repository = ctx.repository(target)
    wanted = api.NewMergeRequest(title, description, draft, labels, assignees, reviewers, remove_source_branch, squash)
    opened = repository.open_merge_request(source_branch, target_branch or repository.default_branch, wanted)
    return render.merge_request_opened(opened, "Already open, unchanged:")


@tool(toolset="merge_requests", writes=True, destructive=True, idempotent=True)
def update_merge_request(
    ctx: Ctx,
    iid: Iid = "",
    title: str = "",
    description: Annotated[str, CLEARABLE] = UNCHANGED,
    old_text: OldText = "",
    target_branch: Branch = "",
    state: Literal["", "close", "reopen"] = "",
    draft: bool | None = None,
    add_labels: Labels = [],
    remove_labels: Labels = [],
    assignees: Annotated[Usernames | None, CLEARABLE_LIST] = None,
    reviewers: Annotated[Usernames | None, CLEARABLE_LIST] = None,
    remove_source_branch: bool | None = None,
    squash: bool | None = None,
    project: Project = "",
) -> str:
    """Update a merge request: only given fields change. assignees and reviewers replace the list."""
    target = ctx.noteable("merge request", iid, project)
    update = api.Update(
        title=title or None,
        description=edited_description(ctx, target.path, title, description, old_text),
        target_branch=target_branch or None,
        state=state or None,
        draft=draft,
        add_labels=tuple(add_labels),
        remove_labels=tuple(remove_labels),
        assignees=assignees,
        reviewers=reviewers,
        remove_source_branch=remove_source_branch,
        squash=squash,
    )
    if not update:
        raise InvalidArgument("Nothing to change was given: give title, description, state, draft, labels or people.")
    updated = ctx.repository(target.project).update_merge_request(target, update)
    return render.merge_request_updated(updated)
