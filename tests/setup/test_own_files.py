"""This installation packed as a wheel: the same bytes each time, and what pip installs from it is what is here."""

import subprocess
import sys
import venv
import zipfile
from io import BytesIO
from pathlib import Path

import pytest

from gitlab_mcp.setup.own_files import TEMPLATES, WHEEL, packed_server, template
from tests.support.paths import REPOSITORY


def test_the_wheel_is_the_same_bytes_each_time() -> None:
    assert packed_server() == packed_server()


def test_the_wheel_holds_the_package_and_what_setup_brings() -> None:
    with zipfile.ZipFile(BytesIO(packed_server().wheel)) as archive:
        names = set(archive.namelist())
        assert archive.testzip() is None
    own = {path.relative_to(REPOSITORY).as_posix() for path in (REPOSITORY / "gitlab_mcp").rglob("*.py")}
    assert own <= names
    assert {f"gitlab_mcp/setup/data/templates/{name}.yml" for name in TEMPLATES} <= names
    assert {"gitlab_mcp/setup/data/requirements.txt", "gitlab_mcp/py.typed", "gitlab_mcp/server/manifest.json"} <= names
    assert not [name for name in names if "__pycache__" in name]


def test_the_templates_are_those_of_the_repository() -> None:
    assert {path.stem for path in (REPOSITORY / "templates").iterdir()} == set(TEMPLATES)
    assert all(template(name) == (REPOSITORY / "templates" / f"{name}.yml").read_text() for name in TEMPLATES)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The python of an environment into which pip installed the packed wheel, beside the packages of the tests."""
    folder = tmp_path_factory.mktemp("packed")
    (folder / WHEEL).write_bytes(packed_server().wheel)
    venv.create(folder / "environment", with_pip=False)
    python = folder / "environment" / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--no-deps", "--no-index"]
    subprocess.run([*pip, str(folder / WHEEL)], check=True, capture_output=True, timeout=300)
    site = next((folder / "environment" / "lib").glob("python3*/site-packages"))
    dependencies = Path(pytest.__file__).parents[1]
    (site / "dependencies.pth").write_text(f"{dependencies}\n")
    return python


def test_what_is_installed_from_the_wheel_packs_the_same_wheel_again(installed: Path) -> None:
    script = "import sys; from gitlab_mcp.setup.own_files import packed_server as p; sys.stdout.buffer.write(p().wheel)"
    done = subprocess.run([installed, "-c", script], check=True, capture_output=True, timeout=120, cwd=installed.parent)
    assert done.stdout == packed_server().wheel


def test_the_command_that_is_installed_from_the_wheel_starts(installed: Path) -> None:
    command = [str(installed.parent / "gitlab-mcp-server"), "setup", "--help"]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=120, cwd=installed.parent)
    assert "--dry-run" in done.stdout
