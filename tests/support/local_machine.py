"""A HOME and a working directory, in which Claude Code's configuration is changed from the command line."""

import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.support.paths import REPOSITORY

TOKEN = "glpat-this-is-not-a-real-token"


class LocalMachine:
    """A HOME, a working directory, and the command line between them."""

    def __init__(self, folder: Path) -> None:
        self.home = folder / "home"
        self.work = folder / "work"
        self.home.mkdir()
        self.work.mkdir()
        self.environ = {"PATH": os.environ["PATH"], "HOME": str(self.home), "GITLAB_ACCESS_TOKEN": TOKEN}

    @property
    def file(self) -> Path:
        return self.home / ".claude.json"

    @property
    def settings(self) -> Path:
        return self.home / ".claude" / "settings.json"

    def start(self, command: str, *arguments: str, cwd: str = "", **environ: str) -> subprocess.Popen[str]:
        code = f"from gitlab_mcp.cli.register import {command}; {command}()"
        return subprocess.Popen(
            [sys.executable, "-c", code, *arguments],
            env={**self.environ, "PYTHONPATH": str(REPOSITORY), **environ},
            cwd=cwd or self.work,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, command: str, *arguments: str, cwd: str = "", **environ: str) -> str:
        """What the command prints; it must succeed."""
        with self.start(command, *arguments, cwd=cwd, **environ) as process:
            stdout, stderr = process.communicate(timeout=60)
        assert process.returncode == 0, stderr
        return stdout

    def fail(self, command: str, *arguments: str, **environ: str) -> str:
        """The one line with which the command fails."""
        with self.start(command, *arguments, **environ) as process:
            stdout, stderr = process.communicate(timeout=60)
        assert (process.returncode, stdout) == (2, ""), stderr
        [line] = stderr.splitlines()
        assert line.startswith("gitlab-mcp-server: ")
        return line

    def everything(self) -> set[str]:
        return {str(path.relative_to(self.home)) for path in self.home.rglob("*")}


def read(file: Path) -> Any:
    return json.loads(file.read_text())


def mode(file: Path) -> int:
    return stat.S_IMODE(file.stat().st_mode)
