"""Git objects: their ids, tree entries, commits, and reading them from a scratch repository."""

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from gitlab_mcp.git.cat_file import parse_batch
from gitlab_mcp.git.process import GitError
from gitlab_mcp.git.session import GitSession

LINK, SUBMODULE, FOLDER, EXECUTABLE = "120000", "160000", "040000", "100755"

WHOLE_ID = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
SHORT_ID = re.compile(r"[0-9a-f]{4,63}")

PATHS_PER_COMMAND = 200  # more paths might not fit on a command line

_COMMIT_FIELDS = "%H%x00%P%x00%an%x00%ae%x00%aI%x00%cn%x00%ce%x00%cI%x00%B"


@dataclass(frozen=True)
class TreeEntry:
    """An entry of a tree: its mode in git's six octal digits, and the id of its blob, tree or commit (submodule)."""

    path: str
    mode: str
    id: str


@dataclass(frozen=True)
class Commit:
    """A commit as `git log` shows it; dates are ISO 8601 with their UTC offset."""

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
    """How a file differs between two trees: git's status letter, modes (000000 where it does not exist), ids, paths."""

    status: str
    old_mode: str
    new_mode: str
    old_id: str
    new_id: str
    old_path: str
    new_path: str


def is_binary(content: bytes) -> bool:
    """Whether git would treat this as a binary file: it has a NUL byte among the first 8,000 (xdiff-interface.c)."""
    return b"\0" in content[:8000]


def blob_id(content: bytes, digits: int = 40) -> str:
    """Git's id of a blob; `digits` is the length of ids in the repository (40: SHA-1, 64: SHA-256)."""
    digest = hashlib.sha256() if digits == 64 else hashlib.sha1(usedforsecurity=False)
    digest.update(b"blob %d\0" % len(content))
    digest.update(content)
    return digest.hexdigest()


def empty_tree(digits: int = 40) -> str:
    """The id of the empty tree, which git knows without storing it; `digits` as for blob_id."""
    digest = hashlib.sha256(b"tree 0\0") if digits == 64 else hashlib.sha1(b"tree 0\0", usedforsecurity=False)
    return digest.hexdigest()


def list_tree(git: GitSession, commit: str, paths: Sequence[str]) -> list[TreeEntry]:
    """The entries at `paths` and of the folders above them; a path that ends with "/" lists what the folder contains.

    "" lists the root folder, and cannot be combined with other paths.
    """
    chosen = [path for path in paths if path]
    if len(chosen) > PATHS_PER_COMMAND:
        return _at_paths(list_all(git, commit, folders=True), chosen)
    output = git.run("ls-tree", "-t", "-z", "--full-tree", commit, "--", *chosen)
    return list(_tree_entries(output))


def _at_paths(entries: Iterable[TreeEntry], paths: Iterable[str]) -> list[TreeEntry]:
    """Those of `entries` that `git ls-tree -t` would list for `paths`."""
    whole, inside, above = set[str](), set[str](), set[str]()
    for path in paths:
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


def list_all(git: GitSession, commit: str, folder: str = "", *, folders: bool = False) -> list[TreeEntry]:
    """Every file, link and submodule below `folder` ("" for all); with `folders` every folder too."""
    options = ["-r", "-t"] if folders else ["-r"]
    below = [f"{folder}/"] if folder else []
    output = git.run("ls-tree", *options, "-z", "--full-tree", commit, "--", *below)
    # With -t and a path, git also lists the folders above it.
    return [entry for entry in _tree_entries(output) if not folder or entry.path.startswith(f"{folder}/")]


def _tree_entries(output: bytes) -> Iterator[TreeEntry]:
    for record in _records(output):
        fields, _, path = record.partition("\t")
        mode, _, identity = fields.split()
        yield TreeEntry(path, mode, identity)


def _records(output: bytes) -> list[str]:
    return [record for record in output.decode("utf-8", "surrogateescape").split("\0") if record]


def blobs(git: GitSession, ids: Iterable[str]) -> dict[str, bytes]:
    """The content of blobs by their id. Fetches missing ones first; raises GitError when one stays missing."""
    wanted = sorted(set(ids))
    git.fetch_blobs(wanted)
    names = "".join(f"{identity}\n" for identity in wanted).encode()
    output = git.run("cat-file", "--batch", stdin=names) if wanted else b""
    contents: dict[str, bytes] = {}
    for identity, content in parse_batch(output):
        if content is None:
            raise GitError(f"the object {identity} is missing")
        contents[identity] = content
    return contents


def size(git: GitSession, identity: str) -> int:
    """The size in bytes of a blob that was fetched before."""
    return int(git.run("cat-file", "-s", identity))


def log(git: GitSession, *arguments: str) -> list[Commit]:
    """The commits that `git log ARGUMENTS` lists."""
    output = git.run("log", "-z", "--no-show-signature", "--encoding=UTF-8", f"--format={_COMMIT_FIELDS}", *arguments)
    values = output.decode("utf-8", "replace").split("\0")
    return [
        Commit(values[at], tuple(values[at + 1].split()), *values[at + 2 : at + 9])
        for at in range(0, len(values) - 8, 9)
    ]


def commit_of(git: GitSession, identity: str) -> Commit:
    """A commit that was fetched before, by its id or an annotated tag's. Raises GitError for any other object's id."""
    commits = log(git, "--no-walk", identity)
    if not commits:
        raise GitError(f"bad object {identity}: it is not a commit")
    return commits[0]


def diff_trees(git: GitSession, old: str, new: str, path: str = "", *, renames: bool = False) -> list[FileDiff]:
    """The files (or just the one at `path`) that differ between two commits or trees."""
    detection = "--find-renames" if renames else "--no-renames"
    arguments = ("-r", "-z", "--raw", "--no-abbrev", detection, old, new, "--", *([path] if path else []))
    fields = _records(git.run("diff-tree", *arguments))
    differences = []
    while fields:
        old_mode, new_mode, old_id, new_id, status = fields.pop(0).lstrip(":").split()
        old_path = fields.pop(0)
        new_path = fields.pop(0) if status[0] in "RC" else old_path
        differences.append(FileDiff(status[0], old_mode, new_mode, old_id, new_id, old_path, new_path))
    return differences


def changed_paths(git: GitSession, old: str, new: str) -> set[str]:
    """The paths whose files differ between two commits."""
    return {path for diff in diff_trees(git, old, new) for path in (diff.old_path, diff.new_path)}
