"""The tool that shows what a merge request changes."""

from functools import partial
from typing import Any

from gitlab_mcp.api.reviews.diff import lists_all
from gitlab_mcp.errors import NotFound
from gitlab_mcp.render import merge_request_diffs as render
from gitlab_mcp.repository.changed_files import changed_files
from gitlab_mcp.repository.paths import matcher
from gitlab_mcp.tools.context import Ctx
from gitlab_mcp.tools.definition import tool
from gitlab_mcp.tools.params import Globs, Iid, PageNumber, Project


@tool(toolset="merge_requests")
def get_merge_request_diff(
    ctx: Ctx,
    iid: Iid = "",
    paths: Globs = [],
    names_only: bool = False,
    page: PageNumber = 1,
    project: Project = "",
) -> str:
    """Read the diff of a merge request, with the line numbers that review_merge_request takes; or just names."""
    target = ctx.noteable("merge request", iid, project)
    repository = ctx.repository(target.project)
    merge_request, files = changed_files(target, repository)
    changed = {path for file in files for path in (file.path, file.old_path)}
    matches = matcher(paths, changed, partial(repository.entries, merge_request.entity("diff_refs").sha("head_sha")))
    chosen = [file for file in files if matches(file.path, file.old_path)]
    if paths and not chosen:
        globs = ", ".join(paths)
        raise NotFound(
            f"{target.sign} changes no file that matches {globs} (** crosses folders): names_only lists all."
        )
    arguments: dict[str, Any] = {"iid": iid, "paths": paths, "project": project}
    is_whole = lists_all(merge_request, files)
    if names_only:
        return render.file_names(merge_request, chosen, page, arguments, is_whole=is_whole)
    shown = [file for file in chosen if not file.kind or (file.hunks and file.path in paths)]
    return render.diff(merge_request, chosen, shown, page, arguments, is_whole=is_whole)
