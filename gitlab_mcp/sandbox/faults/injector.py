"""Faults that a test injects into requests, and the record of the requests that were received."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import formatdate
from threading import Lock
from typing import Any

from gitlab_mcp.sandbox.faults.merge_status import STATUSES
from gitlab_mcp.sandbox.faults.throttle import Throttle

_MAX_REQUESTS = 10_000  # requests recorded


@dataclass
class Fault:
    """A fault for the next `times` requests with this method (or *) in whose path the regular expression is found."""

    kind: str  # fail, delay, drop, cut, merge_status
    method: str
    path: str
    times: int
    status: int = 0
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    when: str = ""
    merge_status: str = ""

    def matches(self, method: str, path: str) -> bool:
        """Whether the fault applies to a request."""
        return self.times > 0 and self.method in ("*", method) and re.search(self.path, path) is not None


class FaultInjector:
    """The pending faults and the recorded requests. Paths are matched as they were sent, percent-encoded."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._faults: list[Fault] = []
        self._requests: list[dict[str, Any]] = []
        self.throttle: Throttle | None = None

    def limit_rate(self, requests: int) -> None:
        """Allow each token this many requests a minute, as GitLab's throttles do; `clear` removes the limit."""
        self.throttle = Throttle(requests)

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
        """Answer with a status and a body instead of handling the request; a body that is not a str is sent as JSON."""
        if body is None:
            body = {"message": f"{status} Sandbox fault"}
        media_type = content_type or ("text/html; charset=utf-8" if isinstance(body, str) else "application/json")
        content = body if isinstance(body, str) else json.dumps(body)
        fields = {"content-type": media_type, **{name.lower(): value for name, value in (headers or {}).items()}}
        self._add(Fault("fail", method, path, times, status=status, body=content.encode(), headers=fields))

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
        """Wait before the request is handled; the wait ends early when the sandbox closes."""
        self._add(Fault("delay", method, path, times, seconds=seconds))

    def drop(self, method: str = "*", path: str = "", when: str = "before", times: int = 1) -> None:
        """Reset the connection without a response, "before" or "after" the request takes effect."""
        if when not in ("before", "after"):
            raise ValueError('when must be "before" or "after"')
        self._add(Fault("drop", method, path, times, when=when))

    def cut(self, method: str = "*", path: str = "", times: int = 1) -> None:
        """Let the request take effect, then truncate the response: of the length it declares, half is sent."""
        self._add(Fault("cut", method, path, times))

    def merge_status(self, status: str = "checking", method: str = "GET", path: str = "", times: int = 1) -> None:
        """Let responses say that GitLab still checks whether a merge request can be merged.

        `status` is preparing, unchecked or checking. With the method "*", the response to its creation says so too.
        """
        if status not in STATUSES:
            raise ValueError(f"status must be one of {', '.join(STATUSES)}")
        self._add(Fault("merge_status", method, path or "/merge_requests", times, merge_status=status))

    def _add(self, fault: Fault) -> None:
        re.compile(fault.path)
        with self._lock:
            self._faults.append(fault)

    def take(self, method: str, path: str) -> list[Fault]:
        """The faults for a request, each counted as used once: all delays that match, and the first other fault."""
        with self._lock:
            taken: list[Fault] = []
            for fault in self._faults:
                if fault.matches(method, path) and (fault.kind == "delay" or all(one.kind == "delay" for one in taken)):
                    fault.times -= 1
                    taken.append(fault)
            self._faults = [fault for fault in self._faults if fault.times > 0]
            return taken

    def record(self, method: str, path: str, query: str, headers: Mapping[str, str], body: Any) -> dict[str, Any]:
        """Record a request; the caller sets the status of the returned entry, which stays None without a response."""
        entry = {"method": method, "path": path, "query": query, "headers": dict(headers), "body": body, "status": None}
        with self._lock:
            self._requests.append(entry)
            del self._requests[:-_MAX_REQUESTS]
        return entry

    def requests(self) -> list[dict[str, Any]]:
        """The recorded requests, oldest first; header names are in lower case and JSON bodies are parsed."""
        with self._lock:
            return [dict(entry) for entry in self._requests]

    def clear(self) -> None:
        """Remove the pending faults and the recorded requests."""
        self.clear_faults()
        self.clear_requests()

    def clear_faults(self) -> None:
        """Remove the pending faults and the limit of requests."""
        self.throttle = None
        with self._lock:
            self._faults.clear()

    def clear_requests(self) -> None:
        """Remove the recorded requests."""
        with self._lock:
            self._requests.clear()


def parsed_body(body: bytes, content_type: str) -> Any:
    """A request body as it is recorded: parsed if it is JSON, else as text; None if it is empty."""
    if not body:
        return None
    if "json" in content_type:
        try:
            return json.loads(body)
        except ValueError:
            pass
    return body.decode("utf-8", "replace")
