"""When and on what a run was made."""

from __future__ import annotations

import os
import platform
import subprocess
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from benchmarks.run import cores

REPOSITORY = Path(__file__).resolve().parents[1]
_GIGABYTE = 1e9


def about() -> dict[str, str]:
    """The date, the commit, the machine and the versions, each by its name."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / _GIGABYTE
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "commit": _git("rev-parse", "--short=12", "HEAD") + (" with changes" if _git("status", "--porcelain") else ""),
        "machine": f"{platform.system()} {platform.machine()}, {cores()} cores, {memory:.0f} GB",
        "Python": platform.python_version(),
        "mcp": version("mcp"),
        "python-gitlab": version("python-gitlab"),
        "load at the start": f"{os.getloadavg()[0]:.1f}",
    }


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", "-C", str(REPOSITORY), *arguments], capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown" if arguments[0] == "rev-parse" else done.stdout.strip()
