"""git as anybody would run it, with nothing of the server."""

import os
import subprocess


def git(*arguments: str, stdin: str = "") -> str:
    """What `git ARGUMENTS` prints. Raises CalledProcessError."""
    keep = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ}
    quiet = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", "GIT_TERMINAL_PROMPT": "0"}
    command = ["git", "-c", "core.quotePath=false", *arguments]
    done = subprocess.run(
        command, input=stdin.encode(), capture_output=True, check=True, env={**keep, **quiet}, timeout=120
    )
    return done.stdout.decode("utf-8", "surrogateescape")
