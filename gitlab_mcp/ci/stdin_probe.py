"""Looks at standard input without consuming it: the next reader gets all of it."""

import ctypes
import os
import re
import select
import socket
import stat
import time
from enum import Enum

PEEKED_BYTES = 64
# The beginning of a JSON object: in a shell script other text follows the {.
OBJECT = re.compile(rb'\s*\{\s*("|\Z)')
SPLICE_F_NONBLOCK = 2  # splice(2), <fcntl.h>


class Input(Enum):
    """The kind of standard input, as far as it is known without reading it."""

    TERMINAL = "a terminal"
    ENDED = "at its end, closed, or the null device"
    SILENT = "open, with nothing in it yet"
    CLIENT = "the beginning of a JSON object, as an MCP client writes"
    OTHER = "something else"


def look(descriptor: int = 0) -> Input:
    """The kind of input that `descriptor` has at this moment."""
    try:
        mode = os.fstat(descriptor).st_mode
    except OSError:
        return Input.ENDED
    if os.isatty(descriptor):
        return Input.TERMINAL
    if stat.S_ISREG(mode):
        try:
            return _kind(os.pread(descriptor, PEEKED_BYTES, os.lseek(descriptor, 0, os.SEEK_CUR)))
        except OSError:  # open for writing only
            return Input.ENDED
    if not (stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)):
        return Input.ENDED  # the null device or a folder: no client writes to it
    poller = select.poll()
    poller.register(descriptor, select.POLLIN)
    events = poller.poll(0)
    if not events:
        return Input.SILENT
    peeked = _peek_socket(descriptor) if stat.S_ISSOCK(mode) else _peek_pipe(descriptor)
    return _kind(peeked)


def wait(seconds: float, descriptor: int = 0) -> Input:
    """The kind of input that `descriptor` has, once it is no longer silent or `seconds` have passed."""
    deadline = time.monotonic() + seconds
    while (kind := look(descriptor)) is Input.SILENT and (left := deadline - time.monotonic()) > 0:
        poller = select.poll()
        poller.register(descriptor, select.POLLIN)
        poller.poll(left * 1000)
    return kind


def _kind(peeked: bytes) -> Input:
    if not peeked:
        return Input.ENDED
    return Input.CLIENT if OBJECT.match(peeked) else Input.OTHER


def _peek_socket(descriptor: int) -> bytes:
    with socket.socket(fileno=os.dup(descriptor)) as connection:
        try:
            return connection.recv(PEEKED_BYTES, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except OSError:
            return b""


def _peek_pipe(descriptor: int) -> bytes:
    """The first bytes of a pipe, copied by tee(2), which leaves them in it (Linux); b"?" where there is no tee."""
    library = ctypes.CDLL(None, use_errno=True)
    if not hasattr(library, "tee"):
        return b"?"
    reader, writer = os.pipe()
    try:
        copied = library.tee(descriptor, writer, PEEKED_BYTES, SPLICE_F_NONBLOCK)
        return os.read(reader, PEEKED_BYTES) if copied > 0 else b""
    finally:
        os.close(reader)
        os.close(writer)
