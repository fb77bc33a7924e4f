"""What only a longer history tells: who is whose ancestor, what changed a path, who wrote a line."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from gitlab_mcp.git import objects
from gitlab_mcp.git.objects import Commit, FileDiff
from gitlab_mcp.git.own import EVERYTHING, OwnRepository
from gitlab_mcp.git.remote import RemoteError
from gitlab_mcp.git.run import Patience

# A history is fetched in steps, since most questions are answered by its newest part, or by what is here already.
DEPTHS = (1, 50, 1000, EVERYTHING)
RENAMES = 20


@dataclass(frozen=True)
class BlamedLines:
    """Lines of a file that stand together, and the commit that they came from."""

    commit: Commit
    first: int
    lines: list[str]


def is_ancestor(repository: OwnRepository, ancestor: str, descendant: str, patience: Patience) -> bool:
    """Whether all of `ancestor` is in `descendant`, as far as what is here tells."""
    return repository.attempt("merge-base", "--is-ancestor", ancestor, descendant, patience=patience).status == 0


def is_in(repository: OwnRepository, commit: str, branch: str, patience: Patience) -> bool:
    """Whether `commit` is in the history of the commit `branch`; so much is fetched as this takes."""
    if commit == branch:
        return True
    repository.fetch([commit, branch], patience)
    if is_ancestor(repository, commit, branch, patience):
        return True
    since = objects.commit_of(repository, commit, patience).committed_at
    try:
        repository.fetch_since(branch, since, patience)
    except RemoteError:
        return False  # GitLab has no commit of this branch that is as new
    return is_ancestor(repository, commit, branch, patience)


def newest(
    repository: OwnRepository, commit: str, path: str, skip: int, limit: int, patience: Patience
) -> list[Commit]:
    """Up to `limit` commits in the history of `commit` after the first `skip`, those that changed `path` if given."""
    found: list[Commit] = []
    for depth in DEPTHS:
        repository.fetch([commit], patience, depth)
        arguments = [f"--skip={skip}", f"--max-count={limit}", commit, "--", *([path] if path else [])]
        found = objects.log(repository, arguments, patience)
        if len(found) == limit or not _is_cut(repository, commit, patience):
            break
    cut = _edge(repository, patience)
    # Where history is cut off, everything looks as if it had been made there.
    return [one for one in found if not (path and one.id in cut)]


def last_change(repository: OwnRepository, commit: str, path: str, patience: Patience) -> str:
    """The newest commit that changed `path`, as far as the history that is here goes; "" where it is older."""
    found = objects.log(repository, ["--max-count=1", commit, "--", path], patience)
    return found[0].id if found and found[0].id not in _edge(repository, patience) else ""


def merge_base(repository: OwnRepository, old: str, new: str, patience: Patience) -> str:
    """The best common ancestor of two commits, "" where they have none."""
    for depth in DEPTHS:
        repository.fetch([old, new], patience, depth)
        ended = repository.attempt("merge-base", old, new, patience=patience)
        if ended.status == 0:
            return ended.output.decode().strip()
        if not (_is_cut(repository, old, patience) or _is_cut(repository, new, patience)):
            break
    return ""


def between(repository: OwnRepository, old: str, new: str, patience: Patience) -> list[Commit]:
    """The commits of `new` that `old` lacks, oldest first; their common ancestor is here."""
    return objects.log(repository, ["--reverse", f"{old}..{new}", "--"], patience)


def patches(
    repository: OwnRepository, differences: Sequence[FileDiff], old: str, new: str, patience: Patience
) -> dict[str, str]:
    """The hunks of each file that differs between two commits, by its new path; "" for a binary one.

    `differences` are all of them, in git's order, with renames found.
    """
    options = ("--no-ext-diff", "--no-textconv", "--no-color", "--find-renames", "-U3", "-r", "-p")
    printed = repository.run("diff-tree", *options, old, new, patience=patience).decode("utf-8", "replace")
    # Lines of files begin with a blank, + or -, so that only git's own headings can begin like this.
    parts = re.split(r"^diff --git ", printed, flags=re.MULTILINE)[1:]
    found: dict[str, str] = {}
    for one in differences:
        # A file that became a link, or the other way round, has two patches: one that deletes it, one that creates it.
        count = 2 if one.status == "T" else 1
        found[one.new_path] = "".join(map(_hunks, parts[:count]))
        parts = parts[count:]
    return found


def _hunks(patch: str) -> str:
    start = re.search(r"^@@ ", patch, re.MULTILINE)
    return patch[start.start() :] if start else ""


def fetch_files(repository: OwnRepository, differences: Sequence[FileDiff], patience: Patience) -> None:
    """Fetch both sides of files that differ."""
    repository.fetch_blobs((each for one in differences for each in _blob_ids(one)), patience)


def _blob_ids(one: FileDiff) -> list[str]:
    pairs = ((one.old_mode, one.old_id), (one.new_mode, one.new_id))
    return [identity for mode, identity in pairs if mode not in ("000000", objects.SUBMODULE)]


def blame(
    repository: OwnRepository, commit: str, path: str, first: int, last: int, patience: Patience
) -> list[BlamedLines]:
    """Who wrote the lines `first` to `last` (0: the end) of a file. Fetches all versions that it ever had."""
    repository.fetch([commit], patience)
    if _is_cut(repository, commit, patience):
        repository.fetch([commit], patience, EVERYTHING)
    _fetch_versions(repository, commit, path, patience)
    lines = f"-L{first},{last}" if last else f"-L{first},"
    printed = repository.run("blame", "--porcelain", lines, commit, "--", path, patience=patience)
    groups: list[tuple[str, int, list[str]]] = []
    current, number = "", 0
    for line in printed.decode("utf-8", "replace").split("\n")[:-1]:
        if line.startswith("\t"):
            if not groups or groups[-1][0] != current:
                groups.append((current, number, []))
            groups[-1][2].append(line[1:])
        elif head := re.fullmatch(r"([0-9a-f]{40,64}) \d+ (\d+)(?: \d+)?", line):
            current, number = head[1], int(head[2])
    commits = {each: objects.commit_of(repository, each, patience) for each in {group[0] for group in groups}}
    return [BlamedLines(commits[each], start, text) for each, start, text in groups]


def _fetch_versions(repository: OwnRepository, commit: str, path: str, patience: Patience) -> None:
    """Fetch what a file held at any time, under this name and the ones before it, and what it may have been made of."""
    for _ in range(RENAMES):
        changes = objects.log(repository, [commit, "--", path], patience)
        pairs = [(one.parents[0], one.id) for one in changes if one.parents]
        versions = [each for old, new in pairs for each in objects.diff_trees(repository, old, new, patience, path)]
        begun, gone = changes[-1] if changes else None, list[FileDiff]()
        if begun and begun.parents:
            everything = objects.diff_trees(repository, begun.parents[0], begun.id, patience)
            gone = [each for each in everything if each.status == "D"]
        fetch_files(repository, [*versions, *gone], patience)
        if not begun or not gone:
            return
        renamed = objects.diff_trees(repository, begun.parents[0], begun.id, patience, renames=True)
        before = [each.old_path for each in renamed if each.status == "R" and each.new_path == path]
        if not before:
            return
        commit, path = begun.parents[0], before[0]


def _edge(repository: OwnRepository, patience: Patience) -> set[str]:
    """The commits at which the history that is here is cut off."""
    path = repository.directory(patience) / "shallow"
    return set(path.read_text().split()) if path.exists() else set()


def _is_cut(repository: OwnRepository, commit: str, patience: Patience) -> bool:
    """Whether the history of `commit` goes on beyond what is here."""
    edge = _edge(repository, patience)
    if not edge:
        return False
    listed = repository.run("rev-list", commit, patience=patience).decode().split()
    return not edge.isdisjoint(listed)
