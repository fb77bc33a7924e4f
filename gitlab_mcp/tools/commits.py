"""Tools that write files."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from gitlab_mcp.api import merge_requests
from gitlab_mcp.context import Ctx
from gitlab_mcp.errors import Failure, InvalidArgument, Partial
from gitlab_mcp.params import Branch, Globs, Labels, Project, Ref
from gitlab_mcp.registry import tool
from gitlab_mcp.render.commits import committed
from gitlab_mcp.render.merge_requests import merge_request_written
from gitlab_mcp.repository.commit import FileAction, Request, commit


class NewMergeRequest(BaseModel):
    model_config = ConfigDict(extra="forbid")

    title: str
    description: str = ""
    target_branch: Branch = ""
    draft: bool | None = None
    labels: Labels = []


@tool(toolset="repository", writes=True, destructive=True, always_load=True)
def commit_files(
    ctx: Ctx,
    branch: Branch,
    message: str,
    actions: list[FileAction] = [],
    paths: Annotated[Globs, Field(description="globs, such as src/**")] = [],
    ref: Annotated[Ref, Field(description="creates branch, from here")] = "",
    merge_request: NewMergeRequest | None = None,
    project: Project = "",
) -> str:
    """Commit several files at once, all or none; may create the branch and open its merge request.

    Files you edited on disk need no content: paths commits whatever differs there from the branch, deletions too;
    an action without content takes that file from there. Without action, a file is created or updated.
    """
    if not message.strip():
        raise InvalidArgument("message is empty: say what the commit changes and why.")
    if bool(actions) == bool(paths):
        raise InvalidArgument(
            'Give actions, such as [{"path": "src/app.py"}], or paths, such as ["src/**"], to say what to commit.'
        )
    target = ctx.project(project)
    repository, worktree = ctx.repository(target), ctx.worktree(target)
    into = merge_request.target_branch or target.default_branch if merge_request else ""
    if merge_request:
        merge_requests.titled(merge_request.title, merge_request.draft)
        if into == branch:
            raise InvalidArgument(f"{branch} cannot be merged into itself: commit to another branch.")
        if merge_request.target_branch:
            repository.branch(into)  # a missing one is said before anything is committed
    done = commit(target, repository, worktree, Request(branch, message, ref, actions, paths))
    answer = committed(done)
    if merge_request is None:
        return answer
    wanted = merge_requests.Wanted(
        merge_request.title, merge_request.description, merge_request.draft, merge_request.labels
    )
    try:
        opened, is_new = merge_requests.open_merge_request(target, branch, into, wanted)
    except Failure as failure:
        raise Partial(
            f"the commit is done, only the merge request is not. {answer}\nThe merge request was not opened: {failure}"
            " Do not commit again; create_merge_request opens it."
        ) from failure
    return f"{answer}\n{merge_request_written('Opened' if is_new else 'Already open:', opened)}"
