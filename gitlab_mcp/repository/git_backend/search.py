"""Code search over git, with results like those of GitLab's own search."""

import time

from gitlab_mcp.api.client import Page
from gitlab_mcp.api.entity import Entity
from gitlab_mcp.errors import NotFound, Refused
from gitlab_mcp.git import objects
from gitlab_mcp.git.grep import GrepMatch, SearchTooLarge, fetch_everything, grep, matching_paths
from gitlab_mcp.repository.git_backend.client import GitClient

OTHER_WAYS_TO_SEARCH = (
    "Search in the working directory with grep; GITLAB_ACCESS_TOKEN (scope read_api) lets GitLab search."
)
SHOWN_BYTES = 1_000_000  # the largest file that is returned with its content where its name matches


def search(git: GitClient, words: str, ref: str, page: int, per_page: int) -> Page:
    """A page of Blobs: files whose name matches first, then parts of files whose content matches.

    Raises NotFound for an unknown ref, Refused where the search would be too large.
    """
    try:
        tip = git.resolve(ref or "HEAD")
    except NotFound:
        if ref:
            raise
        return Page([], page, None, 0, 0, time.time())  # an empty repository
    entries = git.local(objects.list_all, tip)
    try:
        git.ask("fetch the files", fetch_everything, tip)
        in_content = git.local(grep, tip, words)
    except SearchTooLarge as error:
        raise Refused(f"Too much to search by git: {error}. {OTHER_WAYS_TO_SEARCH}") from error
    matches = [*(GrepMatch(path) for path in matching_paths(entries, words)), *in_content]
    shown = matches[(page - 1) * per_page : page * per_page]
    pages = -(-len(matches) // per_page)
    ids = {entry.path: entry.id for entry in entries}
    by_name = [ids[match.path] for match in shown if not match.first]
    contents = git.local(objects.blobs, by_name) if by_name else {}
    rows = [_blob(match, contents.get(ids[match.path], b"")) for match in shown]
    return Page(rows, page, page + 1 if page < pages else None, len(matches), pages, time.time())


def _blob(match: GrepMatch, content: bytes) -> Entity:
    """A Blob; for a match of the file's name with the whole `content` of the file, if that is text."""
    is_text = not objects.is_binary(content) and len(content) <= SHOWN_BYTES
    data = "\n".join(match.lines) if match.first else content.decode("utf-8", "replace") if is_text else ""
    return Entity({"path": match.path, "startline": match.first or 1, "data": data})
