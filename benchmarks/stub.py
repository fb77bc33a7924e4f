"""A GitLab with known answers, in a process of its own: it answers from memory, after a delay, and counts.

It is not the sandbox because that takes some milliseconds for a request, more than what is measured here.
"""

from __future__ import annotations

import asyncio
import http.client
import json
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from benchmarks.answers import RECURSIVE

CONTROL = "/stub"
_START_SECONDS = 30
_HEAD_END = b"\r\n\r\n"
_PROJECT = re.compile(r"^/projects/[^/]+")
NOT_FOUND = 404
_UNKNOWN = {
    "status": NOT_FOUND,
    "headers": {"content-type": "application/json"},
    "body": '{"message":"404 Not Found"}',
}
_REASONS = {200: "OK", 201: "Created", NOT_FOUND: "Not Found"}


@dataclass(frozen=True)
class Request:
    """A request that the stub got: its path is below /api/v4."""

    method: str
    path: str
    query: dict[str, str]
    body: str
    status: int


@dataclass(frozen=True)
class Seen:
    """What the stub saw since it was asked last: the requests in their order, and the most at once."""

    requests: list[Request]
    most_in_flight: int


class Stub:
    """A running stub. As a context manager it ends its process."""

    token = "glpat-known-answers-only"  # noqa: S105  # the stub accepts every token

    def __init__(self, answers: Path) -> None:
        """Start it with a file that `answers.record` wrote."""
        command = [sys.executable, "-m", "benchmarks.stub", str(answers)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline())
        self.url = f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Stub:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate(timeout=_START_SECONDS)  # the end of its standard input ends it

    def take(self, delay: float = 0.0) -> Seen:
        """What it saw since the last call, which is forgotten; from now on it answers after `delay` seconds."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=_START_SECONDS)
        try:
            connection.request("POST", CONTROL, json.dumps({"delay": delay}))
            content = json.loads(connection.getresponse().read())
        finally:
            connection.close()
        return Seen([Request(**request) for request in content["requests"]], content["most_in_flight"])


class _State:
    """The answers, the delay, and what was seen."""

    def __init__(self, answers: Mapping[tuple[str, str], Mapping[str, Any]]) -> None:
        self.answers = answers
        self.delay = 0.0
        self.requests: list[dict[str, Any]] = []
        self.in_flight = self.most_in_flight = 0

    def take(self, delay: float) -> dict[str, Any]:
        seen = {"requests": self.requests, "most_in_flight": self.most_in_flight}
        self.delay, self.requests, self.most_in_flight = delay, [], 0
        return seen


class _Connection(asyncio.Protocol):
    """HTTP/1.1 with keep-alive, as far as clients of GitLab use it: a request has a Content-Length or no body."""

    def __init__(self, state: _State) -> None:
        self._state = state
        self._received = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, found, rest = self._received.partition(_HEAD_END)
        if not found:
            return
        lines = head.decode("latin-1").split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in lines[1:] if ": " in line)
        length = int(headers.get("content-length", 0))
        if len(rest) < length:
            return
        self._received = rest[length:]
        method, target, _ = lines[0].split(" ", 2)
        self._answer(method, target, rest[:length].decode())

    def _answer(self, method: str, target: str, body: str) -> None:
        state, address = self._state, urlsplit(target)
        if address.path == CONTROL:
            self._send(200, {}, json.dumps(state.take(json.loads(body)["delay"])))
            return
        path = _PROJECT.sub("/projects/:id", address.path.removeprefix("/api/v4"))
        query = dict(parse_qsl(address.query, keep_blank_values=True))
        wanted = "GET" if method == "HEAD" else method
        key = path + (RECURSIVE if query.get("recursive") == "true" else "")
        answer = state.answers.get((wanted, key), _UNKNOWN)
        state.requests.append(
            {"method": method, "path": path, "query": query, "body": body, "status": answer["status"]}
        )
        if method == "POST" and path.endswith("/notes"):  # GitLab answers with the text that it stored
            stored = json.loads(answer["body"]) | {"body": json.loads(body)["body"]}
            answer = {**answer, "body": json.dumps(stored)}
        state.in_flight += 1
        state.most_in_flight = max(state.most_in_flight, state.in_flight)
        head_only = method == "HEAD"
        if state.delay:
            asyncio.get_running_loop().call_later(state.delay, self._finish, answer, head_only)
        else:
            self._finish(answer, head_only)

    def _finish(self, answer: Mapping[str, Any], head_only: bool) -> None:
        self._state.in_flight -= 1
        self._send(answer["status"], answer["headers"], answer["body"], head_only)

    def _send(self, status: int, headers: Mapping[str, str], body: str, head_only: bool = False) -> None:
        assert self._transport is not None
        content = body.encode()
        lines = [f"HTTP/1.1 {status} {_REASONS[status]}", *(f"{name}: {value}" for name, value in headers.items())]
        head = "\r\n".join([*lines, f"content-length: {len(content)}", "", ""]).encode()
        self._transport.write(head if head_only else head + content)


async def _serve(content: str) -> None:
    loop = asyncio.get_running_loop()
    state = _State({})
    server = await loop.create_server(lambda: _Connection(state), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    own = content.replace(json.loads(content)["url"], f"http://127.0.0.1:{port}")
    state.answers = {(answer["method"], answer["path"]): answer for answer in json.loads(own)["answers"]}
    print(port, flush=True)  # noqa: T201  # for the process that started this one
    await loop.run_in_executor(None, sys.stdin.read)
    server.close()


if __name__ == "__main__":
    asyncio.run(_serve(Path(sys.argv[1]).read_text(encoding="utf-8")))
