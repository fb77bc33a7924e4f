"""With core.fileMode=false the modes of a commit are those that git itself would commit, whatever is on disk."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gitlab_mcp.git.objects import TreeEntry, blob_id
from gitlab_mcp.repository.commit_files import _needed
from gitlab_mcp.repository.worktree import Worktree


def git(folder: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=x", "-c", "user.email=x@x")
    return subprocess.run(
        ["git", "-C", str(folder), *identity, *arguments], check=True, capture_output=True, text=True
    ).stdout.strip()


def tree_of(folder: Path, name: str) -> dict[str, TreeEntry]:
    rows = (line.partition("\t") for line in git(folder, "ls-tree", "-r", name).splitlines())
    return {path: TreeEntry(path, fields.split()[0], fields.split()[2]) for fields, _, path in rows}


@dataclass(frozen=True)
class File:
    """A file of the last commit (mode "" where it is new), on disk and in the index."""

    committed: str
    on_disk: int
    edited: bool
    staged: str


FILES = st.builds(
    File,
    st.sampled_from(["", "100644", "100755"]),
    st.sampled_from([0, 0o600, 0o644, 0o755, 0o777]),
    st.booleans(),
    st.sampled_from(["", "", "+x", "-x"]),
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(FILES, min_size=1, max_size=6), st.booleans())
def test_the_modes_are_those_that_git_would_commit(
    tmp_path_factory: pytest.TempPathFactory, files: list[File], reads_modes: bool
) -> None:
    work = tmp_path_factory.mktemp("work")
    git(work, "init", "-q")
    names = {f"f{number}": file for number, file in enumerate(files)}
    for name, file in names.items():
        if file.committed:
            (work / name).write_text("old\n")
            (work / name).chmod(int(file.committed[-3:], 8))
            git(work, "add", name)
    git(work, "commit", "-q", "--allow-empty", "-m", "first")
    git(work, "config", "core.fileMode", str(reads_modes).lower())
    for name, file in names.items():
        if not file.on_disk:
            (work / name).unlink(missing_ok=True)
            continue
        if file.edited or not file.committed:
            (work / name).write_text("new\n")
        (work / name).chmod(file.on_disk)
        if file.staged and not reads_modes:
            git(work, "add", name)
            git(work, "update-index", f"--chmod={file.staged}", name)
    before = tree_of(work, "HEAD")
    found, left_out = Worktree(work).differences(["**"], before) if before or any(work.glob("f*")) else ([], {})
    git(work, "add", "-A")
    after = tree_of(work, git(work, "write-tree"))
    made = dict(before)
    for change in filter(None, (_needed(each, before.get(each.path)) for each in found)):
        if change.action == "delete":
            del made[change.path]
            continue
        old = made.get(change.path)
        mode = old.mode if old and change.executable is None else "100755" if change.executable else "100644"
        identity = old.id if old and change.content is None else blob_id(change.content or b"")
        made[change.path] = TreeEntry(change.path, mode, identity)
    assert (made, left_out) == (after, {})
