"""Questions that need commit history: ancestors, the log of a path, merge bases, blame.

Each fetches only as much history as its answer needs.
"""

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Concatenate, ParamSpec, TypeVar

from gitlab_mcp.git import objects
from gitlab_mcp.git.objects import Commit, FileDiff
from gitlab_mcp.git.process import checked
from gitlab_mcp.git.session import EVERYTHING, GitSession

P = ParamSpec("P")
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


def is_ancestor(git: GitSession, ancestor: str, descendant: str) -> bool:
    """Whether `ancestor` is an ancestor of `descendant`, judged by the history fetched so far."""
    return git.run_git("merge-base", "--is-ancestor", ancestor, descendant).status == 0


def is_in(git: GitSession, commit: str, branch: str) -> bool:
    """Whether `commit` is in the history of the commit `branch`. Fetches as much history as this needs."""
    if commit == branch:
        return True
    git.fetch([commit, branch])
    [committed_at] = _dates(git, "--no-walk", commit).values()
    for depth in DEPTHS:
        git.fetch([branch], depth)
        contained, cut = _with_cut(git, [branch], is_ancestor, commit, branch)
        if contained or cut < committed_at - CLOCKS:
            return contained
    return False


def newest(git: GitSession, commit: str, path: str, skip: int, limit: int) -> list[Commit]:
    """Up to `limit` commits of the history of `commit`, newest first, after the first `skip`.

    With `path` only the commits that changed it.
    """
    commits: list[Commit] = []
    arguments = [f"--skip={skip}", f"--max-count={limit}", commit, "--", *([path] if path else [])]
    for depth in DEPTHS:
        git.fetch([commit], depth)
        commits, cut = _with_cut(git, [commit], objects.log, *arguments)
        if cut == NOWHERE:
            break
        # A commit older than the cut may not be the next one: commits beyond the cut could come before it.
        if len(commits) == limit and cut < _oldest(git, "--no-walk", commits[-1].id):
            break
    return commits


def last_change(git: GitSession, commit: str, path: str) -> str:
    """The id of the newest commit that changed `path`; "" where it is older than the history fetched so far."""
    commits = objects.log(git, "--max-count=1", commit, "--", path)
    # A commit at the shallow boundary has no parents here, so every file looks as if that commit had added it.
    return commits[0].id if commits and commits[0].id not in git.boundary() else ""


def merge_base(git: GitSession, old: str, new: str) -> str:
    """The merge base (best common ancestor) of two commits, "" where they have none.

    Fetches as much history as it takes to be sure of it, and of the commits that only one of the two has.
    """
    bases: list[str] = []
    for depth in DEPTHS:
        git.fetch([old, new], depth)
        (bases, oldest), cut = _with_cut(git, [old, new], _bases, old, new)
        # A commit that is newer than every cut is not beyond one, so it cannot belong to both histories unseen.
        if cut < oldest:
            break
    return bases[0] if bases else ""


def _bases(git: GitSession, old: str, new: str) -> tuple[list[str], float]:
    """The merge bases, and the date of the oldest commit that only one of the two has.

    With several merge bases their dates count too, since beyond a cut one could be an ancestor of another.
    """
    completed = git.run_git("merge-base", "--all", old, new)
    bases = (b"" if completed.status == 1 else checked(completed, "merge-base")).decode().split()
    oldest = _oldest(git, f"{old}...{new}")
    if len(bases) > 1:
        oldest = min(oldest, _oldest(git, "--no-walk", *bases))
    return bases, oldest


def between(git: GitSession, old: str, new: str) -> list[Commit]:
    """The commits of `new` that `old` lacks, oldest first. `merge_base` must have fetched their history before."""
    return objects.log(git, "--reverse", f"{old}..{new}", "--")


def fetch_files(git: GitSession, differences: Sequence[FileDiff]) -> None:
    """Fetch the old and the new content of files that differ."""
    git.fetch_blobs(blob for difference in differences for blob in _blob_ids(difference))


def _blob_ids(difference: FileDiff) -> list[str]:
    pairs = ((difference.old_mode, difference.old_id), (difference.new_mode, difference.new_id))
    return [identity for mode, identity in pairs if mode not in ("000000", objects.SUBMODULE)]


def blame(git: GitSession, commit: str, path: str, first: int, last: int) -> list[BlamedRange]:
    """Find the commits that last changed the lines `first` to `last` (0: the end of the file).

    Fetches every version of the file.
    """
    git.fetch([commit], EVERYTHING)
    _fetch_versions(git, commit, path)
    lines = f"-L{first},{last}" if last else f"-L{first},"
    output = git.run("blame", "--porcelain", lines, commit, "--", path)
    groups: list[tuple[str, int, list[str]]] = []
    current, number = "", 0
    for line in output.decode("utf-8", "replace").split("\n")[:-1]:
        if line.startswith("\t"):
            if not groups or groups[-1][0] != current:
                groups.append((current, number, []))
            groups[-1][2].append(line[1:])
        elif head := re.fullmatch(r"([0-9a-f]{40,64}) \d+ (\d+)(?: \d+)?", line):
            current, number = head[1], int(head[2])
    commits = {name: objects.commit_of(git, name) for name in {group[0] for group in groups}}
    return [BlamedRange(commits[name], start, text) for name, start, text in groups]


def _fetch_versions(git: GitSession, commit: str, path: str) -> None:
    """Fetch every version of a file, under its earlier names too, and the deleted files it may have been renamed from.

    Otherwise git would have to fetch each version by itself while it runs `git blame`.
    """
    for _ in range(RENAMES):
        changes = objects.log(git, commit, "--", path)
        pairs = [(change.parents[0], change.id) for change in changes if change.parents]
        versions = [diff for old, new in pairs for diff in objects.diff_trees(git, old, new, path)]
        added_by, deleted = changes[-1] if changes else None, list[FileDiff]()
        if added_by and added_by.parents:
            all_diffs = objects.diff_trees(git, added_by.parents[0], added_by.id)
            deleted = [diff for diff in all_diffs if diff.status == "D"]
        fetch_files(git, [*versions, *deleted])
        if not added_by or not deleted:
            return
        renamed = objects.diff_trees(git, added_by.parents[0], added_by.id, renames=True)
        old_paths = [diff.old_path for diff in renamed if diff.status == "R" and diff.new_path == path]
        if not old_paths:
            return
        commit, path = added_by.parents[0], old_paths[0]


def _with_cut(
    git: GitSession,
    commits: Sequence[str],
    query: Callable[Concatenate[GitSession, P], T],
    *args: P.args,
    **kwargs: P.kwargs,
) -> tuple[T, float]:
    """The result of `query`, and the date of the newest commit at which the history of `commits` was cut off for it."""
    boundary = git.boundary()
    cut = _newest_cut(git, commits)
    result = query(git, *args, **kwargs)
    if not git.boundary() <= boundary:
        # The query itself discovered that the clone's history ends sooner than its list says.
        cut = max(cut, _newest_cut(git, commits))
    return result, cut


def _newest_cut(git: GitSession, commits: Sequence[str]) -> float:
    """The date of the newest commit at which the history of `commits` is cut off; NOWHERE where it is complete.

    A later query finds at least this much history: what others fetch meanwhile only adds to it.
    """
    if not (boundary := git.boundary()):
        return NOWHERE
    ends = _dates(git, "--max-parents=0", *commits)
    boundary |= git.boundary()
    return max((date for commit, date in ends.items() if commit in boundary), default=NOWHERE)


def _oldest(git: GitSession, *arguments: str) -> float:
    """The date of the oldest commit that `git rev-list ARGUMENTS` lists; infinity where it lists none."""
    return min(_dates(git, *arguments).values(), default=math.inf)


def _dates(git: GitSession, *arguments: str) -> dict[str, int]:
    """The dates of the commits that `git rev-list ARGUMENTS` lists by their id, in seconds since the epoch."""
    rows = git.run("rev-list", "--timestamp", *arguments).decode().splitlines()
    return {commit: int(date) for date, commit in (row.split() for row in rows)}
