"""Searching the files of a commit by name and content."""

from __future__ import annotations

from dataclasses import dataclass

from gitlab_mcp.sandbox.repositories.repository import Repository

# GitLab shows two lines around each one that it found.
_CONTEXT = "-C2"
_SHOWN_BYTES = 1_000_000


@dataclass(frozen=True)
class Piece:
    """Lines of a file that stand together, from line `first` on."""

    path: str
    first: int
    data: str


def search(repository: Repository, sha: str, words: str) -> list[Piece]:
    """Files whose name holds the words, whole, then the places in files that hold them; in any letter case."""
    return [*_by_name(repository, sha, words), *_by_content(repository, sha, words)]


def _by_name(repository: Repository, sha: str, words: str) -> list[Piece]:
    listed = repository.run("ls-tree", "-r", "-z", "--full-tree", sha).split("\0")
    found = []
    for record in filter(None, listed):
        fields, _, path = record.partition("\t")
        mode, _, blob = fields.split()
        if words.lower() in path.lower() and mode != "160000":
            content = repository.git.output(repository.path, "cat-file", "blob", blob)
            readable = len(content) <= _SHOWN_BYTES and b"\0" not in content[:8000]
            found.append(Piece(path, 1, content.decode("utf-8", "replace") if readable else ""))
    return found


def _by_content(repository: Repository, sha: str, words: str) -> list[Piece]:
    options = ("--ignore-case", "-I", "--line-number", "--null", _CONTEXT, "--fixed-strings", "--full-name")
    asked = ("grep", *options, "-e", words, sha)
    _, output, _ = repository.git.attempt(repository.path, *asked)
    found, lines = [], []
    for record in [*output.decode("utf-8", "replace").split("\n")[:-1], "--"]:
        if "\0" in record:
            name, number, text = record.split("\0", 2)
            lines.append((name.partition(":")[2], int(number), text))
        elif lines:
            found.append(Piece(lines[0][0], lines[0][1], "\n".join(line[2] for line in lines)))
            lines = []
    return found
