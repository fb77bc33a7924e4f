"""The tracking note: one comment in which a run says what it does, and at its end what came of it."""

import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial

from gitlab_mcp.api.client import GitLab
from gitlab_mcp.api.deadline import limited
from gitlab_mcp.api.discussions import thread_of
from gitlab_mcp.api.entity import Entity
from gitlab_mcp.api.idempotency import is_same_text, write_once
from gitlab_mcp.api.notes import write_body
from gitlab_mcp.api.retry import FIRST_WAIT, retried
from gitlab_mcp.errors import Failure, GitLabRefusal, InvalidArgument, NotFound, Refused
from gitlab_mcp.safety.marker import MarkedText, Marker, marker_of, unmarked
from gitlab_mcp.safety.redact import redact

MARKER_PAGES = 5  # of 100 notes each, in which a marker is looked for, newest first
SECONDS = 30.0  # for the requests of one write or look-up
AWAY_SECONDS = 60.0  # how long work that no later look repeats is tried while GitLab is away
READ_BACK_SECONDS = (0.5, 1.0, 1.5, 2.0)
LOOK_UP = "The next update looks."


@dataclass(frozen=True)
class NotePlace:
    """Where a tracking note stands.

    `noteable` is the API path of the issue or merge request, such as /projects/acme%2Fapp/issues/7, `thread` the id of
    the discussion ("" for a new comment), `mention` the id of the note that asked (0 for none), and `internal` whether
    the thread is internal: then the note is written in this thread or not at all. `confirmed` is whether GitLab showed
    the thread; else the first write looks at it, and writes nothing where GitLab shows none.
    """

    noteable: str
    thread: str = ""
    mention: int = 0
    internal: bool = False
    confirmed: bool = True

    def note_path(self, number: int) -> str:
        """The API path of one of its notes."""
        thread = f"/discussions/{self.thread}" if "/repository/commits/" in self.noteable else ""
        return f"{self.noteable}{thread}/notes/{number}"


class TrackingNote:
    """The tracking note of one run. There is never a second one, also where the response to the first is lost.

    `run` names the run: the id of its CI job, or any other text of letters and digits. Not thread-safe.
    """

    def __init__(self, gitlab: GitLab, place: NotePlace, run: str, note: Entity | None = None) -> None:
        """Prepare the note of `run` at `place`, without a request; `note` is an existing one that the run goes on with.

        A job may run twice: the marker also holds a random number, so that each run has a note of its own.
        """
        self._gitlab = gitlab
        self._place = place
        self._run = f"{run}.{secrets.token_hex(4)}"
        self._note = note or Entity(None)
        self._posts = 0
        self._became_public = self._is_late_edit_possible = False

    @property
    def id(self) -> int:
        """The id of the note; 0 while it is not known to exist."""
        return self._note.number("id")

    def write(self, text: str, *, ended: bool = False, seconds: float = SECONDS) -> None:
        """Post the note, or give it another text. Secrets in `text` are replaced; `seconds` is the limit.

        `ended` records that the run has ended, so that nothing else closes the note. A note that somebody deleted is
        posted again only with the text of the end.

        Raises a Failure. Where it is not known whether the note was posted, the next write looks before it posts one.
        """
        text = redact(text, self._gitlab.settings.secret_values)
        with limited(seconds):
            if self._became_public:
                self._withdraw()
            if not self._place.confirmed:
                self._place = confirmed_place(self._gitlab, self._place)
            body = MarkedText(Marker(self._run, self._place.mention, ended), text)
            if self.id:
                try:
                    self._edit(body)
                except NotFound:
                    if not ended:
                        raise
                    self._note = Entity(None)
            if not self.id:
                self._post(body)
            if ended and self._posts > 1:
                self._remove_others()
            if ended and self._is_late_edit_possible:
                self._read_back(body)

    def _edit(self, body: MarkedText) -> None:
        began = time.monotonic()
        try:
            self._note = write_body(self._gitlab, self._place.note_path(self.id), body, LOOK_UP).result
        except Failure:
            self._is_late_edit_possible = True
            raise
        # An edit that was sent again has waited before.
        self._is_late_edit_possible |= time.monotonic() - began >= FIRST_WAIT / 2

    def _read_back(self, body: MarkedText) -> None:
        """Repeat the last edit where an earlier one, whose response was lost, took effect after it."""
        for seconds in READ_BACK_SECONDS:
            time.sleep(seconds)
            if not is_same_text(
                self._gitlab.get(self._place.note_path(self.id)).text("body"), self._gitlab.outgoing(body)
            ):
                self._edit(body)

    def _post(self, body: MarkedText) -> None:
        found = self._find() if self._posts else None
        self._note = found or write_once(partial(self._send, body), self._find, LOOK_UP, repeats=True).result
        if self._place.internal and not (self._note.flag("internal") or self._note.flag("confidential")):
            self._became_public = True
            self._withdraw()
        if not is_same_text(self._note.text("body"), self._gitlab.outgoing(body)):
            self._edit(body)

    def _send(self, body: MarkedText) -> Entity:
        self._posts += 1
        noteable, thread = self._place.noteable, self._place.thread
        is_commit = "/repository/commits/" in noteable
        if thread:
            try:
                return self._gitlab.post(f"{noteable}/discussions/{thread}/notes", {"body": body})
            except GitLabRefusal as refused:
                # The comment that asked was deleted, or it is a single one on a commit, which takes no reply:
                # Discussion#can_convert_to_discussion? in GitLab's app/models.
                if self._place.internal or refused.status not in ((404, 400) if is_commit else (404,)):
                    raise
                self._place = replace(self._place, thread="")
        if is_commit:
            discussion = self._gitlab.post(f"{noteable}/discussions", {"body": body})
            self._place = replace(self._place, thread=discussion.text("id"))
            return next(iter(discussion.entities("notes")), Entity(None))
        return self._gitlab.post(f"{noteable}/notes", {"body": body})

    def _withdraw(self) -> None:
        """Delete the note that became public, and write no other. Raises Refused."""
        if self.id:
            with suppress(NotFound):
                self._gitlab.send("delete", self._place.note_path(self.id))
            self._note = Entity(None)
        raise Refused("GitLab made the answer to an internal comment public, so that it was deleted.")

    def _find(self) -> Entity | None:
        notes = own_notes(self._gitlab, self._place)
        return next((note for note, marker in notes if marker.run == self._run), None)

    def _remove_others(self) -> None:
        """Delete what a post that seemed lost made late."""
        for note, marker in list(own_notes(self._gitlab, self._place)):
            if marker.run == self._run and note.number("id") != self.id:
                self._gitlab.send("delete", self._place.note_path(note.number("id")))


@dataclass(frozen=True)
class HandedIn:
    """A note whose id was handed in: the `note` if it may be taken, else None and `reason`, a sentence for the log.

    `ended` is whether the note says that the run `run` (the id of its job, "" for none) has answered this mention
    already; such a note is not taken.
    """

    note: Entity | None
    reason: str = ""
    ended: bool = False
    run: str = ""


def handed_in(gitlab: GitLab, place: NotePlace, note_id: int, run: str) -> HandedIn:
    """Look at a note whose id a listener handed in, which is untrusted.

    It is taken only if it is by the user of this run, stands in this thread and carries the marker of this mention, and
    if no other run has taken it. Where no comment asked (`place.mention` is 0), its marker names none either. While
    GitLab is away, it is tried again for a minute. Nothing is raised.
    """
    try:
        return retried(partial(_looked_at, gitlab, place, note_id, run), AWAY_SECONDS)
    except Failure as failure:
        return _not_taken(note_id, f"cannot be used: {failure}")


def _looked_at(gitlab: GitLab, place: NotePlace, note_id: int, run: str) -> HandedIn:
    with limited(SECONDS):
        note = gitlab.get(place.note_path(note_id))
        marker = marker_of(note.text("body"))
        is_own = note.number("author", "id") == gitlab.user.number("id") and not note.flag("system")
        if not is_own or not marker or marker.mention != place.mention:
            return _not_taken(note_id, "is not the tracking note of this mention")
        if place.mention and not _stands_in(gitlab, place, note_id):
            return _not_taken(note_id, "is in another thread")
    if marker.ended:
        return HandedIn(None, f"Comment {note_id} says that this mention was answered.", True, _job_of(marker))
    if _job_of(marker) not in ("", run):
        return _not_taken(note_id, "belongs to another run")
    return HandedIn(note)


def _not_taken(note_id: int, reason: str) -> HandedIn:
    return HandedIn(None, f"Comment {note_id}, which was handed in as the tracking note, {reason.rstrip('.')}.")


def place_of(gitlab: GitLab, noteable: str, note_id: int, mention: int) -> NotePlace | None:
    """Where the tracking note of a comment that was deleted stands; None where there is no such note."""
    try:
        place = confirmed_place(gitlab, NotePlace(noteable, mention=note_id))
    except (NotFound, InvalidArgument):
        return None
    return replace(place, mention=mention)


def answering_runs(gitlab: GitLab, place: NotePlace) -> set[str]:
    """The runs that have answered the mention of `place`, as their notes say; each by the id of its job, or "".

    While GitLab is away, it is tried again for a minute. Raises a Failure.
    """

    def look() -> set[str]:
        with limited(SECONDS):
            marked = own_notes(gitlab, place)
            return {_job_of(marker) for _, marker in marked if marker.mention == place.mention and marker.ended}

    return retried(look, AWAY_SECONDS) if place.mention else set()


def close_left_open(
    gitlab: GitLab, place: NotePlace, run: str, edit: Callable[[str], str], *, seconds: float = AWAY_SECONDS
) -> bool:
    """Close the note of a run that was killed: `edit` makes its last text of the present one, "" where it has no note.

    A note that a listener posted for the mention, and the run has not taken yet, is closed too. A run without a note is
    given one, so that whoever asked hears of it.

    Returns whether anything was written: nothing is where the note says that the run has ended. While GitLab is away,
    it is tried again for `seconds`; then, or when GitLab refuses, a Failure is raised.
    """
    return retried(partial(_close, gitlab, place, run, edit), seconds)


def _close(gitlab: GitLab, place: NotePlace, run: str, edit: Callable[[str], str]) -> bool:
    with limited(SECONDS):
        place = place if place.confirmed else confirmed_place(gitlab, place)
        marked = [pair for pair in own_notes(gitlab, place) if pair[1].mention == place.mention]
    notes = [pair for pair in marked if _is_of(pair[1], run)]
    notes = notes or [pair for pair in marked if place.mention and not _job_of(pair[1]) and not pair[1].ended]
    still_open = [note for note, marker in notes or [(Entity(None), Marker())] if not marker.ended]
    for note in still_open:
        TrackingNote(gitlab, place, run, note).write(edit(unmarked(note.text("body"))), ended=True)
    return bool(still_open)


def own_notes(gitlab: GitLab, place: NotePlace, user: int = 0) -> Iterator[tuple[Entity, Marker]]:
    """The notes with a marker that the user of this run, or the one with the id `user`, wrote, newest first."""
    author = user or gitlab.user.number("id")
    for note in _notes(gitlab, place):
        marker = marker_of(note.text("body"))
        if marker and note.number("author", "id") == author and not note.flag("system"):
            yield note, marker


def _notes(gitlab: GitLab, place: NotePlace) -> Iterator[Entity]:
    if "/repository/commits/" in place.noteable:
        for discussion in reversed(gitlab.every(f"{place.noteable}/discussions")):
            yield from reversed(discussion.entities("notes"))
        return
    number = 1
    while number and number <= MARKER_PAGES:
        page = gitlab.page(f"{place.noteable}/notes", number, 100, sort="desc", order_by="created_at")
        yield from page.rows
        number = page.next_number or 0


def confirmed_place(gitlab: GitLab, place: NotePlace) -> NotePlace:
    """The same place as GitLab shows it."""
    thread = place.thread or thread_of(gitlab, place.noteable, str(place.mention))
    notes = gitlab.get(f"{place.noteable}/discussions/{thread}").entities("notes")
    mention = place.mention if place.mention in [note.number("id") for note in notes] else 0
    internal = any(note.flag("internal") or note.flag("confidential") for note in notes)
    return NotePlace(place.noteable, thread, mention, internal)


def _stands_in(gitlab: GitLab, place: NotePlace, note_id: int) -> bool:
    discussion = gitlab.get(f"{place.noteable}/discussions/{place.thread}") if place.thread else Entity(None)
    return any(note.number("id") == note_id for note in discussion.entities("notes"))


def _is_of(marker: Marker, run: str) -> bool:
    """Whether a marker is of the job `run`."""
    return bool(run) and _job_of(marker) == run


def _job_of(marker: Marker) -> str:
    """The id of the job that writes a note; "" for one that a listener wrote."""
    return marker.run.partition(".")[0]
