"""Searching a repository over git, as GitLab's own search answers."""

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
SHOWN_BYTES = 1_000_000  # of a file that was found by its name


def search(git: GitClient, words: str, ref: str, page: int, per_page: int) -> Page:
    """A page of Blobs: files by their names first, then pieces of files by what they hold.

    Raises NotFound for an unknown ref, Refused where there is too much to search in.
    """
    try:
        tip = git.resolve(ref or "HEAD")
    except NotFound:
        if ref:
            raise
        return Page([], page, None, 0, 0, time.time())  # an empty repository
    entries = git.local(lambda time_left: objects.list_all(git.own, tip, time_left))
    try:
        git.ask("fetch the files", lambda time_left: fetch_everything(git.own, tip, time_left))
        inside = git.local(lambda time_left: grep(git.own, tip, words, time_left))
    except SearchTooLarge as much:
        raise Refused(f"Too much to search by git: {much}. {OTHER_WAYS_TO_SEARCH}") from much
    found = [*(GrepMatch(path) for path in matching_paths(entries, words)), *inside]
    shown = found[(page - 1) * per_page : page * per_page]
    pages = -(-len(found) // per_page)
    ids = {entry.path: entry.id for entry in entries}
    whole = [ids[each.path] for each in shown if not each.first]
    texts = git.local(lambda time_left: objects.blobs(git.own, whole, time_left)) if whole else {}
    rows = [_blob(each, texts.get(ids[each.path], b"")) for each in shown]
    return Page(rows, page, page + 1 if page < pages else None, len(found), pages, time.time())


def _blob(found: GrepMatch, content: bytes) -> Entity:
    """A Blob; of a file that was found by its name with all that it holds."""
    is_text = b"\0" not in content[:8000] and len(content) <= SHOWN_BYTES
    data = "\n".join(found.lines) if found.first else content.decode("utf-8", "replace") if is_text else ""
    return Entity({"path": found.path, "startline": found.first or 1, "data": data})
