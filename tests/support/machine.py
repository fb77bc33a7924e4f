"""What a test needs of the machine, and some lack: in a chroot /proc, /sys or terminals may not be mounted."""

import os
import pty
import signal
from pathlib import Path

import pytest


def _opens_terminals() -> bool:
    try:
        ends = pty.openpty()
    except OSError:
        return False
    for end in ends:
        os.close(end)
    return True


def default_signals() -> None:
    """Give a new process, as its preexec_fn, the signals of a command on a terminal.

    Tests that run in the background inherit that SIGINT is ignored, under nohup also SIGHUP.
    """
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


needs_proc = pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="/proc, which tells the memory of a process, is not mounted"
)
needs_sys = pytest.mark.skipif(
    not Path("/sys").is_mount(), reason="/sys, in which not even root can create a file, is not mounted"
)
needs_terminals = pytest.mark.skipif(not _opens_terminals(), reason="/dev/pts, which has terminals, is not mounted")
