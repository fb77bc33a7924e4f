"""Tools for commits: writing them, listing them, comparing them."""

from dataclasses import replace
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from gitlab_mcp.api import merge_requests
from gitlab_mcp.errors import InvalidArgument, NotFound, Partial
from gitlab_mcp.render.commits import commit_row, committed
from gitlab_mcp.render.diffs import comparison, whole_commit
from gitlab_mcp.render.merge_requests import merge_request_opened
from gitlab_mcp.render.pagination import listing
from gitlab_mcp.repository.commit_files import CommitRequest, commit
from gitlab_mcp.repository.file_actions import RequestedChange
from gitlab_mcp.tools.context import Ctx
from gitlab_mcp.tools.definition import tool
from gitlab_mcp.tools.params import Branch, Globs, Labels, OldText, PageNumber, Path, PathOrLink, Project, Ref

COMMITS_PER_PAGE = 20


class FileAction(BaseModel):
    model_config = ConfigDict(extra="forbid")

    path: Path
    action: Literal["", "create", "update", "delete", "move", "chmod"] = ""
    content: Annotated[str | None, Field(description='default: from disk (move: if it is there); "" empties')] = None
    encoding: Literal["text", "base64"] = "text"
    executable: bool | None = None
    previous_path: Annotated[Path, Field(description="for move")] = ""
    old_text: OldText = ""
    last_commit_id: Annotated[str, Field(description="refuse if the file changed since")] = ""


class MergeRequestFields(BaseModel):
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
    paths: Globs = [],
    ref: Annotated[Ref, Field(description="where a new branch starts")] = "",
    merge_request: MergeRequestFields | None = None,
    project: Project = "",
) -> str:
    """Commit several files at once, all or none; can also create the branch and open its merge request.

    Files you edited on disk need no content: paths commits every file that differs from the branch, deletions too;
    create and update without content read the file from disk. Without action, a file is created or updated.
    """
    if not message.strip():
        raise InvalidArgument("message is empty: say what the commit changes and why.")
    if bool(actions) == bool(paths):
        raise InvalidArgument(
            'Give actions, such as [{"path": "src/app.py"}], or paths, such as ["src/**"], to say what to commit.'
        )
    target = ctx.project(project)
    repository = ctx.repository(target)
    changes = [RequestedChange(**action.model_dump()) for action in actions]
    request = CommitRequest(branch, message, ref, changes, paths)
    if merge_request:
        request = replace(request, **_merge_request(merge_request))
    done = commit(target, repository, ctx.worktree(target), request)
    answer = committed(done, repository.pipelines)
    if done.made.not_opened:
        raise Partial(
            f"the commit is done, only the merge request is not. {answer}\n"
            f"The merge request was not opened: {done.made.not_opened}"
        )
    if not (opened := done.made.opened):
        return answer
    return f"{answer}\n{merge_request_opened(opened, 'Already open:')}"


def _merge_request(fields: MergeRequestFields) -> dict[str, Any]:
    """Return the fields of CommitRequest for the merge request to open. Raises InvalidArgument for a wrong title."""
    merge_requests.titled(fields.title, fields.draft)
    wanted = merge_requests.NewMergeRequest(fields.title, fields.description, fields.draft, fields.labels)
    return {"target": fields.target_branch, "merge_request": wanted}


@tool(toolset="repository")
def list_commits(ctx: Ctx, ref: Ref = "", path: PathOrLink = "", page: PageNumber = 1, project: Project = "") -> str:
    """List commits of ref (default: the default branch), newest first; path: those that changed a file or folder."""
    at = ctx.place(path, ref, project)
    path, project = at.path, at.project
    ref, commits = at.read(lambda ref: at.repository.history(ref, path, page, COMMITS_PER_PAGE))
    title = f"Commits of {ref}{f' that changed {path}' if path else ''}"
    arguments = {"ref": ref, "path": path, "project": project}
    return listing(title, "commit", map(commit_row, commits.rows), commits, "list_commits", arguments)


@tool(toolset="repository")
def compare_refs(
    ctx: Ctx,
    base: Ref,
    head: Ref,
    paths: Globs = [],
    page: PageNumber = 1,
    project: Project = "",
) -> str:
    """Show what head has that base lacks: commits, and the diff since their merge base (paths limit it)."""
    if not (base and head):
        raise InvalidArgument("Give base and head, such as main and the branch to merge.")
    compared = ctx.repository(ctx.project(project)).compare(base, head, paths)
    if paths and compared.files and not compared.diffs:
        raise NotFound(f"None of the files that differ matches {', '.join(paths)} (** crosses folders).")
    return comparison(compared, page, {"base": base, "head": head, "paths": paths, "project": project})


@tool(toolset="repository", opt_in=True)
def get_commit(ctx: Ctx, ref: Ref, project: Project = "") -> str:
    """Read a commit: its message, its author, and its changed files with the number of lines added and removed."""
    if not ref:
        raise InvalidArgument("Give ref: the id of a commit, a branch or a tag.")
    return whole_commit(*ctx.repository(ctx.project(project)).commit_and_diffs(ref))
