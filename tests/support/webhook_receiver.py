"""A receiver of webhooks on loopback that keeps what it got, for tests that hold up GitLab's side."""

import json
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

BOUND = 30.0  # seconds: it means "does not hang"


@dataclass(frozen=True)
class Received:
    """A request to the receiver."""

    headers: dict[str, str]  # by lower-case name
    raw: bytes

    @property
    def body(self) -> dict[str, Any]:
        """The body, which is JSON."""
        parsed: dict[str, Any] = json.loads(self.raw)
        return parsed

    @property
    def event(self) -> str:
        """GitLab's name of the event."""
        return self.headers["x-gitlab-event"]


class Receiver:
    """Serves while it is entered, and answers with `status`; `before` is called before each answer."""

    def __init__(self, status: int = 200, before: Callable[[], object] = lambda: None) -> None:
        self.status = status
        self.before = before
        self._received: queue.Queue[Received] = queue.Queue()
        self._server = _Server(self)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._server.server_address[1]}/hook"

    def next(self) -> Received:
        """The next request, for which it waits."""
        return self._received.get(timeout=BOUND)

    def take(self, request: Received) -> int:
        """Keep a request; returns the status to answer with."""
        self._received.put(request)
        self.before()
        return self.status

    @property
    def empty(self) -> bool:
        """Whether every request that came was asked for."""
        return self._received.empty()

    def __enter__(self) -> "Receiver":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(BOUND)


class _Server(ThreadingHTTPServer):
    def __init__(self, receiver: Receiver) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.receiver = receiver


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_POST(self) -> None:  # the name that http.server looks for
        """Keep the request and answer it."""
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        status = self.server.receiver.take(Received(headers, raw))
        try:
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()
        except ConnectionError:
            pass  # GitLab gave up

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # as http.server names it
        """Say nothing: all is kept."""
