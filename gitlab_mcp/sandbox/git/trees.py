"""The files and directories of a commit."""

from __future__ import annotations

import re
from dataclasses import dataclass

from gitlab_mcp.sandbox.git.process import GitError
from gitlab_mcp.sandbox.git.repository import Commit, Repository

EXECUTABLE = "100755"


@dataclass(frozen=True)
class Entry:
    """An entry of a tree; its type is blob, tree or commit (a submodule)."""

    mode: str
    type: str
    sha: str
    path: str

    @property
    def name(self) -> str:
        return self.path.rsplit("/", 1)[-1]


def list_tree(repository: Repository, commit: str, path: str = "", *, recursive: bool = False) -> list[Entry] | None:
    """The entries of a directory, with directories first as in GitLab; None if the directory does not exist."""
    path = "" if path == "." else path.strip("/")
    if path:
        directory = find(repository, commit, path)
        if directory is None or directory.type != "tree":
            return None
    options = ["-r", "-t"] if recursive else []
    entries = _read(repository, [*options, "-z", "--full-tree", commit, "--", *([f"{path}/"] if path else [])])
    # With -t and a path, git also lists the parent directories.
    entries = [entry for entry in entries if not path or entry.path.startswith(f"{path}/")]
    order = {"tree": 0, "blob": 1, "commit": 2}
    return sorted(entries, key=lambda entry: order[entry.type])


def all_files(repository: Repository, commit: str) -> dict[str, Entry]:
    """All files, symlinks and submodules of a commit, by path."""
    return {entry.path: entry for entry in _read(repository, ["-r", "-z", "--full-tree", commit])}


def find(repository: Repository, commit: str, path: str) -> Entry | None:
    """The entry at a path, or None."""
    # git fails for a path that leads out of the repository.
    if not path or "\x00" in path or path.startswith("/") or ".." in path.split("/"):
        return None
    entries = _read(repository, ["-z", "--full-tree", commit, "--", path.rstrip("/")])
    return next((entry for entry in entries if entry.path == path.rstrip("/")), None)


def _read(repository: Repository, arguments: list[str]) -> list[Entry]:
    output = repository.git.output(
        repository.path, "--literal-pathspecs", "ls-tree", *(argument for argument in arguments)
    )
    entries = []
    for record in output.split(b"\x00"):
        if record:
            head, _, name = record.partition(b"\t")
            mode, kind, sha = head.decode().split()
            entries.append(Entry(mode, kind, sha, name.decode("utf-8", "replace")))
    return entries


def read_blob(repository: Repository, sha: str) -> bytes:
    """The content of a blob."""
    return repository.git.output(repository.path, "cat-file", "blob", sha)


def is_blob(repository: Repository, sha: str) -> bool:
    """Whether a sha is that of an existing blob."""
    if not sha.isalnum():
        return False
    status, output, _ = repository.git.run(repository.path, "cat-file", "-t", sha)
    return status == 0 and output.strip() == b"blob"


def last_commit(repository: Repository, commit: str, path: str) -> str:
    """The newest ancestor of a commit (or the commit itself) that changed a path."""
    output = repository.git.output(
        repository.path, "--literal-pathspecs", "log", "-1", "--format=%H", commit, "--", path
    )
    return output.decode().strip() or commit


def blame(
    repository: Repository, commit: str, path: str, first: int, last: int
) -> list[tuple[Commit, list[str]]] | None:
    """Groups of lines with the commit that last changed them, from `first` to `last`; all if `last` is 0.

    Returns None if the file ends before `first`.
    """
    chosen = [f"-L{first},{last}"] if last else []
    asked = ("blame", "--porcelain", *chosen, commit, "--", path)
    status, raw, stderr = repository.git.run(repository.path, *asked)
    if status and re.search(r"has only \d+ lines?$", stderr.strip()):
        return None
    if status:
        raise GitError(asked, status, stderr)
    output = raw.decode("utf-8", "replace")
    groups: list[tuple[str, list[str]]] = []
    sha = ""
    for line in output.split("\n")[:-1]:
        if line.startswith("\t"):
            if not groups or groups[-1][0] != sha:
                groups.append((sha, []))
            groups[-1][1].append(line[1:])
        elif len(line) > 40 and line[40] == " " and line[:40].isalnum():
            sha = line[:40]
    commits = repository.commits([sha for sha, _ in groups])
    return [(commits[sha], lines) for sha, lines in groups]
