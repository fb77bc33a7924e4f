"""Running git, in a fixed environment without user configuration; its processes end with the sandbox."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import threading
from collections.abc import Sequence
from pathlib import Path

from gitlab_mcp.sandbox.http.errors import SandboxError

OLDEST = (2, 38)  # merge-tree --write-tree


class GitError(Exception):
    """A git command failed; `status` is its exit code, `message` its stderr."""

    def __init__(self, arguments: Sequence[str], status: int, message: str) -> None:
        super().__init__(f"git {' '.join(arguments[:3])}: {message.strip() or status}")
        self.status = status
        self.message = message


class Git:
    """Runs git in the sandbox's environment; `root` is a private directory for HOME and temporary files."""

    def __init__(self, root: Path) -> None:
        self._children: set[subprocess.Popen[bytes]] = set()
        self._lock = threading.Lock()
        self._closed = False
        self.environment = {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(root),
            "TMPDIR": str(root),
            "LC_ALL": "C",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_SYSTEM": os.devnull,
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_ATTR_NOSYSTEM": "1",
            "GIT_TERMINAL_PROMPT": "0",
        }

    def check(self) -> None:
        """Raise SandboxError unless git is installed in a version that is new enough."""
        try:
            version_text = self.output(None, "--version").decode("utf-8", "replace")
        except FileNotFoundError as error:
            raise SandboxError("The sandbox needs git, and none is on PATH.") from error
        version = re.search(r"(\d+)\.(\d+)", version_text)
        if version is None or (int(version[1]), int(version[2])) < OLDEST:
            raise SandboxError(
                f"The sandbox needs git {OLDEST[0]}.{OLDEST[1]} or newer; this is {version_text.strip()}."
            )

    def output(
        self,
        directory: Path | None,
        *arguments: str,
        stdin: bytes = b"",
        environment: dict[str, str] | None = None,
    ) -> bytes:
        """Run git in a bare repository (or in none) and return its stdout; raises GitError unless it exits with 0."""
        status, stdout, stderr = self.run(directory, *arguments, stdin=stdin, environment=environment)
        if status:
            raise GitError(arguments, status, stderr)
        return stdout

    def run(
        self,
        directory: Path | None,
        *arguments: str,
        stdin: bytes = b"",
        environment: dict[str, str] | None = None,
    ) -> tuple[int, bytes, str]:
        """Run git and return its exit status, stdout and stderr."""
        where = [] if directory is None else [f"--git-dir={directory}"]
        # In its own session, so that closing the sandbox also ends the processes that git started.
        child = subprocess.Popen(
            ["git", *where, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**self.environment, **(environment or {})},
            start_new_session=True,
        )
        with self._lock:
            closed = self._closed
            self._children.add(child)
        try:
            if closed:
                end_group(child.pid)
            stdout, stderr = child.communicate(stdin)
        finally:
            with self._lock:
                self._children.discard(child)
        return child.returncode, stdout, stderr.decode("utf-8", "replace")

    def close(self) -> None:
        """Kill every running git command, and each that is started from now on."""
        with self._lock:
            self._closed = True
            children = list(self._children)
        for child in children:
            end_group(child.pid)


def end_group(pid: int) -> None:
    """Kill a process group by the pid of its leader."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
