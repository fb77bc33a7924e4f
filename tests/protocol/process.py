"""The real server as a child process, spoken to line by line."""

import asyncio
import json
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

# Five times what the server has to end in: a bound that says "does not hang".
SOON = 2.5
WAIT = 120.0

INITIALIZE = {
    "protocolVersion": "2025-11-25",
    "capabilities": {},
    "clientInfo": {"name": "test", "version": "1"},
}


TOKEN = "glpat-this-is-not-a-real-token"


def environment(url: str, token: str = TOKEN, **more: str) -> dict[str, str]:
    """An environment with a GitLab in it and nothing of the environment that the tests run in but PATH."""
    given = {"GITLAB_URL": url, "GITLAB_ACCESS_TOKEN": token, "GITLAB_PROJECT": "acme/app"}
    return {"PATH": os.environ["PATH"], **given, **more}


class ServerProcess:
    """A running `gitlab-mcp-server serve`."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self._id = 0

    def send(self, method: str, params: Mapping[str, Any] | None = None, *, notify: bool = False) -> int:
        """Write a request (its id is returned) or a notification."""
        message: dict[str, Any] = {"jsonrpc": "2.0", "method": method, "params": dict(params or {})}
        if not notify:
            self._id += 1
            message["id"] = self._id
        self.write(json.dumps(message).encode() + b"\n")
        return self._id

    def write(self, data: bytes) -> None:
        """Write bytes to its stdin."""
        assert self.process.stdin
        self.process.stdin.write(data)

    def call(self, tool: str, **arguments: Any) -> int:
        """Send a tools/call."""
        return self.send("tools/call", {"name": tool, "arguments": arguments})

    async def read(self) -> dict[str, Any]:
        """The next message on its stdout."""
        assert self.process.stdout
        async with asyncio.timeout(WAIT):
            line = await self.process.stdout.readline()
        assert line, "the server closed its output"
        message: dict[str, Any] = json.loads(line)
        return message

    async def initialize(self) -> dict[str, Any]:
        """Shake hands as clients before 2026-07-28 do."""
        self.send("initialize", INITIALIZE)
        answer = await self.read()
        self.send("notifications/initialized", notify=True)
        return answer

    def end_of_input(self) -> None:
        """Close its stdin."""
        assert self.process.stdin
        self.process.stdin.close()

    async def ended(self) -> tuple[int, float]:
        """Its exit code, and the seconds that it took from now."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        async with asyncio.timeout(WAIT):
            code = await self.process.wait()
        return code, loop.time() - began

    async def rest_of_output(self) -> list[dict[str, Any]]:
        """The messages that are still to be read, until it closes its output."""
        assert self.process.stdout
        async with asyncio.timeout(WAIT):
            output = await self.process.stdout.read()
        return [json.loads(line) for line in output.splitlines()]


@asynccontextmanager
async def server(
    env: Mapping[str, str], cwd: Path | None = None, flags: Sequence[str] = (), **streams: Any
) -> AsyncIterator[ServerProcess]:
    """A server with this environment and these flags; killed at the end if it is still there."""
    pipes = {"stdin": PIPE, "stdout": PIPE, "stderr": PIPE, **streams}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "gitlab_mcp", "serve", *flags, env=dict(env), cwd=cwd, limit=1 << 24, **pipes
    )
    try:
        yield ServerProcess(process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()
