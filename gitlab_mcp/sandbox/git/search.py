"""Searching the files of a commit by name and content."""

from __future__ import annotations

import re
from dataclasses import dataclass

from gitlab_mcp.sandbox.git.repository import Repository

# GitLab returns two lines of context around each match.
_CONTEXT = "-C2"
_SHOWN_BYTES = 1_000_000


@dataclass(frozen=True)
class Piece:
    """Consecutive lines of a file, from line `first` on."""

    path: str
    first: int
    data: str


def search(repository: Repository, sha: str, words: str) -> list[Piece]:
    """Whole files whose name contains the words, then the matches in file contents; case is ignored."""
    return [*_by_name(repository, sha, words), *_by_content(repository, sha, words)]


def _by_name(repository: Repository, sha: str, words: str) -> list[Piece]:
    listed = repository.run("ls-tree", "-r", "-z", "--full-tree", sha).split("\0")
    pieces = []
    for record in filter(None, listed):
        fields, _, path = record.partition("\t")
        mode, _, blob = fields.split()
        if words.lower() in path.lower() and mode != "160000":
            content = repository.git.output(repository.path, "cat-file", "blob", blob)
            readable = len(content) <= _SHOWN_BYTES and b"\0" not in content[:8000]
            pieces.append(Piece(path, 1, content.decode("utf-8", "replace") if readable else ""))
    return pieces


def _by_content(repository: Repository, sha: str, words: str) -> list[Piece]:
    options = ("--ignore-case", "-I", "--line-number", "--null", _CONTEXT, "--fixed-strings", "--full-name")
    asked = ("grep", *options, "-e", words, sha)
    # GitLab runs git in a UTF-8 locale, where --ignore-case also covers letters outside ASCII.
    _, output, _ = repository.git.run(repository.path, *asked, environment={"LC_ALL": "C.UTF-8"})
    pieces: list[tuple[str, int, list[str]]] = []
    # A file name may contain line breaks; it ends at the NUL.
    for path, number, text in re.findall(rf"{sha}:([^\0]*)\0(\d+)\0([^\n]*)\n", output.decode("utf-8", "replace")):
        if not pieces or path != pieces[-1][0] or int(number) != pieces[-1][1] + len(pieces[-1][2]):
            pieces.append((path, int(number), []))
        pieces[-1][2].append(text)
    return [Piece(path, first, "\n".join(lines)) for path, first, lines in pieces]
