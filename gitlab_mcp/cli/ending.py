"""How a command ends when its output cannot be written or a signal ends it: with an exit code and no traceback."""

import io
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from errno import EPIPE
from types import FrameType
from typing import NoReturn, TextIO

from gitlab_mcp.config.environment import SettingsError


class OutputFailed(Exception):
    """Standard output cannot be written; `cause` says why.

    It is not an OSError, so that nobody takes it for an error of a connection or of a file.
    """

    def __init__(self, cause: OSError) -> None:
        super().__init__(str(cause))
        self.cause = cause


class _Output(io.FileIO):
    """A file descriptor whose writes raise OutputFailed."""

    def write(self, data: object, /) -> int:
        try:
            return super().write(data)  # type: ignore[arg-type]  # what its buffer hands over
        except OSError as error:
            raise OutputFailed(error) from None


@contextmanager
def ends_quietly() -> Iterator[None]:
    """Where standard output cannot be written, end the process with an exit code instead of a traceback.

    The code is 141, as after SIGPIPE, when the reader is gone, as in `gitlab-mcp-server demo | head`; otherwise it is
    1, and a line on stderr says why. The `with` block cleans up first.
    """
    sys.stdout = _guarded(sys.stdout)
    try:
        try:
            yield
        finally:
            if sys.stdout:
                sys.stdout.flush()
    except BaseException as error:
        failed = _failed(error)
        if failed is None:
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # Python flushes at its end what could not be written
        if failed.cause.errno == EPIPE:
            sys.exit(128 + signal.SIGPIPE)
        with suppress(OSError):  # stderr may be the same file
            sys.stderr.write(f"gitlab-mcp-server: the output cannot be written: {failed.cause.strerror}\n")
        sys.exit(1)


def _guarded(stream: TextIO) -> TextIO:
    if not isinstance(stream, io.TextIOWrapper):  # None where the descriptor is closed
        return stream
    raw = _Output(stream.fileno(), "w", closefd=False)
    lines = stream.line_buffering or stream.write_through
    return io.TextIOWrapper(io.BufferedWriter(raw), stream.encoding, stream.errors, line_buffering=lines)


def _failed(error: BaseException) -> OutputFailed | None:
    """The OutputFailed that `error` is, or that is in it: errors of tasks arrive in groups."""
    if isinstance(error, BaseExceptionGroup):
        return next((failed for each in error.exceptions if (failed := _failed(each))), None)
    return error if isinstance(error, OutputFailed) else None


def end_unconfigured(error: SettingsError) -> NoReturn:
    """End the process with exit code 2 and a line on stderr, because the configuration cannot be used."""
    print(f"gitlab-mcp-server: {error}", file=sys.stderr)  # noqa: T201  # for a person
    sys.exit(2)


def clean_up_on_signals() -> None:
    """Let SIGINT, SIGTERM and SIGHUP (the terminal was closed) end the process by an exception, so that it cleans up.

    A signal that the process was started with as ignored stays ignored, as after `nohup`. Must be called from the main
    thread.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, _end)


def _end(number: int, _frame: FrameType | None) -> None:
    sys.exit(128 + number)
