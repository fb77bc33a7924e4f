"""Tools that read files."""

from functools import partial
from typing import Annotated, Any

from pydantic import Field

from gitlab_mcp.errors import InvalidArgument
from gitlab_mcp.render import files as render
from gitlab_mcp.repository.reading import read_blame, read_file, read_folder
from gitlab_mcp.tools.context import Ctx
from gitlab_mcp.tools.definition import tool
from gitlab_mcp.tools.params import Detail, FolderOrLink, PageNumber, PathOrLink, Project, Ref

ENTRIES_PER_PAGE = 100


@tool(toolset="repository", always_load=True)
def list_files(
    ctx: Ctx,
    path: FolderOrLink = "",
    ref: Ref = "",
    recursive: bool = False,
    page: PageNumber = 1,
    project: Project = "",
) -> str:
    """List a folder of the repository at ref (default: the default branch); recursive: with its subfolders."""
    at = ctx.place(path, ref, project)
    path, project = at.path, at.project
    options: dict[str, Any] = {"recursive": recursive, "page": page, "per_page": ENTRIES_PER_PAGE}
    ref, entries = at.read(lambda ref: read_folder(at.repository, path, ref, **options))
    arguments = {"path": path, "ref": ref, "recursive": recursive or None, "project": project}
    return render.file_list(entries, path, ref, arguments)


@tool(toolset="repository", always_load=True)
def get_file(
    ctx: Ctx,
    path: PathOrLink,
    ref: Ref = "",
    start_line: Annotated[int, Field(ge=1)] = 1,
    end_line: Annotated[int, Field(ge=0)] = 0,
    start_column: Annotated[int, Field(ge=1, description="where in start_line to begin")] = 1,
    line_numbers: bool = False,
    detail: Detail = "concise",
    project: Project = "",
) -> str:
    """Read a text file at ref (default: the default branch), whole or from start_line to end_line.

    detail "full" adds git blame: before each line its commit, author and day.
    """
    if end_line and end_line < start_line:
        raise InvalidArgument(f"end_line {end_line} is before start_line {start_line}.")
    at = ctx.place(path, ref, project)
    if start_line == 1 and not end_line and any(at.lines):
        start_line, end_line = at.lines
    ref, file = at.read(partial(read_file, at.repository, at.path))
    blame = read_blame(at.repository, file, ref, start_line, end_line) if detail == "full" else []
    span = render.Span(start_line, end_line, start_column)
    return render.file(file, ref, span, blame, numbers=line_numbers)
