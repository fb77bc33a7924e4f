"""@gitbeaker/rest, GitLab's client for JavaScript, from npm."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from gitlab_mcp.sandbox import Sandbox
from tests.foreign_clients.journey import refusals

_SCRIPT = Path(__file__).with_suffix(".mjs")


def run(sandbox: Sandbox, folder: Path) -> list[str]:
    """Take all steps with the packages in `folder`; returns the steps that failed and the requests refused."""
    command = ["node", str(_SCRIPT), sandbox.url, sandbox.tokens["maintainer"], str(sandbox.project_id)]
    environment = {**os.environ, "NODE_PATH": str(folder / "node_modules")}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    failures = [*done.stdout.splitlines(), *(done.stderr.splitlines() if done.returncode else [])]
    return [*failures, *refusals(sandbox)]
