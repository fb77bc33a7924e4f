"""Git's objects: their ids, the entries of trees, commits, and reading them out of a repository of ours."""

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from gitlab_mcp.git.cat_file import objects_in
from gitlab_mcp.git.process import GitError, TimeLeft
from gitlab_mcp.git.scratch_repository import ScratchRepository

LINK, SUBMODULE, FOLDER, EXECUTABLE = "120000", "160000", "040000", "100755"

WHOLE_ID = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
SHORT_ID = re.compile(r"[0-9a-f]{4,63}")

PATHS_PER_COMMAND = 200  # more of them might not fit on a command line

_COMMIT_FIELDS = "%H%x00%P%x00%an%x00%ae%x00%aI%x00%cn%x00%ce%x00%cI%x00%B"


@dataclass(frozen=True)
class TreeEntry:
    """An entry of a tree: its mode as git writes it, and the id of its blob, tree or commit."""

    path: str
    mode: str
    id: str


@dataclass(frozen=True)
class Commit:
    """A commit as git shows it; dates are ISO 8601 with their offset."""

    id: str
    parents: tuple[str, ...]
    author_name: str
    author_email: str
    authored_at: str
    committer_name: str
    committer_email: str
    committed_at: str
    message: str


@dataclass(frozen=True)
class FileDiff:
    """How a file differs between two trees: git's letter for it, modes (000000 where it is not there), ids, paths."""

    status: str
    old_mode: str
    new_mode: str
    old_id: str
    new_id: str
    old_path: str
    new_path: str


def blob_id(content: bytes, digits: int = 40) -> str:
    """Git's id of a blob, in a repository whose ids have so many hexadecimal digits (64: SHA-256)."""
    digest = hashlib.sha256() if digits == 64 else hashlib.sha1(usedforsecurity=False)
    digest.update(b"blob %d\0" % len(content))
    digest.update(content)
    return digest.hexdigest()


def empty_tree(digits: int = 40) -> str:
    """Git's id of a tree with nothing in it, which every git knows."""
    digest = hashlib.sha256(b"tree 0\0") if digits == 64 else hashlib.sha1(b"tree 0\0", usedforsecurity=False)
    return digest.hexdigest()


def list_tree(repository: ScratchRepository, commit: str, paths: Sequence[str], time_left: TimeLeft) -> list[TreeEntry]:
    """The entries at `paths` and of the folders above them; a folder is named with "/" at its end for what is in it.

    "" stands for what is in the root, and goes with no other path.
    """
    named = [path for path in paths if path]
    if len(named) > PATHS_PER_COMMAND:
        return _chosen(list_all(repository, commit, time_left, folders=True), named)
    listed = repository.run("ls-tree", "-t", "-z", "--full-tree", commit, "--", *named, time_left=time_left)
    return list(_tree_entries(listed))


def _chosen(entries: Iterable[TreeEntry], named: Iterable[str]) -> list[TreeEntry]:
    """What git would list of all `entries` for these paths."""
    whole, inside, above = set[str](), set[str](), set[str]()
    for path in named:
        parts = path.rstrip("/").split("/")
        (inside if path.endswith("/") else whole).add("/".join(parts))
        above.update("/".join(parts[:count]) for count in range(1, len(parts) + path.endswith("/")))
    return [
        entry
        for entry in entries
        if entry.path in whole
        or entry.path.rpartition("/")[0] in inside
        or (entry.mode == FOLDER and entry.path in above)
    ]


def list_all(
    repository: ScratchRepository, commit: str, time_left: TimeLeft, folder: str = "", *, folders: bool = False
) -> list[TreeEntry]:
    """Every file, link and submodule below `folder` ("" for all), and every folder too if asked."""
    options = ["-r", "-t"] if folders else ["-r"]
    below = [f"{folder}/"] if folder else []
    listed = repository.run("ls-tree", *options, "-z", "--full-tree", commit, "--", *below, time_left=time_left)
    # With -t and a path, git also lists the folders above it.
    return [entry for entry in _tree_entries(listed) if not folder or entry.path.startswith(f"{folder}/")]


def _tree_entries(listed: bytes) -> Iterator[TreeEntry]:
    for record in _records(listed):
        fields, _, path = record.partition("\t")
        mode, _, identity = fields.split()
        yield TreeEntry(path, mode, identity)


def _records(printed: bytes) -> list[str]:
    return [record for record in printed.decode("utf-8", "surrogateescape").split("\0") if record]


def blobs(repository: ScratchRepository, ids: Iterable[str], time_left: TimeLeft) -> dict[str, bytes]:
    """The content of blobs by their id; what is not here is fetched first."""
    wanted = sorted(set(ids))
    repository.fetch_blobs(wanted, time_left)
    asked = "".join(f"{identity}\n" for identity in wanted).encode()
    printed = repository.run("cat-file", "--batch", time_left=time_left, stdin=asked) if wanted else b""
    found: dict[str, bytes] = {}
    for identity, content in objects_in(printed):
        if content is None:
            raise GitError(f"the object {identity} is not there")
        found[identity] = content
    return found


def size(repository: ScratchRepository, identity: str, time_left: TimeLeft) -> int:
    """The size in bytes of a blob that is here."""
    return int(repository.run("cat-file", "-s", identity, time_left=time_left))


def log(repository: ScratchRepository, arguments: Sequence[str], time_left: TimeLeft) -> list[Commit]:
    """The commits that `git log ARGUMENTS` lists."""
    printed = repository.run(
        "log",
        "-z",
        "--no-show-signature",
        "--encoding=UTF-8",
        f"--format={_COMMIT_FIELDS}",
        *arguments,
        time_left=time_left,
    )
    values = printed.decode("utf-8", "replace").split("\0")
    return [
        Commit(values[at], tuple(values[at + 1].split()), *values[at + 2 : at + 9])
        for at in range(0, len(values) - 8, 9)
    ]


def commit_of(repository: ScratchRepository, identity: str, time_left: TimeLeft) -> Commit:
    """One commit that is here. Raises GitError for another object's id, but for a tag's."""
    found = log(repository, ["--no-walk", identity], time_left)
    if not found:
        raise GitError(f"bad object {identity}: it is no commit")
    return found[0]


def diff_trees(
    repository: ScratchRepository, old: str, new: str, time_left: TimeLeft, path: str = "", *, renames: bool = False
) -> list[FileDiff]:
    """The files (or just the one at `path`) that differ between two commits or trees."""
    found = "--find-renames" if renames else "--no-renames"
    arguments = ("-r", "-z", "--raw", "--no-abbrev", found, old, new, "--", *([path] if path else []))
    printed = repository.run("diff-tree", *arguments, time_left=time_left)
    fields = _records(printed)
    differences = []
    while fields:
        old_mode, new_mode, old_id, new_id, status = fields.pop(0).lstrip(":").split()
        old_path = fields.pop(0)
        new_path = fields.pop(0) if status[0] in "RC" else old_path
        differences.append(FileDiff(status[0], old_mode, new_mode, old_id, new_id, old_path, new_path))
    return differences


def changed_paths(repository: ScratchRepository, old: str, new: str, time_left: TimeLeft) -> set[str]:
    """The paths whose files differ between two commits."""
    return {path for each in diff_trees(repository, old, new, time_left) for path in (each.old_path, each.new_path)}
