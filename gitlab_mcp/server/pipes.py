"""The two pipes to the client: lines come in and messages go out, on a thread each, with the standard library alone."""

import os
import queue
import threading
from collections.abc import Callable

# - In: lines of UTF-8 of at most LARGEST_MESSAGE_BYTES; a longer one ends the input.
# - Out: a line for each message, in the order in which they were sent. Sending never waits for the client.
# - Both threads are daemons: a process that ends waits for neither.
LARGEST_MESSAGE_BYTES = 64 * 1024 * 1024
READ_BYTES = 1 << 16
WRITING_AFTER_END = 0.15  # seconds that `flush` may take before the process ends

Receiver = Callable[[bytes | None], None]


class Pipes:
    """The connection to the client, from `start` on.

    `on_broken` is called on the writing thread when the client no longer reads; it may be replaced.
    """

    def __init__(self, read_descriptor: int, write_descriptor: int, on_broken: Callable[[], None]) -> None:
        self.on_broken = on_broken
        self._descriptors = read_descriptor, write_descriptor
        self._out: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._written = threading.Event()

    def start(self, receive: Receiver) -> None:
        """Begin to read and write: `receive` gets each line without its end, and None at end of input.

        It is called on the reading thread.
        """
        read_descriptor, write_descriptor = self._descriptors
        threading.Thread(target=self._write, args=(write_descriptor,), name="stdout", daemon=True).start()
        threading.Thread(target=self._read, args=(read_descriptor, receive), name="stdin", daemon=True).start()

    def send(self, message: bytes) -> None:
        """Queue a message for writing."""
        self._out.put(message + b"\n")

    def flush(self, seconds: float) -> None:
        """Wait until everything that was sent is written, for at most `seconds`; nothing can be sent after it."""
        self._out.put(None)
        self._written.wait(seconds)

    def _read(self, descriptor: int, receive: Receiver) -> None:
        """Read lines until end of input, in a thread of its own: event loops cannot read every kind of stdin."""
        parts: list[bytes] = []
        length = 0
        try:
            while data := os.read(descriptor, READ_BYTES):
                for number, piece in enumerate(data.split(b"\n")):
                    if number:
                        receive(b"".join(parts))
                        parts, length = [], 0
                    parts.append(piece)
                    length += len(piece)
                    if length > LARGEST_MESSAGE_BYTES:
                        _log_error("the client sent a message of more than %d bytes: ending", LARGEST_MESSAGE_BYTES)
                        return
            receive(b"".join(parts))
        except OSError as error:
            _log_error("stdin cannot be read: %s", error)
        finally:
            receive(None)

    def _write(self, descriptor: int) -> None:
        """Write what was sent, in a thread of its own, so that a client that does not read cannot block the others.

        Signals could not be handled otherwise.
        """
        try:
            while (data := self._out.get()) is not None:
                with memoryview(data) as rest:  # a pipe takes 64 KB at a time: slices of an image would be copied
                    written = 0
                    while written < len(data):
                        written += os.write(descriptor, rest[written:])
        except OSError:
            # The client is gone: nobody can receive a response or an error any more.
            self.on_broken()
        finally:
            self._written.set()


def _log_error(message: str, *details: object) -> None:
    import logging  # only here, because its import takes time at each start

    logging.getLogger(__name__).error(message, *details)
