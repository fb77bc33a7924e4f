"""Looking closer: what is there instead of a file, who wrote its lines, where a branch is, what bars a new one."""

import posixpath
from collections.abc import Callable
from typing import TypeVar

from gitlab_mcp.api.client import Page
from gitlab_mcp.errors import Failure, GitLabRefusal, NotFound, Refused
from gitlab_mcp.git.objects import FOLDER, LINK, SUBMODULE, TreeEntry
from gitlab_mcp.repository import BlamedLines, File, Repository
from gitlab_mcp.repository.attributes import is_binary
from gitlab_mcp.repository.git_failures import not_beside
from gitlab_mcp.repository.paths import folders_above
from gitlab_mcp.safety.sanitize import one_line

T = TypeVar("T")


def read_folder(repository: Repository, path: str, ref: str, *, recursive: bool, page: int, per_page: int) -> Page:
    """A page of the folder at `path`. Raises NotFound, saying what is there instead."""
    try:
        found = repository.folder(ref, path, recursive=recursive, page=page, per_page=per_page)
    except NotFound as missing:
        raise _instead(repository, path, ref, wanted="folder") from missing
    if not found.rows and path and page == 1:
        # Git keeps no empty folders, so an empty list stands for a path that is no folder.
        raise _instead(repository, path, ref, wanted="folder")
    return found


def read_file(repository: Repository, path: str, ref: str) -> File:
    """The file at `path`.

    Raises NotFound, saying what is there instead; Refused for a symbolic link, naming where it points.
    """
    try:
        file = repository.file(path, ref)
    except NotFound as missing:
        raise _instead(repository, path, ref, wanted="file") from missing
    # A link's blob is its target. Few files have no line's end, so few cost this second request.
    if file.size < 4096 and b"\n" not in file.content:
        entry = repository.entries(ref, [path]).get(path)
        if entry and entry.mode == LINK:
            points = one_line(file.content.decode("utf-8", "replace"), 300)
            there = posixpath.normpath(posixpath.join(posixpath.dirname(path), points))
            raise Refused(f'{path} is a symbolic link to "{points}": read {there} instead.')
    return file


def blamed(repository: Repository, file: File, ref: str, first: int, last: int) -> list[BlamedLines]:
    """Which commits those of the lines `first` to `last` (0: the end) that a text file has came from."""
    lines = file.content.count(b"\n") + (not file.content.endswith(b"\n"))
    if first > lines or not file.content or is_binary(file.content):
        return []
    return repository.blame(file.path, ref, first, min(last, lines))


def newest_commit(repository: Repository, branch: str) -> str:
    """The commit that a branch points at; "" where there is none of this name, and where it cannot be learnt."""
    try:
        return repository.branch(branch).sha("commit", "id")
    except Failure:
        return ""


def creating(repository: Repository, branch: str, create: Callable[[], T]) -> T:
    """What `create` makes, which begins a branch.

    Raises Conflict where another branch stands in its way, else the failure of `create`.
    """
    try:
        return create()
    except GitLabRefusal as refused:
        if refused.status == 400 and "already exists" not in refused.reason:
            there = _in_the_way(repository, branch)
            if there:
                raise not_beside(branch, there) from refused
        raise


def _in_the_way(repository: Repository, branch: str) -> str:
    """A branch whose name is a folder of this one's, or the other way round; "" as far as none is found."""
    try:
        for above in folders_above(branch)[1:]:
            try:
                return repository.branch(above).text("name")
            except NotFound:
                continue
        below = repository.branches(f"^{branch}/", 1, 1).rows
    except Failure:
        return ""
    return below[0].text("name") if below else ""


def _instead(repository: Repository, path: str, ref: str, *, wanted: str) -> NotFound:
    entries = repository.entries(ref, [path])
    entry = entries.get(path)
    if not entries:
        said = f"Nothing is at {ref}: the ref is not there, or the repository has no commits yet. See list_branches."
    elif entry and entry.mode == SUBMODULE:
        said = f"{path} is a submodule (another repository, at commit {entry.id[:12]}): it has no content here."
    elif entry and entry.mode == FOLDER:
        said = f"{path} is a folder: list_files shows what is in it."
    elif entry and wanted == "folder":
        said = f"{path} is {'a symbolic link' if entry.mode == LINK else 'a file'}, not a folder: get_file reads it."
    else:
        name = posixpath.basename(path).lower()
        near = [other for other in entries if posixpath.basename(other).lower() == name]
        said = f"There is no {wanted} {path} at {ref}.{f' Did you mean {near[0]}?' if near else ''}"
        said += f" list_files shows what is in {_nearest(path, entries)}."
    return NotFound(said)


def _nearest(path: str, entries: dict[str, TreeEntry]) -> str:
    """The deepest folder above `path` that is there."""
    folder = posixpath.dirname(path)
    while folder and folder not in entries:
        folder = posixpath.dirname(folder)
    return folder or "the root"
