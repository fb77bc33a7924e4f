"""One tool call: how long it may take, and whether the client still wants it."""

import threading
import time
from collections.abc import Callable
from contextvars import ContextVar

from gitlab_mcp.errors import Failure, Unreachable


class Call:
    """The time that a tool call has left, in seconds, and whether it was cancelled.

    `progress` tells the client what the call waits for.
    """

    def __init__(self, deadline: float, progress: Callable[[str], None]) -> None:
        self.began = time.monotonic()
        self._seconds = deadline
        self._cancelled = threading.Event()
        self._progress = progress

    def cancel(self) -> None:
        """The client gave up: a wait ends at once and no further request is sent."""
        self._cancelled.set()

    def elapsed(self) -> float:
        """Seconds since the call began."""
        return time.monotonic() - self.began

    def remaining(self) -> float:
        """Seconds left. Raises Unreachable when the call was cancelled or its time is over."""
        if self._cancelled.is_set():
            raise Unreachable("The call was cancelled.")
        left = self.began + self._seconds - time.monotonic()
        if left <= 0:
            raise Unreachable(f"{self.out_of_time()} Try again.")
        return left

    def out_of_time(self) -> str:
        """What to say when its time is over."""
        return f"GitLab did not answer within the {self._seconds:.0f} s that one call has."

    def wait(self, seconds: float, failure: Failure) -> None:
        """Wait before what met `failure` is tried again, and tell the client so.

        Raises `failure` at once when the wait is longer than what is left, saying how long to wait.
        """
        if seconds >= self.remaining():
            asked = f"GitLab asks to wait {seconds:.0f} s, longer than this call may take: try again then."
            failure.args = (f"{failure} {asked}",)
            raise failure
        if seconds >= 1:
            self._progress(f"waiting {seconds:.0f} s before trying again: {failure}")
        self._cancelled.wait(seconds)
        self.remaining()


current_call: ContextVar[Call] = ContextVar("current_call")
