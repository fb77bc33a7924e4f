"""The command line."""

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from gitlab_mcp import __version__
from tests.support.machine import needs_terminals
from tests.support.paths import REPOSITORY

HEAVY = ("mcp", "gitlab", "requests", "pydantic", "starlette", "uvicorn")
COMMANDS = ["serve", "setup", "register", "unregister", "doctor", "demo", "sandbox", "tools"]


def run(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    env = {"PATH": os.environ["PATH"], **environ}
    command = [sys.executable, "-m", "gitlab_mcp", *arguments]
    return subprocess.run(command, env=env, cwd=REPOSITORY, capture_output=True, text=True, timeout=60, check=False)


def test_version_is_the_packages() -> None:
    assert run("--version").stdout.strip() == f"gitlab-mcp-server, version {__version__}"


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help_is_given_without_importing_anything_heavy(command: str) -> None:
    script = (
        "import sys\nfrom gitlab_mcp.cli.main import main\n"
        f"try: main({[*command.split(), '--help']!r})\n"
        f"except SystemExit: print('LOADED', [name for name in {HEAVY!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert "Usage:" in done.stdout
    assert done.stdout.strip().endswith("LOADED []")


def test_serve_without_a_credential_exits_with_2_and_names_the_variables_in_a_line() -> None:
    done = run("serve")
    assert done.returncode == 2
    assert done.stdout == ""
    [line] = done.stderr.splitlines()
    assert "GITLAB_ACCESS_TOKEN" in line
    assert "CI_JOB_TOKEN" in line


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("serve", "--tools", "get_isue"), "Unknown tool get_isue; known: list_issues"),
        (("serve", "--toolsets", "isues"), "Unknown toolset isues; known: discussions, issues"),
        (("--url", "nowhere", "serve"), "is not the URL of a GitLab"),
    ],
)
def test_a_configuration_that_cannot_be_used_ends_with_code_2_and_one_line(
    arguments: tuple[str, ...], told: str
) -> None:
    done = run(*arguments, GITLAB_ACCESS_TOKEN="glpat-this-is-not-a-real-token")
    assert done.returncode == 2
    assert told in done.stderr
    assert len(done.stderr.splitlines()) == 1


@needs_terminals
@pytest.mark.parametrize("token", ["", "glpat-this-is-not-a-real-token"])
def test_bare_on_a_terminal_it_says_what_it_is_what_it_found_and_how_to_register_it(token: str) -> None:
    ours, theirs = pty.openpty()
    env = {"PATH": os.environ["PATH"], "GITLAB_ACCESS_TOKEN": token, "GITLAB_URL": "https://gitlab.example.com"}
    command = [sys.executable, "-m", "gitlab_mcp"]
    done = subprocess.run(
        command, env=env, cwd=REPOSITORY, stdin=theirs, capture_output=True, text=True, timeout=60, check=True
    )
    os.close(ours)
    os.close(theirs)
    assert "claude mcp add gitlab" in done.stdout
    assert ("https://gitlab.example.com" if token else "No GitLab credential") in done.stdout
    assert "glpat" not in done.stdout


@pytest.mark.parametrize("command", ["sandbox", "demo"])
def test_without_git_the_sandbox_says_that_it_is_needed(command: str, tmp_path: Path) -> None:
    done = run(command, PATH=str(tmp_path))
    assert done.returncode == 2
    assert done.stderr == "gitlab-mcp-server: The sandbox needs git, and none is on PATH.\n"


def test_the_sandbox_says_which_path_is_no_repository(tmp_path: Path) -> None:
    done = run("sandbox", "--repo", str(tmp_path))
    assert done.returncode == 2
    assert str(tmp_path) in done.stderr
    assert "Traceback" not in done.stderr
