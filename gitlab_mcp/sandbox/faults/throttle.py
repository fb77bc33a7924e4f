"""A limit of requests a minute for each token, with the headers of GitLab's throttles (Rack::Attack).

A self-managed GitLab has none by default, and neither has a sandbox until a test sets one.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from email.utils import formatdate
from threading import Lock

_PERIOD = 60  # seconds


class Throttle:
    """Counts the requests of each token within a minute."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._lock = Lock()
        self._counts: Counter[tuple[str, int]] = Counter()

    def count(self, headers: Mapping[str, str]) -> tuple[bool, dict[str, str]]:
        """Count a request with these headers; returns whether it is allowed, and the headers of its response."""
        token = headers.get("private-token") or headers.get("authorization") or headers.get("job-token", "")
        now = int(time.time())
        period = now // _PERIOD
        with self._lock:
            self._counts[token, period] += 1
            observed = self._counts[token, period]
        reset = (period + 1) * _PERIOD
        fields = {
            "ratelimit-limit": str(self.limit),
            "ratelimit-name": "throttle_authenticated_api" if token else "throttle_unauthenticated_api",
            "ratelimit-observed": str(observed),
            "ratelimit-remaining": str(max(self.limit - observed, 0)),
            "ratelimit-reset": str(reset),
        }
        if observed <= self.limit:
            return True, fields
        return False, {
            **fields,
            "ratelimit-resettime": formatdate(reset, usegmt=True),
            "retry-after": str(reset - now),
            "content-type": "text/plain",
        }
