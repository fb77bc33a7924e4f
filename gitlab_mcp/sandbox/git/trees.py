"""Files and directories of a commit."""

from __future__ import annotations

from dataclasses import dataclass

from gitlab_mcp.sandbox.git.repository import Commit, Repository

EXECUTABLE = "100755"


@dataclass(frozen=True)
class Entry:
    """One entry of a tree: type is blob, tree or commit (a submodule)."""

    mode: str
    type: str
    sha: str
    path: str

    @property
    def name(self) -> str:
        return self.path.rsplit("/", 1)[-1]


def list_tree(repository: Repository, commit: str, path: str = "", *, recursive: bool = False) -> list[Entry] | None:
    """The entries of a directory, directories first as GitLab sorts them; None if there is no such directory."""
    path = path.strip("/")
    if path:
        found = find(repository, commit, path)
        if found is None or found.type != "tree":
            return None
    options = ["-r", "-t"] if recursive else []
    entries = _read(repository, [*options, "-z", "--full-tree", commit, "--", *([f"{path}/"] if path else [])])
    # With -t and a path, git also lists the directories above it.
    entries = [entry for entry in entries if not path or entry.path.startswith(f"{path}/")]
    order = {"tree": 0, "blob": 1, "commit": 2}
    return sorted(entries, key=lambda entry: order[entry.type])


def all_files(repository: Repository, commit: str) -> dict[str, Entry]:
    """Every file, link and submodule of a commit by its path."""
    return {entry.path: entry for entry in _read(repository, ["-r", "-z", "--full-tree", commit])}


def find(repository: Repository, commit: str, path: str) -> Entry | None:
    """What is at a path, or None."""
    if not path or "\x00" in path or path.startswith("/"):
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
    """The bytes of a blob."""
    return repository.git.output(repository.path, "cat-file", "blob", sha)


def is_blob(repository: Repository, sha: str) -> bool:
    """Whether a sha names a blob that is there."""
    if not sha.isalnum():
        return False
    status, output, _ = repository.git.attempt(repository.path, "cat-file", "-t", sha)
    return status == 0 and output.strip() == b"blob"


def last_commit(repository: Repository, commit: str, path: str) -> str:
    """The newest commit up to this one that changed a path."""
    found = repository.git.output(
        repository.path, "--literal-pathspecs", "log", "-1", "--format=%H", commit, "--", path
    )
    return found.decode().strip() or commit


def blame(repository: Repository, commit: str, path: str, first: int, last: int) -> list[tuple[Commit, list[str]]]:
    """Runs of lines of a file with the commit each came from; lines first to last, all if last is 0."""
    chosen = [f"-L{first},{last}"] if last else []
    output = repository.run("blame", "--porcelain", *chosen, commit, "--", path)
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
