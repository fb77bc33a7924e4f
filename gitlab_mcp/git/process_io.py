"""Writing a child process's stdin while reading its stdout and stderr, so that neither side blocks the other."""

import os
import select
import selectors
import subprocess
from collections.abc import Callable
from contextlib import suppress

LOOK_SECONDS = 0.5  # how often the time that is left is checked while a child runs

PIECE_BYTES = 65_536
STDERR_BYTES = 131_072  # how much is kept of the beginning of stderr, and as much of its end


class OutputTooLarge(Exception):
    """A child process printed more than the limit."""


def communicate(
    child: subprocess.Popen[bytes], text: bytes, time_left: Callable[[], float], most: int
) -> tuple[bytes, bytes]:
    """Write `text` to a child's stdin, wait until it exits, and return its stdout and its stderr.

    The middle of a long stderr is left out. Meanwhile `time_left` is called for the seconds that are left.

    Raises what `time_left` raises, and OutputTooLarge when the child prints more than `most` bytes on stdout.
    """
    output, errors, rest = bytearray(), _Stderr(), memoryview(text)
    with selectors.DefaultSelector() as selector:
        for pipe in (child.stdout, child.stderr):
            if pipe:
                selector.register(pipe, selectors.EVENT_READ)
        if child.stdin:
            selector.register(child.stdin, selectors.EVENT_WRITE)
        while selector.get_map():
            for key, _ in selector.select(min(time_left(), LOOK_SECONDS)):
                if key.fileobj is child.stdin:
                    rest = _feed(key.fd, rest)
                    is_over = not rest
                else:
                    piece = os.read(key.fd, PIECE_BYTES)
                    is_over = not piece
                    if key.fileobj is child.stderr:
                        errors.add(piece)
                    else:
                        output += piece
                if is_over:
                    selector.unregister(key.fileobj)
                if is_over and key.fileobj is child.stdin:
                    key.fileobj.close()
            if len(output) > most:
                raise OutputTooLarge
    _wait(child, time_left)
    return bytes(output), errors.text()


def _feed(descriptor: int, rest: memoryview) -> memoryview:
    """Write as much of `rest` as a pipe takes without blocking. Returns what remains; nothing if the pipe is closed."""
    try:
        return rest[os.write(descriptor, rest[: select.PIPE_BUF]) :]
    except BrokenPipeError:
        return rest[:0]


def _wait(child: subprocess.Popen[bytes], time_left: Callable[[], float]) -> None:
    while True:
        with suppress(subprocess.TimeoutExpired):
            child.wait(min(time_left(), LOOK_SECONDS))
            return


class _Stderr:
    """The stderr of a child: all of it, or whole lines of its beginning and its end where it is long."""

    def __init__(self) -> None:
        self._head = bytearray()
        self._tail = bytearray()
        self._is_cut = False

    def add(self, piece: bytes) -> None:
        room = STDERR_BYTES - len(self._head)
        self._head += piece[:room]
        self._tail += piece[room:]
        if len(self._tail) > 2 * STDERR_BYTES:
            del self._tail[:-STDERR_BYTES]
            self._is_cut = True

    def text(self) -> bytes:
        if not self._is_cut:
            return bytes(self._head + self._tail)
        # A cut line of GitLab's would lack the prefix "remote:" that tells it from git's own.
        head = self._head[: max(self._head.rfind(b"\n"), self._head.rfind(b"\r")) + 1]
        _, end, tail = self._tail.replace(b"\r", b"\n").partition(b"\n")
        return bytes(head + end + tail)
