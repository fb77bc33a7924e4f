"""The demo: it plays on real input, and what it says at the end is so."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from gitlab_mcp.demo import play_on
from gitlab_mcp.sandbox import Sandbox
from tests.support import REPOSITORY

QUIET = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_AUTHOR_NAME": "x", "GIT_AUTHOR_EMAIL": "x@example.com"}
QUIET |= {"GIT_COMMITTER_NAME": "x", "GIT_COMMITTER_EMAIL": "x@example.com"}


def git(*arguments: str, cwd: Path) -> None:
    subprocess.run(["git", *arguments], cwd=cwd, check=True, capture_output=True, env={**os.environ, **QUIET})


def demo(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "gitlab_mcp", "demo", *arguments]
    env = {"PATH": os.environ["PATH"]}
    return subprocess.run(command, env=env, cwd=REPOSITORY, capture_output=True, text=True, timeout=120, check=False)


def test_the_journey_ends_with_0_and_plain_text_when_piped() -> None:
    done = demo()
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Everything read back is as it should be." in done.stdout
    assert "\x1b" not in done.stdout
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/repository/commits$"), ("POST", "/merge_requests$"), ("POST", "/issues/7/notes$")]
)
def test_a_step_that_fails_ends_it_with_1(
    method: str, path: str, fresh_sandbox: Sandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    fresh_sandbox.knobs.fail(method, path, status=500)
    assert play_on(fresh_sandbox) == 1
    assert "The step failed" in capsys.readouterr().err


def test_a_write_that_gitlab_only_seemed_to_take_ends_it_with_1(
    fresh_sandbox: Sandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = '{"id": 1, "body": "x"}'
    fresh_sandbox.knobs.fail("POST", "/issues/7/notes$", status=201, body=answer, content_type="application/json")
    assert play_on(fresh_sandbox) == 1
    assert "WRONG: /issues/7 has the note 0 times, not once" in capsys.readouterr().err


def empty(path: Path) -> None:
    git("init", "-q", "-b", "trunk", cwd=path)


def one_file_on_another_default_branch(path: Path) -> None:
    git("init", "-q", "-b", "develop", cwd=path)
    (path / "only.txt").write_text("x\n")
    git("add", ".", cwd=path)
    git("commit", "-qm", "one", cwd=path)


def strange_names(path: Path) -> None:
    git("init", "-q", "-b", "main", cwd=path)
    for name in ("a b.txt", "ü ñ/日本.md", "quote'\"s.txt", "emoji 🎉", "-dash.txt"):
        file = path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{name}\n")
    (path / "binary.bin").write_bytes(bytes(range(256)))
    git("add", ".", cwd=path)
    git("commit", "-qm", "names", cwd=path)


def detached(path: Path) -> None:
    strange_names(path)
    git("checkout", "-q", "--detach", cwd=path)
    git("branch", "-qD", "main", cwd=path)


@pytest.mark.parametrize("make", [empty, one_file_on_another_default_branch, strange_names, detached])
def test_it_plays_on_a_copy_of_an_unusual_repository_and_leaves_that_as_it_was(make: object, tmp_path: Path) -> None:
    path = tmp_path / "a project ü"
    path.mkdir()
    assert callable(make)
    make(path)
    before = {file: file.read_bytes() for file in sorted(path.rglob("*")) if file.is_file()}
    done = demo("--repo", str(path))
    assert done.returncode == 0, done.stdout + done.stderr
    assert {file: file.read_bytes() for file in sorted(path.rglob("*")) if file.is_file()} == before


def test_it_plays_on_this_project() -> None:
    if not (REPOSITORY / ".git").exists():
        pytest.skip("this is no git checkout")
    done = demo("--repo", str(REPOSITORY))
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_path_that_is_no_repository_ends_with_2_and_one_line(tmp_path: Path) -> None:
    done = demo("--repo", str(tmp_path))
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
