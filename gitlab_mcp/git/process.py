"""The one place that starts git: with an allow-listed environment, no prompts and a limit on time."""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from gitlab_mcp.git.process_io import LOOK_SECONDS, OutputTooLarge, communicate

# Nothing else of the environment reaches git: no token, no GIT_TRACE that could print one, no GIT_DIR of a caller.
PASSED_ON = ("PATH", "HOME", "XDG_CONFIG_HOME", "TMPDIR", "LANG", "SYSTEMROOT")
USERS_OWN = ("HOME", "XDG_CONFIG_HOME")

# A checkout's own configuration may name programs that git runs while it only looks at files.
SAFE_CONFIGURATION = ("core.fsmonitor=false", "core.hooksPath=/dev/null", "credential.helper=", "protocol.allow=never")

PRINTED_BYTES = 512 * 1024 * 1024

TimeLeft = Callable[[], float]
"""Seconds that git may still take; raises when nobody waits for it any more."""


class GitError(Exception):
    """git is missing, ended with an error, or ran out of time.

    The text is the last line that it printed; `lines` are all of them, `status` is its exit code (None where it did not
    end by itself).
    """

    def __init__(self, text: str, lines: Sequence[str] = (), status: int | None = None) -> None:
        super().__init__(text)
        self.lines = list(lines)
        self.status = status


@dataclass(frozen=True)
class CompletedGit:
    """How a git command ended: its exit code, what it printed, and its lines on stderr."""

    status: int
    output: bytes
    lines: list[str]


def git(
    *arguments: str,
    git_directory: Path | None = None,
    work_tree: Path | None = None,
    settings: Sequence[str] = (),
    user_configuration: bool = False,
    input_bytes: bytes = b"",
    timeout: float = 60.0,
) -> bytes:
    """Run `git ARGUMENTS` and return what it printed.

    `git_directory` and `work_tree` are named to git outright, so that it does not look for a repository itself
    and does not mind who owns it. `settings` are further `name=value` pairs; the user's own configuration is read only
    with `user_configuration`. `timeout` is in seconds.

    Raises GitError.
    """
    directories = [f"--git-dir={git_directory}"] if git_directory else []
    directories += [f"--work-tree={work_tree}"] if work_tree else []
    ended = run_git(
        *directories,
        *arguments,
        settings=settings,
        environment=environment(user_configuration=user_configuration),
        directory=work_tree or git_directory,
        stdin=input_bytes,
        time_left=until(timeout),
    )
    return checked(ended, arguments[0])


def checked(ended: CompletedGit, command: str) -> bytes:
    """What a command printed. Raises GitError when it ended with an error."""
    if ended.status:
        said = ended.lines[-1] if ended.lines else f"git {command} ended with {ended.status}"
        raise GitError(said, ended.lines, ended.status)
    return ended.output


def until(seconds: float) -> TimeLeft:
    """A patience that ends after so many seconds from now. Raises GitError at its end."""
    ends = time.monotonic() + seconds

    def left() -> float:
        if (rest := ends - time.monotonic()) <= 0:
            raise GitError(f"git did not end within {seconds:.0f} s")
        return rest

    return left


@contextmanager
def on_disk() -> Iterator[None]:
    """Do something with files; where the disk refuses, GitError says so."""
    try:
        yield
    except OSError as error:
        what = f"{error.filename}: {error.strerror}" if error.filename else error.strerror or str(error)
        raise GitError(f"the files that git works with cannot be read or written ({what})") from error


@contextmanager
def in_turn(lock: "threading.Lock | threading.Semaphore", time_left: TimeLeft) -> Iterator[bool]:
    """Hold a lock, and say whether others held it first; then `time_left` is asked, and what it raises is raised."""
    waited = False
    while not lock.acquire(timeout=min(time_left(), LOOK_SECONDS) if waited else 0):
        waited = True
    try:
        yield waited
    finally:
        lock.release()


def run_git(
    *arguments: str,
    environment: Mapping[str, str],
    time_left: TimeLeft,
    directory: Path | None = None,
    settings: Sequence[str] = (),
    stdin: bytes | BinaryIO = b"",
    most: int = PRINTED_BYTES,
) -> CompletedGit:
    """Run `git ARGUMENTS` in `directory` with just this environment, and say how it ended.

    `stdin` is what git reads: bytes, or an open file. While git runs, `time_left` is asked how long it still may; what
    that raises ends git and all that it started, and is raised here. Of what it says on stderr, the middle is left out
    where it is long. Raises GitError when git cannot be started, or prints more than `most` bytes.
    """
    command = ["git"]
    for setting in (*SAFE_CONFIGURATION, *settings):
        command += ["-c", setting]
    text, source = (stdin, subprocess.PIPE) if isinstance(stdin, bytes) else (b"", stdin)
    try:
        child = subprocess.Popen(
            [*command, *arguments],
            stdin=source,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
            cwd=directory,
            start_new_session=True,
        )
    except ValueError as error:  # a NUL byte or half a character in an argument
        raise GitError(f"git was given what no command line can hold: {error}") from error
    except OSError as error:
        raise GitError(f"git could not be started: {error.strerror}") from error
    _running.add(child)
    try:
        output, said = communicate(child, text, time_left, most)
    except OutputTooLarge as error:
        _end(child)
        raise GitError(f"git printed more than {most:,} bytes, which is more than this server holds") from error
    except BaseException:
        _end(child)
        raise
    finally:
        for pipe in (child.stdin, child.stdout, child.stderr):
            if pipe:
                pipe.close()
        child.wait()
        _running.discard(child)
    # What the other side says arrives padded with blanks.
    lines = [line.rstrip() for line in said.decode("utf-8", "replace").replace("\r", "\n").split("\n") if line.strip()]
    return CompletedGit(child.returncode, output, lines)


class _Running:
    """The git commands that run now."""

    def __init__(self) -> None:
        self._children: set[subprocess.Popen[bytes]] = set()
        self._lock = threading.Lock()

    def add(self, child: subprocess.Popen[bytes]) -> None:
        with self._lock:
            self._children.add(child)

    def discard(self, child: subprocess.Popen[bytes]) -> None:
        with self._lock:
            self._children.discard(child)

    def end(self) -> None:
        with self._lock:
            children = list(self._children)
        for child in children:
            _end(child)


_running = _Running()


def end_running() -> None:
    """End every git command that still runs, and all that it started."""
    _running.end()


def _end(child: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)


def git_directory(checkout: Path) -> Path:
    """The git directory of a checkout; in a linked work tree `.git` is a file that names it."""
    path = checkout / ".git"
    if path.is_file():
        return (checkout / _named_in(path).removeprefix("gitdir:").strip()).resolve()
    return path


def common_directory(checkout: Path) -> Path:
    """The directory that holds the objects of a checkout: linked work trees share the one of the main one."""
    own = git_directory(checkout)
    common = own / "commondir"
    if common.is_file():
        return (own / _named_in(common).strip()).resolve()
    return own


def _named_in(file: Path) -> str:
    """The path that a file of git's holds; without NUL bytes, which no path has."""
    return file.read_text(encoding="utf-8", errors="replace").replace("\0", "")


def environment(*, user_configuration: bool = False) -> dict[str, str]:
    """The environment of a git command, which reads the user's own configuration only if asked."""
    # Before git 2.32 only a missing HOME keeps it from the user's configuration.
    names = PASSED_ON if user_configuration else [name for name in PASSED_ON if name not in USERS_OWN]
    passed = {name: os.environ[name] for name in names if name in os.environ}
    own = {} if user_configuration else {"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull}
    return {**passed, **own, "LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0"}
