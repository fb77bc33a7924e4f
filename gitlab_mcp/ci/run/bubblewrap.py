"""Whether bubblewrap works here: with it, Claude Code hides the model's key from the commands that it runs."""

import shutil
import subprocess
from collections.abc import Mapping

# A namespace of its own with the whole disk, in which the smallest program runs.
PROBE = ("--unshare-user", "--unshare-pid", "--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev", "true")
PROBE_SECONDS = 10.0


def works(environ: Mapping[str, str]) -> bool:
    """Whether a program can be run in bubblewrap. Containers often forbid it, although it is installed."""
    program = shutil.which("bwrap", path=environ.get("PATH"))
    if program is None:
        return False
    try:
        done = subprocess.run(
            [program, *PROBE], env=dict(environ), stdin=subprocess.DEVNULL, capture_output=True, timeout=PROBE_SECONDS
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0
