"""Idempotent writes: a write whose response is lost is looked up before it is sent again, and creates are deduplicated.

`write_once` guards one write. `Deduplicator.create_once` also returns the existing object when a call that creates it
is repeated, since GitLab would create a second one.
"""

import threading
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Generic, TypeVar

from gitlab_mcp.api.client import Page
from gitlab_mcp.api.deadline import current_call
from gitlab_mcp.api.entity import Entity
from gitlab_mcp.api.rate_limit import TOO_MANY_REQUESTS
from gitlab_mcp.api.retry import ATTEMPTS, pause
from gitlab_mcp.errors import NOT_KNOWN, AnswerLost, Failure, GitLabRefusal, Unreachable, naming

T = TypeVar("T")

GATEWAY_STATUSES = (502, 503, 504)  # sent by a proxy in front of GitLab; GitLab itself may have done the write

# The part of a call's time for which a lost write is looked up before it is sent again, where a second one would double
# it: under load GitLab takes seconds for a write whose connection broke long ago.
SETTLING = 0.1

# An agent in a loop repeats a create; after so many seconds a repetition counts as intended.
SAME_SECONDS = 600.0
# How far the time of a response may be off: the Date header has whole seconds.
CLOCK_SECONDS = 2.0


@dataclass(frozen=True)
class WriteResult(Generic[T]):
    """The result of a write. `confirmed`: the response was lost, and a look-up confirmed that the write took effect."""

    result: T
    confirmed: bool


@dataclass
class _Creation:
    """A create and its result, which is empty while it is not known; `at` is when its call began (monotonic time)."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    at: float = 0.0
    result: Entity = field(default_factory=lambda: Entity(None))


class Deduplicator:
    """The latest creates, by a key that identifies what they create. Thread-safe."""

    def __init__(self) -> None:
        self._creations: dict[Hashable, _Creation] = {}
        self._lock = threading.Lock()

    def create_once(
        self, key: Hashable, send: Callable[[], Entity], find: Callable[[float], Entity | None], check: str
    ) -> tuple[WriteResult[Entity], bool]:
        """Create an object with `send`, and return it and whether it existed already.

        It existed where a create with the same `key` began within the last SAME_SECONDS. `find` looks it up: it is
        called with a monotonic time and returns an object that was created since, or None.

        Raises AnswerLost, whose text ends in `check`, when it is not known whether the object was created.
        """
        with self._lock:
            self._forget_old()
            creation = self._creations.setdefault(key, _Creation())
        with creation.lock:  # the same create in another thread waits for this one
            if creation.at and creation.result:
                return WriteResult(creation.result, confirmed=False), True
            began = creation.at or current_call.get().began
            if creation.at and (existing := find(began)):  # an earlier call lost its response
                creation.result = existing
                return WriteResult(existing, confirmed=True), True
            try:
                written = write_once(send, lambda: find(began), check, repeats=True)
            except AnswerLost:
                creation.at = began
                raise
            creation.at, creation.result = began, written.result
        return written, False

    def _forget_old(self) -> None:
        oldest = time.monotonic() - SAME_SECONDS
        for key in [key for key, creation in self._creations.items() if creation.at and creation.at < oldest]:
            del self._creations[key]


def write_once(
    send: Callable[[], T], find: Callable[[], T | None], check: str, *, repeats: bool = False
) -> WriteResult[T]:
    """Send a write. When its response is lost, look up with `find` whether it took effect before it is sent again.

    `find` returns what the write made, or None where it did not take effect. `check` tells a person how to look it up.
    `repeats` says that GitLab would do the same write a second time. Such a write is looked up for SETTLING of the
    call's time before it is sent again, because it may take effect seconds after its response was lost.

    Raises AnswerLost, whose text ends in `check`, when the response was lost and the look-up failed too or time ran
    out; otherwise the failure of the write, which then did not take effect.
    """
    attempt, lost = 0, False
    settling = SETTLING * current_call.get().seconds if repeats else 0.0
    while True:
        attempt += 1
        try:
            return WriteResult(send(), confirmed=False)
        except (AnswerLost, GitLabRefusal, Unreachable) as failure:
            lost = lost or _may_have_taken_effect(failure)
            # After a lost response, GitLab may refuse the repetition because the first request took effect.
            if lost and (existing := _look_up(find, failure, check)) is not None:
                return WriteResult(existing, confirmed=True)
            if not (_may_have_taken_effect(failure) or _may_be_sent_again(failure)):
                raise
            waited, looks = _wait(failure, attempt, lost, check, _seconds_asked(failure)), 0
            # A slow write may have taken effect during the wait.
            while lost:
                if (existing := _look_up(find, failure, check)) is not None:
                    return WriteResult(existing, confirmed=True)
                if waited >= settling:
                    break
                looks += 1
                waited += _wait(failure, min(looks, ATTEMPTS - 1), lost, check)


def _may_have_taken_effect(failure: Failure) -> bool:
    """Whether the write may have taken effect: no response came, or that of a proxy instead of GitLab's."""
    return isinstance(failure, AnswerLost) or (
        isinstance(failure, GitLabRefusal) and failure.status in GATEWAY_STATUSES
    )


def _may_be_sent_again(failure: Failure) -> bool:
    """Whether a write that took no effect may be sent again: too many requests, or it did not reach GitLab."""
    if isinstance(failure, GitLabRefusal):
        return failure.status == TOO_MANY_REQUESTS
    return isinstance(failure, Unreachable) and failure.transient


def _look_up(find: Callable[[], T | None], failure: Failure, check: str) -> T | None:
    try:
        return find()
    except Failure as look_up_failure:
        raise _outcome_unknown(failure, check) from look_up_failure


def _seconds_asked(failure: Failure) -> float | None:
    return failure.retry_after if isinstance(failure, GitLabRefusal) else None


def _wait(failure: Failure, attempt: int, lost: bool, check: str, seconds: float | None = None) -> float:
    try:
        return pause(current_call.get(), attempt, seconds, failure)
    except Failure as last_failure:
        if lost:
            raise _outcome_unknown(failure, check) from last_failure
        raise


def _outcome_unknown(failure: Failure, check: str) -> AnswerLost:
    return AnswerLost(f"{failure.text} {NOT_KNOWN} {check}")


def look_with(tool: str) -> str:
    """How to look up whether a write took effect: with `tool`, where the run lists it."""
    return naming("Look with {}.", tool) or "Look before repeating it."


def is_made_since(created: Entity, began: float, page: Page) -> bool:
    """Whether an object on a page of a list was created since `began`, a monotonic time."""
    since = page.at - (time.monotonic() - began) - CLOCK_SECONDS
    try:
        return datetime.fromisoformat(created.text("created_at")).timestamp() >= since
    except ValueError:
        return False


def is_same_text(one: str, other: str) -> bool:
    """Whether GitLab would store two texts alike: it removes white space at both ends."""
    return as_stored(one) == as_stored(other)


def as_stored(text: str) -> str:
    """A text in the form in which GitLab stores it."""
    return text.replace("\r\n", "\n").strip()
