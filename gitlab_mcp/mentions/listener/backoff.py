"""When a step that failed is tried again."""

import math

from gitlab_mcp.api.retry import FIRST_WAIT, RETRYABLE_STATUSES, backoff
from gitlab_mcp.errors import Failure, GitLabRefusal, Unreachable
from gitlab_mcp.mentions.listener.store import StoreFailed

LONGEST_WAIT = 300.0
DOUBLINGS = 11  # after which the wait is the longest one
MOST_ATTEMPTS = 24  # of one step: an hour and a quarter
MOST_ATTEMPTS_TO_FOLLOW = 450  # of a look at a pipeline: a day and a half


def is_transient(failure: Failure) -> bool:
    """Whether a step may succeed later that ended in `failure`.

    A refusal without a status is the client's own, which waits for the end of GitLab's rate limit.
    """
    if isinstance(failure, GitLabRefusal):
        return failure.status in (0, *RETRYABLE_STATUSES)
    return isinstance(failure, Unreachable)


def seconds_until_next_try(error: Exception, attempts: int, most: int = MOST_ATTEMPTS) -> float:
    """Seconds after which a step is tried again that has failed `attempts` times in a row; infinity after `most`."""
    if isinstance(error, Failure) and not is_transient(error):
        return math.inf
    if attempts >= most and not isinstance(error, StoreFailed):
        return math.inf
    if isinstance(error, GitLabRefusal) and error.retry_after is not None:
        return max(error.retry_after, FIRST_WAIT)
    return min(backoff(min(attempts, DOUBLINGS)), LONGEST_WAIT)
