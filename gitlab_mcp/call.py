"""One tool call: how long it may take, and whether the client still wants it."""

import threading
import time
from contextvars import ContextVar

from gitlab_mcp.errors import Unreachable


class Call:
    """The time that a tool call has left, in seconds, and whether it was cancelled."""

    def __init__(self, deadline: float) -> None:
        self._seconds = deadline
        self._ends = time.monotonic() + deadline
        self._cancelled = threading.Event()

    def cancel(self) -> None:
        """The client gave up: whatever is under way is abandoned and no further request is sent."""
        self._cancelled.set()

    def remaining(self) -> float:
        """Seconds left. Raises Unreachable when the call was cancelled or its time is over."""
        if self._cancelled.is_set():
            raise Unreachable("The call was cancelled.")
        left = self._ends - time.monotonic()
        if left <= 0:
            raise Unreachable(f"GitLab did not answer within the {self._seconds:.0f} s that one call has. Try again.")
        return left


current_call: ContextVar[Call] = ContextVar("current_call")
