"""The stdio transport of MCP: no response is lost at end of input, and the process does not outlive its client.

It replaces the SDK's own stdio transport (2.3), which cancels calls in flight at end of input, ignores SIGINT, cannot
end while a tool hangs, and crosses threads several times a call.
"""

import asyncio
import json
import logging
import os
import queue
import signal
import sys
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, NoReturn, Self, TypeGuard

import anyio
from mcp.server.lowlevel import Server
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

logger = logging.getLogger(__name__)

# The contract of the transport:
# - In: lines of UTF-8, each a JSON-RPC message, of at most LARGEST_MESSAGE_BYTES; a longer one ends the input. A line
#   that is not valid JSON-RPC gets a PARSE_ERROR for each request id that can be found in it; otherwise the SDK gets
#   the error.
# - Out: a line for each message, in the order in which they were sent.
# - Threads: one daemon thread does the blocking reads, one the blocking writes; everything else runs on the event loop,
#   which blocks on neither. The reader hands lines over with call_soon_threadsafe, the writer takes them from a
#   thread-safe queue.
# - End of input: the loop ends when the calls in flight are answered; or when nothing was done for them for
#   ANSWERS_AFTER_END seconds (up to SLOWEST times as long on a busy machine), so that a GitLab that does not answer
#   keeps no process alive; or after LONGEST_AFTER_END seconds.
# - SIGTERM, SIGINT, or a client that no longer reads: the loop ends at once, without waiting for calls in flight.
# - After the loop: responses have WRITING_AFTER_END seconds to be written, then `os._exit` ends the process without
#   waiting for any thread. The exit code is 0, and 1 after an internal error, which is logged.
ANSWERS_AFTER_END = 0.3  # seconds; with WRITING_AFTER_END, less than half a second in all
WRITING_AFTER_END = 0.15  # seconds
WORK_AFTER_END = 0.01  # seconds of CPU time that show that something was done; only to wait takes far less
CHECK_AFTER_END = 0.05  # seconds from one look at the CPU time to the next
LONGEST_AFTER_END = 30.0  # seconds
SLOWEST = 3.0

LARGEST_MESSAGE_BYTES = 64 * 1024 * 1024
READ_BYTES = 1 << 16


class Wire:
    """Both directions of the connection, and the ids of the requests that are not yet answered.

    It is the read stream and the write stream that the SDK's server takes.
    """

    def __init__(self, read_descriptor: int, write_descriptor: int) -> None:
        self._loop = asyncio.get_running_loop()
        self._lines: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._unanswered: set[str | int] = set()
        self._all_answered = asyncio.Event()
        self._all_answered.set()
        self._stopped = False
        self._out: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._written = threading.Event()
        threading.Thread(target=self._read, args=(read_descriptor,), name="stdin", daemon=True).start()
        threading.Thread(target=self._write, args=(write_descriptor,), name="stdout", daemon=True).start()

    def stop(self) -> None:
        """End as soon as possible: `receive` returns no further message."""
        self._stopped = True
        self._lines.put_nowait(None)
        self._all_answered.set()

    def flush(self, seconds: float) -> None:
        """Wait until everything that was sent is written, for at most `seconds`."""
        self._out.put(None)
        self._written.wait(seconds)

    def _read(self, descriptor: int) -> None:
        """Read lines until end of input, in a thread of its own: event loops cannot read every kind of stdin."""
        parts: list[bytes] = []
        length = 0
        try:
            while data := os.read(descriptor, READ_BYTES):
                for number, piece in enumerate(data.split(b"\n")):
                    if number:
                        self._hand_over(b"".join(parts))
                        parts, length = [], 0
                    parts.append(piece)
                    length += len(piece)
                    if length > LARGEST_MESSAGE_BYTES:
                        logger.error("the client sent a message of more than %d bytes: ending", LARGEST_MESSAGE_BYTES)
                        return
            self._hand_over(b"".join(parts))
        except OSError as error:
            logger.error("stdin cannot be read: %s", error)
        finally:
            self._hand_over(None)

    def _hand_over(self, line: bytes | None) -> None:
        """Give a line to the event loop; None at end of input."""
        self._loop.call_soon_threadsafe(self._lines.put_nowait, line)

    def _write(self, descriptor: int) -> None:
        """Write what was sent, in a thread of its own, so that a client that does not read cannot block the event loop.

        The loop could not handle signals otherwise.
        """
        try:
            while (data := self._out.get()) is not None:
                while data:
                    data = data[os.write(descriptor, data) :]
        except OSError:
            # The client is gone: nobody can receive a response or an error any more.
            self._loop.call_soon_threadsafe(self.stop)
        finally:
            self._written.set()

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
        self._out.put(message.model_dump_json(by_alias=True, exclude_unset=True).encode() + b"\n")
        if isinstance(message, JSONRPCResponse | JSONRPCError):
            self._answered(message.id)

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


def serve_stdio(server: Server[Any], close: Callable[[], None]) -> NoReturn:
    """Serve `server` on stdin and stdout until end of input, SIGTERM or SIGINT; then end the process.

    `close` is called before the process ends. It ends with exit code 0, and with 1 after an internal error.

    While it serves, file descriptor 0 is the null device and 1 is stderr, so that only the protocol reaches the client,
    whatever a library prints, and no child process reads the client's messages.
    """
    wire_in, wire_out = os.dup(0), os.dup(1)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    os.dup2(2, 1)
    code = 0
    try:
        asyncio.run(_serve(server, wire_in, wire_out))
    except BaseException:
        logger.exception("internal error: the server stopped")
        code = 1
    close()
    sys.stderr.flush()
    os._exit(code)


async def _serve(server: Server[Any], read_descriptor: int, write_descriptor: int) -> None:
    wire = Wire(read_descriptor, write_descriptor)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, wire.stop)
    await server.run(wire, wire, server.create_initialization_options())
    wire.flush(WRITING_AFTER_END)
