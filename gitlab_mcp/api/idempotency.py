"""Writes that happen once, also when their answer is lost."""

import threading
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Generic, TypeVar

from gitlab_mcp.api.client import Page
from gitlab_mcp.api.deadline import current_call
from gitlab_mcp.api.entity import Entity
from gitlab_mcp.api.retry import pause
from gitlab_mcp.errors import AnswerLost, Failure, GitLabRefusal, Unreachable

T = TypeVar("T")

TOO_MANY_REQUESTS = 429
GATEWAY = (502, 503, 504)  # what stands before GitLab answered, and GitLab may have done it
NOT_KNOWN = "Whether it took effect is not known."


@dataclass(frozen=True)
class WriteResult(Generic[T]):
    """What a write made. `confirmed`: its answer was lost, and a look-up found that it had taken effect."""

    result: T
    confirmed: bool


def write_once(send: Callable[[], T], find: Callable[[], T | None], check: str) -> WriteResult[T]:
    """Send a write; after a lost answer let `find` look whether it took effect before it is sent again.

    `find` gives what the write made, or None where it is not there. `check` tells a person how to look.

    Raises AnswerLost, with `check`, when the answer was lost and the look-up failed too or time ran out; else the
    failure of the write, which then did not take effect.
    """
    attempt, lost = 0, False
    while True:
        attempt += 1
        try:
            return WriteResult(send(), confirmed=False)
        except (AnswerLost, GitLabRefusal, Unreachable) as failure:
            lost = lost or _is_lost(failure)
            # A failure after a lost answer may mean that the lost one had taken effect.
            if lost and (found := _found(find, failure, check)) is not None:
                return WriteResult(found, confirmed=True)
            if not (_is_lost(failure) or _did_nothing(failure)):
                raise
            _wait(failure, attempt, lost, check)
            # What was slow to take effect may be there by now.
            if lost and (found := _found(find, failure, check)) is not None:
                return WriteResult(found, confirmed=True)


def _is_lost(failure: Failure) -> bool:
    """Whether the write may have taken effect: no answer, or a gateway's answer instead of GitLab's."""
    return isinstance(failure, AnswerLost) or (isinstance(failure, GitLabRefusal) and failure.status in GATEWAY)


def _did_nothing(failure: Failure) -> bool:
    """Whether the write surely took no effect and may be sent again: too many requests, or it never got there."""
    if isinstance(failure, GitLabRefusal):
        return failure.status == TOO_MANY_REQUESTS
    return isinstance(failure, Unreachable) and failure.passing


def _found(find: Callable[[], T | None], failure: Failure, check: str) -> T | None:
    try:
        return find()
    except Failure as blind:
        raise _unknown(failure, check) from blind


def _wait(failure: Failure, attempt: int, lost: bool, check: str) -> None:
    asked = failure.retry_after if isinstance(failure, GitLabRefusal) else None
    try:
        pause(current_call.get(), attempt, asked, failure)
    except Failure as ended:
        if lost:
            raise _unknown(failure, check) from ended
        raise


def _unknown(failure: Failure, check: str) -> AnswerLost:
    return AnswerLost(f"{failure} {NOT_KNOWN} {check}")


# An agent that goes round in a circle makes the same thing again; after this long, in seconds, it is meant anew.
SAME_SECONDS = 600.0
# GitLab's clock is read from its answers, which show whole seconds.
CLOCK_SECONDS = 2.0


@dataclass
class _Made:
    """What became of a thing: `at` is when its call began, on the monotonic clock; `made` is empty while not known."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    at: float = 0.0
    made: Entity = field(default_factory=lambda: Entity(None))


class Deduplicator:
    """What was made lately, by a key that says what it is. Calls come from many threads at once."""

    def __init__(self) -> None:
        self._made: dict[Hashable, _Made] = {}
        self._lock = threading.Lock()

    def create_once(
        self, key: Hashable, send: Callable[[], Entity], find: Callable[[float], Entity | None], check: str
    ) -> tuple[WriteResult[Entity], bool]:
        """Make a thing, and say whether it was there before. `find` looks for one made since a monotonic time.

        Raises AnswerLost, with `check`, when what became of it cannot be known.
        """
        with self._lock:
            self._forget()
            known = self._made.setdefault(key, _Made())
        with known.lock:  # the same twice at once waits for the first
            if known.at and known.made:
                return WriteResult(known.made, confirmed=False), True
            began = known.at or current_call.get().began
            if known.at and (found := find(began)):  # an earlier call lost its answer
                known.made = found
                return WriteResult(found, confirmed=True), True
            try:
                written = write_once(send, lambda: find(began), check)
            except AnswerLost:
                known.at = began
                raise
            known.at, known.made = began, written.result
        return written, False

    def _forget(self) -> None:
        old = time.monotonic() - SAME_SECONDS
        for key in [key for key, known in self._made.items() if known.at and known.at < old]:
            del self._made[key]


def is_made_since(thing: Entity, began: float, page: Page) -> bool:
    """Whether a thing on a page of GitLab's was made since `began`, a time on the monotonic clock."""
    since = page.at - (time.monotonic() - began) - CLOCK_SECONDS
    try:
        return datetime.fromisoformat(thing.text("created_at")).timestamp() >= since
    except ValueError:
        return False


def is_same_text(one: str, other: str) -> bool:
    """Whether two texts are the same to GitLab, which cuts the blanks at their ends."""
    return as_kept(one) == as_kept(other)


def as_kept(text: str) -> str:
    """A text as GitLab keeps it."""
    return text.replace("\r\n", "\n").strip()
