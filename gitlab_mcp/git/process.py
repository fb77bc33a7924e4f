"""Running git: the only place that starts it, with an allow-listed environment, no prompts and a time limit."""

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
from gitlab_mcp.git.search_path import search_path

# No other variable is passed on to git: no token, no GIT_TRACE that could print one, no GIT_DIR of the caller.
PASSED_ON = ("PATH", "HOME", "XDG_CONFIG_HOME", "TMPDIR", "LANG", "SYSTEMROOT")
USERS_OWN = ("HOME", "XDG_CONFIG_HOME")

# A checkout's own configuration may name programs that git would run even for reading commands.
SAFE_CONFIGURATION = ("core.fsmonitor=false", "core.hooksPath=/dev/null", "credential.helper=", "protocol.allow=never")

OLDEST_GIT = (2, 31)  # configuration by environment variables, fetch without FETCH_HEAD
NEEDED_GIT = f"git {OLDEST_GIT[0]}.{OLDEST_GIT[1]} or newer"  # the sandbox, and so the demo and the tests, need 2.38
NOT_INSTALLED = f"git is not installed: install {NEEDED_GIT} (apk add git, apt-get install git)"
PRINTED_BYTES = 512 * 1024 * 1024

TimeLeft = Callable[[], float]
"""Returns the seconds that git may still take; raises when the time is over or the call was cancelled."""


class GitError(Exception):
    """git is missing, exited with an error, or ran out of time.

    The text is the last line of its stderr; `lines` are all of them, `status` is its exit code (None where it did not
    exit by itself).
    """

    def __init__(self, text: str, lines: Sequence[str] = (), status: int | None = None) -> None:
        super().__init__(text)
        self.lines = list(lines)
        self.status = status


@dataclass(frozen=True)
class CompletedGit:
    """A git command that exited: its exit code, its output on stdout, and its lines on stderr."""

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
    """Run `git ARGUMENTS` and return its output on stdout.

    `git_directory` and `work_tree` are passed as options, so that git does not search for a repository and does not
    check who owns it. `settings` are further `name=value` pairs; the user's own configuration is read only with
    `user_configuration`. `timeout` is in seconds.

    Raises GitError when git cannot be started, exits with an error or takes longer than `timeout`.
    """
    directories = [f"--git-dir={git_directory}"] if git_directory else []
    directories += [f"--work-tree={work_tree}"] if work_tree else []
    completed = run_git(
        *directories,
        *arguments,
        settings=settings,
        environment=environment(user_configuration=user_configuration),
        directory=work_tree or git_directory,
        stdin=input_bytes,
        time_left=until(timeout),
    )
    return checked(completed, arguments[0])


def checked(completed: CompletedGit, command: str) -> bytes:
    """The output of a command. Raises GitError when it exited with an error."""
    if completed.status:
        message = completed.lines[-1] if completed.lines else f"git {command} exited with status {completed.status}"
        raise GitError(message, completed.lines, completed.status)
    return completed.output


def until(seconds: float) -> TimeLeft:
    """A time limit of so many seconds from now. The returned function raises GitError once they are over."""
    deadline = time.monotonic() + seconds

    def time_left() -> float:
        if (rest := deadline - time.monotonic()) <= 0:
            raise GitError(f"git did not finish within {seconds:.0f} s")
        return rest

    return time_left


@contextmanager
def on_disk() -> Iterator[None]:
    """Turn an OSError of the block, or of the decorated function, into a GitError that names the file."""
    try:
        yield
    except OSError as error:
        reason = f"{error.filename}: {error.strerror}" if error.filename else error.strerror or str(error)
        raise GitError(f"the files that git works with cannot be read or written ({reason})") from error


@contextmanager
def in_turn(lock: "threading.Lock | threading.Semaphore", time_left: TimeLeft) -> Iterator[bool]:
    """Hold a lock, and yield whether it had to be waited for. While it waits, whatever `time_left` raises is raised."""
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
    """Run `git ARGUMENTS` in `directory` with exactly this environment, whatever its exit code.

    `stdin` is bytes or an open file. While git runs, `time_left` is called again and again; an exception of it kills
    git and every process that git started, and is raised here. The middle of a long stderr is left out.

    Raises GitError when git cannot be started, or prints more than `most` bytes on stdout.
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
    except ValueError as error:  # a NUL byte or an unpaired surrogate in an argument
        raise GitError(f"an argument of git cannot be passed on a command line: {error}") from error
    except OSError as error:
        if isinstance(error, FileNotFoundError) and error.filename == "git":  # else the directory is missing
            raise GitError(NOT_INSTALLED) from error
        raise GitError(f"git could not be started: {error.strerror}") from error
    _running.add(child)
    try:
        output, errors = communicate(child, text, time_left, most)
    except OutputTooLarge as error:
        _kill(child)
        raise GitError(f"git printed more than {most:,} bytes, which is more than this server holds") from error
    except BaseException:
        _kill(child)
        raise
    finally:
        for pipe in (child.stdin, child.stdout, child.stderr):
            if pipe:
                pipe.close()
        child.wait()
        _running.discard(child)
    # git pads the lines of the remote side with spaces.
    rows = errors.decode("utf-8", "replace").replace("\r", "\n").split("\n")
    return CompletedGit(child.returncode, output, [row.rstrip() for row in rows if row.strip()])


class _Running:
    """The git processes that are running."""

    def __init__(self) -> None:
        self._children: set[subprocess.Popen[bytes]] = set()
        self._lock = threading.Lock()

    def add(self, child: subprocess.Popen[bytes]) -> None:
        with self._lock:
            self._children.add(child)

    def discard(self, child: subprocess.Popen[bytes]) -> None:
        with self._lock:
            self._children.discard(child)

    def kill(self) -> None:
        with self._lock:
            children = list(self._children)
        for child in children:
            _kill(child)


_running = _Running()


def end_running() -> None:
    """Kill every git process that is still running, and every process that it started."""
    _running.kill()


def _kill(child: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)


def git_directory(checkout: Path) -> Path:
    """The git directory of a checkout; in a linked work tree `.git` is a file that contains its path."""
    path = checkout / ".git"
    if path.is_file():
        return (checkout / _path_in(path).removeprefix("gitdir:").strip()).resolve()
    return path


def common_directory(checkout: Path) -> Path:
    """The directory with the objects of a checkout: linked work trees share the one of the main work tree."""
    directory = git_directory(checkout)
    common = directory / "commondir"
    if common.is_file():
        return (directory / _path_in(common).strip()).resolve()
    return directory


def _path_in(file: Path) -> str:
    """The path that one of git's files contains, without NUL bytes, which no path can contain."""
    return file.read_text(encoding="utf-8", errors="replace").replace("\0", "")


def environment(*, user_configuration: bool = False) -> dict[str, str]:
    """The environment of a git command. git reads the user's own configuration only with `user_configuration`."""
    # Before git 2.32 only a missing HOME keeps git from reading the user's configuration.
    names = PASSED_ON if user_configuration else [name for name in PASSED_ON if name not in USERS_OWN]
    passed = {name: os.environ[name] for name in names if name in os.environ} | {"PATH": search_path(os.environ)}
    ignored = {} if user_configuration else {"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull}
    return {**passed, **ignored, "LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0"}
