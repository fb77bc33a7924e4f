"""When a failed request is retried, and after how many seconds."""

import random
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

from gitlab_mcp.api.deadline import Call
from gitlab_mcp.errors import Failure, GitLabRefusal, Unreachable

# HTTP statuses of transient errors, after which the same read may succeed a moment later.
RETRYABLE_STATUSES = (429, 500, 502, 503, 504)
ATTEMPTS = 5
FIRST_WAIT = 0.25  # seconds; doubled each time


def wait_to_retry(call: Call, attempt: int, failure: Failure) -> None:
    """Wait before a read is retried of which attempt number `attempt` (from 1) ended in `failure`.

    Raises `failure` when it is not transient, after the last attempt, and when the deadline of the call is too near.
    """
    if isinstance(failure, GitLabRefusal):
        transient, seconds = failure.status in RETRYABLE_STATUSES, failure.retry_after
    else:
        transient, seconds = isinstance(failure, Unreachable) and failure.transient, None
    if not transient:
        raise failure
    pause(call, attempt, seconds, failure)


def pause(call: Call, attempt: int, seconds: float | None, failure: Failure) -> float:
    """Wait for the `seconds` that GitLab asked for, or with exponential backoff where it did not ask (None).

    Returns the seconds waited.

    Raises `failure` after the last attempt, unless GitLab asked to wait, and when the deadline of the call is too near.
    """
    if seconds is None and attempt >= ATTEMPTS:
        raise failure
    wait = backoff(attempt) if seconds is None else seconds
    call.wait(wait, failure)
    return wait


def backoff(attempt: int) -> float:
    """Seconds to wait after attempt number `attempt`, with jitter so that many clients do not retry together."""
    return float(FIRST_WAIT * 2 ** (attempt - 1) * random.uniform(0.5, 1.5))  # noqa: S311  # not used for a secret


def retry_after(headers: Mapping[str, str]) -> float | None:
    """The seconds to wait before a retry, from the headers of a response; None where they do not say.

    Retry-After is seconds or a date; otherwise RateLimit-Reset is the time of the reset, in seconds since the epoch.

    https://docs.gitlab.com/administration/settings/user_and_ip_rate_limits/#response-headers
    """
    value = headers.get("retry-after", "").strip()
    if value.isdecimal():
        return float(value)
    now, at = time_of(headers), _time(value)
    reset = headers.get("ratelimit-reset", "").strip()
    if at is None and reset.isdecimal() and headers.get("ratelimit-remaining", "0").strip() == "0":
        at = float(reset)
    return max(0.0, at - now) if at is not None else None


def time_of(headers: Mapping[str, str]) -> float:
    """The time in the Date header of a response, in seconds since the epoch; the local time where there is none."""
    return _time(headers.get("date", "")) or time.time()


def _time(text: str) -> float | None:
    try:
        return parsedate_to_datetime(text).timestamp()
    except ValueError:
        return None
