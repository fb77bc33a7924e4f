"""GitLab's rate limit (429 with Retry-After) holds for all requests of a run: one wait for all, and few tries."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from gitlab_mcp.api.deadline import Call
from gitlab_mcp.errors import GitLabRefusal

TOO_MANY_REQUESTS = 429
TOO_MANY = "Too many requests: wait a minute, then try again."
TRIES = 3  # waits in a row after which GitLab still refused; then no call waits any more


class RateLimit:
    """When requests may be sent again. Thread-safe.

    After a wait one request is sent alone, to see whether the limit is over; the others wait for its response.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._alone = threading.Lock()
        self._until = 0.0  # monotonic
        self._reached = 0  # how often in a row
        self._text = ""

    @contextmanager
    def turn(self, call: Call) -> Iterator[None]:
        """Wait until a request may be sent, which happens inside the context.

        Raises GitLabRefusal, with the seconds to wait, when GitLab refused TRIES times or `call` has not so much time.
        """
        self._wait(call)
        alone = False
        while self._reached and not alone:
            if not (alone := self._alone.acquire(timeout=call.remaining())):
                raise self._refusal()
            if self._seconds() > 0:  # the request that was sent alone was refused
                self._alone.release()
                alone = False
                self._wait(call)
        sent = time.monotonic()
        try:
            yield
        except GitLabRefusal as refused:
            self._note(sent, refused)
            raise
        else:
            self._note(sent, None)
        finally:
            if alone:
                self._alone.release()

    def _wait(self, call: Call) -> None:
        while (seconds := self._seconds()) > 0:
            if self._reached >= TRIES or seconds >= call.remaining():
                raise self._refusal()
            call.wait(seconds, self._refusal())

    def _seconds(self) -> float:
        """How long to wait; 0 or less for not at all."""
        return self._until - time.monotonic()

    def _refusal(self) -> GitLabRefusal:
        """The failure of a request that is not sent; its status is 0, so that nothing tries it again."""
        seconds = max(1, round(self._seconds()))
        return GitLabRefusal(f"{self._text} GitLab asks to wait {seconds} s: try again then.", status=0)

    def _note(self, sent: float, refused: GitLabRefusal | None) -> None:
        """Note the response to a request that was sent at the monotonic time `sent`; None for a success.

        Raises GitLabRefusal when the limit was reached TRIES times in a row.
        """
        with self._lock:
            under_way = sent < self._until  # when the limit was reached
            if refused is None or refused.status != TOO_MANY_REQUESTS or not refused.retry_after:
                self._reached = self._reached if under_way else 0
                return
            self._reached += 0 if under_way else 1
            self._until = max(self._until, time.monotonic() + refused.retry_after)
            self._text = refused.text.removesuffix(TOO_MANY).strip()
            if self._reached >= TRIES:
                raise self._refusal() from refused
