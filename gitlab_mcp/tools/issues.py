"""Tools for issues."""

from functools import partial
from typing import Annotated, Any, Literal

from pydantic import Field

from gitlab_mcp.api import discussions
from gitlab_mcp.api import issues as api
from gitlab_mcp.errors import InvalidArgument
from gitlab_mcp.render import issues as render
from gitlab_mcp.render.notes import changes
from gitlab_mcp.render.pagination import listing
from gitlab_mcp.tools.attachments import Attach, attached
from gitlab_mcp.tools.context import Ctx
from gitlab_mcp.tools.definition import UNCHANGED, tool
from gitlab_mcp.tools.params import (
    CLEARABLE,
    CLEARABLE_LIST,
    Detail,
    DueDate,
    Iid,
    Labels,
    OldText,
    PageNumber,
    Project,
    Text,
    Username,
    Usernames,
)
from gitlab_mcp.tools.text_edits import edited_description

ISSUES_PER_PAGE = 20


@tool(toolset="issues")
def list_issues(
    ctx: Ctx,
    state: Literal["opened", "closed", "all"] = "opened",
    search: Text = "",
    labels: Labels = [],
    author: Username = "",
    assignee: Username = "",
    milestone: Text = "",
    page: PageNumber = 1,
    project: Project = "",
) -> str:
    """List issues, newest first. All labels must match; search looks in title and description."""
    query: dict[str, Any] = {
        "state": state,
        "search": search,
        "labels": ",".join(labels),
        "author_username": author,
        "assignee_username": assignee,
        "milestone": milestone.strip(),
    }
    target = ctx.project(project)
    issues = ctx.gitlab.page(f"{target.path}/issues", page, ISSUES_PER_PAGE, **query)
    rows = map(partial(render.issue_row, ctx.list_authors(target, issues.rows)), issues.rows)
    arguments = {"state": state, "search": search, "labels": labels, "author": author, "assignee": assignee}
    arguments |= {"milestone": milestone, "project": project}
    return listing("Issues", "issue", rows, issues, "list_issues", arguments)


@tool(toolset="issues", always_load=True)
def get_issue(ctx: Ctx, iid: Iid = "", page: PageNumber = 1, detail: Detail = "concise", project: Project = "") -> str:
    """Read an issue: description, newest 20 comments as threads (page 2: older ones), its merge requests.

    detail "full" adds system notes and who changed labels, milestone, state.
    """
    target = ctx.noteable("issue", iid, project)
    gitlab = ctx.gitlab
    ctx.begin_authors(target.project)
    trigger = ctx.app.trigger
    trigger.begin()
    comments = gitlab.start(discussions.newest, gitlab, target.path, page, system=detail == "full")
    events = discussions.begin_changes(gitlab, target.path) if detail == "full" and page == 1 else None
    related = gitlab.start(gitlab.every_readable, f"{target.path}/related_merge_requests")
    closing = gitlab.start(gitlab.every_readable, f"{target.path}/closed_by")
    # In this thread, which would only wait otherwise.
    entity, shown = trigger.subject(target.path, gitlab.get(target.path)), trigger.comments(comments.result())
    authors = ctx.authors(target.project, [entity, *(comment.note for comment in shown.rows)])
    whole = render.issue(entity, related.result(), closing.result(), shown, authors)
    return whole + changes(events() if events else [])


@tool(toolset="issues", writes=True, job_token=False)
def create_issue(
    ctx: Ctx,
    title: Text,
    description: str = "",
    labels: Labels = [],
    assignees: Usernames = [],
    milestone: Text = "",
    due_date: DueDate = "",
    confidential: bool = False,
    attach: Attach = [],
    project: Project = "",
) -> str:
    """Create an issue. milestone by title; unknown labels are created."""
    target = ctx.project(project)
    fields = api.IssueFields(
        title=title,
        description=attached(ctx, target, description, attach) or None,
        labels=labels,
        assignees=assignees or None,
        milestone=milestone or None,
        due_date=due_date or None,
        confidential=confidential or None,
    )
    written, not_taken, again = ctx.app.issues.create(target, fields)
    return render.issue_created(written, not_taken, again=again)


@tool(toolset="issues", writes=True, destructive=True, idempotent=True, job_token=False)
def update_issue(
    ctx: Ctx,
    iid: Iid = "",
    title: Text = "",
    description: Annotated[str, CLEARABLE] = UNCHANGED,
    old_text: OldText = "",
    state: Literal["", "close", "reopen"] = "",
    add_labels: Labels = [],
    remove_labels: Labels = [],
    assignees: Annotated[Usernames | None, CLEARABLE_LIST] = None,
    milestone: Annotated[Text, CLEARABLE] = UNCHANGED,
    due_date: Annotated[DueDate, Field(description='2026-11-20; "" clears')] = UNCHANGED,
    confidential: bool | None = None,
    make_public: Annotated[bool, Field(description="with confidential: false")] = False,
    project: Project = "",
) -> str:
    """Update an issue: only given fields change. assignees replaces the list. milestone by title."""
    target = ctx.noteable("issue", iid, project)
    fields = api.IssueFields(
        title=title or None,
        description=edited_description(ctx, target.path, title, description, old_text),
        state=state or None,
        labels=tuple(add_labels),
        remove_labels=tuple(remove_labels),
        assignees=assignees,
        milestone=None if milestone == UNCHANGED else milestone,
        due_date=None if due_date == UNCHANGED else due_date,
        confidential=confidential,
    )
    if make_public and confidential is not False:
        raise InvalidArgument("make_public goes with confidential: false, which makes a confidential issue public.")
    if not fields:
        raise InvalidArgument("Nothing to change was given: give title, description, state, labels or assignees.")
    return render.issue_updated(api.update_issue(target, fields, make_public=make_public))
