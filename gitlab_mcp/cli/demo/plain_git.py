"""Runs the git command without any code of the server."""

import os
import subprocess


def git(*arguments: str, stdin: str = "") -> str:
    """The output of `git ARGUMENTS`. Raises CalledProcessError when git fails."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ}
    isolated = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", "GIT_TERMINAL_PROMPT": "0"}
    command = ["git", "-c", "core.quotePath=false", *arguments]
    completed = subprocess.run(
        command, input=stdin.encode(), capture_output=True, check=True, env={**kept, **isolated}, timeout=120
    )
    return completed.stdout.decode("utf-8", "surrogateescape")
