"""The command line of the MCP Inspector."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

from gitlab_mcp.sandbox import Sandbox
from tests.support.paths import REPOSITORY

INSPECTOR = shutil.which("mcp-inspector")
SERVER = (sys.executable, "-m", "gitlab_mcp", "serve")


def inspect(sandbox: Sandbox, *arguments: str, era: str = "legacy", server: Sequence[str] = SERVER) -> tuple[int, Any]:
    """The exit code of the Inspector, and what it printed, as JSON."""
    given = {
        "GITLAB_URL": sandbox.url,
        "GITLAB_ACCESS_TOKEN": sandbox.tokens["maintainer"],
        "GITLAB_PROJECT": sandbox.project,
    }
    environment = [word for name, value in given.items() for word in ("-e", f"{name}={value}")]
    command = [str(INSPECTOR), "--cli", *server, *environment, "--protocol-era", era, *arguments]
    env = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "")}
    done = subprocess.run(command, env=env, cwd=REPOSITORY, capture_output=True, text=True, timeout=120, check=False)
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)
