"""Discussions of an issue or merge request: its comments, its threads with the code that they are attached to.

GitLab calls a comment a note, and a thread a discussion.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

from gitlab_mcp.api.client import GitLab, Page, segment
from gitlab_mcp.api.entity import Entity
from gitlab_mcp.api.idempotency import WriteResult, look_with, write_once
from gitlab_mcp.api.project import Noteable
from gitlab_mcp.errors import Failure, GitLabRefusal, InvalidArgument, JobTokenNotAccepted, Refused
from gitlab_mcp.git.objects import is_binary

COMMENTS_PER_PAGE = 20
THREADS_PER_PAGE = 10
CODE_LINES = 5
EVENT_KINDS = ("label", "milestone", "state")
DISCUSSION_ID = re.compile(r"[0-9a-f]{40}")
NOTE_ID = re.compile(r"n?(\d{1,18})")

FileVersion = tuple[str, str]  # a path, and the SHA of a commit


@dataclass(frozen=True)
class Comment:
    """A note, the id of its thread ("" where it is in none), and the id of the note that it replies to (0 for none).

    `first_reply` is the first reply to the note, an empty object where it has none.
    """

    note: Entity
    thread: str = ""
    reply_to: int = 0
    first_reply: Entity = field(default_factory=lambda: Entity(None))

    @property
    def id(self) -> int:
        return self.note.number("id")


@dataclass(frozen=True)
class Comments:
    """A page of comments in order of time, threads kept together. `total` is None where GitLab does not count.

    `unreadable` is the reason where this credential may not read the comments.
    """

    rows: list[Comment]
    page: int
    next_page: int | None
    total: int | None
    unreadable: str = ""


@dataclass(frozen=True)
class Thread:
    """A discussion without its system notes; `code` are numbered lines of the file that it is attached to."""

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
        """The version of the file to whose lines the thread is attached; empty where it is attached to none."""
        at = self.position
        if at.number("new_line"):
            return at.text("new_path"), at.sha("head_sha")
        return (at.text("old_path"), at.sha("base_sha")) if at.number("old_line") else ("", "")

    @property
    def lines(self) -> range:
        """The numbers of these lines, at most the last CODE_LINES."""
        side = "new_line" if self.position.number("new_line") else "old_line"
        last = self.position.number(side)
        # When a push moves a thread, GitLab leaves line_range as it was, so only its length holds.
        start, end = (self.position.number("line_range", at, side) for at in ("start", "end"))
        first = last - (end - start) if start and end else last
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


def newest(gitlab: GitLab, noteable: str, page: int, *, system: bool) -> Comments:
    """Page `page` of the comments at the API path `noteable`, counted from the newest.

    `system` is whether system notes are included. GitLab lists discussions oldest first. Where one page contains them
    all, no further request is sent; otherwise the notes are listed newest first, and the remaining discussions only
    where some of these notes are in threads.
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
    # A note does not name its discussion; one of type null is the only note of its discussion.
    if first and any(comment.note.text("type") in ("DiscussionNote", "DiffNote") for comment in rows):
        others = gitlab.after(first, f"{noteable}/discussions")
        in_threads = {comment.id: comment for comment in _comments([*first.rows, *others])}
        rows = [in_threads.get(comment.id, comment) for comment in rows]
    return Comments(_threaded(rows), page, listed.next_number, listed.total)


def begin_changes(gitlab: GitLab, noteable: str) -> Callable[[], list[Entity]]:
    """Ask, in parallel, who changed labels, milestone and state of the issue or merge request at an API path.

    Returns a function that returns the changes, oldest first. GitLab records them as resource events instead of notes:
    https://docs.gitlab.com/api/resource_label_events/ and the pages beside it. A kind that GitLab refuses is left out.
    """
    kinds = [gitlab.start(gitlab.every_readable, f"{noteable}/resource_{kind}_events") for kind in EVENT_KINDS]

    def changes() -> list[Entity]:
        events = [event for kind in kinds for event in kind.result()]
        return sorted(events, key=lambda event: (event.text("created_at"), event.number("id")))

    return changes


def _first_discussions(gitlab: GitLab, noteable: str) -> Page | None:
    """The first page of discussions, oldest first; None with a job token, which cannot list them."""
    try:
        return gitlab.page(f"{noteable}/discussions")
    except JobTokenNotAccepted:
        return None


def _page(discussions: Iterable[Entity], page: int, *, system: bool) -> Comments:
    """A page of comments, from all discussions."""
    kept = [comment for comment in _comments(discussions) if system or not comment.note.flag("system")]
    kept.sort(key=lambda comment: (comment.note.text("created_at"), comment.id), reverse=True)
    end = page * COMMENTS_PER_PAGE
    rows = list(reversed(kept[end - COMMENTS_PER_PAGE : end]))
    return Comments(_threaded(rows), page, page + 1 if len(kept) > end else None, len(kept))


def _comments(discussions: Iterable[Entity]) -> Iterator[Comment]:
    """The notes of discussions, each with its thread and the note that it replies to."""
    for discussion in discussions:
        root = 0
        for note, reply in with_replies(discussion):
            yield Comment(note, discussion.text("id"), root, reply)
            root = root or note.number("id")


def with_replies(discussion: Entity) -> Iterator[tuple[Entity, Entity]]:
    """The notes of a discussion, the first one with the first reply to it, the others with an empty object."""
    notes = discussion.entities("notes")
    yield from zip(notes, [*notes[1:2], *(Entity(None) for _ in notes)], strict=False)


def _threaded(rows: list[Comment]) -> list[Comment]:
    """The same comments, those of a thread together at the place of its oldest one on this page."""
    order: dict[str, int] = {}
    for index, comment in enumerate(rows):
        order.setdefault(comment.thread or str(comment.id), index)
    return sorted(rows, key=lambda comment: order[comment.thread or str(comment.id)])


def thread_of(gitlab: GitLab, noteable: str, reply_to: str) -> str:
    """The id of the discussion `reply_to`: the id of a discussion, or of a note in one.

    Raises InvalidArgument when `reply_to` is not an id, or no discussion contains the note.
    """
    if DISCUSSION_ID.fullmatch(reply_to):
        return reply_to
    if not (match := NOTE_ID.fullmatch(reply_to)):
        raise InvalidArgument(
            f'"{reply_to}" is not the id of a comment: give its id, such as 101, that of its thread, or its URL.'
        )
    wanted = int(match[1])
    for discussion in gitlab.every(f"{noteable}/discussions"):
        if any(note.number("id") == wanted for note in discussion.entities("notes")):
            return discussion.text("id")
    raise InvalidArgument(f"There is no note {wanted} here: take the id from the list of comments (n101 is 101).")


def newest_threads(target: Noteable, page: int, *, unresolved: bool) -> Threads:
    """Page `page` of the threads, counted from the newest; with `unresolved`, only the open ones."""
    gitlab = target.project.gitlab
    # GitLab lists discussions oldest first, among them system notes, and offers no filter.
    discussions = [_thread(discussion) for discussion in gitlab.every(f"{target.path}/discussions")]
    threads = [thread for thread in reversed(discussions) if thread.notes]
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
    """The text of a file in a commit; "" where it is binary or cannot be read: threads are useful without it."""
    path, commit = file
    try:
        content = gitlab.raw(f"{project}/repository/files/{segment(path)}/raw", ref=commit)
    except Failure:
        return ""
    return "" if is_binary(content) else content.decode("utf-8", "replace")


def set_resolved(gitlab: GitLab, noteable: str, thread: str, *, resolved: bool) -> WriteResult[Entity]:
    """Resolve or reopen the discussion `thread` at the API path `noteable`. Raises Refused for a plain comment."""
    path = f"{noteable}/discussions/{thread}"

    def find() -> Entity | None:
        discussion = gitlab.get(path)
        return discussion if discussion.flag("resolved") == resolved else None

    try:
        return write_once(partial(gitlab.put, path, {"resolved": resolved}), find, look_with("list_discussions"))
    except GitLabRefusal as refused:
        if refused.status != 403 or any(note.flag("resolvable") for note in gitlab.get(path).entities("notes")):
            raise
        raise Refused("This is a plain comment, not a thread: it cannot be resolved.") from refused
