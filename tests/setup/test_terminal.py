"""On a terminal, setup asks for the key of the model, and does not show it."""

import os
import pty
import signal
import sys
import termios
import time

from tests.support.machine import needs_terminals
from tests.support.setup_command import KEY, Maintainer, stored

SECONDS = 120.0  # in which the command asks and ends, or hangs


@needs_terminals
def test_the_key_is_asked_for_without_an_echo(maintainer: Maintainer) -> None:
    maintainer.environ.clear()
    environ = {**maintainer.complete_environ, "TERM": "dumb"}
    command = [sys.executable, "-m", "gitlab_mcp", "setup", "--no-access-token", "--image", "node:24"]
    child, terminal = pty.fork()
    if not child:
        os.chdir(maintainer.directory)
        os.execve(command[0], command, environ)  # noqa: S606  # in the child
    try:
        shown = answered(terminal, "[y/N]: ", "y")
        shown += answered(terminal, "ANTHROPIC_API_KEY (it is not shown): ", KEY)
        shown += read_until(terminal, "")
    finally:
        os.close(terminal)
        _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0, shown
    assert KEY not in shown
    assert stored(maintainer.sandbox)["ANTHROPIC_API_KEY"] == KEY


def answered(terminal: int, question: str, answer: str) -> str:
    """Wait for a question, and type an answer; what was shown until then."""
    shown = read_until(terminal, question)
    if answer == KEY:  # what is typed while the terminal still echoes would be shown
        end = time.monotonic() + SECONDS
        while termios.tcgetattr(terminal)[3] & termios.ECHO:
            assert time.monotonic() < end
    os.write(terminal, f"{answer}\n".encode())
    return shown


def read_until(terminal: int, end: str) -> str:
    """What the terminal shows until `end`, or until the command ends where that is empty."""
    shown = ""
    signal.alarm(int(SECONDS))
    try:
        while not end or end not in shown:
            shown += os.read(terminal, 4096).decode()
    except OSError:  # the end of the command
        assert not end, shown
    finally:
        signal.alarm(0)
    return shown
