"""The checkout installed with uv and pipx, as the README says, and registered by what they start."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from gitlab_mcp import __version__
from tests.support.paths import REPOSITORY

INSTALLS = [("uv", "tool", "install", "."), ("pipx", "install", ".")]
SECONDS = 600


def run(folder: Path, *command: str, **more: str) -> str:
    """The output of a command that uses no folder of this user's but the caches of packages."""
    program = shutil.which(command[0])
    if program is None:
        pytest.skip(f"{command[0]} is not installed")
    home = {"HOME": str(folder), "PIPX_HOME": str(folder / "pipx"), "PIPX_BIN_DIR": str(folder / ".local" / "bin")}
    tools = {"UV_TOOL_DIR": str(folder / "tools"), "UV_TOOL_BIN_DIR": str(folder / ".local" / "bin")}
    # Proxies, certificates and package indexes stay as they are here.
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("GITLAB", "CI", "CLAUDE"))}
    tools |= {"UV_SYSTEM_CERTS": "1", "UV_NO_PROGRESS": "1"}
    env = {**kept, **home, **tools, **more}
    done = subprocess.run(
        [program, *command[1:]], cwd=REPOSITORY, env=env, capture_output=True, text=True, timeout=SECONDS, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("install", INSTALLS, ids=" ".join)
def test_an_installer_of_the_readme_installs_the_command(tmp_path: Path, install: tuple[str, ...]) -> None:
    assert " ".join(install) in (REPOSITORY / "README.md").read_text()
    run(tmp_path, *install)
    command = str(tmp_path / ".local" / "bin" / "gitlab-mcp-server")
    assert run(tmp_path, command, "--version").strip() == f"gitlab-mcp-server, version {__version__}"
    run(tmp_path, command, "register")
    entry = json.loads((tmp_path / ".claude.json").read_text())["mcpServers"]["gitlab"]
    assert entry["command"] == command


def test_under_uvx_the_registered_command_outlives_the_cache(tmp_path: Path) -> None:
    cache = {"UV_CACHE_DIR": str(tmp_path / "cache")}
    run(tmp_path, "uvx", "--from", ".", "gitlab-mcp-server", "register", "--read-only", **cache)
    entry = json.loads((tmp_path / ".claude.json").read_text())["mcpServers"]["gitlab"]
    assert entry["args"] == ["--from", str(REPOSITORY), "gitlab-mcp-server", "serve", "--read-only"]
    shutil.rmtree(tmp_path / "cache")
    again = [argument if argument != "serve" else "tools" for argument in entry["args"]]
    assert "get_issue" in run(tmp_path, entry["command"], *again, **cache)
