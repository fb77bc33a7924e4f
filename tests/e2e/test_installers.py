"""The ways to install of the README, from a checkout and from a git repository, and what registers itself there."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from gitlab_mcp import __version__
from tests.support.paths import REPOSITORY

README = (REPOSITORY / "README.md").read_text(encoding="utf-8")
ADDRESS = "https://gitlab.example.com/tools/gitlab-mcp-server.git"  # of the README's examples
OWN_ENVIRONMENT = ".local/share/gitlab-mcp-server"
PIP = f"python3 -m venv ~/{OWN_ENVIRONMENT} && ~/{OWN_ENVIRONMENT}/bin/pip install git+{ADDRESS}"
INSTALLS = [
    pytest.param(install, id=install)
    for install in (
        "uv tool install .",
        "pipx install .",
        f"uv tool install git+{ADDRESS}",
        f"pipx install git+{ADDRESS}",
        PIP,
    )
]
SECONDS = 600


@pytest.fixture(scope="module")
def caches(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The variables of caches that the tests of this module share."""
    folder = tmp_path_factory.mktemp("caches")
    return {"UV_CACHE_DIR": str(folder / "uv"), "PIP_CACHE_DIR": str(folder / "pip")}


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The URL of a git repository with what is committed here, which stands for ADDRESS."""
    bare = tmp_path_factory.mktemp("served") / "gitlab-mcp-server.git"
    subprocess.run(["git", "clone", "--quiet", "--bare", str(REPOSITORY), str(bare)], check=True)
    return bare.as_uri()


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


@pytest.mark.parametrize("install", INSTALLS)
def test_an_installer_of_the_readme_installs_the_command(
    tmp_path: Path, install: str, caches: dict[str, str], repository: str
) -> None:
    assert install in README
    run(tmp_path, install.split()[0], "--version")  # it skips where that is not installed
    run(tmp_path, "sh", "-c", install.replace(ADDRESS, repository), **caches)
    folder = tmp_path / (OWN_ENVIRONMENT if install == PIP else ".local") / "bin"
    command = str(folder / "gitlab-mcp-server")
    assert run(tmp_path, command, "--version").strip() == f"gitlab-mcp-server, version {__version__}"
    run(tmp_path, command, "register")
    entry = json.loads((tmp_path / ".claude.json").read_text())["mcpServers"]["gitlab"]
    assert entry["command"] == command


def test_uvx_plays_the_demo_from_a_git_repository(tmp_path: Path, caches: dict[str, str], repository: str) -> None:
    command = f"uvx --from git+{ADDRESS} gitlab-mcp-server demo"
    assert command in README
    played = run(tmp_path, *command.replace(ADDRESS, repository).split(), **caches)
    assert "Everything read back is as it should be." in played


@pytest.mark.parametrize("source", [".", f"git+{ADDRESS}"])
def test_under_uvx_the_registered_command_outlives_the_cache(tmp_path: Path, source: str, repository: str) -> None:
    cache = {"UV_CACHE_DIR": str(tmp_path / "cache")}
    source = source.replace(ADDRESS, repository)
    run(tmp_path, "uvx", "--from", source, "gitlab-mcp-server", "register", "--read-only", **cache)
    entry = json.loads((tmp_path / ".claude.json").read_text())["mcpServers"]["gitlab"]
    commit = run(tmp_path, "git", "rev-parse", "HEAD").strip()
    lasting = str(REPOSITORY) if source == "." else f"{source}@{commit}"
    assert entry["args"] == ["--from", lasting, "gitlab-mcp-server", "serve", "--read-only"]
    shutil.rmtree(tmp_path / "cache")
    again = [argument if argument != "serve" else "tools" for argument in entry["args"]]
    assert "get_issue" in run(tmp_path, entry["command"], *again, **cache)
