"""A PATH with relative entries: no program of the checkout runs, and so none gets the tokens of the run."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from gitlab_mcp.git.search_path import search_path
from gitlab_mcp.sandbox import Sandbox
from tests.support.agent import connect
from tests.support.ci_job import allow_job_pushes, job_environment
from tests.support.git_clones import clone
from tests.support.settings import checkout, job_settings

PROGRAMS = ("git", "git-remote-http", "ps", "claude", "node", "sh", "env", "gitlab-mcp-server")
ENTRIES = {"empty": "", "dot": ".", "folder": "bin", "dot-folder": "./bin", "parent": "../work/bin"}


@pytest.fixture
def work(sandbox: Sandbox, tmp_path: Path) -> Path:
    """A clone whose own programs, at its top and in bin/, leave a mark."""
    allow_job_pushes(sandbox)
    folder = clone(sandbox, "main", tmp_path / "work")
    for place in (folder, folder / "bin"):
        place.mkdir(exist_ok=True)
        for name in PROGRAMS:
            (place / name).write_text(f'#!/bin/sh\nprintf %s "$0 " >>{tmp_path}/mark\nexit 1\n')
            (place / name).chmod(0o755)
    return folder


def ran(work: Path) -> str:
    mark = work.with_name("mark")
    return mark.read_text() if mark.exists() else ""


def with_entry(entry: str) -> str:
    return os.pathsep.join((entry, os.environ["PATH"], entry))


@pytest.mark.parametrize("entry", ENTRIES.values(), ids=ENTRIES)
async def test_a_git_of_the_checkout_is_not_run_whatever_path_says(
    sandbox: Sandbox, work: Path, entry: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(work)
    monkeypatch.setenv("PATH", with_entry(entry))
    (work / "README.md").write_text(f"edited with {entry}\n")
    async with connect(job_settings(sandbox, working_directory=checkout(work))) as agent:
        branch = f"path-{len(entry)}"
        await agent.call("commit_files", branch=branch, ref="main", message="m", paths=["README.md"])
        await agent.call("compare_refs", base="main", head=branch)
    assert ran(work) == ""


@pytest.mark.parametrize("command", [(), ("doctor",), ("register",)], ids=["bare start", "doctor", "register"])
def test_no_command_runs_a_program_of_the_checkout(
    sandbox: Sandbox, work: Path, tmp_path: Path, command: tuple[str, ...]
) -> None:
    path = with_entry(os.pathsep.join(ENTRIES.values()))
    environment = {**job_environment(sandbox, work), "HOME": str(tmp_path), "PATH": path}
    subprocess.run(
        [sys.executable, "-P", "-m", "gitlab_mcp", *command],
        env=environment, cwd=work, stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=120,
    )  # fmt: skip
    assert ran(work) == ""


@pytest.mark.parametrize(
    ("path", "left"),
    [
        ("/a:.:/b::c/d", "/a:/b"),
        ("/a", "/a"),
        (".", os.defpath),
        ("", os.defpath),
        (None, os.defpath),
        ("~/bin:/b", "/b"),
    ],
)
def test_only_absolute_entries_of_path_are_left(path: str | None, left: str) -> None:
    assert search_path({} if path is None else {"PATH": path}) == left
