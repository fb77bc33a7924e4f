"""Comments of an issue or merge request, in the threads that GitLab keeps them in."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from gitlab_mcp.api.client import GitLab, Page, segment
from gitlab_mcp.api.entity import Entity
from gitlab_mcp.api.idempotency import WriteResult, write_once
from gitlab_mcp.api.project import Noteable
from gitlab_mcp.errors import Failure, GitLabRefusal, InvalidArgument, JobTokenNotAccepted, Refused

COMMENTS_PER_PAGE = 20
DISCUSSION_ID = re.compile(r"[0-9a-f]{40}")
NOTE_ID = re.compile(r"n?(\d{1,18})")


@dataclass(frozen=True)
class Comment:
    """A note, and the note that began its thread (0 where it is in none, or began it itself)."""

    note: Entity
    thread: str = ""
    reply_to: int = 0

    @property
    def id(self) -> int:
        return self.note.number("id")


@dataclass(frozen=True)
class Comments:
    """A page of comments in order of time, threads kept together. `total` is None where GitLab does not count.

    `unreadable` says why there are none, where this credential may not see them.
    """

    rows: list[Comment]
    page: int
    next_page: int | None
    total: int | None
    unreadable: str = ""


def newest(gitlab: GitLab, noteable: str, page: int, *, system: bool) -> Comments:
    """Page `page` of the comments at the API path `noteable`, counted from the newest; system notes only if asked.

    GitLab lists discussions oldest first. Where one page holds them all, that is all that is asked for; else the notes
    are listed newest first, and the other discussions only where some of them are in threads.
    """
    first = _first_discussions(gitlab, noteable)
    if first and first.next_number is None:
        return _page(first.rows, page, system=system)
    activity = "all_notes" if system else "only_comments"
    query = {"sort": "desc", "order_by": "created_at", "activity_filter": activity}
    try:
        listed = gitlab.page(f"{noteable}/notes", page, COMMENTS_PER_PAGE, **query)
    except JobTokenNotAccepted as refused:
        return Comments([], page, None, None, unreadable=str(refused))
    rows = [Comment(note) for note in reversed(listed.rows) if system or not note.flag("system")]
    # Notes do not say which discussion they are in; those of type null are in none that has other notes.
    if first and any(comment.note.text("type") in ("DiscussionNote", "DiffNote") for comment in rows):
        others = gitlab.after(first, f"{noteable}/discussions")
        placed = {each.id: each for each in _placed([*first.rows, *others])}
        rows = [placed.get(comment.id, comment) for comment in rows]
    return Comments(_threaded(rows), page, listed.next_number, listed.total)


def _first_discussions(gitlab: GitLab, noteable: str) -> Page | None:
    """The oldest discussions; None with a job token, which may list the notes of a merge request only."""
    try:
        return gitlab.page(f"{noteable}/discussions")
    except JobTokenNotAccepted:
        return None


def _page(discussions: Iterable[Entity], page: int, *, system: bool) -> Comments:
    """A page of the comments in all the discussions that there are."""
    kept = [comment for comment in _placed(discussions) if system or not comment.note.flag("system")]
    kept.sort(key=lambda comment: (comment.note.text("created_at"), comment.id), reverse=True)
    end = page * COMMENTS_PER_PAGE
    rows = list(reversed(kept[end - COMMENTS_PER_PAGE : end]))
    return Comments(_threaded(rows), page, page + 1 if len(kept) > end else None, len(kept))


def _placed(discussions: Iterable[Entity]) -> Iterator[Comment]:
    """The notes of discussions, each with its place."""
    for discussion in discussions:
        notes = discussion.entities("notes")
        for note in notes:
            root = notes[0].number("id")
            yield Comment(note, discussion.text("id"), 0 if note.number("id") == root else root)


def _threaded(rows: list[Comment]) -> list[Comment]:
    """The same comments; a thread stands where its oldest comment of this page stands."""
    order: dict[str, int] = {}
    for index, comment in enumerate(rows):
        order.setdefault(comment.thread or str(comment.id), index)
    return sorted(rows, key=lambda comment: order[comment.thread or str(comment.id)])


def thread_of(gitlab: GitLab, noteable: str, reply_to: str) -> str:
    """The id of the discussion that `reply_to` names: itself, or the one that holds that note.

    Raises InvalidArgument when no discussion there holds the note.
    """
    if DISCUSSION_ID.fullmatch(reply_to):
        return reply_to
    if not (match := NOTE_ID.fullmatch(reply_to)):
        raise InvalidArgument(
            f'"{reply_to}" names no comment: give its id, such as 101, that of its thread, or its URL.'
        )
    wanted = int(match[1])
    for discussion in gitlab.every(f"{noteable}/discussions"):
        if any(note.number("id") == wanted for note in discussion.entities("notes")):
            return discussion.text("id")
    raise InvalidArgument(f"There is no note {wanted} here: take the id from the list of comments (n101 is 101).")


THREADS_PER_PAGE = 10
CODE_LINES = 5

FileVersion = tuple[str, str]  # its path, and the commit it is in


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
    def file(self) -> FileVersion:
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
        return self.page + 1 if self.page * THREADS_PER_PAGE < self.total else None


def newest_threads(target: Noteable, page: int, *, unresolved: bool) -> Threads:
    """Page `page` of the threads, counted from the newest; only those that are not resolved if asked."""
    gitlab = target.project.gitlab
    # GitLab lists them oldest first, with what the system noted between them, and filters nothing.
    found = [_thread(each) for each in gitlab.every(f"{target.path}/discussions")]
    threads = [thread for thread in reversed(found) if thread.notes]
    still_open = [thread for thread in threads if thread.is_open]
    chosen = still_open if unresolved else threads
    rows = chosen[(page - 1) * THREADS_PER_PAGE : page * THREADS_PER_PAGE]
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


def _text(gitlab: GitLab, project: str, file: FileVersion) -> str:
    """What a file holds in a commit; "" where it cannot be read, for it is only good to know."""
    path, commit = file
    try:
        content = gitlab.raw(f"{project}/repository/files/{segment(path)}/raw", ref=commit)
    except Failure:
        return ""
    return content.decode("utf-8", "replace") if b"\0" not in content[:8000] else ""


def set_resolved(gitlab: GitLab, noteable: str, thread: str, *, resolved: bool) -> WriteResult[Entity]:
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
