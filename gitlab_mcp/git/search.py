"""Looking for words in the files of a commit."""

from collections.abc import Sequence
from dataclasses import dataclass

from gitlab_mcp.git import objects
from gitlab_mcp.git.objects import FOLDER, SUBMODULE, TreeEntry
from gitlab_mcp.git.own import OwnRepository
from gitlab_mcp.git.run import Patience, checked

# What is fetched to search in it, at most; and how many lines may be found.
FILES, BYTES, AT_ONCE = 20_000, 300_000_000, 1_000
LINES = 5_000
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
    lines = sum(int(record.rpartition("\0")[2]) for record in counted)
    if lines > LINES:
        raise TooMuch(f"{lines:,} lines have it")
    found: list[Found] = []
    current: list[tuple[str, int, str]] = []
    for record in [*_grep(repository, ("-n", f"-C{CONTEXT}"), commit, words, patience), "--"]:
        name, _, rest = record.partition("\0")
        number, _, text = rest.partition("\0")
        path = name.partition(":")[2]
        # A new file has no mark of its own before it where there is no context to leave out.
        if current and (not rest or path != current[0][0] or int(number) != current[-1][1] + 1):
            found.append(Found(current[0][0], current[0][1], [each[2] for each in current]))
            current = []
        if rest:
            current.append((path, int(number), text))
    return found


def _grep(repository: OwnRepository, options: Sequence[str], commit: str, words: str, patience: Patience) -> list[str]:
    arguments = ("--ignore-case", "--fixed-strings", "-I", "--null", "--no-color", "--full-name", *options)
    ended = repository.attempt("grep", *arguments, "-e", words, commit, patience=patience)
    if ended.status == 1 and not ended.output:
        return []  # nothing was found
    printed = checked(ended, "grep") if ended.status else ended.output
    return printed.decode("utf-8", "replace").split("\n")[:-1]


def named(entries: Sequence[TreeEntry], words: str) -> list[str]:
    """The paths of files that hold the words, in any letter case."""
    return [entry.path for entry in entries if words.lower() in entry.path.lower() and entry.mode != SUBMODULE]
