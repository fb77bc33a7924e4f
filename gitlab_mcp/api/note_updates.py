"""Keeps a tracking note up to date from a thread of its own, so that a slow GitLab never holds up the run."""

from collections.abc import Callable

from gitlab_mcp.api.tracking_note import TrackingNote

SECONDS_BETWEEN = 10.0


class NoteUpdates:
    """Writes the newest text of a tracking note, at most every `seconds`.

    The first text is written at once. While GitLab is away it is tried again, always with the newest text. `report` is
    called from the thread, once for each kind of failure, with a sentence for the job's log.
    """

    def __init__(self, note: TrackingNote, report: Callable[[str], None], *, seconds: float = SECONDS_BETWEEN) -> None:
        raise NotImplementedError

    def show(self, text: str) -> None:
        """Have `text` written as soon as it is due. Returns at once; a text that is replaced meanwhile is not sent."""
        raise NotImplementedError

    def finish(self, text: str, *, seconds: float = 60.0) -> bool:
        """Write the last text, which says that the run ended, and stop; returns whether it was written.

        While GitLab is away it is tried again for `seconds`. Nothing is raised.
        """
        raise NotImplementedError
