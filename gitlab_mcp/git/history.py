"""What only a longer history tells: who is whose ancestor, what changed a path, who wrote a line."""

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from gitlab_mcp.git import objects
from gitlab_mcp.git.objects import Commit, FileDiff
from gitlab_mcp.git.process import TimeLeft, checked
from gitlab_mcp.git.scratch_repository import EVERYTHING, ScratchRepository

T = TypeVar("T")

# A history is fetched in steps, since most questions are answered by its newest part, or by what is here already.
DEPTHS = (1, 50, 1000, EVERYTHING)
RENAMES = 20
NOWHERE = -math.inf  # earlier than any commit
CLOCKS = 86_400  # seconds by which the clocks of those who commit may differ


@dataclass(frozen=True)
class BlamedRange:
    """Lines of a file that stand together, and the commit that they came from."""

    commit: Commit
    first: int
    lines: list[str]


def is_ancestor(repository: ScratchRepository, ancestor: str, descendant: str, time_left: TimeLeft) -> bool:
    """Whether all of `ancestor` is in `descendant`, as far as what is here tells."""
    return repository.run_git("merge-base", "--is-ancestor", ancestor, descendant, time_left=time_left).status == 0


def is_in(repository: ScratchRepository, commit: str, branch: str, time_left: TimeLeft) -> bool:
    """Whether `commit` is in the history of the commit `branch`; so much is fetched as this takes."""
    if commit == branch:
        return True
    repository.fetch([commit, branch], time_left)
    [made] = _dates(repository, ["--no-walk", commit], time_left).values()
    for depth in DEPTHS:
        repository.fetch([branch], time_left, depth)
        found, cut = _within(
            repository, [branch], time_left, lambda: is_ancestor(repository, commit, branch, time_left)
        )
        if found or cut < made - CLOCKS:
            return found
    return False


def newest(
    repository: ScratchRepository, commit: str, path: str, skip: int, limit: int, time_left: TimeLeft
) -> list[Commit]:
    """Up to `limit` commits in the history of `commit` after the first `skip`, those that changed `path` if given."""
    found: list[Commit] = []
    arguments = [f"--skip={skip}", f"--max-count={limit}", commit, "--", *([path] if path else [])]
    for depth in DEPTHS:
        repository.fetch([commit], time_left, depth)
        found, cut = _within(repository, [commit], time_left, lambda: objects.log(repository, arguments, time_left))
        if cut == NOWHERE:
            break
        # What is older than a cut could be preceded by something beyond it.
        if len(found) == limit and cut < _oldest(repository, ["--no-walk", found[-1].id], time_left):
            break
    return found


def last_change(repository: ScratchRepository, commit: str, path: str, time_left: TimeLeft) -> str:
    """The newest commit that changed `path`, as far as the history that is here goes; "" where it is older."""
    found = objects.log(repository, ["--max-count=1", commit, "--", path], time_left)
    # Where history is cut off, everything looks as if it had been made there.
    return found[0].id if found and found[0].id not in repository.edge(time_left) else ""


def merge_base(repository: ScratchRepository, old: str, new: str, time_left: TimeLeft) -> str:
    """The best common ancestor of two commits, "" where they have none.

    So much history is fetched as it takes to be sure of it, and of which commits only one of the two has.
    """
    bases: list[str] = []
    for depth in DEPTHS:
        repository.fetch([old, new], time_left, depth)
        (bases, oldest), cut = _within(
            repository, [old, new], time_left, lambda: _bases(repository, old, new, time_left)
        )
        # Nothing is an ancestor of a cut, beyond which it could be the other's too, if it is newer.
        if cut < oldest:
            break
    return bases[0] if bases else ""


def _bases(repository: ScratchRepository, old: str, new: str, time_left: TimeLeft) -> tuple[list[str], float]:
    """The best common ancestors, and when the oldest commit was made that only one of the two has.

    An ancestor counts too where there are several, of which one could be the other's.
    """
    ended = repository.run_git("merge-base", "--all", old, new, time_left=time_left)
    bases = (b"" if ended.status == 1 else checked(ended, "merge-base")).decode().split()
    oldest = _oldest(repository, [f"{old}...{new}"], time_left)
    if len(bases) > 1:
        oldest = min(oldest, _oldest(repository, ["--no-walk", *bases], time_left))
    return bases, oldest


def between(repository: ScratchRepository, old: str, new: str, time_left: TimeLeft) -> list[Commit]:
    """The commits of `new` that `old` lacks, oldest first; `merge_base` was asked before."""
    return objects.log(repository, ["--reverse", f"{old}..{new}", "--"], time_left)


def fetch_files(repository: ScratchRepository, differences: Sequence[FileDiff], time_left: TimeLeft) -> None:
    """Fetch both sides of files that differ."""
    repository.fetch_blobs((each for one in differences for each in _blob_ids(one)), time_left)


def _blob_ids(one: FileDiff) -> list[str]:
    pairs = ((one.old_mode, one.old_id), (one.new_mode, one.new_id))
    return [identity for mode, identity in pairs if mode not in ("000000", objects.SUBMODULE)]


def blame(
    repository: ScratchRepository, commit: str, path: str, first: int, last: int, time_left: TimeLeft
) -> list[BlamedRange]:
    """Who wrote the lines `first` to `last` (0: the end) of a file. Fetches all versions that it ever had."""
    repository.fetch([commit], time_left, EVERYTHING)
    _fetch_versions(repository, commit, path, time_left)
    lines = f"-L{first},{last}" if last else f"-L{first},"
    printed = repository.run("blame", "--porcelain", lines, commit, "--", path, time_left=time_left)
    groups: list[tuple[str, int, list[str]]] = []
    current, number = "", 0
    for line in printed.decode("utf-8", "replace").split("\n")[:-1]:
        if line.startswith("\t"):
            if not groups or groups[-1][0] != current:
                groups.append((current, number, []))
            groups[-1][2].append(line[1:])
        elif head := re.fullmatch(r"([0-9a-f]{40,64}) \d+ (\d+)(?: \d+)?", line):
            current, number = head[1], int(head[2])
    commits = {each: objects.commit_of(repository, each, time_left) for each in {group[0] for group in groups}}
    return [BlamedRange(commits[each], start, text) for each, start, text in groups]


def _fetch_versions(repository: ScratchRepository, commit: str, path: str, time_left: TimeLeft) -> None:
    """Fetch what a file held at any time, under this name and the ones before it, and what it may have been made of."""
    for _ in range(RENAMES):
        changes = objects.log(repository, [commit, "--", path], time_left)
        pairs = [(one.parents[0], one.id) for one in changes if one.parents]
        versions = [each for old, new in pairs for each in objects.diff_trees(repository, old, new, time_left, path)]
        begun, gone = changes[-1] if changes else None, list[FileDiff]()
        if begun and begun.parents:
            everything = objects.diff_trees(repository, begun.parents[0], begun.id, time_left)
            gone = [each for each in everything if each.status == "D"]
        fetch_files(repository, [*versions, *gone], time_left)
        if not begun or not gone:
            return
        renamed = objects.diff_trees(repository, begun.parents[0], begun.id, time_left, renames=True)
        before = [each.old_path for each in renamed if each.status == "R" and each.new_path == path]
        if not before:
            return
        commit, path = begun.parents[0], before[0]


def _within(
    repository: ScratchRepository, commits: Sequence[str], time_left: TimeLeft, ask: Callable[[], T]
) -> tuple[T, float]:
    """What `ask` finds, and when the newest commit was made at which the history of `commits` was cut off meanwhile."""
    edge = repository.edge(time_left)
    cut = _newest_cut(repository, commits, time_left)
    found = ask()
    if not repository.edge(time_left) <= edge:
        # It was found in the midst of it that a clone's history ends sooner.
        cut = max(cut, _newest_cut(repository, commits, time_left))
    return found, cut


def _newest_cut(repository: ScratchRepository, commits: Sequence[str], time_left: TimeLeft) -> float:
    """When the newest of the commits was made at which their history is cut off; NOWHERE where all of it is here.

    What is asked afterwards is cut off no nearer: while others fetch, history here grows.
    """
    if not (edge := repository.edge(time_left)):
        return NOWHERE
    ends = _dates(repository, ["--max-parents=0", *commits], time_left)
    edge |= repository.edge(time_left)
    return max((made for commit, made in ends.items() if commit in edge), default=NOWHERE)


def _oldest(repository: ScratchRepository, arguments: Sequence[str], time_left: TimeLeft) -> float:
    """When the oldest of the commits was made that `git rev-list ARGUMENTS` lists; infinity where it lists none."""
    return min(_dates(repository, arguments, time_left).values(), default=math.inf)


def _dates(repository: ScratchRepository, arguments: Sequence[str], time_left: TimeLeft) -> dict[str, int]:
    """When the commits were made that `git rev-list ARGUMENTS` lists, in seconds since the epoch."""
    listed = repository.run("rev-list", "--timestamp", *arguments, time_left=time_left).decode().splitlines()
    return {commit: int(made) for made, commit in (line.split() for line in listed)}
