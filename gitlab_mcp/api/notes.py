"""Posting and changing notes: comments on issues and merge requests."""

import re
from collections.abc import Callable
from functools import partial

from gitlab_mcp.api.client import GitLab
from gitlab_mcp.api.entity import Entity
from gitlab_mcp.api.idempotency import Deduplicator, WriteResult, is_made_since, is_same_text, look_with, write_once
from gitlab_mcp.errors import InvalidArgument, Partial, Refused, naming
from gitlab_mcp.safety.marker import MarkedText, marker_of


class Notes:
    """The notes that this run posts. Thread-safe."""

    def __init__(self, gitlab: GitLab) -> None:
        self._gitlab = gitlab
        self._deduplicator = Deduplicator()

    def post(self, noteable: str, body: str, thread: str, *, internal: bool) -> tuple[WriteResult[Entity], bool]:
        """Post a note at the API path `noteable`, in the discussion `thread` unless that is "".

        Returns the note, and whether it existed already.

        A repetition of the same text in the same place within ten minutes returns the first note.

        Raises AnswerLost when it is not known whether it was posted, Partial when GitLab executed a quick action in it.
        """
        send = partial(self._send, noteable, body, thread, internal)
        find = partial(self._find, noteable, body, thread)
        tools = naming(" with {}", "get_issue", "get_merge_request")
        check = f"Look{tools} whether it exists before posting it again."
        written, existed = self._deduplicator.create_once((noteable, thread, body), send, find, check)
        if not existed:
            check_no_quick_action(written.result)
        return written, existed

    def _send(self, noteable: str, body: str, thread: str, internal: bool) -> Entity:
        if thread:
            return self._gitlab.post(f"{noteable}/discussions/{thread}/notes", {"body": body})
        return self._gitlab.post(f"{noteable}/notes", {"body": body, **({"internal": True} if internal else {})})

    def _find(self, noteable: str, body: str, thread: str, began: float) -> Entity | None:
        """A note of this user with this body that was created since the monotonic time `began`."""
        me = self._gitlab.user.number("id")
        page = self._gitlab.page(f"{noteable}/notes", 1, 100, sort="desc", order_by="created_at")
        allowed = self._thread_notes(noteable, thread) if thread else None
        for note in page.rows:
            mine = note.number("author", "id") == me and not note.flag("system") and is_made_since(note, began, page)
            in_place = allowed is None or note.number("id") in allowed
            if mine and in_place and is_same_text(note.text("body"), self._gitlab.outgoing(body)):
                return note
        return None

    def _thread_notes(self, noteable: str, thread: str) -> set[int]:
        discussion = self._gitlab.get(f"{noteable}/discussions/{thread}")
        return {note.number("id") for note in discussion.entities("notes")}


def note_id(text: str) -> int:
    """The id of a note, from the id itself or from the note's URL. Raises InvalidArgument for anything else."""
    if not (match := re.fullmatch(r"(?:\S*#)?(?:note_|n)?(\d{1,18})", text.strip())):
        raise InvalidArgument(f'note is "{text}": give the id of a comment, such as 101, or its URL (…#note_101).')
    return int(match[1])


def change_note(gitlab: GitLab, path: str, edit: Callable[[str], str]) -> tuple[WriteResult[Entity], str]:
    """Change the text of a note at an API path to what `edit` makes of it; returns the note and the text that was sent.

    Raises Refused for a note that another user, or GitLab, wrote, and for the tracking note of a run.
    """
    old, me = gitlab.start(gitlab.get, path), gitlab.user.number("id")
    if old.result().flag("system") or old.result().number("author", "id") != me:
        raise Refused("This comment is not by the user of this run, and only its author can edit it: write a new one.")
    if marker_of(old.result().text("body")):
        raise Refused("The run itself keeps this comment up to date, so that a change would be lost: write a new one.")
    body = edit(old.result().text("body"))
    written = write_body(gitlab, path, body, look_with("list_discussions"))
    check_no_quick_action(written.result)
    return written, gitlab.outgoing(body)


def write_body(gitlab: GitLab, path: str, body: str | MarkedText, check: str) -> WriteResult[Entity]:
    """Give the note at an API path another text. Raises AnswerLost, which ends in `check`, as `write_once` does."""
    sent = gitlab.outgoing(body)

    def find() -> Entity | None:
        note = gitlab.get(path)
        return note if is_same_text(note.text("body"), sent) else None

    return write_once(partial(gitlab.put, path, {"body": body}), find, check)


def check_no_quick_action(note: Entity) -> None:
    """Raise Partial when GitLab executed a quick action in a note, although `neutralize` should have prevented it."""
    executed = note.names("commands_changes")
    if executed or (not note.number("id") and note.texts("summary")):
        summary = "; ".join(note.texts("summary"))
        raise Partial(
            f"GitLab executed quick actions in this text: {', '.join(executed) or summary}. {summary}"
            " This should not have happened: tell a maintainer, who can undo it."
        )
