"""One tool call: how long it may take, and whether the client still wants it."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from gitlab_mcp.errors import Failure, Unreachable

TRANSFER_SECONDS = 600.0
TOLD_SECONDS = 5.0  # how often a long transfer is told of


class Call:
    """The time that a tool call has left, in seconds, and whether it was cancelled.

    The time stands still while git transfers something.

    `progress` tells the client what the call waits for.
    """

    def __init__(self, deadline: float, progress: Callable[[str], None]) -> None:
        self.began = time.monotonic()
        self._seconds = deadline
        self._cancelled = threading.Event()
        self._progress = progress
        self._transfers = 0
        self._transferring_since = 0.0
        self._lock = threading.Lock()

    def cancel(self) -> None:
        """The client gave up: a wait ends at once and no further request is sent."""
        self._cancelled.set()

    def elapsed(self) -> float:
        """Seconds since the call began."""
        return time.monotonic() - self.began

    def remaining(self) -> float:
        """Seconds left. Raises Unreachable when the call was cancelled or its time is over."""
        self._check_wanted()
        if (left := self.left()) <= 0:
            raise Unreachable(f"{self.out_of_time()} Try again.")
        return left

    def left(self) -> float:
        """Seconds left; 0 or less when its time is over."""
        with self._lock:
            now = self._transferring_since if self._transfers else time.monotonic()
            return self.began + self._seconds - now

    @contextmanager
    def transfer(self, what: str) -> Iterator[Callable[[], float]]:
        """A transfer between git and GitLab, which may take longer than the call and tells the client that it goes on.

        Gives a function that says how many of its seconds are left, and raises Unreachable when they are over or the
        call was cancelled.
        """
        began = told = time.monotonic()
        with self._lock:
            if not self._transfers:
                self._transferring_since = began
            self._transfers += 1

        def left() -> float:
            nonlocal told
            self._check_wanted()
            now = time.monotonic()
            if now - began >= TRANSFER_SECONDS:
                raise Unreachable(f"git did not end to {what} within {TRANSFER_SECONDS:.0f} s.")
            if now - told >= TOLD_SECONDS:
                told = now
                self._progress(f"git goes on to {what}: {now - began:.0f} s")
            return began + TRANSFER_SECONDS - now

        try:
            yield left
        finally:
            with self._lock:
                self._transfers -= 1
                if not self._transfers:
                    self._seconds += time.monotonic() - self._transferring_since

    def _check_wanted(self) -> None:
        if self._cancelled.is_set():
            raise Unreachable("The call was cancelled.")

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
