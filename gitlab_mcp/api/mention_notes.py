"""The notes of the listener: the tracking note before a run has taken it, an answer without a run, and the last word.

Their markers hold no random number: a listener that was killed finds the note that it had posted.
"""

from collections.abc import Callable, Collection, Iterator

from gitlab_mcp.api.client import GitLab
from gitlab_mcp.api.entity import Entity
from gitlab_mcp.api.tracking_note import NotePlace, TrackingNote, own_notes
from gitlab_mcp.errors import NotFound
from gitlab_mcp.safety.marker import Marker, marker_of, unmarked


class ListenerNote(TrackingNote):
    """A note of the listener; `name` begins with a dot, and is "" for the tracking note that no run has taken."""

    def __init__(self, gitlab: GitLab, place: NotePlace, name: str, note: Entity | None = None) -> None:
        super().__init__(gitlab, place, name, note)
        self._run = name
        self._posts = 1  # another process may have posted it

    def _find(self) -> Entity | None:
        def is_it(marker: Marker) -> bool:
            return marker.run == self._run if self._run else marker.mention == self._place.mention

        return next((note for note, marker in own_notes(self._gitlab, self._place) if is_it(marker)), None)


def waiting_note(gitlab: GitLab, place: NotePlace, text: str, *, again: bool = False) -> tuple[int, bool]:
    """Post the tracking note of a mention, unless it is there; its id, and whether it says that a run has ended.

    `again` is whether a new run is to take a note that says so. Raises a Failure.
    """
    marked = _of_mention(gitlab, place, "", ())
    note, marker = next(marked, (Entity(None), Marker()))
    if note and not (again and marker.ended):
        return note.number("id"), marker.ended
    tracking = ListenerNote(gitlab, place, "", note or None)
    tracking.write(text)
    return tracking.id, False


def retell(gitlab: GitLab, place: NotePlace, number: int, text: str) -> None:
    """Give the tracking note another text, if no run has taken it. Raises a Failure."""
    note = gitlab.get(place.note_path(number))
    if marker_of(note.text("body")) == Marker(mention=place.mention):
        ListenerNote(gitlab, place, "", note).write(text)


def answer_once(gitlab: GitLab, place: NotePlace, name: str, text: str) -> None:
    """Post an answer to a mention that starts no run; `name` names it, and it is posted once. Raises a Failure."""
    note, marker = next(
        ((note, marker) for note, marker in own_notes(gitlab, place) if marker.run == name), (Entity(None), Marker())
    )
    if not note or not marker.ended:
        ListenerNote(gitlab, place, name, note or None).write(text, ended=True)


def close_after(
    gitlab: GitLab, place: NotePlace, name: str, jobs: Collection[str], edit: Callable[[str], str], other: int = 0
) -> bool:
    """Close the notes about a mention that no run has closed, after its pipeline ended; whether any was written.

    `jobs` are the ids of the pipeline's jobs, `name` names a note that is posted where there is none at all, and `edit`
    makes the last text of the present one ("" where there is none). `other` is the id of the user of the run where that
    is not the user of the listener, which cannot edit the note then. Raises a Failure.
    """
    marked = list(_of_mention(gitlab, place, name, jobs))
    if other and any(marker.ended for _, marker in _of_mention(gitlab, place, name, jobs, other)):
        return False
    still_open = [note for note, marker in marked if not marker.ended] if marked else [Entity(None)]
    for note in still_open:
        ListenerNote(gitlab, place, name, note or None).write(edit(unmarked(note.text("body"))), ended=True)
    return bool(still_open)


def text_after(gitlab: GitLab, place: NotePlace, jobs: Collection[str], user: int = 0) -> str:
    """The text of the note in which a run says how it ended; "" where there is none. Raises a Failure."""
    marked = _of_mention(gitlab, place, "", jobs, user)
    return next((unmarked(note.text("body")) for note, marker in marked if marker.ended), "")


def is_gone(gitlab: GitLab, place: NotePlace) -> bool:
    """Whether GitLab no longer shows the comment that asked, or the issue, merge request or commit."""
    path = place.note_path(place.mention) if place.mention else place.noteable
    if "/repository/commits/" in path and place.thread:
        path = f"{place.noteable}/discussions/{place.thread}"
    try:
        gitlab.get(path)
    except NotFound:
        return True
    return False


def _of_mention(
    gitlab: GitLab, place: NotePlace, name: str, jobs: Collection[str], user: int = 0
) -> Iterator[tuple[Entity, Marker]]:
    for note, marker in own_notes(gitlab, place, user):
        is_of_job = marker.run.rpartition(".")[0] in jobs
        if is_of_job or (name and marker.run == name) or (place.mention and marker.mention == place.mention):
            yield note, marker
