"""Faults that a test can put in the way of calls, and the record of the calls that came."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import formatdate
from threading import Lock
from typing import Any

_KEPT = 10_000  # requests remembered


@dataclass
class Fault:
    """What happens to the next `times` calls of a method (or *) whose path the regular expression is found in."""

    kind: str  # fail, delay, drop, cut
    method: str
    path: str
    times: int
    status: int = 0
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    when: str = ""

    def fits(self, method: str, path: str) -> bool:
        """Whether this call is one of those."""
        return self.times > 0 and self.method in ("*", method) and re.search(self.path, path) is not None


class FaultInjector:
    """The faults that wait and the requests that were seen. Paths are searched as they came, percent-encoded."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._faults: list[Fault] = []
        self._requests: list[dict[str, Any]] = []

    def fail(
        self,
        method: str = "*",
        path: str = "",
        status: int = 503,
        body: Any = None,
        content_type: str = "",
        headers: Mapping[str, str] | None = None,
        times: int = 1,
    ) -> None:
        """Answer with a status and a body instead of doing anything; a body that is no text is sent as JSON."""
        if body is None:
            body = {"message": f"{status} Sandbox fault"}
        kind = content_type or ("text/html; charset=utf-8" if isinstance(body, str) else "application/json")
        content = body if isinstance(body, str) else json.dumps(body)
        every = {"content-type": kind, **{name.lower(): value for name, value in (headers or {}).items()}}
        self._add(Fault("fail", method, path, times, status=status, body=content.encode(), headers=every))

    def rate_limit(self, method: str = "*", path: str = "", retry_after: int = 1, times: int = 1) -> None:
        """Answer 429 as GitLab's request throttle does: plain text, Retry-After in seconds, RateLimit-* headers."""
        reset = int(time.time()) + retry_after
        headers = {
            "retry-after": str(retry_after),
            "ratelimit-reset": str(reset),
            "ratelimit-resettime": formatdate(reset, usegmt=True),
            "ratelimit-limit": "60",
            "ratelimit-name": "throttle_authenticated_api",
            "ratelimit-observed": "61",
            "ratelimit-remaining": "0",
        }
        self.fail(method, path, 429, "Retry later\n", "text/plain", headers, times)

    def delay(self, method: str = "*", path: str = "", seconds: float = 1.0, times: int = 1) -> None:
        """Wait before anything is done; the wait ends at once when the sandbox closes."""
        self._add(Fault("delay", method, path, times, seconds=seconds))

    def drop(self, method: str = "*", path: str = "", when: str = "before", times: int = 1) -> None:
        """Cut the connection without an answer, `before` the call takes effect or `after` it did."""
        if when not in ("before", "after"):
            raise ValueError('when must be "before" or "after"')
        self._add(Fault("drop", method, path, times, when=when))

    def cut(self, method: str = "*", path: str = "", times: int = 1) -> None:
        """Let the call take effect, and break its answer off: the length is announced, half of the body is sent."""
        self._add(Fault("cut", method, path, times))

    def _add(self, fault: Fault) -> None:
        re.compile(fault.path)
        with self._lock:
            self._faults.append(fault)

    def take(self, method: str, path: str) -> list[Fault]:
        """The faults this call meets, used up by it: all delays that fit, and the first of the others."""
        with self._lock:
            met: list[Fault] = []
            for fault in self._faults:
                if fault.fits(method, path) and (fault.kind == "delay" or all(one.kind == "delay" for one in met)):
                    fault.times -= 1
                    met.append(fault)
            self._faults = [fault for fault in self._faults if fault.times > 0]
            return met

    def record(self, method: str, path: str, query: str, headers: Mapping[str, str], body: Any) -> dict[str, Any]:
        """Remember a request; its status is filled in when it is answered, and stays None if it never is."""
        entry = {"method": method, "path": path, "query": query, "headers": dict(headers), "body": body, "status": None}
        with self._lock:
            self._requests.append(entry)
            del self._requests[:-_KEPT]
        return entry

    def requests(self) -> list[dict[str, Any]]:
        """The requests seen so far, oldest first; header names are in lower case, bodies parsed where they are JSON."""
        with self._lock:
            return [dict(entry) for entry in self._requests]

    def clear(self) -> None:
        """Forget the faults that wait and the requests that were seen."""
        self.clear_faults()
        self.clear_requests()

    def clear_faults(self) -> None:
        """Forget the faults that wait."""
        with self._lock:
            self._faults.clear()

    def clear_requests(self) -> None:
        """Forget the requests that were seen."""
        with self._lock:
            self._requests.clear()


def readable(body: bytes, content_type: str) -> Any:
    """A body for the record: parsed if it is JSON, else as text."""
    if not body:
        return None
    if "json" in content_type:
        try:
            return json.loads(body)
        except ValueError:
            pass
    return body.decode("utf-8", "replace")
