"""The working directory of a SHA-256 repository, and files in it whose names are not UTF-8."""

import os
import subprocess
from pathlib import Path

import pytest

from gitlab_mcp.errors import Conflict
from gitlab_mcp.git.objects import TreeEntry
from gitlab_mcp.repository.worktree import Worktree
from gitlab_mcp.sandbox import Sandbox
from tests.support.agent import connect
from tests.support.ci_job import allow_job_pushes
from tests.support.git_clones import clone
from tests.support.git_history import stored
from tests.support.settings import checkout, job_settings


def git(folder: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=x", "-c", "user.email=x@x")
    done = subprocess.run(["git", "-C", str(folder), *identity, *arguments], check=True, capture_output=True)
    return done.stdout.decode("utf-8", "surrogateescape").strip()


def tree_of(folder: Path, commit: str = "HEAD") -> dict[str, TreeEntry]:
    """The files of a commit, as a repository gives them."""
    found = {}
    for record in git(folder, "ls-tree", "-r", "-z", commit).split("\0"):
        if record:
            fields, _, path = record.partition("\t")
            mode, _, identity = fields.split()
            found[path] = TreeEntry(path, mode, identity)
    return found


@pytest.fixture(params=["sha1", "sha256"])
def work(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A checkout with a commit, in both forms of ids that git has."""
    folder = tmp_path / "work"
    subprocess.run(["git", "init", "-q", f"--object-format={request.param}", str(folder)], check=True)
    for name in ("same.txt", "changed.txt", "deleted.txt", "theirs.txt"):
        (folder / name).write_text(f"{name}\n")
    (folder / "link").symlink_to("same.txt")
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "first")
    return folder


def test_what_differs_is_found_in_repositories_of_both_kinds_of_ids(work: Path) -> None:
    tree = tree_of(work)
    assert {len(entry.id) for entry in tree.values()} in ({40}, {64})
    (work / "changed.txt").write_text("edited\n")
    (work / "deleted.txt").unlink()
    (work / "new.txt").write_text("new\n")
    changes, left_out = Worktree(work).differences(["**"], tree)
    assert sorted((each.action, each.path, each.content) for each in changes) == [
        ("create", "new.txt", b"new\n"),
        ("delete", "deleted.txt", None),
        ("update", "changed.txt", b"edited\n"),
    ]
    assert left_out == {}


def test_a_link_whose_object_is_not_here_is_the_same_with_either_kind_of_ids(work: Path) -> None:
    tree = tree_of(work)
    identity = tree["link"].id
    (work / ".git" / "objects" / identity[:2] / identity[2:]).unlink()
    assert Worktree(work).differences(["**"], tree) == ([], {})
    (work / "link").unlink()
    (work / "link").symlink_to("changed.txt")
    assert Worktree(work).differences(["**"], tree) == ([], {"link": "a symbolic link on the branch"})


def test_files_are_read_in_repositories_of_both_kinds_of_ids(work: Path) -> None:
    (work / "changed.txt").write_text("edited\n")
    found = Worktree(work).read(["changed.txt", "same.txt"], ["changed.txt", "same.txt"])
    assert {path: file.content for path, file in found.items()} == {
        "changed.txt": b"edited\n",
        "same.txt": b"same.txt\n",
    }


def test_what_was_committed_from_here_is_no_conflict_with_either_kind_of_ids(work: Path) -> None:
    worktree = Worktree(work, git(work, "rev-parse", "HEAD"))
    (work / "changed.txt").write_text("edited\n")
    (work / "deleted.txt").unlink()
    changes, _ = worktree.differences(["**"], tree_of(work))
    git(work, "stash", "-q")
    start = git(work, "rev-parse", "HEAD")
    (work / "changed.txt").write_text("edited\n")
    (work / "deleted.txt").unlink()
    git(work, "commit", "-qam", "as committed from here")
    committed = tree_of(work)
    git(work, "update-ref", "HEAD", start)
    (work / "changed.txt").write_text("edited again\n")
    (work / "deleted.txt").write_text("back again\n")
    with pytest.raises(Conflict, match="deleted"):
        worktree.differences(["**"], committed)
    worktree.remember(changes)
    again, _ = worktree.differences(["**"], committed)
    assert sorted((each.action, each.path) for each in again) == [("create", "deleted.txt"), ("update", "changed.txt")]


def test_what_changed_on_the_branch_only_is_left_with_either_kind_of_ids(work: Path) -> None:
    start = git(work, "rev-parse", "HEAD")
    (work / "theirs.txt").write_text("theirs\n")
    git(work, "commit", "-qam", "theirs")
    branch = tree_of(work)
    git(work, "reset", "-q", "--hard", start)
    (work / "changed.txt").write_text("edited\n")
    changes, _ = Worktree(work, start).differences(["**"], branch)
    assert [each.path for each in changes] == ["changed.txt"]
    (work / "theirs.txt").write_text("mine\n")
    with pytest.raises(Conflict, match=r"theirs\.txt"):
        Worktree(work, start).differences(["**"], branch)


NAME = os.fsdecode(b"caf\xe9.txt")


def test_a_name_that_is_not_utf_8_is_left_out_and_the_others_are_taken(work: Path) -> None:
    (work / NAME).write_text("x\n")
    (work / "new.txt").write_text("new\n")
    (work / "café.txt").write_text("é\n")
    changes, left_out = Worktree(work).differences(["**"], tree_of(work))
    assert [each.path for each in changes] == ["café.txt", "new.txt"]
    assert left_out == {NAME: "its name is not valid UTF-8"}


def test_a_changed_file_whose_name_is_not_utf_8_is_left_out(work: Path) -> None:
    (work / NAME).write_text("x\n")
    git(work, "add", "-A")
    git(work, "commit", "-qm", "latin")
    tree = tree_of(work)
    assert NAME in tree
    assert Worktree(work).differences(["**"], tree) == ([], {})
    (work / NAME).write_text("edited\n")
    assert Worktree(work).differences(["**"], tree) == ([], {NAME: "its name is not valid UTF-8"})


@pytest.mark.parametrize("name", ["a\tb", "a\nb", "a\x7fb"], ids=ascii)
def test_a_name_with_a_control_character_is_left_out(work: Path, name: str) -> None:
    (work / name).write_text("x\n")
    assert Worktree(work).differences(["**"], tree_of(work)) == ([], {name: "its name has control characters"})


async def test_by_git_files_with_names_that_are_not_utf_8_stay_and_are_named(
    fresh_sandbox: Sandbox, tmp_path: Path
) -> None:
    allow_job_pushes(fresh_sandbox)
    project = fresh_sandbox.world.projects[fresh_sandbox.project_id]
    project.protected.clear()
    work = clone(fresh_sandbox, "main", tmp_path / "work")
    (work / NAME).write_text("kept\n")
    git(work, "add", "-A")
    git(work, "commit", "-qm", "latin")
    git(work, "push", "-q", str(stored(fresh_sandbox)), "HEAD:refs/heads/latin")
    (work / os.fsdecode(b"new-\xff.txt")).write_text("x\n")
    (work / "new.txt").write_text("new\n")
    async with connect(job_settings(fresh_sandbox, working_directory=checkout(work))) as agent:
        answer = await agent.call("commit_files", branch="latin", message="m", paths=["**"])
    assert "1 added" in answer
    assert "Left out" in answer
    names = tree_of(stored(fresh_sandbox), "latin")
    assert NAME in names
    assert "new.txt" in names
    assert os.fsdecode(b"new-\xff.txt") not in names
