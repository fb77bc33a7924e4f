"""Lines of JSON out of a stream of bytes, in bounded memory.

Long strings are cut, and lines that are long without them are left out. So an image or the output of a program can
have any size, and its event still arrives.
"""

import re
from collections.abc import Iterator

STRING_BYTES = 128_000  # of a string, as it is written in JSON
LINE_BYTES = 1_000_000  # a list of empty lists takes about 25 times its size in memory

# The characters of a string as JSON writes them, each whole.
CHARACTERS = re.compile(rb'(?:[^"\\]+|\\u[0-9a-fA-F]{4}|\\[^u])*', re.DOTALL)
TO_THE_END = re.compile(rb'[^"\\]*(?:\\.[^"\\]*)*', re.DOTALL)

# What a cut string ends in; no text that is shown contains it.
CUT_END = "\x00cut"


class JsonLines:
    """Splits a stream into lines. `left_out` counts the lines that were too long."""

    def __init__(self) -> None:
        self.left_out = 0
        self._begin()

    def _begin(self) -> None:
        self._line = bytearray()
        self._is_string = False  # whether a string is open
        self._start = 0  # where in the line the open string begins
        self._is_escaped = False  # the next byte belongs to a backslash
        self._is_cut = False  # the rest of the open string is left out
        self._is_long = False

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The lines that `data` completes. The iterator must be used up before the next call."""
        *ended, rest = data.split(b"\n")
        for part in ended:
            self._add(part)
            yield from self.close()
        self._add(rest)

    def close(self) -> Iterator[bytes]:
        """The line that was begun, if there is one."""
        line, is_long = bytes(self._line), self._is_long
        self._begin()
        self.left_out += is_long
        if line.strip() and not is_long:
            yield line

    def _add(self, data: bytes) -> None:
        position = 0
        while position < len(data) and not self._is_long:
            position = self._add_string(data, position) if self._is_string else self._add_other(data, position)
            # The open string has its own limit.
            self._is_long = len(self._line) > LINE_BYTES
        if self._is_long:
            self._line.clear()

    def _add_other(self, data: bytes, position: int) -> int:
        """Add what stands before the next string, and its quote; where the rest begins."""
        end = data.find(b'"', position) + 1 or len(data)
        self._line += data[position:end]
        if data[end - 1 : end] == b'"':
            self._is_string, self._start = True, len(self._line)
        return end

    def _add_string(self, data: bytes, position: int) -> int:
        """Add the part of `data` that belongs to the open string, and the quote that ends it; where the rest begins."""
        start = position + self._is_escaped
        match = TO_THE_END.match(data, start)
        end = match.end() if match else start
        self._is_escaped = data[end : end + 1] == b"\\"  # the last byte
        end += self._is_escaped
        if not self._is_cut:
            self._line += data[position:end]
            self._cut()
        if data[end : end + 1] == b'"':
            self._line += b'"'
            self._is_string = self._is_cut = False
            end += 1
        return end

    def _cut(self) -> None:
        limit = self._start + STRING_BYTES
        if len(self._line) > limit and (whole := CHARACTERS.match(self._line, self._start, limit)):
            del self._line[whole.end() :]
            self._line += b"\\u0000cut"
            self._is_cut = True
