"""Looking for words in the files of a commit."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from gitlab_mcp.git import objects
from gitlab_mcp.git.objects import FOLDER, SUBMODULE, TreeEntry
from gitlab_mcp.git.own import OwnRepository
from gitlab_mcp.git.run import Patience, checked

# What is fetched to search in it, at most; and how many lines may be found.
FILES, BYTES, AT_ONCE = 20_000, 300_000_000, 1_000
LINES = 5_000
LOCALE = "C.UTF-8"  # which knows more letters than A to Z, and changes no words of git's
CONTEXT = 2  # lines around a line, as in GitLab's own search


@dataclass(frozen=True)
class Found:
    """Lines that stand together in a file, of which at least one holds the words; `first` is the number of the first.

    `first` is 0 and there are no lines where only the file's name holds them.
    """

    path: str
    first: int = 0
    lines: Sequence[str] = ()


class TooMuch(Exception):
    """There is more to fetch or to show than is reasonable; the text says what."""


def fetch_everything(repository: OwnRepository, commit: str, patience: Patience) -> None:
    """Fetch the content of all files of a commit. Raises TooMuch."""
    entries = objects.list_all(repository, commit, patience)
    blobs = sorted({entry.id for entry in entries if entry.mode not in (FOLDER, SUBMODULE)})
    missing = repository.missing(blobs, patience)
    if len(missing) > FILES:
        raise TooMuch(f"{len(missing):,} files would have to be fetched to search in them")
    for start in range(0, len(missing), AT_ONCE):
        repository.fetch_blobs(missing[start : start + AT_ONCE], patience)
        packs = (repository.directory(patience) / "objects" / "pack").glob("*.pack")
        if sum(pack.stat().st_size for pack in packs) > BYTES and start + AT_ONCE < len(missing):
            raise TooMuch(f"more than {BYTES // 1_000_000} MB would have to be fetched to search in them")


def grep(repository: OwnRepository, commit: str, words: str, patience: Patience) -> list[Found]:
    """Where `words` stand in the files of a commit, whose content is here, in any letter case. Raises TooMuch."""
    counted = _grep(repository, ("--count",), commit, words, patience)
    lines = sum(int(number) for number in re.findall(rf"{commit}:[^\0]*\0(\d+)\n", counted))
    if lines > LINES:
        raise TooMuch(f"{lines:,} lines have it")
    # Names of files may hold line breaks, so that only these marks say where a line of the output ends.
    row = re.compile(rf"{commit}:([^\0]*)\0(\d+)\0([^\n]*)\n")
    found: list[Found] = []
    current: list[tuple[str, int, str]] = []
    for path, number, text in row.findall(_grep(repository, ("-n", f"-C{CONTEXT}"), commit, words, patience)):
        if current and (path != current[-1][0] or int(number) != current[-1][1] + 1):
            found.append(_together(current))
            current = []
        current.append((path, int(number), text))
    return [*found, _together(current)] if current else found


def _together(rows: Sequence[tuple[str, int, str]]) -> Found:
    return Found(rows[0][0], rows[0][1], [text for _path, _number, text in rows])


def _grep(repository: OwnRepository, options: Sequence[str], commit: str, words: str, patience: Patience) -> str:
    arguments = ("--ignore-case", "--fixed-strings", "-I", "--null", "--no-color", "--full-name", *options)
    ended = repository.attempt("grep", *arguments, "-e", words, commit, patience=patience, locale=LOCALE)
    if ended.status == 1 and not ended.output:
        return ""  # nothing was found
    printed = checked(ended, "grep") if ended.status else ended.output
    return printed.decode("utf-8", "replace")


def named(entries: Sequence[TreeEntry], words: str) -> list[str]:
    """The paths of files that hold the words, in any letter case."""
    return [entry.path for entry in entries if words.lower() in entry.path.lower() and entry.mode != SUBMODULE]
