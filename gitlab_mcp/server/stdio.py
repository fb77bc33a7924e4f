"""MCP over stdin and stdout, so that no answer is lost and nothing outlives its client.

The SDK's own stdio transport (2.3) cancels calls in flight at end of input, ignores SIGINT, cannot end while a tool
hangs, and crosses threads several times a call. Here one daemon thread reads, one writes, the event loop never blocks
on either, and the process ends by `os._exit`, which waits for no worker.
"""

import asyncio
import json
import logging
import os
import queue
import signal
import sys
import threading
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

# Seconds, of the half that end of input or a signal may take in all.
ANSWERS_AFTER_END = 0.3
WRITING_AFTER_END = 0.15

LARGEST_MESSAGE_BYTES = 64 * 1024 * 1024
READ_BYTES = 1 << 16


class Wire:
    """Both directions of the connection, and the requests that are not yet answered."""

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
        """End as soon as possible: no further message is taken."""
        self._stopped = True
        self._lines.put_nowait(None)
        self._all_answered.set()

    def flush(self, seconds: float) -> None:
        """Wait until everything that was sent is written, for at most `seconds`."""
        self._out.put(None)
        self._written.wait(seconds)

    def _read(self, descriptor: int) -> None:
        """In its own thread: blocking reads work on every kind of stdin, which event loops do not."""
        parts: list[bytes] = []
        length = 0
        try:
            while data := os.read(descriptor, READ_BYTES):
                for number, piece in enumerate(data.split(b"\n")):
                    if number:
                        self._arrived(b"".join(parts))
                        parts, length = [], 0
                    parts.append(piece)
                    length += len(piece)
                    if length > LARGEST_MESSAGE_BYTES:
                        logger.error("a message of more than %d bytes came in: ending", LARGEST_MESSAGE_BYTES)
                        return
            self._arrived(b"".join(parts))
        except OSError as error:
            logger.error("stdin cannot be read: %s", error)
        finally:
            self._arrived(None)

    def _arrived(self, line: bytes | None) -> None:
        self._loop.call_soon_threadsafe(self._lines.put_nowait, line)

    def _write(self, descriptor: int) -> None:
        """In its own thread: a client that does not read must not keep the loop from hearing a signal."""
        try:
            while (data := self._out.get()) is not None:
                while data:
                    data = data[os.write(descriptor, data) :]
        except OSError:
            # The client is gone, and with it everybody who could be told.
            self._loop.call_soon_threadsafe(self.stop)
        finally:
            self._written.set()

    async def receive(self) -> SessionMessage | Exception:
        """The next message, or the error that its line gave. Raises anyio.EndOfStream at the end."""
        while True:
            line = await self._next_line()
            if line is None:
                raise anyio.EndOfStream
            if not line.strip():
                continue
            try:
                message = jsonrpc_message_adapter.validate_json(line, by_name=False)
            except ValueError as error:
                requests = _request_ids(line)
                for request in requests:
                    # The SDK would drop the line, and its sender wait for ever.
                    said = ErrorData(code=PARSE_ERROR, message=f"Not a valid JSON-RPC message: {_first_line(error)}")
                    await self.send(SessionMessage(JSONRPCError(jsonrpc="2.0", id=request, error=said)))
                if requests:
                    continue
                return error
            if isinstance(message, JSONRPCRequest):
                self._unanswered.add(message.id)
                self._all_answered.clear()
            elif isinstance(message, JSONRPCNotification) and message.method == "notifications/cancelled":
                # A cancelled request gets no answer.
                self._answered((message.params or {}).get("requestId"))
            return SessionMessage(message)

    async def _next_line(self) -> bytes | None:
        """The next line; None at the end of input, once the calls in flight are answered or had their time."""
        line = None if self._stopped else await self._lines.get()
        if line is None and not self._stopped:
            with anyio.move_on_after(ANSWERS_AFTER_END):
                await self._all_answered.wait()
            self._stopped = True  # the SDK asks again after the end
        return None if self._stopped else line

    async def send(self, item: SessionMessage, /) -> None:
        message = item.message
        self._out.put(message.model_dump_json(by_alias=True, exclude_unset=True).encode() + b"\n")
        if isinstance(message, JSONRPCResponse | JSONRPCError):
            self._answered(message.id)

    def _answered(self, request: Any) -> None:
        if isinstance(request, str | int):
            self._unanswered.discard(request)
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
        """Nothing: the process ends with its connection."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()


def _request_ids(line: bytes) -> list[str | int]:
    """The ids of requests that could not be parsed strictly, where a lenient reading finds them (also in a batch)."""
    try:
        parsed = json.loads(line.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return []
    messages = parsed if isinstance(parsed, list) else [parsed]
    ids = [message.get("id") for message in messages if isinstance(message, dict) and "method" in message]
    return [identity for identity in ids if _is_id(identity)]


def _is_id(value: object) -> TypeGuard[str | int]:
    if isinstance(value, str):
        return not any("\ud800" <= character <= "\udfff" for character in value)
    return isinstance(value, int) and not isinstance(value, bool)


def _first_line(error: ValueError) -> str:
    details = error.errors()[0]["msg"] if isinstance(error, ValidationError) else str(error)
    return details.splitlines()[0][:200]


def serve_stdio(server: Server[Any], close: Callable[[], None]) -> NoReturn:
    """Serve `server` on stdin and stdout until end of input, SIGTERM or SIGINT; then end the process with code 0.

    `close` is called before the end, which no thread is waited for.

    Meanwhile descriptor 0 is the null device and descriptor 1 is stderr, so that nothing but protocol reaches the
    client, whatever a library prints, and no child reads the client's messages.
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
        logger.exception("the server stopped because of a fault")
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
