"""The deadline of one tool call, and whether the client cancelled it."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from gitlab_mcp.errors import Failure, GitLabRefusal, Unreachable

TRANSFER_SECONDS = 600.0  # how long one transfer of git may take
PROGRESS_SECONDS = 5.0  # between two reports of progress during a long transfer


class Call:
    """The deadline of one tool call, and whether the client cancelled it.

    `deadline` is how many seconds the call may take; time in which git transfers data does not count. `progress` sends
    the client a message that says what the call waits for.
    """

    def __init__(self, deadline: float, progress: Callable[[str], None]) -> None:
        self.began = time.monotonic()
        self.seconds = deadline
        self._transferred = 0.0
        self._cancelled = threading.Event()
        self._progress = progress
        self._transfers = 0
        self._transferring_since = 0.0
        self._lock = threading.Lock()

    def cancel(self) -> None:
        """Record that the client cancelled the call: a wait ends at once, and no further request is sent."""
        self._cancelled.set()

    @property
    def is_cancelled(self) -> bool:
        """Whether the client cancelled the call, or it ended at its deadline."""
        return self._cancelled.is_set()

    def elapsed(self) -> float:
        """Seconds since the call began."""
        return time.monotonic() - self.began

    def remaining(self) -> float:
        """Seconds until the deadline. Raises Unreachable when the call was cancelled or the deadline has passed."""
        self._check_cancelled()
        if (left := self.left()) <= 0:
            raise Unreachable(f"{self.timeout_message()} Try again.")
        return left

    def left(self) -> float:
        """Seconds until the deadline; 0 or less when it has passed."""
        with self._lock:
            now = self._transferring_since if self._transfers else time.monotonic()
            return self.began + self.seconds + self._transferred - now

    @contextmanager
    def transfer(self, what: str) -> Iterator[Callable[[], float]]:
        """Stop the clock of the call while git transfers data, for at most TRANSFER_SECONDS.

        `what` completes "git continues to ...", the progress that the client is sent every PROGRESS_SECONDS.

        Yields a function that returns the seconds which are left for the transfer. It raises Unreachable when there are
        none, or the call was cancelled.
        """
        began = reported = time.monotonic()
        with self._lock:
            if not self._transfers:
                self._transferring_since = began
            self._transfers += 1

        def left() -> float:
            nonlocal reported
            self._check_cancelled()
            now = time.monotonic()
            if now - began >= TRANSFER_SECONDS:
                raise Unreachable(f"git could not {what} within {TRANSFER_SECONDS:.0f} s.")
            if now - reported >= PROGRESS_SECONDS:
                reported = now
                self._progress(f"git continues to {what}: {now - began:.0f} s")
            return began + TRANSFER_SECONDS - now

        try:
            yield left
        finally:
            with self._lock:
                self._transfers -= 1
                if not self._transfers:
                    self._transferred += time.monotonic() - self._transferring_since

    def _check_cancelled(self) -> None:
        if self._cancelled.is_set():
            raise Unreachable("The call was cancelled.")

    def timeout_message(self) -> str:
        """The text of the error when the deadline has passed."""
        return f"GitLab did not answer within the {self.seconds:.0f} s that one call has."

    def wait(self, seconds: float, failure: Failure) -> None:
        """Wait for `seconds` before a request that ended in `failure` is sent again, and report that to the client.

        Raises `failure` at once when the deadline is earlier, with the seconds that GitLab asks to wait added, and
        Unreachable when the call is cancelled meanwhile.
        """
        if seconds >= self.remaining():
            if isinstance(failure, GitLabRefusal) and failure.retry_after is not None:
                failure.text += f" GitLab asks to wait {seconds:.0f} s, longer than this call may take: try again then."
            raise failure
        if seconds >= 1:
            self._progress(f"waiting {seconds:.0f} s before trying again: {failure}")
        self._cancelled.wait(seconds)
        self.remaining()


current_call: ContextVar[Call] = ContextVar("current_call")
