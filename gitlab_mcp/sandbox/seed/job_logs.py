"""Job logs as GitLab Runner writes them: sections, colors, the commands of the script, and the result."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from gitlab_mcp.sandbox.state.model import ReportedTest

_GREEN, _CYAN, _RED, _RESET, _CLEAR = "\x1b[32;1m", "\x1b[0K\x1b[36;1m", "\x1b[31;1m", "\x1b[0;m", "\x1b[0K"
_BEGUN = 1763888400
_HEAD = (
    f"{_CLEAR}Running with gitlab-runner 18.6.0 (a7b3c1d2){_RESET}\n"
    f"{_CLEAR}  on sandbox-runner t1_aBcDeF, system ID: s_0123456789ab{_RESET}\n"
)

_FAILURE = """\
============================= test session starts ==============================
platform linux -- Python 3.12.7, pytest-8.3.4, pluggy-1.5.0
rootdir: /builds/acme/app
collected 4 items

tests/test_config.py \x1b[32m.\x1b[0m\x1b[31mF\x1b[0m\x1b[32m.\x1b[0m\x1b[33ms\x1b[0m               [100%]

=================================== FAILURES ===================================
\x1b[31m\x1b[1m_____________________________ test_an_empty_file ______________________________\x1b[0m

tmp_path = PosixPath('/tmp/pytest-of-root/pytest-0/test_an_empty_file0')

    def test_an_empty_file(tmp_path):
        path = tmp_path / "empty.yml"
        path.write_text("")
>       assert load_config(path) == {}

tests/test_config.py:14:
_ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _

    def load_config(path):
        lines = path.read_text().splitlines()
>       if lines[0].startswith("#!"):
\x1b[1m\x1b[31mE       IndexError: list index out of range\x1b[0m

\x1b[1m\x1b[31msrc/app/config.py\x1b[0m:11: IndexError
=========================== short test summary info ============================
\x1b[31mFAILED\x1b[0m tests/test_config.py::\x1b[1mtest_an_empty_file\x1b[0m - IndexError: list index out of range
\x1b[31m==================== 1 failed, 2 passed, 1 skipped in 0.12s ====================\x1b[0m
"""
_OUTPUT = """\
    def load_config(path):
        lines = path.read_text().splitlines()
>       if lines[0].startswith("#!"):
E       IndexError: list index out of range

src/app/config.py:11: IndexError"""


def job_log(commands: Sequence[tuple[str, Iterable[str]]], exit_code: int = 0) -> bytes:
    """The log of a job that ran `commands`, as (command, lines of output); with an exit code, the job failed."""
    lines = [line for command, output in commands for line in (f"{_GREEN}$ {command}{_RESET}", *output)]
    sections = [
        _section("prepare_executor", 'Preparing the "docker" executor', ["Using docker image python:3.12-slim ..."]),
        _section("get_sources", "Getting source from Git repository", ["Fetching changes with git depth set to 20"]),
        _section("step_script", 'Executing "step_script" stage of the job script', lines),
        _section("cleanup_file_variables", "Cleaning up project directory and file based variables", []),
    ]
    ended = f"{_RED}ERROR: Job failed: exit code {exit_code}" if exit_code else f"{_GREEN}Job succeeded"
    return f"{_HEAD}{''.join(sections)}{ended}\n{_RESET}".encode()


def _section(name: str, title: str, lines: Iterable[str]) -> str:
    """A collapsible section; like GitLab Runner, it adds no newline after the end marker."""
    start = f"section_start:{_BEGUN}:{name}\r{_CLEAR}{_CYAN}{title}{_RESET}{_RESET}"
    text = "".join(f"{line}\n" for line in (start, *lines))
    return f"{text}section_end:{_BEGUN + 60}:{name}\r{_CLEAR}"


def passed(commands: Sequence[str], output: Sequence[str]) -> bytes:
    """The log of a job that succeeded."""
    return job_log([(command, output) for command in commands])


def unit() -> bytes:
    """The log of a test job in which one test fails."""
    progress = "\r".join(f" {percent:3d}% |{'#' * (percent // 10):<10}|" for percent in range(0, 101, 10))
    install = ["Obtaining file:///builds/acme/app", progress, "Successfully installed app-1.3.0 pytest-8.3.4"]
    return job_log([("pip install -e . pytest", install), ("pytest", _FAILURE.splitlines())], exit_code=1)


def unit_tests() -> list[ReportedTest]:
    """The test cases that the job of `unit` reports."""
    at = "tests.test_config"
    return [
        ReportedTest("test_names_and_values", at, file="tests/test_config.py"),
        ReportedTest("test_an_empty_file", at, "failed", 0.02, _OUTPUT, "tests/test_config.py"),
        ReportedTest("test_comments", at, file="tests/test_config.py"),
        ReportedTest("test_windows_paths", at, "skipped", 0.0, "Skipped: not on this system", "tests/test_config.py"),
    ]


def lint() -> bytes:
    """The log of a lint job that fails."""
    output = ["src/app/config.py:3:8: F401 `os` imported but unused", "Found 1 error."]
    return job_log([("ruff check src", output)], exit_code=1)


def unavailable() -> bytes:
    """The log of a job that failed with a system failure before it started."""
    output = ["Pulling docker image python:3.12-slim ..."]
    section = _section("prepare_executor", 'Preparing the "docker" executor', output)
    reason = "prepare environment: Cannot connect to the Docker daemon"
    return f"{_HEAD}{section}{_RED}ERROR: Job failed (system failure): {reason}\n{_RESET}".encode()
