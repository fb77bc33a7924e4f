"""The one place that starts git: with an allow-listed environment, no prompts and a limit on time."""

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

# Nothing else of the environment reaches git: no token, no GIT_TRACE that could print one, no GIT_DIR of a caller.
PASSED_ON = ("PATH", "HOME", "XDG_CONFIG_HOME", "TMPDIR", "LANG", "SYSTEMROOT")

# A checkout's own configuration may name programs that git runs while it only looks at files.
SAFE_CONFIGURATION = ("core.fsmonitor=false", "core.hooksPath=/dev/null", "credential.helper=", "protocol.allow=never")


class GitError(Exception):
    """git is missing, ended with an error, or ran out of time; the text is the last line that it printed."""


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
    command = ["git"]
    for setting in (*SAFE_CONFIGURATION, *settings):
        command += ["-c", setting]
    if git_directory:
        command.append(f"--git-dir={git_directory}")
    if work_tree:
        command.append(f"--work-tree={work_tree}")
    try:
        done = subprocess.run(
            [*command, *arguments],
            input=input_bytes,
            capture_output=True,
            env=_environment(user_configuration),
            cwd=work_tree or git_directory,
            timeout=timeout,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise GitError(f"git {arguments[0]} did not end within {timeout:.0f} s") from error
    except OSError as error:
        raise GitError(f"git could not be started: {error.strerror}") from error
    if done.returncode:
        lines = done.stderr.decode("utf-8", "replace").strip().splitlines()
        raise GitError(lines[-1] if lines else f"git {arguments[0]} ended with {done.returncode}")
    return done.stdout


def git_directory(checkout: Path) -> Path:
    """The git directory of a checkout; in a linked work tree `.git` is a file that names it."""
    path = checkout / ".git"
    if path.is_file():
        named = path.read_text(encoding="utf-8", errors="replace").removeprefix("gitdir:").strip()
        return (checkout / named).resolve()
    return path


def _environment(user_configuration: bool) -> dict[str, str]:
    passed = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    own = {} if user_configuration else {"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull}
    return {**passed, **own, "LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0"}
