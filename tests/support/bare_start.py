"""The command without a subcommand, run in a CI job, and what it registered."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

COMMAND = [sys.executable, "-m", "gitlab_mcp"]
WAIT = 60


def start(
    environ: dict[str, str], *arguments: str, stdin: Any = subprocess.DEVNULL
) -> subprocess.CompletedProcess[str]:
    """Run the command in the job's checkout, with nothing but `environ`."""
    return subprocess.run(
        [*COMMAND, *arguments],
        env=environ,
        cwd=environ.get("CI_PROJECT_DIR", "/"),
        stdin=stdin,
        capture_output=True,
        text=True,
        timeout=WAIT,
        check=False,
    )


def entry(environ: dict[str, str]) -> dict[str, Any]:
    """What is registered in Claude Code's own file."""
    folder = Path(environ.get("CLAUDE_CONFIG_DIR", environ["HOME"]))
    found: dict[str, Any] = json.loads((folder / ".claude.json").read_text())["mcpServers"]["gitlab"]
    return found
