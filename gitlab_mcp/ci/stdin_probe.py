"""What standard input holds, without taking anything from it: whoever reads it next finds all of it."""

import ctypes
import os
import re
import select
import socket
import stat
import time
from enum import Enum

PEEKED = 64  # bytes, of which the first that is no blank is looked at
# An object, or no more than its beginning: a shell's { is followed by something else.
OBJECT = re.compile(rb'\s*\{\s*("|\Z)')
SPLICE_F_NONBLOCK = 2  # splice(2), <fcntl.h>


class Input(Enum):
    """What standard input is, as far as it can be told without reading."""

    TERMINAL = "a terminal"
    ENDED = "at its end, closed, or the null device"
    SILENT = "open, with nothing in it yet"
    CLIENT = "the beginning of a JSON object, as an MCP client writes"
    OTHER = "something else"


def look(descriptor: int = 0) -> Input:
    """What there is at this moment."""
    try:
        mode = os.fstat(descriptor).st_mode
    except OSError:
        return Input.ENDED
    if os.isatty(descriptor):
        return Input.TERMINAL
    if stat.S_ISREG(mode):
        try:
            return _of(os.pread(descriptor, PEEKED, os.lseek(descriptor, 0, os.SEEK_CUR)))
        except OSError:  # open for writing only
            return Input.ENDED
    if not (stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)):
        return Input.ENDED  # the null device, a folder: no client is there
    poller = select.poll()
    poller.register(descriptor, select.POLLIN)
    events = poller.poll(0)
    if not events:
        return Input.SILENT
    peeked = _peek_socket(descriptor) if stat.S_ISSOCK(mode) else _peek_pipe(descriptor)
    return _of(peeked)


def wait(seconds: float, descriptor: int = 0) -> Input:
    """What there is once it is no longer silent, or after so many seconds."""
    ends = time.monotonic() + seconds
    while (found := look(descriptor)) is Input.SILENT and (left := ends - time.monotonic()) > 0:
        poller = select.poll()
        poller.register(descriptor, select.POLLIN)
        poller.poll(left * 1000)
    return found


def _of(peeked: bytes) -> Input:
    if not peeked:
        return Input.ENDED
    return Input.CLIENT if OBJECT.match(peeked) else Input.OTHER


def _peek_socket(descriptor: int) -> bytes:
    with socket.socket(fileno=os.dup(descriptor)) as connection:
        try:
            return connection.recv(PEEKED, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except OSError:
            return b""


def _peek_pipe(descriptor: int) -> bytes:
    """What is at the front of a pipe, copied by tee(2), which leaves it there (Linux)."""
    library = ctypes.CDLL(None, use_errno=True)
    if not hasattr(library, "tee"):
        return b"?"
    reader, writer = os.pipe()
    try:
        copied = library.tee(descriptor, writer, PEEKED, SPLICE_F_NONBLOCK)
        return os.read(reader, PEEKED) if copied > 0 else b""
    finally:
        os.close(reader)
        os.close(writer)
