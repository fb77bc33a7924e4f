"""A minimal MCP client over stdio: starts a server, initializes a session and lists its tools."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gitlab_mcp import __version__
from gitlab_mcp.doctor.processes import Child, NotStarted, started

PROTOCOL_VERSION = "2025-11-25"
RESPONSE_LINE_BYTES = 4_000_000


class HandshakeFailed(Exception):
    """The server did not answer as an MCP server; `stderr_line` is the last line that it wrote to stderr."""

    def __init__(self, why: str, stderr_line: str = "") -> None:
        super().__init__(why)
        self.stderr_line = stderr_line


def count_tools(command: Sequence[str], environ: Mapping[str, str], directory: Path, seconds: float) -> int:
    """The number of tools of the server that `command` starts, which is killed after `seconds`.

    Raises HandshakeFailed when the server cannot be started, or does not answer as an MCP server in that time.
    """
    try:
        with started(command, environ, directory, seconds) as child:
            try:
                return _list_tools(child)
            except (OSError, EOFError, ValueError) as error:
                why = f"it did not answer as an MCP server within {seconds:.0f} s"
                raise HandshakeFailed(why, child.last_stderr_line()) from error
    except NotStarted as error:
        raise HandshakeFailed(f"it cannot be started: {error}") from error


def _list_tools(child: Child) -> int:
    client = {"name": "gitlab-mcp-server doctor", "version": __version__}
    _send(child, "initialize", {"protocolVersion": PROTOCOL_VERSION, "capabilities": {}, "clientInfo": client}, 1)
    _receive(child, 1)
    _send(child, "notifications/initialized", {})
    _send(child, "tools/list", {}, 2)
    tools = _receive(child, 2).get("tools")
    if not isinstance(tools, list):
        raise ValueError("no list of tools")
    return len(tools)


def _send(child: Child, method: str, params: Mapping[str, Any], number: int | None = None) -> None:
    message: dict[str, object] = {"jsonrpc": "2.0", "method": method, "params": params}
    message |= {} if number is None else {"id": number}
    child.stdin.write(json.dumps(message).encode() + b"\n")
    child.stdin.flush()


def _receive(child: Child, number: int) -> Mapping[str, Any]:
    """The result of the request `number`; other messages are ignored."""
    while line := child.stdout.readline(RESPONSE_LINE_BYTES):
        message = json.loads(line)
        if isinstance(message, dict) and message.get("id") == number:
            result = message.get("result")
            if not isinstance(result, dict):
                raise ValueError("an error instead of a result")
            return result
    raise EOFError
