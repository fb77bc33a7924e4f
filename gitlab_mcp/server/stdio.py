"""The stdio transport of MCP: no response is lost at end of input, and the process does not outlive its client.

It replaces the SDK's own stdio transport (2.3), which cancels calls in flight at end of input, ignores SIGINT, cannot
end while a tool hangs, and crosses threads several times a call.
"""

import asyncio
import json
import logging
import os
import signal
import sys
import time
from types import TracebackType
from typing import Any, NoReturn, Self, TypeGuard

import anyio
from mcp.shared.message import SessionMessage
from mcp_types import (
    PARSE_ERROR,
    ErrorData,
    JSONRPCError,
    JSONRPCNotification,
    JSONRPCRequest,
    JSONRPCResponse,
    jsonrpc_message_adapter,
)
from pydantic import ValidationError

from gitlab_mcp.server.opening import Opening
from gitlab_mcp.server.pipes import WRITING_AFTER_END, Pipes
from gitlab_mcp.server.server import GitLabServer

logger = logging.getLogger(__name__)

# The contract of the transport, beside that of `pipes`:
# - In: each line is a JSON-RPC message. A line that is not valid JSON-RPC gets a PARSE_ERROR for each request id that
#   can be found in it; otherwise the SDK gets the error.
# - The opening: what the client sent before the SDK was loaded comes first. The SDK's response to the first request is
#   dropped where the client has one already.
# - Threads: the pipes have a thread each; everything else runs on the event loop, which blocks on neither. Lines come
#   over with call_soon_threadsafe.
# - End of input: the loop ends when the calls in flight are answered; or when nothing was done for them for
#   ANSWERS_AFTER_END seconds (up to SLOWEST times as long on a busy machine), so that a GitLab that does not answer
#   keeps no process alive; or after LONGEST_AFTER_END seconds.
# - SIGTERM, SIGINT, or a client that no longer reads: the loop ends at once, without waiting for calls in flight.
# - After the loop: responses have WRITING_AFTER_END seconds to be written, then `os._exit` ends the process without
#   waiting for any thread. The exit code is 0, and 1 after an internal error, which is logged.
ANSWERS_AFTER_END = 0.3  # seconds; with WRITING_AFTER_END, less than half a second in all
WORK_AFTER_END = 0.01  # seconds of CPU time that show that something was done; only to wait takes far less
CHECK_AFTER_END = 0.05  # seconds from one look at the CPU time to the next
LONGEST_AFTER_END = 30.0  # seconds
SLOWEST = 3.0
PREPARED_AFTER = 1.0  # seconds after the start


class Wire:
    """Both directions of the connection, and the ids of the requests that are not yet answered.

    It is the read stream and the write stream that the SDK's server takes.
    """

    def __init__(self, pipes: Pipes, opening: Opening) -> None:
        self._loop = asyncio.get_running_loop()
        self._pipes = pipes
        self._lines: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._unanswered: set[str | int] = set()
        self._all_answered = asyncio.Event()
        self._all_answered.set()
        self._stopped = False
        self._answered_before = opening.answered
        pipes.on_broken = self._broken
        opening.hand_over(self._take)

    def _broken(self) -> None:
        """End, called by the writing thread."""
        self._loop.call_soon_threadsafe(self.stop)

    def _take(self, line: bytes | None) -> None:
        """Take the next line from the reading thread; None at end of input."""
        self._loop.call_soon_threadsafe(self._lines.put_nowait, line)

    def stop(self) -> None:
        """End as soon as possible: `receive` returns no further message."""
        self._stopped = True
        self._lines.put_nowait(None)
        self._all_answered.set()

    async def receive(self) -> SessionMessage | Exception:
        """Return the next message, or the error from parsing its line. Raises anyio.EndOfStream at the end."""
        while True:
            line = await self._next_line()
            if line is None:
                raise anyio.EndOfStream
            if not line.strip():
                continue
            try:
                message = jsonrpc_message_adapter.validate_json(line, by_name=False)
            except ValueError as error:
                request_ids = _request_ids(line)
                for request_id in request_ids:
                    # The SDK would drop the line, and the client would wait forever.
                    data = ErrorData(code=PARSE_ERROR, message=f"Not a valid JSON-RPC message: {_first_line(error)}")
                    await self.send(SessionMessage(JSONRPCError(jsonrpc="2.0", id=request_id, error=data)))
                if request_ids:
                    continue
                return error
            if isinstance(message, JSONRPCRequest):
                self._unanswered.add(message.id)
                self._all_answered.clear()
            elif isinstance(message, JSONRPCNotification) and message.method == "notifications/cancelled":
                # A cancelled request gets no response.
                self._answered((message.params or {}).get("requestId"))
            return SessionMessage(message)

    async def _next_line(self) -> bytes | None:
        """Return the next line; None at end of input, once the calls in flight are answered or their time is over."""
        line = None if self._stopped else await self._lines.get()
        if line is None and not self._stopped:
            await self._wait_for_answers()
            self._stopped = True  # the SDK calls receive again after the end
        return None if self._stopped else line

    async def _wait_for_answers(self) -> None:
        """Wait until all requests are answered, for as long as this process works on them (see the contract above)."""
        quiet_seconds = ANSWERS_AFTER_END * _slowness()
        now = time.monotonic()
        last, quiet_since, cpu_time = now + LONGEST_AFTER_END, now, time.process_time()
        while not self._all_answered.is_set() and now < min(last, quiet_since + quiet_seconds):
            with anyio.move_on_after(min(CHECK_AFTER_END, quiet_seconds)):
                await self._all_answered.wait()
            now = time.monotonic()
            if time.process_time() - cpu_time >= WORK_AFTER_END:
                quiet_since, cpu_time = now, time.process_time()

    async def send(self, item: SessionMessage, /) -> None:
        """Queue a message for writing; this never waits for the client."""
        message = item.message
        response_id = message.id if isinstance(message, JSONRPCResponse | JSONRPCError) else None
        if response_id is not None and response_id == self._answered_before:
            self._answered_before = None  # the client has this response already
        else:
            self._pipes.send(message.model_dump_json(by_alias=True, exclude_unset=True).encode())
        self._answered(response_id)

    def _answered(self, request_id: Any) -> None:
        if isinstance(request_id, str | int):
            self._unanswered.discard(request_id)
        if not self._unanswered:
            self._all_answered.set()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> SessionMessage | Exception:
        try:
            return await self.receive()
        except anyio.EndOfStream:
            raise StopAsyncIteration from None

    async def aclose(self) -> None:
        """Do nothing: the connection is closed when the process ends."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()


def _slowness() -> float:
    """How many times as long as on an idle machine everything takes: the processes for each core, from 1 to SLOWEST."""
    try:
        load = os.getloadavg()[0]
    except OSError:
        return 1.0
    return min(max(1.0, load / (os.cpu_count() or 1)), SLOWEST)


def _request_ids(line: bytes) -> list[str | int]:
    """Return the ids of the requests in an invalid line, as far as lenient parsing finds any (also in a batch)."""
    try:
        parsed = json.loads(line.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return []
    messages = parsed if isinstance(parsed, list) else [parsed]
    ids = [message.get("id") for message in messages if isinstance(message, dict) and "method" in message]
    return [request_id for request_id in ids if _is_id(request_id)]


def _is_id(value: object) -> TypeGuard[str | int]:
    if isinstance(value, str):
        return not any("\ud800" <= character <= "\udfff" for character in value)
    return isinstance(value, int) and not isinstance(value, bool)


def _first_line(error: ValueError) -> str:
    details = error.errors()[0]["msg"] if isinstance(error, ValidationError) else str(error)
    return details.splitlines()[0][:200]


def serve_stdio(server: GitLabServer, pipes: Pipes, opening: Opening) -> NoReturn:
    """Serve `server` on `pipes` until end of input, SIGTERM or SIGINT; then close it and end the process.

    `opening` has what came in so far. The process ends with exit code 0, and with 1 after an internal error.
    """
    code = 0
    try:
        asyncio.run(_serve(server, pipes, opening))
    except BaseException:
        logger.exception("internal error: the server stopped")
        code = 1
    server.close()
    sys.stderr.flush()
    os._exit(code)


async def _serve(server: GitLabServer, pipes: Pipes, opening: Opening) -> None:
    wire = Wire(pipes, opening)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, wire.stop)
    preparing = asyncio.ensure_future(_prepare(server))
    await server.lowlevel.run(wire, wire, server.lowlevel.create_initialization_options())
    preparing.cancel()
    pipes.flush(WRITING_AFTER_END)


async def _prepare(server: GitLabServer) -> None:
    """Prepare the server for its first calls, late enough that a call which comes at once does not wait for it."""
    await asyncio.sleep(PREPARED_AFTER)
    await server.prepare()
