"""An MCP server as a process: its start, its calls, its memory."""

from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
import tempfile
import time
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

Call = tuple[str, Mapping[str, Any]]  # the name of a tool, and its arguments
SECONDS = 120  # for one answer, also while every core is busy
_REVISION = "2025-11-25"
_CHUNK = 1 << 20


class ServerError(Exception):
    """A server did not answer, or a tool failed; the message begins with the server's command."""


class ServerProcess:
    """A server that was just started, and its client. As a context manager it ends the process.

    `bytes` counts the bytes of the server's responses, as they are on its standard output.
    """

    def __init__(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        # A process that a killed server started may still write there.
        self._folder = tempfile.TemporaryDirectory(prefix="gitlab-mcp-bench-", ignore_cleanup_errors=True)
        base = {"PATH": os.environ["PATH"], "HOME": self._folder.name}
        self._name = " ".join(Path(word).name for word in command[:2])
        self._process = subprocess.Popen(
            command,
            env={**base, **environment},
            cwd=self._folder.name,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._in, self._out = self._process.stdin.fileno(), self._process.stdout.fileno()
        self._poll = select.poll()
        self._poll.register(self._out, select.POLLIN)
        self._rest = b""
        self._lines: deque[bytes] = deque()
        self._next_id = 0
        self.bytes = 0

    def __enter__(self) -> ServerProcess:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()
        self._folder.cleanup()

    def initialize(self) -> None:
        """Open the connection, and return when the server has answered."""
        client = {"name": "benchmark", "version": "1"}
        self.request("initialize", {"protocolVersion": _REVISION, "capabilities": {}, "clientInfo": client})
        self._write({"jsonrpc": "2.0", "method": "notifications/initialized"})

    def tools(self) -> dict[str, Any]:
        """The result of tools/list; a server with several pages of tools is asked for each, and this is all of them."""
        result = self.request("tools/list", {})
        while cursor := result.get("nextCursor"):
            page = self.request("tools/list", {"cursor": cursor})
            result = {**page, "tools": [*result["tools"], *page["tools"]]}
        return result

    def settle(self) -> None:
        """Return when the server answers what is not among the first requests of a client; how is of no interest."""
        with contextlib.suppress(ServerError):
            self.request("benchmark/unknown", {})

    def call(self, tool: str, arguments: Mapping[str, Any]) -> str:
        """Call a tool, and return the text of its result."""
        return self._text(tool, self.request("tools/call", {"name": tool, "arguments": arguments}))

    def in_flight(self, call: Call, calls: int, at_once: int) -> None:
        """Call a tool many times, so that `at_once` calls are always under way."""
        tool, arguments = call
        params = {"name": tool, "arguments": arguments}
        waiting: set[int] = set()
        while calls or waiting:
            while calls and len(waiting) < at_once:
                waiting.add(self._send("tools/call", params))
                calls -= 1
            message = self._message()
            if message.get("id") in waiting:
                waiting.remove(message["id"])
                self._text(tool, self._result(message))

    def request(self, method: str, params: Mapping[str, Any]) -> dict[str, Any]:
        """Send a request, and return its result. Raises ServerError for an error or when there is no answer in time."""
        number = self._send(method, params)
        while (message := self._message()).get("id") != number or "method" in message:
            pass
        return self._result(message)

    def memory(self) -> int:
        """The resident memory of the process and its descendants in bytes, as /proc tells it."""
        children: dict[int, list[int]] = {}
        sizes: dict[int, int] = {}
        for folder in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):  # a process that ended meanwhile
                parent = (folder / "stat").read_text().rpartition(")")[2].split()[1]
                pages = (folder / "statm").read_text().split()[1]
                children.setdefault(int(parent), []).append(int(folder.name))
                sizes[int(folder.name)] = int(pages) * os.sysconf("SC_PAGE_SIZE")
        tree = [self._process.pid]
        for pid in tree:
            tree.extend(children.get(pid, []))
        return sum(sizes.get(pid, 0) for pid in tree)

    def _send(self, method: str, params: Mapping[str, Any]) -> int:
        self._next_id += 1
        self._write({"jsonrpc": "2.0", "id": self._next_id, "method": method, "params": params})
        return self._next_id

    def _write(self, message: Mapping[str, Any]) -> None:
        content = json.dumps(message).encode() + b"\n"
        while content:
            content = content[os.write(self._in, content) :]

    def _message(self) -> dict[str, Any]:
        """The next message of the server; its requests are refused."""
        deadline = time.monotonic() + SECONDS
        while not self._lines:
            if not self._poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
                raise ServerError(f"{self._name}: there was no answer within {SECONDS} seconds.")
            data = os.read(self._out, _CHUNK)
            if not data:
                raise ServerError(f"{self._name}: the server ended.")
            *lines, self._rest = (self._rest + data).split(b"\n")
            self._lines.extend(line for line in lines if line.strip())
        line = self._lines.popleft()
        message: dict[str, Any] = json.loads(line)
        if "method" not in message:
            self.bytes += len(line) + 1
        elif "id" in message:
            refusal = {"code": -32601, "message": "This client has no such method."}
            self._write({"jsonrpc": "2.0", "id": message["id"], "error": refusal})
        return message

    def _result(self, message: Mapping[str, Any]) -> dict[str, Any]:
        if "error" in message:
            raise ServerError(f"{self._name}: the server answered with an error: {message['error']}")
        result: dict[str, Any] = message["result"]
        return result

    def _text(self, tool: str, result: Mapping[str, Any]) -> str:
        text = "".join(part.get("text", "") for part in result["content"])
        if result.get("isError"):
            raise ServerError(f"{self._name}: {tool} failed: {text[:500]}")
        return text
