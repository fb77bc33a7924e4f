"""The threads of an issue or merge request, with the lines of code that they hang on; resolving them."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from gitlab_mcp.api.client import GitLab, segment
from gitlab_mcp.api.entity import Entity
from gitlab_mcp.api.project import Noteable
from gitlab_mcp.api.writes import Written, write_once
from gitlab_mcp.errors import Failure, GitLabRefusal, Refused

PER_PAGE = 10
CODE_LINES = 5

File = tuple[str, str]  # its path, and the commit it is in


@dataclass(frozen=True)
class Thread:
    """A discussion without its system notes; `code` are numbered lines of the file that it hangs on."""

    discussion: Entity
    notes: Sequence[Entity]
    code: Sequence[tuple[int, str]] = ()

    @property
    def is_open(self) -> bool:
        return self.discussion.flag("resolvable") and not self.discussion.flag("resolved")

    @property
    def position(self) -> Entity:
        return self.notes[0].entity("position")

    @property
    def file(self) -> File:
        """The file whose lines it hangs on; empty where it hangs on none."""
        at = self.position
        if at.number("new_line"):
            return at.text("new_path"), at.sha("head_sha")
        return (at.text("old_path"), at.sha("base_sha")) if at.number("old_line") else ("", "")

    @property
    def lines(self) -> range:
        """The numbers of these lines."""
        side = "new_line" if self.position.number("new_line") else "old_line"
        last = self.position.number(side)
        first = self.position.number("line_range", "start", side) or last
        return range(max(first, last - CODE_LINES + 1), last + 1)


@dataclass(frozen=True)
class Threads:
    """A page of threads, newest first, of `total`, of which `unresolved` are open."""

    rows: Sequence[Thread]
    page: int
    total: int
    unresolved: int

    @property
    def next_page(self) -> int | None:
        return self.page + 1 if self.page * PER_PAGE < self.total else None


def newest_threads(target: Noteable, page: int, *, unresolved: bool) -> Threads:
    """Page `page` of the threads, counted from the newest; only those that are not resolved if asked."""
    gitlab = target.project.gitlab
    # GitLab lists them oldest first, with what the system noted between them, and filters nothing.
    found = [_thread(each) for each in gitlab.every(f"{target.path}/discussions")]
    threads = [thread for thread in reversed(found) if thread.notes]
    still_open = [thread for thread in threads if thread.is_open]
    chosen = still_open if unresolved else threads
    rows = chosen[(page - 1) * PER_PAGE : page * PER_PAGE]
    return Threads(_with_code(target, rows), page, len(chosen), len(still_open))


def _thread(discussion: Entity) -> Thread:
    return Thread(discussion, [note for note in discussion.entities("notes") if not note.flag("system")])


def _with_code(target: Noteable, threads: Sequence[Thread]) -> list[Thread]:
    gitlab = target.project.gitlab
    files = sorted({thread.file for thread in threads if all(thread.file)})
    texts = gitlab.together(partial(_text, gitlab, target.project.path, file) for file in files)
    lines = {file: text.split("\n") for file, text in zip(files, texts, strict=True)}
    return [
        Thread(thread.discussion, thread.notes, _code(thread, lines[thread.file])) if thread.file in lines else thread
        for thread in threads
    ]


def _code(thread: Thread, lines: Sequence[str]) -> list[tuple[int, str]]:
    return [(number, lines[number - 1]) for number in thread.lines if 0 < number <= len(lines)]


def _text(gitlab: GitLab, project: str, file: File) -> str:
    """What a file holds in a commit; "" where it cannot be read, for it is only good to know."""
    path, commit = file
    try:
        content = gitlab.raw(f"{project}/repository/files/{segment(path)}/raw", ref=commit)
    except Failure:
        return ""
    return content.decode("utf-8", "replace") if b"\0" not in content[:8000] else ""


def set_resolved(gitlab: GitLab, noteable: str, thread: str, *, resolved: bool) -> Written[Entity]:
    """Resolve or reopen the discussion `thread` at the API path `noteable`."""
    path = f"{noteable}/discussions/{thread}"

    def find() -> Entity | None:
        found = gitlab.get(path)
        return found if found.flag("resolved") == resolved else None

    try:
        return write_once(partial(gitlab.put, path, {"resolved": resolved}), find, "Look with list_discussions.")
    except GitLabRefusal as refused:
        if refused.status != 403 or any(note.flag("resolvable") for note in gitlab.get(path).entities("notes")):
            raise
        raise Refused("This is a plain comment, not a thread: it cannot be resolved.") from refused
