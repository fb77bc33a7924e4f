"""How commands end whose output cannot be written, or that a signal ends: without a traceback or a folder left."""

import os
import pty
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.machine import default_signals, needs_terminals

WAIT = 60.0  # seconds; a bound that says "does not hang"
COMMAND = [sys.executable, "-m", "gitlab_mcp"]
COMMANDS = ["--help", "demo", "sandbox", "tools", "doctor", "register --print"]


def environment(folder: Path, **more: str) -> dict[str, str]:
    """An environment in which a command keeps its files in `folder`, and reaches no GitLab but the sandbox."""
    gitlab = {"GITLAB_URL": "http://127.0.0.1:1", "GITLAB_ACCESS_TOKEN": "glpat-this-is-not-a-real-token"}
    return {"PATH": os.environ["PATH"], "HOME": str(folder), "TMPDIR": str(folder), **gitlab, **more}


@contextmanager
def started(
    arguments: list[str], env: Mapping[str, str], stdout: int = subprocess.PIPE
) -> Iterator[subprocess.Popen[str]]:
    """A process, killed at the end if it is still there."""
    with subprocess.Popen(
        arguments,
        env=env,
        cwd=env["HOME"],
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=default_signals,
    ) as child:
        try:
            yield child
        finally:
            child.kill()


@pytest.mark.parametrize("command", COMMANDS)
def test_a_full_disk_behind_the_output_is_said_in_one_line_with_code_1(command: str, tmp_path: Path) -> None:
    full = os.open("/dev/full", os.O_WRONLY)
    with started([*COMMAND, *command.split()], environment(tmp_path), stdout=full) as child:
        os.close(full)
        _, errors = child.communicate(timeout=WAIT)
    assert errors == "gitlab-mcp-server: the output cannot be written: No space left on device\n"
    assert child.returncode == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", COMMANDS)
def test_a_reader_that_is_gone_ends_a_command_like_sigpipe_does(command: str, tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with started([*COMMAND, *command.split()], environment(tmp_path), stdout=writing) as child:
        os.close(writing)
        _, errors = child.communicate(timeout=WAIT)
    assert (child.returncode, errors) == (128 + signal.SIGPIPE, "")
    assert list(tmp_path.iterdir()) == []


def test_a_reader_of_the_first_lines_of_the_demo_sees_no_traceback(tmp_path: Path) -> None:
    with started([*COMMAND, "demo"], environment(tmp_path)) as child:
        assert child.stdout
        assert child.stderr
        for _ in range(3):
            child.stdout.readline()
        child.stdout.close()
        assert child.stderr.read() == ""
        assert child.wait(WAIT) == 128 + signal.SIGPIPE
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("module", ["click", "gitlab_mcp.cli.main", "pydantic", "mcp", "gitlab_mcp.cli.demo.play"])
def test_ctrl_c_during_the_imports_ends_a_command_without_a_traceback(module: str, tmp_path: Path) -> None:
    arguments = [sys.executable, "-X", "importtime", "-m", "gitlab_mcp", "demo"]
    with started(arguments, environment(tmp_path)) as child:
        assert child.stderr
        while not child.stderr.readline().endswith(f" {module}\n"):
            assert child.poll() is None
        child.send_signal(signal.SIGINT)
        assert "Traceback" not in child.stderr.read()
        assert child.wait(WAIT) in (-signal.SIGINT, 128 + signal.SIGINT)  # the latter once the command runs
    # The file by which Python's tempfile tries a folder may be left, where the signal comes between its two lines.
    assert [path for path in tmp_path.iterdir() if path.is_dir()] == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_the_demo_without_a_traceback_and_leaves_no_folder(
    number: signal.Signals, tmp_path: Path
) -> None:
    with started([*COMMAND, "demo"], environment(tmp_path)) as child:
        assert child.stdout
        assert child.stderr
        assert "A GitLab is up" in child.stdout.readline()
        child.send_signal(number)
        assert child.stderr.read() == ""
        assert child.wait(WAIT) == 128 + number
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", ["demo", "sandbox"])
def test_under_nohup_a_closed_terminal_ends_nothing(command: str, tmp_path: Path) -> None:
    ignoring = ["sh", "-c", 'trap "" HUP; exec "$@"', "sh", *COMMAND, command]
    with started(ignoring, environment(tmp_path)) as child:
        assert child.stdout
        child.stdout.readline()
        child.send_signal(signal.SIGHUP)
        child.send_signal(signal.SIGTERM)
        assert child.wait(WAIT) == {"demo": 128 + signal.SIGTERM, "sandbox": 0}[command]
    assert list(tmp_path.iterdir()) == []


@needs_terminals
@pytest.mark.parametrize(("variables", "colors"), [({}, True), ({"NO_COLOR": ""}, True), ({"NO_COLOR": "1"}, False)])
@pytest.mark.parametrize("command", ["demo", "doctor"])
def test_no_color_keeps_colors_off_a_terminal(
    command: str, variables: dict[str, str], colors: bool, tmp_path: Path
) -> None:
    ours, theirs = pty.openpty()
    with started([*COMMAND, command], environment(tmp_path, **variables), stdout=theirs) as child:
        os.close(theirs)
        shown = b""
        while b"\n" not in shown:
            shown += os.read(ours, 65_536)
        child.terminate()
        child.wait(WAIT)
    os.close(ours)
    assert (b"\x1b[" in shown) == colors
