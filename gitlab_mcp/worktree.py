"""The working directory: what an agent edited there, held against a branch. Nothing in it is changed.

Git looks at it from a repository of our own in a temporary directory, whose index holds the branch's tree. So the
checkout's own configuration, hooks, index and owner do not matter, and what git ignores and how it normalises line
endings (.gitignore, .gitattributes) is decided by git itself.
"""

import os
import stat
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from gitlab_mcp.errors import Conflict, InvalidArgument, Refused
from gitlab_mcp.git.objects import blob_id
from gitlab_mcp.git.run import GitError, git, git_directory
from gitlab_mcp.render.sanitise import one_line
from gitlab_mcp.repository.rest import LINK, SUBMODULE, Change, TreeEntry

GIT_SECONDS = 120.0


@dataclass(frozen=True)
class LocalFile:
    """A file as git would commit it."""

    content: bytes = field(repr=False)
    executable: bool
    id: str


class Worktree:
    """A checkout at `root`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        # What this server itself committed from here, by path: blob ids, "" for a deletion.
        self._committed: dict[str, set[str]] = {}

    def has(self, path: str) -> bool:
        """Whether there is a regular file at `path`, reached through no link."""
        return self._refusal(path) is None

    def read(self, paths: Sequence[str], tracked: Iterable[str]) -> dict[str, LocalFile]:
        """The files at `paths`. Those in `tracked` are on the branch already, so that git ignores none of them.

        Raises Refused for what is no regular file inside the working directory, or is ignored by git.
        """
        for path in paths:
            if refusal := self._refusal(path):
                raise Refused(f"{path} is not taken from the working directory: {refusal}.")
        untracked = sorted(set(paths) - set(tracked))
        with _own_repository(self.root) as repository:
            if untracked:
                listed = set(repository.untracked([f":(literal){path}" for path in untracked]))
                if ignored := [path for path in untracked if path not in listed]:
                    named = one_line(", ".join(ignored), 600)
                    raise Refused(f"{named}: git ignores this in the working directory; give content to commit it.")
            return repository.files(paths, self.root)

    def differences(self, globs: Sequence[str], tree: Mapping[str, TreeEntry]) -> tuple[list[Change], list[str]]:
        """What differs on disk from `tree` at paths that match `globs`, deletions included; and links, left out.

        A file that was changed on the branch since the checkout, and not here, is left as the branch has it.

        Raises Conflict for a file that was changed on both sides, InvalidArgument when no file matches.
        """
        base = self._base()
        with _own_repository(self.root) as repository:
            repository.load(tree)
            specs = [_pathspec(glob) for glob in globs]
            deleted, changed = repository.changed(specs)
            untracked = [path for path in repository.untracked(specs) if not path.endswith("/")]
            if not (deleted or changed or untracked or repository.matches(specs)):
                raise InvalidArgument(f"No file matches {', '.join(globs)} in the working directory or on the branch.")
            absent = self._not_checked_out()
            deleted = [path for path in deleted if path not in absent]
            changed = [path for path in changed if not self._same_link(path, tree[path])]
            refused = [path for path in (*changed, *untracked) if self._refusal(path)]
            taken = [path for path in (*changed, *untracked) if path not in refused]
            files = repository.files(taken, self.root)
        changes = [Change("delete", path, from_disk=True) for path in deleted]
        for path, local in files.items():
            kind: Literal["create", "update"] = "update" if path in tree else "create"
            changes.append(Change(kind, path, local.content, local.executable, from_disk=True))
        here = {path: local.id for path, local in files.items()}
        if base is not None:
            changes = self._own(changes, here, tree, base)
        return changes, sorted(refused)

    def remember(self, changes: Iterable[Change]) -> None:
        """These changes are now on a branch, and what of them came from here is no conflict with what is here later."""
        for change in changes:
            if not change.from_disk:
                continue
            ids = {blob_id(change.content, digits) for digits in (40, 64)} if change.content is not None else {""}
            self._committed.setdefault(change.path, set()).update(ids)

    def _own(
        self, changes: list[Change], here: Mapping[str, str], tree: Mapping[str, TreeEntry], base: Mapping[str, str]
    ) -> list[Change]:
        own, both = [], []
        for change in changes:
            path = change.path
            before, there, now = base.get(path, ""), tree[path].id if path in tree else "", here.get(path, "")
            if there == before or there in self._committed.get(path, ()):
                own.append(change)
            elif now != before:
                both.append(path)
        if both:
            raise Conflict(
                f"Changed on the branch since this checkout, and here too: {one_line(', '.join(both), 600)}."
                " Bring the branch's change into the working directory, or commit these with actions to overwrite it.",
                status=409,
                reason="",
            )
        return own

    def _base(self) -> dict[str, str] | None:
        """The blob ids at the newest commit of this checkout that came from GitLab; None where that is not known."""
        directory = git_directory(self.root)
        try:
            own = git("rev-list", "--first-parent", "HEAD", "--not", "--remotes=origin", git_directory=directory)
            commits = own.decode().split()
            start = f"{commits[-1]}^" if commits else "HEAD"
            listed = git("ls-tree", "-r", "-z", start, git_directory=directory, timeout=GIT_SECONDS)
        except GitError:
            return None
        return {path: fields.split()[2] for fields, path in _records(listed)}

    def _not_checked_out(self) -> set[str]:
        """The paths that a sparse checkout leaves out: absent, yet not deleted."""
        directory = git_directory(self.root)
        if not (directory / "info" / "sparse-checkout").exists():
            return set()
        listed = git("ls-files", "-t", "-z", git_directory=directory, timeout=GIT_SECONDS)
        return {entry[2:] for entry in listed.decode("utf-8", "surrogateescape").split("\0") if entry.startswith("S ")}

    def _same_link(self, path: str, entry: TreeEntry) -> bool:
        """Whether a link is on disk as in the tree; git itself would need the object to tell."""
        at = self.root / path
        return entry.mode == LINK and at.is_symlink() and blob_id(os.fsencode(at.readlink()), len(entry.id)) == entry.id

    def _refusal(self, path: str) -> str | None:
        """Why the file at `path` is not read; None when it is a regular file inside the working directory."""
        at = self.root
        for part in Path(path).parts:
            at = at / part
            try:
                mode = at.lstat().st_mode
            except OSError:
                return "there is no such file"
            if stat.S_ISLNK(mode):
                inside = at.resolve().is_relative_to(self.root)
                return "it is a symbolic link" if inside else "it is a symbolic link out of the working directory"
        if not stat.S_ISREG(mode):
            return "it is a folder" if stat.S_ISDIR(mode) else "it is no regular file"
        return None


class _OwnRepository:
    """A temporary repository of ours that has the working directory as its work tree."""

    def __init__(self, directory: Path, root: Path) -> None:
        self._directory = directory
        self._root = root

    def _git(self, *arguments: str, input_bytes: bytes = b"") -> bytes:
        where = {"git_directory": self._directory, "work_tree": self._root}
        return git(*arguments, **where, input_bytes=input_bytes, timeout=GIT_SECONDS)

    def load(self, tree: Mapping[str, TreeEntry]) -> None:
        """Make the index hold `tree`, and learn by content which of its files are the same on disk."""
        rows = (f"{entry.mode} {entry.id}\t{path}\0" for path, entry in tree.items())
        self._git("update-index", "-z", "--index-info", input_bytes="".join(rows).encode("utf-8", "surrogateescape"))
        # It ends with 1 when files differ, which is what is asked next.
        with suppress(GitError):
            self._git("update-index", "-q", "--really-refresh")

    def changed(self, specs: Sequence[str]) -> tuple[list[str], list[str]]:
        """Paths of the index that are gone from disk, and those that differ there."""
        listed = self._git("diff-files", "--raw", "-z", "--no-renames", "--ignore-submodules=all", "--", *specs)
        fields = listed.decode("utf-8", "surrogateescape").split("\0")
        pairs = list(zip(fields[0::2], fields[1::2], strict=False))
        deleted = [path for status, path in pairs if status.endswith("D") and not status.startswith(f":{SUBMODULE}")]
        return deleted, [path for status, path in pairs if not status.endswith("D")]

    def untracked(self, specs: Sequence[str]) -> list[str]:
        """Files on disk that are not in the index and that git does not ignore."""
        listed = self._git("ls-files", "-o", "--exclude-standard", "-z", "--", *specs)
        return [path for path in listed.decode("utf-8", "surrogateescape").split("\0") if path]

    def matches(self, specs: Sequence[str]) -> bool:
        """Whether any path of the index matches."""
        return bool(self._git("ls-files", "-c", "-z", "--", *specs))

    def files(self, paths: Sequence[str], root: Path) -> dict[str, LocalFile]:
        """The files at `paths`, as git would store them."""
        if not paths:
            return {}
        if strange := [path for path in paths if "\n" in path or not path.isprintable()]:
            raise Refused(f"{one_line(', '.join(strange), 300)}: a name with control characters is not committed.")
        hashed = self._git("hash-object", "-w", "--stdin-paths", input_bytes="".join(f"{p}\n" for p in paths).encode())
        ids = hashed.decode().split()
        stored = self._git("cat-file", "--batch", input_bytes=hashed)
        files, position = {}, 0
        for path, identity in zip(paths, ids, strict=True):
            end = stored.index(b"\n", position)
            length = int(stored[position:end].split()[2])
            content = stored[end + 1 : end + 1 + length]
            position = end + 1 + length + 1
            executable = bool((root / path).stat().st_mode & stat.S_IXUSR)
            files[path] = LocalFile(content, executable, identity)
        return files


@contextmanager
def _own_repository(root: Path) -> Iterator[_OwnRepository]:
    with tempfile.TemporaryDirectory(prefix="gitlab-mcp-") as folder:
        directory = Path(folder)
        git("init", "-q", "--bare", "--template=", str(directory))
        exclude = git_directory(root) / "info" / "exclude"
        if exclude.is_file():
            (directory / "info").mkdir(exist_ok=True)
            (directory / "info" / "exclude").write_bytes(exclude.read_bytes())
        yield _OwnRepository(directory, root)


def _pathspec(glob: str) -> str:
    """A glob as git's pathspec: ** crosses folders, * does not, a folder means all in it."""
    clean = glob.strip().removeprefix("./").rstrip("/")
    if not clean or clean.startswith(("/", ":")) or ".." in clean.split("/"):
        raise InvalidArgument(f'"{glob}" is no glob inside the working directory: write it as "src/**" or "*.md".')
    return f":(glob){'**' if clean == '.' else clean}"


def _records(listed: bytes) -> Iterator[tuple[str, str]]:
    for record in listed.decode("utf-8", "surrogateescape").split("\0"):
        fields, tab, path = record.partition("\t")
        if tab:
            yield fields, path
