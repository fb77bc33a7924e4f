"""Comments of an issue or merge request, in the threads that GitLab keeps them in."""

import re
from dataclasses import dataclass, replace

from gitlab_mcp.api.client import GitLab
from gitlab_mcp.api.entity import Entity
from gitlab_mcp.errors import InvalidArgument, NotWithJobToken

PER_PAGE = 20
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
    """Page `page` of the comments at the API path `noteable`, counted from the newest; system notes only if asked."""
    activity = "all_notes" if system else "only_comments"
    query = {"sort": "desc", "order_by": "created_at", "activity_filter": activity}
    try:
        listed = gitlab.page(f"{noteable}/notes", page, PER_PAGE, **query)
    except NotWithJobToken as refused:
        return Comments([], page, None, None, unreadable=str(refused))
    rows = [Comment(note) for note in reversed(listed.rows) if system or not note.flag("system")]
    # Notes do not say which discussion they are in; those of type null are in none that has other notes.
    if any(comment.note.text("type") in ("DiscussionNote", "DiffNote") for comment in rows):
        rows = _threaded(gitlab, noteable, rows)
    return Comments(rows, page, listed.next_number, listed.total)


def _threaded(gitlab: GitLab, noteable: str, rows: list[Comment]) -> list[Comment]:
    places: dict[int, tuple[str, int]] = {}
    for discussion in gitlab.every_readable(f"{noteable}/discussions"):
        notes = [note.number("id") for note in discussion.entities("notes")]
        for note in notes:
            places[note] = (discussion.text("id"), 0 if note == notes[0] else notes[0])
    placed = []
    for comment in rows:
        thread, root = places.get(comment.id, ("", 0))
        placed.append(replace(comment, thread=thread, reply_to=root))
    # A thread stands where its oldest comment of this page stands.
    order: dict[str, int] = {}
    for index, comment in enumerate(placed):
        order.setdefault(comment.thread or str(comment.id), index)
    return sorted(placed, key=lambda comment: order[comment.thread or str(comment.id)])


def thread_of(gitlab: GitLab, noteable: str, reply_to: str) -> str:
    """The id of the discussion that `reply_to` names: itself, or the one that holds that note.

    Raises InvalidArgument when no discussion there holds the note.
    """
    if DISCUSSION_ID.fullmatch(reply_to):
        return reply_to
    if not (match := NOTE_ID.fullmatch(reply_to)):
        raise InvalidArgument(
            f'reply_to is "{reply_to}": give a note id such as 101, a discussion id, or the URL of the comment.'
        )
    wanted = int(match[1])
    for discussion in gitlab.every(f"{noteable}/discussions"):
        if any(note.number("id") == wanted for note in discussion.entities("notes")):
            return discussion.text("id")
    raise InvalidArgument(
        f"There is no note {wanted} here to reply to: take the id from the list of comments (n101 is 101)."
    )
