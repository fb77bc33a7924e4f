"""The real Claude Code CLI, run in a place of its own: a fresh HOME and nothing of this process's environment."""

import os
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from tests.e2e.model import Model
from tests.support.paths import REPOSITORY

SYSTEM_PATH = "/usr/local/bin:/usr/bin:/bin"
# No line of /etc/passwd has it, as in a cluster that gives containers users of its own choice.
ORDINARY = 12345
TIMEOUT = 120.0


def missing(*commands: str) -> str:
    """Why a test that needs `commands` cannot run here; empty if it can."""
    absent = [command for command in commands if shutil.which(command) is None]
    return f"not on PATH: {', '.join(absent)}; .ci/run installs it" if absent else ""


needs_claude = pytest.mark.skipif(bool(missing("claude")), reason=missing("claude"))
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
# As root a test is run twice.
USERS = [pytest.param(None, id="this-user"), pytest.param(ORDINARY, id="ordinary-user", marks=needs_root)]


@dataclass(frozen=True)
class Done:
    """What a command did."""

    returncode: int
    stdout: str
    stderr: str


@dataclass(frozen=True)
class Place:
    """A folder with a HOME, a working directory and a temporary directory, all of one user's."""

    folder: Path
    user: int | None = None

    @property
    def uid(self) -> int:
        """The number of the user."""
        return os.geteuid() if self.user is None else self.user

    @property
    def home(self) -> Path:
        """HOME."""
        return self.folder / "home"

    @property
    def work(self) -> Path:
        """The working directory, empty at first."""
        return self.folder / "builds" / "acme" / "app"

    def write(self, path: str, text: str, mode: int = 0o644) -> Path:
        """Write a file that belongs to the user; `path` is below the folder."""
        whole = self.folder / path
        self.folders(whole.parent)
        whole.write_text(text)
        whole.chmod(mode)
        self._own(whole)
        return whole

    def folders(self, path: Path) -> Path:
        """Make `path` and what is missing above it."""
        if not path.is_dir():
            self.folders(path.parent)
            path.mkdir()
            self._own(path)
        return path

    def environment(self, **given: str) -> dict[str, str]:
        """The environment of a command: what is given, and what none can do without."""
        return {"PATH": SYSTEM_PATH, "HOME": str(self.home), "TMPDIR": str(self.folder / "tmp"), **given}

    def run(
        self, *command: str, env: Mapping[str, str] | None = None, cwd: Path | None = None, timeout: float = TIMEOUT
    ) -> Done:
        """Run a command as the user, with an empty stdin; it and its children are killed at the timeout."""
        process = subprocess.Popen(
            command,
            env=self.environment() if env is None else env,
            cwd=cwd or self.work,
            user=self.user,
            group=self.user,
            extra_groups=None if self.user is None else [],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        with process:
            try:
                stdout, stderr = process.communicate(timeout=timeout)
            except BaseException as error:
                os.killpg(process.pid, signal.SIGKILL)
                if not isinstance(error, subprocess.TimeoutExpired):
                    raise
                stdout, stderr = process.communicate(timeout=TIMEOUT)
                raise AssertionError(f"{command[0]} took more than {timeout} s\n{stdout}\n{stderr}") from None
        return Done(process.returncode, stdout, stderr)

    def git(self, *arguments: str) -> str:
        """What a git command in the working directory prints; it must succeed."""
        who = ("-c", "user.name=Somebody", "-c", "user.email=somebody@example.com")
        done = self.run("git", *who, *arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def _own(self, path: Path) -> None:
        if self.user is not None:
            os.chown(path, self.user, self.user)


@contextmanager
def fresh_place(user: int | None = None) -> Iterator[Place]:
    """A place of `user` (this process's unless given), gone afterwards."""
    # Not pytest's own temporary folder: that is closed to other users.
    with tempfile.TemporaryDirectory(prefix="gitlab-mcp-e2e-", ignore_cleanup_errors=True) as folder:
        if user is not None:
            os.chown(folder, user, user)
        place = Place(Path(folder), user)
        for path in (place.home, place.work, place.folder / "tmp"):
            place.folders(path)
        yield place


def model_variables(model: Model) -> dict[str, str]:
    """What leads a CLI to `model`, and to nothing else."""
    return {
        "ANTHROPIC_BASE_URL": model.url,
        "ANTHROPIC_API_KEY": "key-of-a-scripted-model",
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",  # no update, no telemetry: tests talk to loopback only
    }


def claude(
    place: Place,
    model: Model,
    *arguments: str,
    prompt: str = "Begin.",
    allowed: str = "mcp__gitlab",
    env: Mapping[str, str] | None = None,
    config: Path | None = None,
    timeout: float = TIMEOUT,
) -> Done:
    """Run `claude -p` in the working directory; `config` becomes CLAUDE_CONFIG_DIR."""
    command = [claude_for(place), "-p", prompt, "--allowedTools", allowed, *arguments]
    given = {**model_variables(model), **(env or {})}
    if config is not None:
        given["CLAUDE_CONFIG_DIR"] = str(place.folders(config))
    return place.run(*command, env=place.environment(**given), timeout=timeout)


def claude_for(place: Place) -> str:
    """The CLI's file, for the user of `place`; skips where that user cannot reach it."""
    found = shutil.which("claude")
    assert found is not None, missing("claude")
    path = str(Path(found).resolve())
    if place.run("test", "-x", path).returncode:
        pytest.skip("the folder of claude is closed to the ordinary user")
    return path


@dataclass(frozen=True)
class Python:
    """A Python that has the packages of these tests."""

    executable: str
    packages: tuple[str, ...] = ()

    @property
    def variables(self) -> dict[str, str]:
        """What it needs in its environment to find them."""
        return {"PYTHONPATH": os.pathsep.join(self.packages)} if self.packages else {}


@cache
def python_for(user: int | None) -> Python:
    """This Python where `user` can reach it, else the system's with the same packages; skips where neither will do."""
    own = Python(sys.executable)
    if user is None or _imports(own, user):
        return own
    found = shutil.which("python3", path=SYSTEM_PATH)
    if found is not None:
        lent = Python(found, (str(REPOSITORY), sysconfig.get_path("purelib"), sysconfig.get_path("platlib")))
        if _imports(lent, user):
            return lent
    pytest.skip("the ordinary user can reach no Python with the packages of these tests")


def _imports(python: Python, user: int) -> bool:
    # Compiled packages serve one minor version only.
    code = f"import sys, mcp_types, gitlab_mcp; sys.exit(sys.version_info[:2] != {sys.version_info[:2]})"
    command = [python.executable, "-c", code]
    env = {"PATH": SYSTEM_PATH, **python.variables}
    try:
        return not subprocess.run(command, user=user, group=user, env=env, cwd="/", capture_output=True).returncode
    except PermissionError:
        return False
