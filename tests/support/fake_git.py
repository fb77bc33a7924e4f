"""A git that prints what a test wants to be read."""

import os
import shutil
from pathlib import Path

import pytest


def fake_git(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """Put a git first on PATH that is this script; REAL in it is the real one."""
    real = shutil.which("git")
    assert real
    (folder / "git").write_text("#!/bin/sh\n" + script.replace("REAL", real))
    (folder / "git").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
