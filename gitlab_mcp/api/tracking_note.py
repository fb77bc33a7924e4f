"""The tracking note: one comment in which a run says what it does, and at its end what came of it."""

from collections.abc import Callable
from dataclasses import dataclass

from gitlab_mcp.api.client import GitLab
from gitlab_mcp.api.entity import Entity


@dataclass(frozen=True)
class NotePlace:
    """Where a tracking note stands.

    `noteable` is the API path of the issue or merge request, such as /projects/acme%2Fapp/issues/7, `thread` the id of
    the discussion ("" for a new comment), `mention` the id of the note that asked (0 for none), and `internal` whether
    the thread is internal: then the note is written in this thread or not at all.
    """

    noteable: str
    thread: str = ""
    mention: int = 0
    internal: bool = False


class TrackingNote:
    """The tracking note of one run. There is never a second one, also where the response to the first is lost.

    `run` names the run: the id of its CI job, or any text of letters and digits that is used only once.
    """

    def __init__(self, gitlab: GitLab, place: NotePlace, run: str, note: Entity | None = None) -> None:
        """Make the note of `run` at `place`; `note` is an existing one that the run goes on with."""
        raise NotImplementedError

    @property
    def id(self) -> int:
        """The id of the note; 0 while it is not known to exist."""
        raise NotImplementedError

    def write(self, text: str, *, ended: bool = False, seconds: float = 30.0) -> None:
        """Post the note, or give it another text. Secrets in `text` are replaced; `seconds` is the limit.

        `ended` records that the run has ended, so that nothing else closes the note.

        Raises a Failure; whether the note exists is then looked up before the next write posts one.
        """
        raise NotImplementedError


@dataclass(frozen=True)
class HandedIn:
    """A note whose id was handed in: the `note` if it may be taken, else None and `reason` (a sentence for the log).

    `ended` is whether the note says that a run has answered this mention already; such a note is not taken.
    """

    note: Entity | None
    reason: str = ""
    ended: bool = False


def handed_in(gitlab: GitLab, place: NotePlace, note_id: int, run: str) -> HandedIn:
    """Look at a note whose id a listener handed in, which is untrusted.

    It is taken only if it is by the user of this run, stands in this thread, and carries the marker of this mention,
    and no other run has taken it. No Failure is raised.
    """
    raise NotImplementedError


def close_left_open(gitlab: GitLab, place: NotePlace, run: str, edit: Callable[[str], str]) -> bool:
    """Close the note of a run that was killed: `edit` makes the last text of its present one.

    Returns whether there was an open note. Raises a Failure when GitLab cannot be asked, or the note not be edited.
    """
    raise NotImplementedError
