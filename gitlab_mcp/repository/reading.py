"""Reading files, folders and blame, with errors that say what a path is instead of the requested file or folder."""

import posixpath

from gitlab_mcp.api.client import Page
from gitlab_mcp.errors import NotFound, Refused, naming
from gitlab_mcp.git.objects import FOLDER, LINK, SUBMODULE, TreeEntry, is_binary
from gitlab_mcp.repository.interface import BlamedLines, File, Repository
from gitlab_mcp.safety.sanitize import one_line

REF_SEGMENTS = 8  # of a branch's name in a link, each of which takes a request


def read_folder(repository: Repository, path: str, ref: str, *, recursive: bool, page: int, per_page: int) -> Page:
    """A page of the entries of the folder at `path`. Raises NotFound, saying what the path is instead."""
    try:
        entries = repository.folder(ref, path, recursive=recursive, page=page, per_page=per_page)
    except NotFound as missing:
        raise _not_found(repository, path, ref, wanted="folder") from missing
    if not entries.rows and path and page == 1:
        # Git stores no empty folders, so an empty list means that the path is not a folder.
        raise _not_found(repository, path, ref, wanted="folder")
    return entries


def read_file(repository: Repository, path: str, ref: str) -> File:
    """The file at `path`.

    Raises NotFound, saying what the path is instead; Refused for a symbolic link, naming its target.
    """
    try:
        file = repository.file(path, ref)
    except NotFound as missing:
        raise _not_found(repository, path, ref, wanted="file") from missing
    # The blob of a link is its target. Few files have no line break at all, so few cost this second request.
    if file.size < 4096 and b"\n" not in file.content:
        entry = repository.entries(ref, [path]).get(path)
        if entry and entry.mode == LINK:
            target = one_line(file.content.decode("utf-8", "replace"), 300)
            target_path = posixpath.normpath(posixpath.join(posixpath.dirname(path), target))
            raise Refused(f'{path} is a symbolic link to "{target}": read {target_path} instead.')
    return file


def read_blame(repository: Repository, file: File, ref: str, first: int, last: int) -> list[BlamedLines]:
    """The commits that last changed the lines `first` to `last` (0: the end) of a text file.

    Lines beyond the end are ignored; a binary or empty file has none.
    """
    lines = file.content.count(b"\n") + (not file.content.endswith(b"\n"))
    if first > lines or not file.content or is_binary(file.content):
        return []
    return repository.blame(file.path, ref, first, min(last, lines))


def _not_found(repository: Repository, path: str, ref: str, *, wanted: str) -> NotFound:
    """The failure for a path that is not a `wanted` ("file" or "folder")."""
    entries = repository.entries(ref, [path])
    entry = entries.get(path)
    if not entries:
        text = f"Nothing is at {ref}: the ref does not exist, or the repository has no commits yet."
        text += naming(" See {}.", "list_branches")
    elif entry and entry.mode == SUBMODULE:
        text = f"{path} is a submodule (another repository, at commit {entry.id[:12]}): it has no content here."
    elif entry and entry.mode == FOLDER:
        text = f"{path} is a folder{naming(': {} shows what is in it', 'list_files')}."
    elif entry and wanted == "folder":
        text = f"{path} is {'a symbolic link' if entry.mode == LINK else 'a file'}, not a folder"
        text += f"{naming(': {} reads it', 'get_file')}."
    else:
        name = posixpath.basename(path).lower()
        similar = [other for other in entries if posixpath.basename(other).lower() == name]
        text = f"There is no {wanted} {path} at {ref}.{f' Did you mean {similar[0]}?' if similar else ''}"
        text += naming(f" {{}} shows what is in {_nearest_folder(path, entries)}.", "list_files")
    return NotFound(text)


def _nearest_folder(path: str, entries: dict[str, TreeEntry]) -> str:
    """The deepest folder above `path` that exists."""
    folder = posixpath.dirname(path)
    while folder and folder not in entries:
        folder = posixpath.dirname(folder)
    return folder or "the root"


def ref_in(repository: Repository, text: str) -> str:
    """The ref with which `text`, a ref and perhaps a path behind it, begins: a name of a branch may contain "/".

    Raises NotFound when no part of it is a ref.
    """
    segments = text.split("/")
    for length in range(1, min(len(segments), REF_SEGMENTS) + 1):
        name = "/".join(segments[:length])
        try:
            repository.commit(name)
        except NotFound:
            continue
        return name
    raise NotFound(f"{text} begins with no branch, tag or commit of this project.", status=404)
