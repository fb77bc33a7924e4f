"""Child processes with a time limit: each runs in its own process group, which is killed when time runs out."""

import os
import signal
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from gitlab_mcp.git.search_path import search_path

PROGRAM_OUTPUT_BYTES = 4096


class NotStarted(Exception):
    """A program could not be started; the text says why."""


class Child:
    """A running program with pipes for stdin and stdout; its stderr goes to a file."""

    def __init__(self, process: "subprocess.Popen[bytes]", stderr: IO[bytes]) -> None:
        self._process = process
        self._stderr = stderr

    @property
    def stdin(self) -> IO[bytes]:
        assert self._process.stdin is not None  # noqa: S101  # it was started with a pipe
        return self._process.stdin

    @property
    def stdout(self) -> IO[bytes]:
        assert self._process.stdout is not None  # noqa: S101  # it was started with a pipe
        return self._process.stdout

    def last_stderr_line(self) -> str:
        """The last line of stderr that is not blank."""
        end = self._stderr.seek(0, os.SEEK_END)
        self._stderr.seek(max(0, end - PROGRAM_OUTPUT_BYTES))
        lines = self._stderr.read().decode("utf-8", "replace").split("\n")
        return next((line.strip() for line in reversed(lines) if line.strip()), "")


@contextmanager
def started(command: Sequence[str], environ: Mapping[str, str], directory: Path, seconds: float) -> Iterator[Child]:
    """Run a program for at most `seconds`; then it is killed with its process group, and its output ends.

    Raises NotStarted when the program cannot be started.
    """
    with tempfile.TemporaryFile() as stderr:
        try:
            process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                env={**environ, "PATH": search_path(environ)},
                cwd=directory,
                start_new_session=True,
            )
        except (OSError, ValueError) as error:  # ValueError: a NUL byte in an argument
            raise NotStarted(getattr(error, "strerror", None) or "its command line cannot be used") from error
        timer = threading.Timer(seconds, _kill, [process])
        timer.daemon = True
        timer.start()
        try:
            yield Child(process, stderr)
        finally:
            timer.cancel()
            _kill(process)
            for pipe in (process.stdin, process.stdout):
                with suppress(OSError):
                    if pipe:
                        pipe.close()
            process.wait()


def _kill(process: "subprocess.Popen[bytes]") -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)


def output(command: Sequence[str], environ: Mapping[str, str], directory: Path, seconds: float) -> str:
    """The first PROGRAM_OUTPUT_BYTES of what a program prints. Raises NotStarted when it cannot be started."""
    with started(command, environ, directory, seconds) as child:
        child.stdin.close()
        return child.stdout.read(PROGRAM_OUTPUT_BYTES).decode("utf-8", "replace")
