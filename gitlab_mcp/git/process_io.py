"""Giving a child process what it reads and taking what it prints, in pieces, so that neither waits for the other."""

import os
import select
import selectors
import subprocess
from collections.abc import Callable
from contextlib import suppress

LOOK_SECONDS = 0.5  # how often a running child is held against the time that is left

PIECE_BYTES = 65_536
SAID_BYTES = 131_072  # of stderr, what is kept of its beginning, and of its end


class OutputTooLarge(Exception):
    """A child printed more than may be held."""


def communicate(
    child: subprocess.Popen[bytes], text: bytes, time_left: Callable[[], float], most: int
) -> tuple[bytes, bytes]:
    """Give a child `text` to read, and return what it printed and what it said on stderr, once it ended.

    Of what is long on stderr the middle is left out. Meanwhile `time_left` is asked for the seconds that are left.
    Raises what that raises, and TooMuch when the child prints more than `most` bytes.
    """
    output, said, rest = bytearray(), _Said(), memoryview(text)
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
                        said.add(piece)
                    else:
                        output += piece
                if is_over:
                    selector.unregister(key.fileobj)
                if is_over and key.fileobj is child.stdin:
                    key.fileobj.close()
            if len(output) > most:
                raise OutputTooLarge
    _wait(child, time_left)
    return bytes(output), said.text()


def _feed(descriptor: int, rest: memoryview) -> memoryview:
    """What is left of `rest` when a child took as much as its pipe surely holds; nothing where it reads no more."""
    try:
        return rest[os.write(descriptor, rest[: select.PIPE_BUF]) :]
    except BrokenPipeError:
        return rest[:0]


def _wait(child: subprocess.Popen[bytes], time_left: Callable[[], float]) -> None:
    while True:
        with suppress(subprocess.TimeoutExpired):
            child.wait(min(time_left(), LOOK_SECONDS))
            return


class _Said:
    """What a child says on stderr: all of it, or its beginning and its end, in whole lines, where it is long."""

    def __init__(self) -> None:
        self._head = bytearray()
        self._tail = bytearray()
        self._is_cut = False

    def add(self, piece: bytes) -> None:
        room = SAID_BYTES - len(self._head)
        self._head += piece[:room]
        self._tail += piece[room:]
        if len(self._tail) > 2 * SAID_BYTES:
            del self._tail[:-SAID_BYTES]
            self._is_cut = True

    def text(self) -> bytes:
        if not self._is_cut:
            return bytes(self._head + self._tail)
        # Half a line of GitLab's would lack the mark that tells it from git's own.
        head = self._head[: max(self._head.rfind(b"\n"), self._head.rfind(b"\r")) + 1]
        _, end, tail = self._tail.replace(b"\r", b"\n").partition(b"\n")
        return bytes(head + end + tail)
