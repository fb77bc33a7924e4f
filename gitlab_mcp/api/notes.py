"""Posting notes, each once."""

import re
import threading
import time
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

from gitlab_mcp.api.client import GitLab
from gitlab_mcp.api.entity import Entity
from gitlab_mcp.api.writes import Written, write_once
from gitlab_mcp.call import current_call
from gitlab_mcp.errors import AnswerLost, InvalidArgument, Partial, Refused

# An agent that goes round in a circle posts the same words again; after this long, in seconds, they are meant anew.
SAME_NOTE_SECONDS = 600.0
# GitLab's clock is read from its answers, which show whole seconds.
CLOCK_SECONDS = 2.0


@dataclass
class _Posted:
    """What became of a note: `at` is when its call began, on the monotonic clock; `note` is empty while not known."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    at: float = 0.0
    note: Entity = field(default_factory=lambda: Entity(None))


class Notes:
    """The notes that this run posts. Calls come from many threads at once."""

    def __init__(self, gitlab: GitLab) -> None:
        self._gitlab = gitlab
        self._posted: dict[tuple[str, str, str], _Posted] = {}
        self._lock = threading.Lock()

    def post(self, noteable: str, body: str, thread: str, *, internal: bool) -> tuple[Written[Entity], bool]:
        """Post a note at the API path `noteable`, in the discussion `thread` if given; and whether it was there before.

        The same words in the same place again within ten minutes are answered with the first note.

        Raises AnswerLost when what became of it cannot be known, Partial when GitLab executed a quick action in it.
        """
        key = (noteable, thread, body)
        with self._lock:
            self._forget()
            posted = self._posted.setdefault(key, _Posted())
        with posted.lock:  # the same note twice at once waits for the first
            if posted.at and posted.note:
                return Written(posted.note, confirmed=False), True
            began = posted.at or current_call.get().began
            find = partial(self._find, noteable, body, thread, began)
            if posted.at and (found := find()):  # an earlier call lost its answer
                posted.note = found
                return Written(found, confirmed=True), True
            check = "Look with get_issue or get_merge_request whether it is there before posting it again."
            send = partial(self._send, noteable, body, thread, internal)
            try:
                written = write_once(send, find, check)
            except AnswerLost:
                posted.at = began
                raise
            posted.at, posted.note = began, written.result
        alarm(written.result)
        return written, False

    def _forget(self) -> None:
        old = time.monotonic() - SAME_NOTE_SECONDS
        for key in [key for key, posted in self._posted.items() if posted.at and posted.at < old]:
            del self._posted[key]

    def _send(self, noteable: str, body: str, thread: str, internal: bool) -> Entity:
        if thread:
            return self._gitlab.post(f"{noteable}/discussions/{thread}/notes", {"body": body})
        return self._gitlab.post(f"{noteable}/notes", {"body": body, **({"internal": True} if internal else {})})

    def _find(self, noteable: str, body: str, thread: str, began: float) -> Entity | None:
        """A note of this user with this body that was made since `began`."""
        me = self._gitlab.user.number("id")
        page = self._gitlab.page(f"{noteable}/notes", 1, 100, sort="desc", order_by="created_at")
        since = page.at - (time.monotonic() - began) - CLOCK_SECONDS
        allowed = self._thread_notes(noteable, thread) if thread else None
        for note in page.rows:
            mine = note.number("author", "id") == me and not note.flag("system") and seconds_of(note) >= since
            in_place = allowed is None or note.number("id") in allowed
            if mine and in_place and _words(note.text("body")) == _words(self._gitlab.outgoing(body)):
                return note
        return None

    def _thread_notes(self, noteable: str, thread: str) -> set[int]:
        discussion = self._gitlab.get(f"{noteable}/discussions/{thread}")
        return {note.number("id") for note in discussion.entities("notes")}


def note_id(given: str) -> int:
    """The id of a note by itself or in its URL. Raises InvalidArgument for anything else."""
    if not (match := re.fullmatch(r"(?:\S*#)?(?:note_|n)?(\d{1,18})", given.strip())):
        raise InvalidArgument(f'note is "{given}": give the id of a comment, such as 101, or its URL (…#note_101).')
    return int(match[1])


def change_note(gitlab: GitLab, path: str, body: str) -> Written[Entity]:
    """Change the words of a note of this user's, at its API path. Raises Refused for what somebody else wrote."""
    note, me = gitlab.start(gitlab.get, path), gitlab.user.number("id")
    if note.result().flag("system") or note.result().number("author", "id") != me:
        raise Refused("This comment is not by the user of this run, and only its author changes it: write a new one.")

    def find() -> Entity | None:
        found = gitlab.get(path)
        return found if _words(found.text("body")) == _words(gitlab.outgoing(body)) else None

    written = write_once(partial(gitlab.put, path, {"body": body}), find, "Look with list_discussions.")
    alarm(written.result)
    return written


def alarm(note: Entity) -> None:
    """GitLab executed a quick action, although none was to be live: somebody has to know."""
    executed = note.names("commands_changes")
    if executed or (not note.number("id") and note.texts("summary")):
        told = "; ".join(note.texts("summary"))
        raise Partial(
            f"GitLab executed quick actions in this text: {', '.join(executed) or told}. {told}"
            " That was not meant to happen: tell a maintainer, who can undo it."
        )


def _words(body: str) -> str:
    return body.replace("\r\n", "\n").strip()


def seconds_of(note: Entity) -> float:
    """When a note was made, in seconds since the epoch; 0 where GitLab does not say."""
    try:
        return datetime.fromisoformat(note.text("created_at")).timestamp()
    except ValueError:
        return 0.0
