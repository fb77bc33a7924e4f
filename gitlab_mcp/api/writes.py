"""Writes that happen once, also when their answer is lost."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from gitlab_mcp.api.retrying import pause
from gitlab_mcp.call import current_call
from gitlab_mcp.errors import AnswerLost, Failure, GitLabRefusal, Unreachable

T = TypeVar("T")

TOO_MANY_REQUESTS = 429
GATEWAY = (502, 503, 504)  # what stands before GitLab answered, and GitLab may have done it
NOT_KNOWN = "Whether it took effect is not known."


@dataclass(frozen=True)
class Written(Generic[T]):
    """What a write made. `confirmed`: its answer was lost, and a look-up found that it had taken effect."""

    result: T
    confirmed: bool


def write_once(send: Callable[[], T], find: Callable[[], T | None], check: str) -> Written[T]:
    """Send a write; after a lost answer let `find` look whether it took effect before it is sent again.

    `find` gives what the write made, or None where it is not there. `check` tells a person how to look.

    Raises AnswerLost, with `check`, when the answer was lost and the look-up failed too or time ran out; else the
    failure of the write, which then did not take effect.
    """
    attempt, lost = 0, False
    while True:
        attempt += 1
        try:
            return Written(send(), confirmed=False)
        except (AnswerLost, GitLabRefusal, Unreachable) as failure:
            if not _is_lost(failure):
                if lost and isinstance(failure, GitLabRefusal) and (found := _found(find, failure, check)) is not None:
                    return Written(found, confirmed=True)  # refused because the lost one had taken effect
                if not _did_nothing(failure):
                    raise
                _wait(failure, attempt, lost, check)
                continue
            lost = True
            if (found := _found(find, failure, check)) is not None:
                return Written(found, confirmed=True)
            _wait(failure, attempt, lost, check)
            # What was slow to take effect may be there by now.
            if (found := _found(find, failure, check)) is not None:
                return Written(found, confirmed=True)


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
