"""Questions that need commit history: ancestors, the log of a path, merge bases, blame.

Each fetches only as much history as its answer needs.
"""

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

# History is fetched in steps, since its newest part, or what was fetched before, answers most questions.
DEPTHS = (1, 50, 1000, EVERYTHING)
RENAMES = 20  # how many renames of one file blame follows
NOWHERE = -math.inf  # earlier than any commit
CLOCKS = 86_400  # seconds by which the clocks of committers may differ


@dataclass(frozen=True)
class BlamedRange:
    """Consecutive lines of a file, from line number `first` on, and the commit that last changed them."""

    commit: Commit
    first: int
    lines: list[str]


def is_ancestor(repository: ScratchRepository, ancestor: str, descendant: str, time_left: TimeLeft) -> bool:
    """Whether `ancestor` is an ancestor of `descendant`, judged by the history fetched so far."""
    return repository.run_git("merge-base", "--is-ancestor", ancestor, descendant, time_left=time_left).status == 0


def is_in(repository: ScratchRepository, commit: str, branch: str, time_left: TimeLeft) -> bool:
    """Whether `commit` is in the history of the commit `branch`. Fetches as much history as this needs."""
    if commit == branch:
        return True
    repository.fetch([commit, branch], time_left)
    [committed_at] = _dates(repository, ["--no-walk", commit], time_left).values()
    for depth in DEPTHS:
        repository.fetch([branch], time_left, depth)
        contained, cut = _with_cut(
            repository, [branch], time_left, lambda: is_ancestor(repository, commit, branch, time_left)
        )
        if contained or cut < committed_at - CLOCKS:
            return contained
    return False


def newest(
    repository: ScratchRepository, commit: str, path: str, skip: int, limit: int, time_left: TimeLeft
) -> list[Commit]:
    """Up to `limit` commits of the history of `commit`, newest first, after the first `skip`.

    With `path` only the commits that changed it.
    """
    commits: list[Commit] = []
    arguments = [f"--skip={skip}", f"--max-count={limit}", commit, "--", *([path] if path else [])]
    for depth in DEPTHS:
        repository.fetch([commit], time_left, depth)
        commits, cut = _with_cut(repository, [commit], time_left, lambda: objects.log(repository, arguments, time_left))
        if cut == NOWHERE:
            break
        # A commit older than the cut may not be the next one: commits beyond the cut could come before it.
        if len(commits) == limit and cut < _oldest(repository, ["--no-walk", commits[-1].id], time_left):
            break
    return commits


def last_change(repository: ScratchRepository, commit: str, path: str, time_left: TimeLeft) -> str:
    """The id of the newest commit that changed `path`; "" where it is older than the history fetched so far."""
    commits = objects.log(repository, ["--max-count=1", commit, "--", path], time_left)
    # A commit at the shallow boundary has no parents here, so every file looks as if that commit had added it.
    return commits[0].id if commits and commits[0].id not in repository.boundary(time_left) else ""


def merge_base(repository: ScratchRepository, old: str, new: str, time_left: TimeLeft) -> str:
    """The merge base (best common ancestor) of two commits, "" where they have none.

    Fetches as much history as it takes to be sure of it, and of the commits that only one of the two has.
    """
    bases: list[str] = []
    for depth in DEPTHS:
        repository.fetch([old, new], time_left, depth)
        (bases, oldest), cut = _with_cut(
            repository, [old, new], time_left, lambda: _bases(repository, old, new, time_left)
        )
        # A commit that is newer than every cut is not beyond one, so it cannot belong to both histories unseen.
        if cut < oldest:
            break
    return bases[0] if bases else ""


def _bases(repository: ScratchRepository, old: str, new: str, time_left: TimeLeft) -> tuple[list[str], float]:
    """The merge bases, and the date of the oldest commit that only one of the two has.

    With several merge bases their dates count too, since beyond a cut one could be an ancestor of another.
    """
    completed = repository.run_git("merge-base", "--all", old, new, time_left=time_left)
    bases = (b"" if completed.status == 1 else checked(completed, "merge-base")).decode().split()
    oldest = _oldest(repository, [f"{old}...{new}"], time_left)
    if len(bases) > 1:
        oldest = min(oldest, _oldest(repository, ["--no-walk", *bases], time_left))
    return bases, oldest


def between(repository: ScratchRepository, old: str, new: str, time_left: TimeLeft) -> list[Commit]:
    """The commits of `new` that `old` lacks, oldest first. `merge_base` must have fetched their history before."""
    return objects.log(repository, ["--reverse", f"{old}..{new}", "--"], time_left)


def fetch_files(repository: ScratchRepository, differences: Sequence[FileDiff], time_left: TimeLeft) -> None:
    """Fetch the old and the new content of files that differ."""
    repository.fetch_blobs((blob for difference in differences for blob in _blob_ids(difference)), time_left)


def _blob_ids(difference: FileDiff) -> list[str]:
    pairs = ((difference.old_mode, difference.old_id), (difference.new_mode, difference.new_id))
    return [identity for mode, identity in pairs if mode not in ("000000", objects.SUBMODULE)]


def blame(
    repository: ScratchRepository, commit: str, path: str, first: int, last: int, time_left: TimeLeft
) -> list[BlamedRange]:
    """Find the commits that last changed the lines `first` to `last` (0: the end of the file).

    Fetches every version of the file.
    """
    repository.fetch([commit], time_left, EVERYTHING)
    _fetch_versions(repository, commit, path, time_left)
    lines = f"-L{first},{last}" if last else f"-L{first},"
    output = repository.run("blame", "--porcelain", lines, commit, "--", path, time_left=time_left)
    groups: list[tuple[str, int, list[str]]] = []
    current, number = "", 0
    for line in output.decode("utf-8", "replace").split("\n")[:-1]:
        if line.startswith("\t"):
            if not groups or groups[-1][0] != current:
                groups.append((current, number, []))
            groups[-1][2].append(line[1:])
        elif head := re.fullmatch(r"([0-9a-f]{40,64}) \d+ (\d+)(?: \d+)?", line):
            current, number = head[1], int(head[2])
    commits = {name: objects.commit_of(repository, name, time_left) for name in {group[0] for group in groups}}
    return [BlamedRange(commits[name], start, text) for name, start, text in groups]


def _fetch_versions(repository: ScratchRepository, commit: str, path: str, time_left: TimeLeft) -> None:
    """Fetch every version of a file, under its earlier names too, and the deleted files it may have been renamed from.

    Otherwise git would have to fetch each version by itself while it runs `git blame`.
    """
    for _ in range(RENAMES):
        changes = objects.log(repository, [commit, "--", path], time_left)
        pairs = [(change.parents[0], change.id) for change in changes if change.parents]
        versions = [diff for old, new in pairs for diff in objects.diff_trees(repository, old, new, time_left, path)]
        added_by, deleted = changes[-1] if changes else None, list[FileDiff]()
        if added_by and added_by.parents:
            all_diffs = objects.diff_trees(repository, added_by.parents[0], added_by.id, time_left)
            deleted = [diff for diff in all_diffs if diff.status == "D"]
        fetch_files(repository, [*versions, *deleted], time_left)
        if not added_by or not deleted:
            return
        renamed = objects.diff_trees(repository, added_by.parents[0], added_by.id, time_left, renames=True)
        old_paths = [diff.old_path for diff in renamed if diff.status == "R" and diff.new_path == path]
        if not old_paths:
            return
        commit, path = added_by.parents[0], old_paths[0]


def _with_cut(
    repository: ScratchRepository, commits: Sequence[str], time_left: TimeLeft, query: Callable[[], T]
) -> tuple[T, float]:
    """The result of `query`, and the date of the newest commit at which the history of `commits` was cut off for it."""
    boundary = repository.boundary(time_left)
    cut = _newest_cut(repository, commits, time_left)
    result = query()
    if not repository.boundary(time_left) <= boundary:
        # The query itself discovered that the clone's history ends sooner than its list says.
        cut = max(cut, _newest_cut(repository, commits, time_left))
    return result, cut


def _newest_cut(repository: ScratchRepository, commits: Sequence[str], time_left: TimeLeft) -> float:
    """The date of the newest commit at which the history of `commits` is cut off; NOWHERE where it is complete.

    A later query finds at least this much history: what others fetch meanwhile only adds to it.
    """
    if not (boundary := repository.boundary(time_left)):
        return NOWHERE
    ends = _dates(repository, ["--max-parents=0", *commits], time_left)
    boundary |= repository.boundary(time_left)
    return max((date for commit, date in ends.items() if commit in boundary), default=NOWHERE)


def _oldest(repository: ScratchRepository, arguments: Sequence[str], time_left: TimeLeft) -> float:
    """The date of the oldest commit that `git rev-list ARGUMENTS` lists; infinity where it lists none."""
    return min(_dates(repository, arguments, time_left).values(), default=math.inf)


def _dates(repository: ScratchRepository, arguments: Sequence[str], time_left: TimeLeft) -> dict[str, int]:
    """The dates of the commits that `git rev-list ARGUMENTS` lists by their id, in seconds since the epoch."""
    rows = repository.run("rev-list", "--timestamp", *arguments, time_left=time_left).decode().splitlines()
    return {commit: int(date) for date, commit in (row.split() for row in rows)}
