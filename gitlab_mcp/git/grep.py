"""Looking for words in the files of a commit."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from gitlab_mcp.git import objects
from gitlab_mcp.git.objects import FOLDER, SUBMODULE, TreeEntry
from gitlab_mcp.git.process import TimeLeft, checked
from gitlab_mcp.git.scratch_repository import ScratchRepository

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


class SearchTooLarge(Exception):
    """There is more to fetch or to show than is reasonable; the text says what."""


def fetch_everything(repository: ScratchRepository, commit: str, time_left: TimeLeft) -> None:
    """Fetch the content of all files of a commit. Raises TooMuch."""
    entries = objects.list_all(repository, commit, time_left)
    blobs = sorted({entry.id for entry in entries if entry.mode not in (FOLDER, SUBMODULE)})
    missing = repository.missing(blobs, time_left)
    if len(missing) > FILES:
        raise SearchTooLarge(f"{len(missing):,} files would have to be fetched to search in them")
    for start in range(0, len(missing), AT_ONCE):
        repository.fetch_blobs(missing[start : start + AT_ONCE], time_left)
        packs = (repository.directory(time_left) / "objects" / "pack").glob("*.pack")
        if sum(pack.stat().st_size for pack in packs) > BYTES and start + AT_ONCE < len(missing):
            raise SearchTooLarge(f"more than {BYTES // 1_000_000} MB would have to be fetched to search in them")


def grep(repository: ScratchRepository, commit: str, words: str, time_left: TimeLeft) -> list[Found]:
    """Where `words` stand in the files of a commit, whose content is here, in any letter case. Raises TooMuch."""
    counted = _grep(repository, ("--count",), commit, words, time_left)
    lines = sum(int(number) for number in re.findall(rf"{commit}:[^\0]*\0(\d+)\n", counted))
    if lines > LINES:
        raise SearchTooLarge(f"{lines:,} lines have it")
    # Names of files may hold line breaks, so that only these marks say where a line of the output ends.
    row = re.compile(rf"{commit}:([^\0]*)\0(\d+)\0([^\n]*)\n")
    found: list[Found] = []
    current: list[tuple[str, int, str]] = []
    for path, number, text in row.findall(_grep(repository, ("-n", f"-C{CONTEXT}"), commit, words, time_left)):
        if current and (path != current[-1][0] or int(number) != current[-1][1] + 1):
            found.append(_together(current))
            current = []
        current.append((path, int(number), text))
    return [*found, _together(current)] if current else found


def _together(rows: Sequence[tuple[str, int, str]]) -> Found:
    return Found(rows[0][0], rows[0][1], [text for _path, _number, text in rows])


def _grep(repository: ScratchRepository, options: Sequence[str], commit: str, words: str, time_left: TimeLeft) -> str:
    arguments = ("--ignore-case", "--fixed-strings", "-I", "--null", "--no-color", "--full-name", *options)
    ended = repository.run_git("grep", *arguments, "-e", words, commit, time_left=time_left, locale=LOCALE)
    if ended.status == 1 and not ended.output:
        return ""  # nothing was found
    printed = checked(ended, "grep") if ended.status else ended.output
    return printed.decode("utf-8", "replace")


def named(entries: Sequence[TreeEntry], words: str) -> list[str]:
    """The paths of files that hold the words, in any letter case."""
    return [entry.path for entry in entries if words.lower() in entry.path.lower() and entry.mode != SUBMODULE]
