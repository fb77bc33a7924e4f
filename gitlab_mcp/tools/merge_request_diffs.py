"""The tool that shows what a merge request changes."""

from typing import Annotated, Any

from pydantic import Field

from gitlab_mcp.context import Ctx
from gitlab_mcp.errors import NotFound
from gitlab_mcp.params import Globs, Iid, PageNumber, Project
from gitlab_mcp.registry import tool
from gitlab_mcp.render import merge_request_diffs as render
from gitlab_mcp.repository.changed_files import changed_files
from gitlab_mcp.repository.paths import matcher


@tool(toolset="merge_requests")
def get_merge_request_diff(
    ctx: Ctx,
    iid: Iid = "",
    paths: Annotated[Globs, Field(description="only these files; globs, such as src/**")] = [],
    names_only: bool = False,
    page: PageNumber = 1,
    project: Project = "",
) -> str:
    """Read what a merge request changes, each line with the number that review_merge_request takes; or just names."""
    target = ctx.noteable("merge request", iid, project)
    merge_request, files = changed_files(target, ctx.repository(target.project))
    matches = matcher(paths)
    chosen = [file for file in files if matches(file.path, file.old_path)]
    if paths and not chosen:
        raise NotFound(f"{target.sign} changes no file that matches {', '.join(paths)}: names_only lists them all.")
    given: dict[str, Any] = {"iid": iid, "paths": paths, "project": project}
    if names_only:
        return render.file_names(merge_request, chosen, page, given)
    shown = [file for file in chosen if not file.kind or (file.hunks and file.path in paths)]
    return render.diff(merge_request, chosen, shown, page, given)
