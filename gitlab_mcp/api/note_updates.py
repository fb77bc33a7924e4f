"""Keeps a tracking note up to date from a thread of its own, so that a slow GitLab never holds up the run."""

import math
import threading
import time
from collections.abc import Callable

from gitlab_mcp.api.retry import seconds_to_retry
from gitlab_mcp.api.tracking_note import SECONDS, TrackingNote
from gitlab_mcp.errors import Failure

SECONDS_BETWEEN = 10.0


class NoteUpdates:
    """Writes the newest text of a tracking note, at most every `seconds`.

    The first text is written at once. While GitLab is away, it is tried again, always with the newest text. `report` is
    called with a sentence for the job's log, once for each kind of failure, also from the thread.
    """

    def __init__(self, note: TrackingNote, report: Callable[[str], None], *, seconds: float = SECONDS_BETWEEN) -> None:
        self._note = note
        self._report = report
        self._seconds = seconds
        self._text = ""
        self._written = ""
        self._attempts = 0
        self._reported: set[type[Failure]] = set()
        self._stopped = threading.Event()
        self._changed = threading.Event()
        self._thread = threading.Thread(target=self._keep_writing, name="tracking-note", daemon=True)

    def show(self, text: str) -> None:
        """Have `text` written as soon as it is due. Returns at once; a text that is replaced before is not sent."""
        self._text = text
        self._changed.set()
        if self._thread.ident is None:
            self._thread.start()

    def finish(self, text: str, *, seconds: float = 60.0) -> bool:
        """Write the last text, which says that the run has ended, and stop; returns whether it was written.

        While GitLab is away, it is tried again for `seconds`. Nothing is raised.
        """
        end = time.monotonic() + seconds
        self._stopped.set()
        self._changed.set()
        if self._thread.ident is not None:
            self._thread.join(seconds)
        self._attempts = 0
        while (left := end - time.monotonic()) > 0 and not self._thread.is_alive():
            if (wait := self._write(text, ended=True, seconds=left)) == 0:
                return True
            if wait == math.inf:
                return False
            time.sleep(min(wait, left))
        self._report(f"The tracking note does not say that the run has ended: GitLab was away for {seconds:.0f} s.")
        return False

    def _keep_writing(self) -> None:
        while not self._stopped.is_set():
            self._changed.wait()
            self._changed.clear()
            if self._stopped.is_set() or (text := self._text) == self._written:
                continue
            if (wait := self._write(text)) == math.inf:
                return
            if wait:
                self._changed.set()
            self._stopped.wait(max(self._seconds, wait))

    def _write(self, text: str, *, ended: bool = False, seconds: float = SECONDS) -> float:
        """Write a text. Returns 0 where it was written, else in how many seconds to try again: infinity for never."""
        try:
            self._note.write(text, ended=ended, seconds=seconds)
        except Failure as failure:
            self._attempts += 1
            if type(failure) not in self._reported:
                self._reported.add(type(failure))
                self._report(f"The tracking note was not written: {failure}")
            return seconds_to_retry(failure, self._attempts)
        self._written, self._attempts = text, 0
        return 0.0
