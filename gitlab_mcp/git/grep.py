"""Full-text search in the files of a commit, with `git grep`."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from gitlab_mcp.git import objects
from gitlab_mcp.git.objects import FOLDER, SUBMODULE, TreeEntry
from gitlab_mcp.git.process import checked
from gitlab_mcp.git.session import GitSession

# The most files and bytes that are fetched for a search, how many files one fetch asks for, and the most lines found.
FILES, BYTES, AT_ONCE = 20_000, 300_000_000, 1_000
LINES = 5_000
LOCALE = "C.UTF-8"  # ignores the case of letters beyond ASCII too, and leaves git's messages in English
CONTEXT = 2  # lines of context around a match, as in GitLab's own search


@dataclass(frozen=True)
class GrepMatch:
    """Consecutive lines of a file, of which at least one matches; `first` is the line number of the first.

    `first` is 0 and `lines` is empty where only the file's name matches.
    """

    path: str
    first: int = 0
    lines: Sequence[str] = ()


class SearchTooLarge(Exception):
    """The search would fetch or return too much; the text says how much."""


def fetch_everything(git: GitSession, commit: str) -> None:
    """Fetch the content of all files of a commit. Raises SearchTooLarge when these are too many files or bytes."""
    entries = objects.list_all(git, commit)
    blobs = sorted({entry.id for entry in entries if entry.mode not in (FOLDER, SUBMODULE)})
    missing = git.missing(blobs)
    if len(missing) > FILES:
        raise SearchTooLarge(f"{len(missing):,} files would have to be fetched to search in them")
    for start in range(0, len(missing), AT_ONCE):
        git.fetch_blobs(missing[start : start + AT_ONCE])
        packs = (git.directory() / "objects" / "pack").glob("*.pack")
        if sum(pack.stat().st_size for pack in packs) > BYTES and start + AT_ONCE < len(missing):
            raise SearchTooLarge(f"more than {BYTES // 1_000_000} MB would have to be fetched to search in them")


def grep(git: GitSession, commit: str, words: str) -> list[GrepMatch]:
    """Find the string `words` in the files of a commit, ignoring case. fetch_everything must have run before.

    Raises SearchTooLarge when too many lines match.
    """
    counts = _grep(git, ("--count",), commit, words)
    lines = sum(int(number) for number in re.findall(rf"{commit}:[^\0]*\0(\d+)\n", counts))
    if lines > LINES:
        raise SearchTooLarge(f"{lines:,} lines match")
    # File names may contain line breaks, so a line of the output ends only where this pattern ends.
    row = re.compile(rf"{commit}:([^\0]*)\0(\d+)\0([^\n]*)\n")
    matches: list[GrepMatch] = []
    current: list[tuple[str, int, str]] = []
    for path, number, text in row.findall(_grep(git, ("-n", f"-C{CONTEXT}"), commit, words)):
        if current and (path != current[-1][0] or int(number) != current[-1][1] + 1):
            matches.append(_match_of(current))
            current = []
        current.append((path, int(number), text))
    return [*matches, _match_of(current)] if current else matches


def _match_of(rows: Sequence[tuple[str, int, str]]) -> GrepMatch:
    return GrepMatch(rows[0][0], rows[0][1], [text for _path, _number, text in rows])


def _grep(git: GitSession, options: Sequence[str], commit: str, words: str) -> str:
    arguments = ("--ignore-case", "--fixed-strings", "-I", "--null", "--no-color", "--full-name", *options)
    completed = git.run_git("grep", *arguments, "-e", words, commit, locale=LOCALE)
    if completed.status == 1 and not completed.output:
        return ""  # no match
    return checked(completed, "grep").decode("utf-8", "replace")


def matching_paths(entries: Sequence[TreeEntry], words: str) -> list[str]:
    """The paths of files that contain the string `words`, ignoring case."""
    return [entry.path for entry in entries if words.lower() in entry.path.lower() and entry.mode != SUBMODULE]
