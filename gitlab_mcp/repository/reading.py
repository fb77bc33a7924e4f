"""Reading files and folders: what is at a path instead of what was asked for, and who wrote its lines."""

import posixpath

from gitlab_mcp.api.client import Page
from gitlab_mcp.errors import NotFound, Refused
from gitlab_mcp.git.objects import FOLDER, LINK, SUBMODULE, TreeEntry
from gitlab_mcp.repository.git_attributes import is_binary
from gitlab_mcp.repository.interface import BlamedLines, File, Repository
from gitlab_mcp.safety.sanitize import one_line


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
