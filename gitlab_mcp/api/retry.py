"""When a request is sent again, and after how long."""

import random
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

from gitlab_mcp.api.deadline import Call
from gitlab_mcp.errors import Failure, GitLabRefusal, Unreachable

# Statuses after which the same read may succeed a moment later.
PASSING = (429, 500, 502, 503, 504)
ATTEMPTS = 5
FIRST_WAIT = 0.25  # seconds; doubled each time


def wait_to_retry(call: Call, attempt: int, failure: Failure) -> None:
    """Wait before the read that met `failure` in its attempt number `attempt` (from 1) is sent again.

    Raises `failure` when it is not of the passing kind, was met often enough, or there is no time left.
    """
    if isinstance(failure, GitLabRefusal):
        passing, asked = failure.status in PASSING, failure.retry_after
    else:
        passing, asked = isinstance(failure, Unreachable) and failure.passing, None
    if not passing:
        raise failure
    pause(call, attempt, asked, failure)


def pause(call: Call, attempt: int, asked: float | None, failure: Failure) -> None:
    """Wait after attempt number `attempt` as long as GitLab `asked`, or with backoff where it did not.

    Raises `failure` when it was met often enough without GitLab asking for patience, or there is no time left.
    """
    if asked is None and attempt >= ATTEMPTS:
        raise failure
    call.wait(backoff(attempt) if asked is None else asked, failure)


def backoff(attempt: int) -> float:
    """Seconds to wait after attempt number `attempt`, with jitter so that many callers do not come back together."""
    return float(FIRST_WAIT * 2 ** (attempt - 1) * random.uniform(0.5, 1.5))  # noqa: S311  # no secret depends on it


def retry_after(headers: Mapping[str, str]) -> float | None:
    """The seconds that an answer asks to wait: Retry-After (seconds or a date), else RateLimit-Reset (a time).

    https://docs.gitlab.com/administration/settings/user_and_ip_rate_limits/#response-headers
    """
    told = headers.get("retry-after", "").strip()
    if told.isdecimal():
        return float(told)
    now, at = time_of(headers), _time(told)
    reset = headers.get("ratelimit-reset", "").strip()
    if at is None and reset.isdecimal() and headers.get("ratelimit-remaining", "0").strip() == "0":
        at = float(reset)
    return max(0.0, at - now) if at is not None else None


def time_of(headers: Mapping[str, str]) -> float:
    """GitLab's clock at an answer, in seconds since the epoch; ours where it does not say."""
    return _time(headers.get("date", "")) or time.time()


def _time(text: str) -> float | None:
    try:
        return parsedate_to_datetime(text).timestamp()
    except ValueError:
        return None
