"""Claude Code as a child process in a process group of its own: started, read, and ended with its children."""

import os
import selectors
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Literal

from gitlab_mcp.git.process_io import PIECE_BYTES

OutputSource = Literal["stdout", "stderr", ""]

TICK_SECONDS = 1.0
STOP_SECONDS = 10.0  # between SIGTERM and SIGKILL
DRAIN_SECONDS = 2.0  # for what a process of another group holds open after the end of Claude Code
STOPPING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class NotStartable(Exception):
    """The program is missing or cannot be executed; the text says which."""


class StopSignals:
    """What this process was told to stop by: `received` is the signal, None as long as there was none.

    `on_first` is called from the handler of the first one.
    """

    def __init__(self, on_first: Callable[[], None]) -> None:
        self.received: signal.Signals | None = None
        self._on_first = on_first
        self.reader, self._writer = os.pipe()  # readable from the first signal on
        os.set_blocking(self._writer, False)

    def handle(self, number: int, _frame: FrameType | None = None) -> None:
        """Record a signal."""
        if self.received is None:
            self.received = signal.Signals(number)
            self._on_first()
        with suppress(OSError):
            os.write(self._writer, b"!")

    def close(self) -> None:
        """Close the pipe."""
        os.close(self.reader)
        os.close(self._writer)


@contextmanager
def stop_signals(on_first: Callable[[], None]) -> Iterator[StopSignals]:
    """Record SIGTERM, SIGINT and SIGHUP instead of ending this process, which still has to report."""
    signals = StopSignals(on_first)
    before = {number: signal.signal(number, signals.handle) for number in STOPPING}
    try:
        yield signals
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        signals.close()


class ClaudeProcess:
    """A running Claude Code. `status` is its exit code, negative for a signal, once `output` is used up."""

    def __init__(self, command: Sequence[str], environ: Mapping[str, str], directory: Path, prompt: bytes) -> None:
        """Start `command` in `directory` with `prompt` on its standard input.

        Raises NotStartable where that cannot be done.
        """
        self.status: int | None = None
        self._killed_at = float("inf")
        with tempfile.TemporaryFile() as stdin:  # which has no name, and so is gone with the process
            stdin.write(prompt)
            stdin.seek(0)
            try:
                self._process = subprocess.Popen(
                    command,
                    env=environ,
                    cwd=directory,
                    stdin=stdin,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    start_new_session=True,
                )
            except (OSError, ValueError) as error:
                reason = getattr(error, "strerror", None) or "its command line cannot be used"
                raise NotStartable(f"{command[0]} cannot be started: {reason}") from error

    def stop(self) -> None:
        """Send SIGTERM to the process group, and SIGKILL after STOP_SECONDS if it still runs. Returns at once."""
        if self._killed_at == float("inf"):
            self._killed_at = time.monotonic() + STOP_SECONDS
            self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """Send SIGKILL to the process group and wait for its end."""
        self._signal(signal.SIGKILL)
        self._process.wait()

    def output(self, wakes: int) -> Iterator[tuple[OutputSource, bytes]]:
        """Yield pieces of stdout and stderr until the process has ended, and ("", b"") about every second.

        A byte to read from the descriptor `wakes` makes it yield at once.
        """
        assert self._process.stdout is not None  # noqa: S101  # it was started with pipes
        assert self._process.stderr is not None  # noqa: S101
        ended_at = float("inf")
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ, "stdout")
            selector.register(self._process.stderr, selectors.EVENT_READ, "stderr")
            selector.register(wakes, selectors.EVENT_READ, "")
            ticked = time.monotonic()
            while len(selector.get_map()) > (wakes in selector.get_map()) and time.monotonic() < ended_at:
                for key, _ in selector.select(TICK_SECONDS):
                    if not key.data:
                        selector.unregister(wakes)
                        ticked = 0.0
                    elif data := os.read(key.fd, PIECE_BYTES):
                        yield key.data, data
                    else:
                        selector.unregister(key.fileobj)
                now = time.monotonic()
                if now - ticked >= TICK_SECONDS:
                    ticked = now
                    yield "", b""
                if now >= self._killed_at:
                    self._signal(signal.SIGKILL)
                if ended_at == float("inf") and self._process.poll() is not None:
                    ended_at = now + DRAIN_SECONDS
        self._end()

    def _end(self) -> None:
        """Wait for the process, and end what it has left running in its group."""
        while self._process.poll() is None:  # it closed its output before it ended
            left = self._killed_at - time.monotonic()
            try:
                self._process.wait(min(left, STOP_SECONDS) if left > 0 else 0)
            except subprocess.TimeoutExpired:
                self._signal(signal.SIGKILL)
        self._signal(signal.SIGKILL)
        self.status = self._process.returncode
        for pipe in (self._process.stdout, self._process.stderr):
            if pipe:
                pipe.close()

    def _signal(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)
