"""When a read is sent again, how long GitLab asks to wait, and what its clock says."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import partial

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gitlab_mcp.api.retry import backoff, retry_after, time_of, wait_to_retry
from gitlab_mcp.errors import AnswerLost, Failure, GitLabRefusal, InvalidArgument, NotFound, Refused, Unreachable
from tests.api.calls import NOTHING_MUCH, brief_call

NOON = datetime(2026, 11, 20, 12, 0, 0, tzinfo=UTC)


def date(seconds: int = 0) -> str:
    """GitLab's clock so many seconds after noon, as in a header."""
    return format_datetime(datetime.fromtimestamp(NOON.timestamp() + seconds, UTC), usegmt=True)


def reset(seconds: int) -> str:
    return str(int(NOON.timestamp()) + seconds)


def refused(status: int, seconds: float | None = None) -> GitLabRefusal:
    return GitLabRefusal(f"GitLab answered {status}.", status=status, retry_after=seconds)


TRANSIENT: dict[str, Callable[[], Failure]] = {
    **{str(status): partial(refused, status) for status in (429, 500, 502, 503, 504)},
    "never connected": lambda: Unreachable("x", transient=True),
    "a lost answer": lambda: AnswerLost("x", transient=True),
}
FINAL: dict[str, Callable[[], Failure]] = {
    **{str(status): partial(refused, status) for status in (0, 400, 401, 403, 404, 405, 408, 409, 422)},
    **{str(status): partial(refused, status) for status in (501, 505, 507, 599)},
    "404 with Retry-After": lambda: NotFound("x", status=404, retry_after=1.0),
    "a certificate that is not accepted": lambda: Unreachable("x"),
    "an answer that cannot be used": lambda: AnswerLost("x"),
    "the policy": lambda: Refused("x"),
    "an argument": lambda: InvalidArgument("x"),
}


@pytest.mark.parametrize("make", TRANSIENT.values(), ids=list(TRANSIENT))
def test_a_read_that_meets_a_transient_failure_is_sent_five_times(make: Callable[[], Failure]) -> None:
    failure = make()
    with brief_call() as call:
        for attempt in range(1, 5):
            wait_to_retry(call, attempt, failure)
        with pytest.raises(type(failure)) as raised:
            wait_to_retry(call, 5, failure)
    assert raised.value is failure
    assert len(call.waits) == 4


@pytest.mark.parametrize("make", FINAL.values(), ids=list(FINAL))
def test_a_read_that_meets_another_failure_is_not_sent_again(make: Callable[[], Failure]) -> None:
    failure = make()
    with brief_call() as call, pytest.raises(type(failure)) as raised:
        wait_to_retry(call, 1, failure)
    assert raised.value is failure
    assert call.waits == []


@pytest.mark.parametrize("make", TRANSIENT.values(), ids=list(TRANSIENT))
def test_a_read_is_not_sent_again_without_time_for_the_wait(make: Callable[[], Failure]) -> None:
    failure = make()
    with brief_call(NOTHING_MUCH) as call, pytest.raises(type(failure)) as raised:
        wait_to_retry(call, 1, failure)
    assert raised.value is failure


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_read_waits_as_long_as_gitlab_asks_and_as_often(status: int) -> None:
    with brief_call() as call:
        for attempt in range(1, 9):
            wait_to_retry(call, attempt, refused(status, float(attempt)))
        wait_to_retry(call, 9, refused(status, 0.0))
    assert call.waits == [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 0.0]


def test_waits_double_and_differ() -> None:
    for attempt, middle in enumerate((0.25, 0.5, 1.0, 2.0), 1):
        waits = [backoff(attempt) for _ in range(200)]
        assert all(middle / 2 <= wait <= middle * 1.5 for wait in waits)
        assert len(set(waits)) > 100


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "5"}, 5.0),
        ({"retry-after": " 5 "}, 5.0),
        ({"retry-after": "0"}, 0.0),
        ({"retry-after": "5", "ratelimit-reset": reset(99), "date": date()}, 5.0),
        ({"retry-after": date(30), "date": date()}, 30.0),
        ({"retry-after": date(-30), "date": date()}, 0.0),
        ({"retry-after": date(30), "ratelimit-reset": reset(99), "date": date()}, 30.0),
        ({"ratelimit-reset": reset(20), "date": date()}, 20.0),
        ({"ratelimit-reset": reset(20), "ratelimit-remaining": "0", "date": date()}, 20.0),
        ({"ratelimit-reset": reset(20), "ratelimit-remaining": " 0 ", "date": date()}, 20.0),
        ({"ratelimit-reset": reset(-20), "date": date()}, 0.0),
        ({"ratelimit-reset": reset(20), "ratelimit-remaining": "1", "date": date()}, None),
        ({"retry-after": "soon", "ratelimit-reset": reset(20), "date": date()}, 20.0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-5"}, None),
        ({"ratelimit-reset": "soon", "date": date()}, None),
        ({"date": date()}, None),
        ({}, None),
    ],
)
def test_how_long_an_answer_asks_to_wait(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(headers) == seconds


@given(st.dictionaries(st.sampled_from(["retry-after", "ratelimit-reset", "ratelimit-remaining", "date"]), st.text()))
@example({"retry-after": "9" * 400})
@example({"retry-after": "Mon, 01 Jan 0001 00:00:00 -0000"})
@example({"retry-after": "Mon, 01 Jan 99999 00:00:00 GMT"})
@example({"date": "Mon, 01 Jan 0001 00:00:00 +2359"})
@example({"retry-after": "Mon, 01 Jan 2026 00:00:00 +999999999999"})
def test_no_header_fails_and_no_wait_is_negative(headers: dict[str, str]) -> None:
    seconds = retry_after(headers)
    assert seconds is None or seconds >= 0
    assert isinstance(time_of(headers), float)


def test_the_time_of_an_answer_is_gitlabs_else_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time", lambda: 123.0)
    assert time_of({"date": date()}) == NOON.timestamp()
    assert time_of({}) == 123.0
    assert time_of({"date": "noon"}) == 123.0
