"""The two commands of the README, from a clean clone, as root and as an ordinary user, twice in a row."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from tests.support.paths import REPOSITORY

ORDINARY = 12345
# What every user can reach; root's own Python may lie in a folder that is closed to others.
SYSTEM_PATH = "/usr/local/bin:/usr/bin:/bin"


def clean_clone(folder: Path, *options: str) -> Path:
    clone = folder / "clone"
    command = ["git", "clone", "-q", "--no-hardlinks", *options, str(REPOSITORY), str(clone)]
    subprocess.run(command, check=True, env={**os.environ, "GIT_CONFIG_GLOBAL": os.devnull})
    return clone


def run(clone: Path, *command: str, user: int | None = None) -> subprocess.CompletedProcess[str]:
    kept = ("PATH", "LANG", "PIP_CERT", "SSL_CERT_FILE", "PIP_FIND_LINKS", "PIP_INDEX_URL", "UV_INDEX_URL")
    env = {name: os.environ[name] for name in kept if name in os.environ}
    env |= {"HOME": str(clone.parent), "TMPDIR": str(clone.parent)}
    if user is not None:
        env["PATH"] = SYSTEM_PATH
    return subprocess.run(
        command, cwd=clone, env=env, user=user, group=user, capture_output=True, text=True, timeout=900, check=False
    )


def test_the_demo_runs_twice_from_a_clean_clone(tmp_path: Path) -> None:
    clone = clean_clone(tmp_path)
    for _ in range(2):
        done = run(clone, "scripts/demo")
        assert done.returncode == 0, done.stdout + done.stderr
    for options in (("--repo", "."), ("--job-token",), ("--job-token", "--repo", ".")):
        done = run(clone, "scripts/demo", *options)
        assert done.returncode == 0, done.stdout + done.stderr
    done = run(clone, "scripts/demo", "--job-token", "--push-not-allowed")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "Allow Git push requests to the repository" in done.stderr
    changed = subprocess.run(["git", "status", "--porcelain"], cwd=clone, check=True, capture_output=True, text=True)
    assert changed.stdout == ""


def test_the_demo_runs_from_a_clone_that_was_to_have_windows_line_ends(tmp_path: Path) -> None:
    clone = clean_clone(tmp_path, "-c", "core.autocrlf=true")
    done = run(clone, "scripts/demo")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_an_ordinary_user_plays_the_demo_and_runs_the_tests() -> None:
    python = shutil.which("python3", path=SYSTEM_PATH)
    recent = "import sys, ensurepip; sys.exit(sys.version_info < (3, 11))"
    if python is None or subprocess.run([python, "-c", recent], check=False, capture_output=True).returncode:
        pytest.skip("there is no system-wide Python 3.11 or newer with venv")
    # pytest's own temporary folder is closed to other users.
    with tempfile.TemporaryDirectory(prefix="gitlab-mcp-test-") as folder:
        clone = clean_clone(Path(folder))
        for path in (Path(folder), clone, *clone.rglob("*")):
            os.lchown(path, ORDINARY, ORDINARY)
        played = (("scripts/demo",), ("scripts/demo", "--job-token"))
        # What has to do with files, whose owner matters to git.
        tests = (
            "tests/tools/test_working_directory.py",
            "tests/repository/test_git_backend.py",
            "tests/config/test_settings.py",
        )
        for command in (*played, ("scripts/test", *tests, "-q")):
            done = run(clone, *command, user=ORDINARY)
            assert done.returncode == 0, done.stdout + done.stderr
