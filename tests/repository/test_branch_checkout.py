"""A branch in the clone of a job: its files are those of the branch, and nothing of it, nor of the clone, is run."""

import os
import subprocess
from pathlib import Path

import pytest

from gitlab_mcp.api.client import GitLab
from gitlab_mcp.api.deadline import limited
from gitlab_mcp.api.project import Project
from gitlab_mcp.repository.branch_checkout import check_out
from gitlab_mcp.sandbox import Sandbox
from tests.support.git_clones import clone, git, job_clone
from tests.support.settings import checkout, job_settings


@pytest.fixture
def work(sandbox: Sandbox, tmp_path: Path) -> Path:
    """The clone of a job of the default branch."""
    return job_clone(sandbox, tmp_path / "work")


def push(sandbox: Sandbox, folder: Path, branch: str, files: dict[str, str], *removed: str) -> str:
    """Push a branch that begins at main; returns its commit."""
    made = clone(sandbox, "main", folder)
    for path in removed:
        git(made, "rm", "-q", "-r", path)
    for path, text in files.items():
        (made / path).parent.mkdir(parents=True, exist_ok=True)
        (made / path).write_text(text)
    git(made, "add", "--force", ".")
    git(made, "-c", "user.name=A", "-c", "user.email=a@example.com", "commit", "-q", "-m", "Work")
    git(made, "push", "-q", "origin", f"HEAD:refs/heads/{branch}")
    return git(made, "rev-parse", "HEAD")


def switch(sandbox: Sandbox, work: Path, branch: str) -> str:
    gitlab = GitLab(job_settings(sandbox, working_directory=checkout(work)))
    with limited(60):
        return check_out(Project(gitlab, sandbox.project), work, branch)


@pytest.mark.parametrize("options", [(), ("--depth=1",)], ids=["whole", "shallow"])
def test_the_files_the_index_and_head_are_those_of_the_branch(
    sandbox: Sandbox, tmp_path: Path, options: tuple[str, ...]
) -> None:
    work = job_clone(sandbox, tmp_path / "work", *options)
    (work / "untracked.txt").write_text("kept")
    (work / "README.md").write_text("changed by the job")
    tip = push(sandbox, tmp_path / "made", f"work/{len(options)}", {"src/new.py": "new = 1\n"}, "docs")
    assert switch(sandbox, work, f"work/{len(options)}") == tip
    assert git(work, "rev-parse", "HEAD") == tip
    assert git(work, "status", "--porcelain") == "?? untracked.txt"
    assert (work / "src/new.py").read_text() == "new = 1\n"
    assert not (work / "docs").exists()
    assert (work / "untracked.txt").read_text() == "kept"
    assert git(work, "fsck", "--connectivity-only") == ""


def test_a_file_that_becomes_a_folder_and_one_in_the_way_are_replaced(
    sandbox: Sandbox, work: Path, tmp_path: Path
) -> None:
    (work / "new").mkdir()
    (work / "new" / "in-the-way").write_text("untracked")
    push(sandbox, tmp_path / "made", "shapes", {"new": "a file\n", "README.md/inside": "a folder\n"}, "README.md")
    switch(sandbox, work, "shapes")
    assert (work / "new").read_text() == "a file\n"
    assert (work / "README.md" / "inside").read_text() == "a folder\n"


def test_a_branch_that_gitlab_does_not_have_changes_nothing(sandbox: Sandbox, work: Path) -> None:
    before = git(work, "rev-parse", "HEAD")
    assert switch(sandbox, work, "no-such-branch") == ""
    assert git(work, "rev-parse", "HEAD") == before


def test_a_branch_whose_name_conflicts_with_an_earlier_one_is_checked_out(
    sandbox: Sandbox, work: Path, tmp_path: Path
) -> None:
    git(work, "update-ref", "refs/remotes/origin/conflict", "HEAD")
    tip = push(sandbox, tmp_path / "made", "conflict/below", {"a.txt": "a\n"})
    assert switch(sandbox, work, "conflict/below") == tip
    push(sandbox, tmp_path / "other", "other", {"b.txt": "b\n"})
    switch(sandbox, work, "other")
    assert not (work / "a.txt").exists()


def test_no_hook_filter_or_submodule_is_run(
    sandbox: Sandbox, work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mark = tmp_path / "mark"
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\necho $0 >>{mark}\ncat\n")
    program.chmod(0o755)
    hooks = ("post-checkout", "reference-transaction", "post-index-change", "post-merge", "pre-auto-gc")
    for name in hooks:
        (work / ".git" / "hooks").mkdir(exist_ok=True)
        (work / ".git" / "hooks" / name).write_text(f"#!/bin/sh\necho {name} >>{mark}\n")
        (work / ".git" / "hooks" / name).chmod(0o755)
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    for where in (["config", "--file", str(home / ".gitconfig")], ["config"]):
        for kind in ("smudge", "clean", "process"):
            git(work, *where, f"filter.evil.{kind}", str(program))
        git(work, *where, "filter.evil.required", "true")
        git(work, *where, "core.fsmonitor", str(program))
    files = {
        ".gitattributes": "*.txt filter=evil\n*.crlf eol=crlf\n",
        "a.txt": "as it is stored\n",
        "a.crlf": "line\n",
        ".gitmodules": f'[submodule "m"]\n\tpath = m\n\turl = {sandbox.url}/acme/app.git\n\tupdate = !{program}\n',
        ".githooks/post-checkout": f"#!/bin/sh\necho of the branch >>{mark}\n",
        ".gitlab-ci.yml": "claude:\n  script: [env]\n",
    }
    plain = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull}
    made = clone(sandbox, "main", tmp_path / "made")
    for path, text in files.items():
        (made / path).parent.mkdir(exist_ok=True)
        (made / path).write_text(text)
    tip = git(made, "rev-parse", "HEAD")
    commands = [
        ("add", "--force", "."),
        ("update-index", "--add", "--cacheinfo", f"160000,{tip},m"),
        ("-c", "user.name=A", "-c", "user.email=a@example.com", "commit", "-q", "-m", "Hostile"),
        ("push", "-q", "origin", "HEAD:refs/heads/hostile"),
    ]
    for command in commands:
        subprocess.run(["git", *command], cwd=made, env=plain, check=True)
    switch(sandbox, work, "hostile")
    assert not mark.exists()
    assert (work / "a.txt").read_text() == "as it is stored\n"
    assert (work / "a.crlf").read_bytes() == b"line\r\n"
    assert list((work / "m").iterdir()) == []


def test_a_link_of_the_branch_leads_no_file_out_of_the_checkout(sandbox: Sandbox, work: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    made = clone(sandbox, "main", tmp_path / "made")
    (work / "link").symlink_to(outside)
    (made / "link").mkdir()
    (made / "link" / "file.txt").write_text("inside\n")
    (made / "away").symlink_to(outside)
    git(made, "add", ".")
    git(made, "-c", "user.name=A", "-c", "user.email=a@example.com", "commit", "-q", "-m", "Links")
    git(made, "push", "-q", "origin", "HEAD:refs/heads/links")
    switch(sandbox, work, "links")
    assert list(outside.iterdir()) == []
    assert (work / "link" / "file.txt").read_text() == "inside\n"
    assert (work / "away").is_symlink()
