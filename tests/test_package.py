"""The built wheel: installed alone into an empty environment, it serves."""

import ast
import json
import os
import re
import subprocess
import sys
import tomllib
import venv
from collections.abc import Iterator
from pathlib import Path

import pytest
from mcp import Client, StdioServerParameters

from gitlab_mcp import __version__
from gitlab_mcp.tools import TOOLS
from tests.support.paths import REPOSITORY


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of commands of an environment that holds the wheel and what it itself asks for."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "build", "--wheel", "--outdir", str(folder), str(REPOSITORY)]
    subprocess.run(build, check=True, capture_output=True, timeout=300)
    [wheel] = folder.glob("*.whl")
    environment = folder / "environment"
    venv.create(environment, with_pip=True)
    pip = [str(environment / "bin" / "python"), "-m", "pip", "install", "--quiet", str(wheel)]
    subprocess.run(pip, check=True, capture_output=True, timeout=600)
    return environment / "bin"


async def test_the_wheel_in_an_empty_environment_lists_the_tools(installed: Path, tmp_path: Path) -> None:
    env = {"PATH": os.environ["PATH"], "GITLAB_ACCESS_TOKEN": "glpat-this-is-not-a-real-token"}
    command = str(installed / "gitlab-mcp-server")
    async with Client(StdioServerParameters(command=command, args=["serve"], env=env, cwd=tmp_path)) as client:
        listed = await client.list_tools()
    assert [tool.name for tool in listed.tools] == [definition.name for definition in TOOLS if not definition.opt_in]


def test_the_wheel_plays_the_demo(installed: Path, tmp_path: Path) -> None:
    env = {"PATH": os.environ["PATH"]}
    command = [str(installed / "gitlab-mcp-server"), "demo"]
    done = subprocess.run(command, env=env, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_wheel_is_typed_and_holds_nothing_but_the_package(installed: Path) -> None:
    script = "import importlib.metadata as m, json; print(json.dumps([str(f) for f in m.files('gitlab-mcp-server')]))"
    python = str(installed / "python")
    done = subprocess.run([python, "-c", script], check=True, capture_output=True, text=True)
    files = json.loads(done.stdout)
    assert "gitlab_mcp/py.typed" in files
    own = ("gitlab_mcp/", f"gitlab_mcp_server-{__version__}.dist-info/", "../../../bin/gitlab-mcp-server")
    assert [file for file in files if not file.startswith(own)] == []


def test_the_pipeline_tries_the_oldest_and_the_newest_python_that_the_package_names() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    named = re.findall(r"'Programming Language :: Python :: (3\.\d+)'", str(project["classifiers"]))
    assert project["requires-python"] == f">={named[0]}"
    assert f'- PYTHON: ["{named[0]}", "{named[-1]}"]' in (REPOSITORY / ".gitlab-ci.yml").read_text()


def test_every_dependency_is_bounded_above_and_below() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    listen = project["optional-dependencies"]["listen"]
    unbounded = [each for each in (*project["dependencies"], *listen) if ">=" not in each or "<" not in each]
    assert unbounded == []


def test_what_is_imported_is_declared_and_what_is_declared_is_imported() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    listen = project["optional-dependencies"]["listen"]
    declared = {each.split(">=")[0] for each in (*project["dependencies"], *listen)}
    modules = {**{name: name.replace("-", "_") for name in declared}, "python-gitlab": "gitlab", "pyyaml": "yaml"}
    files = (REPOSITORY / "gitlab_mcp").rglob("*.py")
    imported = {name.split(".")[0] for file in files for name in _imports(ast.parse(file.read_text()))}
    assert imported - set(sys.stdlib_module_names) - {"gitlab_mcp"} == set(modules.values())


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-dev.txt", "requirements-listen.txt"])
def test_a_lock_has_hashes_and_no_addresses(name: str) -> None:
    lock = (REPOSITORY / name).read_text()
    assert "://" not in lock
    pinned = locked(name)
    assert pinned
    assert {requirement for requirement, hashes in pinned.items() if not hashes} == set()


def test_what_images_install_is_what_the_tests_run_with() -> None:
    tested = locked("requirements-dev.txt")
    installed = locked("requirements.txt") | locked("requirements-listen.txt")
    assert {name: pin for name, pin in installed.items() if tested.get(name) != pin} == {}


def test_the_lock_of_the_server_has_all_that_it_asks_for() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    pinned = {requirement.split("==")[0] for requirement in locked("requirements.txt")}
    assert {each.split(">=")[0] for each in project["dependencies"]} - pinned == set()
    of_the_listener = {requirement.split("==")[0] for requirement in locked("requirements-listen.txt")}
    listen = {each.split(">=")[0] for each in project["optional-dependencies"]["listen"]}
    assert pinned | listen <= of_the_listener


def locked(name: str) -> dict[str, list[str]]:
    """What a lock pins ("mcp==2.3.0 ; markers"), each with its hashes."""
    pinned: dict[str, list[str]] = {}
    for line in (REPOSITORY / name).read_text().splitlines():
        if "==" in line and not line.startswith((" ", "#")):
            pinned[line.removesuffix(" \\")] = []
        elif "--hash=" in line:
            pinned[list(pinned)[-1]].append(line.strip(" \\"))
    return pinned


def _imports(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.module or ""
