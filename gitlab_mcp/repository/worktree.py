"""The working directory: its files, and how they differ from a branch. Nothing in it is changed."""

import os
import stat
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Literal

from gitlab_mcp.errors import Conflict, InvalidArgument, Refused
from gitlab_mcp.git.change import Change
from gitlab_mcp.git.objects import EXECUTABLE, LINK, TreeEntry, blob_id
from gitlab_mcp.git.process import GitError, git, git_directory
from gitlab_mcp.git.worktree_index import (
    GIT_SECONDS,
    CheckoutIndex,
    LocalFile,
    WorktreeIndex,
    checkout_index,
    worktree_index,
)
from gitlab_mcp.repository.paths import Glob, folders_above, resolve, with_folders
from gitlab_mcp.safety.sanitize import one_line

GLOBS = 200
ATTACHED_BYTES = 10_000_000
IGNORED_NAMED = 50  # files of an ignored folder that a glob means
REGULAR = {EXECUTABLE, "100644"}


class Worktree:
    """A checkout at `root`, of the commit `base` where that is known ("" otherwise)."""

    def __init__(self, root: Path, base: str = "") -> None:
        self.root = root
        self._bases = (base,) if base else ()
        # The blob ids that this server committed from here, by path; "" for a deletion.
        self._committed: dict[str, set[str]] = {}
        self._lock = threading.Lock()

    def has(self, path: str) -> bool:
        """Whether a regular file is at `path`, with no symbolic link on the way."""
        return self._refusal(path) is None

    def read(self, paths: Sequence[str], tracked: Iterable[str]) -> dict[str, LocalFile]:
        """The files at `paths`. Those in `tracked` are on the branch already: whether git ignores them does not matter.

        Raises Refused for a path that is not a regular file inside the working directory, that git ignores, or that
        has a filter such as LFS, or that is unmerged.
        """
        self._refuse_unreadable(paths)
        untracked = sorted(set(paths) - set(tracked))
        state = checkout_index(self.root)
        _refuse_unmerged(state, paths)
        with self._index() as index:
            _refuse_ignored(index, untracked, "; give content to commit it")
            if filtered := index.filtered(paths):
                names = one_line(", ".join(sorted(filtered)), 600)
                raise Refused(f"{names}: .gitattributes gives this to a filter such as LFS; commit it with git.")
            files = index.files(paths)
        return files if index.reads_modes else self._with_modes(files, state, self._base() or {})

    def attachments(self, paths: Sequence[str]) -> dict[str, bytes]:
        """The content on disk of the files at `paths`, in this order, to attach them to a text.

        Raises Refused for a path that is not a regular file inside the working directory, or that git ignores, and for
        files that are together larger than ATTACHED_BYTES: all of them are kept in memory.
        """
        self._refuse_unreadable(paths)
        tracked = checkout_index(self.root).modes
        with self._index() as index:
            _refuse_ignored(index, sorted(set(paths) - set(tracked)), ", so that it is not uploaded")
        files: dict[str, bytes] = {}
        left = ATTACHED_BYTES
        for path in dict.fromkeys(paths):
            files[path] = self._beginning(path, left + 1)
            left -= len(files[path])
            if left < 0:
                if len(files) > 1:
                    path = f"{', '.join(files)}: together this"
                raise Refused(f"{path} is larger than the {ATTACHED_BYTES:,} bytes that can be attached.")
        return files

    def _beginning(self, path: str, size: int) -> bytes:
        """At most `size` bytes of the file at `path`. Raises Refused where it is not a regular file, or is no more.

        Each folder is opened from the one above it: one that became a link since it was looked at is not followed.
        """
        *folders, name = Path(path).parts
        with ExitStack() as stack:
            try:
                at = os.open(self.root, os.O_RDONLY | os.O_DIRECTORY)
                stack.callback(os.close, at)
                for folder in folders:
                    at = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=at)
                    stack.callback(os.close, at)
                # Without O_NONBLOCK, opening a named pipe would wait for somebody who writes to it.
                descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=at)
                stack.callback(os.close, descriptor)
                if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                    raise Refused(f"{path} is not read from the working directory: it is not a regular file.")
                with os.fdopen(descriptor, "rb", closefd=False) as file:
                    return file.read(size)
            except OSError as error:
                reason = one_line(error.strerror or "", 200)
                raise Refused(f"{path} is not read from the working directory: {reason}.") from error

    def _refuse_unreadable(self, paths: Iterable[str]) -> None:
        """Raise Refused where a path is not that of a regular file inside the working directory."""
        for path in paths:
            if refusal := self._refusal(path):
                raise Refused(f"{path} is not read from the working directory: {refusal}.")

    def differences(self, globs: Sequence[str], tree: Mapping[str, TreeEntry]) -> tuple[list[Change], dict[str, str]]:
        """The changes, deletions included, that turn `tree` into the files on disk, at paths that match `globs`.

        The second value holds the paths that match and are left out, with the reason: files that git ignores, links,
        names that no commit here can contain, files with a filter such as LFS in .gitattributes. A file that was
        changed on the branch since the checkout, and not here, is not a change.

        Raises Conflict for a file that was changed on both sides, InvalidArgument when a glob matches nothing, Refused
        when the working directory has no commit to compare with, and for a file that is unmerged.
        """
        if len(globs) > GLOBS:
            raise InvalidArgument(f"{len(globs)} globs are too many for one call ({GLOBS} at most): give folders.")
        base = self._base()
        if base is None:
            raise Refused(
                f"{self.root.name} is not a git checkout with a commit, so edited files cannot be told from unchanged"
                " ones: name the files in actions."
            )
        digits = max((len(entry.id) for entry in tree.values()), default=40)
        with self._index(digits) as index:
            index.load({path: (entry.mode, entry.id) for path, entry in tree.items()})
            names = cache(lambda: with_folders(index.listed(["."])))
            resolved = resolve(globs, lambda path: os.path.lexists(self.root / path) or path in names(), names)
            specs = [glob.pathspec for glob in resolved]
            left_out = dict.fromkeys(self._ignored(index, resolved), "ignored by git")
            deleted, changed = index.changed(specs)
            untracked = index.untracked(specs)
            state = checkout_index(self.root)
            _refuse_unmerged(state, {*deleted, *changed, *untracked})
            if not index.reads_modes and (staged := _staged_modes(state, base, tree)):
                changed += sorted(staged & set(index.listed(specs)) - {*deleted, *changed})
            deleted = [path for path in deleted if state.modes and path not in state.untouched]
            left_out |= dict.fromkeys(index.submodules(specs), "a submodule at another commit: commit it with git")
            left_out |= {path: "a folder above it is a link" for path in deleted if self._is_behind_link(path)}
            candidates = [*(path for path in changed if not self._same_link(path, tree[path])), *untracked]
            filtered = index.filtered(candidates)
            for path in candidates:
                if path in state.untouched:
                    left_out[path] = "marked skip-worktree or assume-unchanged"
                elif path in filtered:
                    left_out[path] = "stored by a filter such as LFS: commit it with git"
                elif reason := self._reason_against(path, tree):
                    left_out[path] = reason
            files = index.files([path for path in candidates if path not in left_out])
        if not index.reads_modes:
            files = self._with_modes(files, state, base)
        changes = [Change("delete", path, from_disk=True) for path in deleted if path not in left_out]
        for path, local in files.items():
            kind: Literal["create", "update"] = "update" if path in tree else "create"
            changes.append(Change(kind, path, local.content, local.executable, from_disk=True))
        local_ids = {path: local.id for path, local in files.items()}
        return self._made_here(changes, local_ids, tree, base), left_out

    def _ignored(self, index: WorktreeIndex, globs: Sequence[Glob]) -> Iterator[str]:
        """The files, or folders with a slash at their end, that match the globs and that git ignores.

        Raises InvalidArgument for globs that match nothing else either.
        """
        everything = set(index.ignored())
        # A folder that git ignores as a whole is matched by a glob that would match a file in it.
        named = sorted(
            path
            for path in everything
            if any(glob.matches(f"{path}*" if path.endswith("/") else path) for glob in globs)
            and everything.isdisjoint(f"{folder}/" for folder in folders_above(path.rstrip("/")))
        )
        yield from named
        unmatched = []
        for glob in globs:
            if not index.listed([glob.pathspec]):
                ignored = index.ignored([glob.pathspec])[:IGNORED_NAMED] if everything else []
                yield from (path for path in ignored if not path.startswith(tuple(named)))
                unmatched += [] if ignored else [glob.text]
        if unmatched:
            raise InvalidArgument(f"No file matches {', '.join(unmatched)} in the working directory or on the branch.")

    @staticmethod
    def _with_modes(
        files: Mapping[str, LocalFile], state: CheckoutIndex, base: Mapping[str, TreeEntry]
    ) -> dict[str, LocalFile]:
        """`files` with the modes that git would commit with core.fileMode=false, where modes on disk mean nothing.

        A known file keeps its mode, unless another one is in the index (`git update-index --chmod`), and a new file is
        not executable: ce_mode_from_stat() in git's read-cache.h.
        """
        found = {}
        for path, local in files.items():
            staged = state.modes.get(path, "")
            before = base[path].mode if path in base else ""
            executable = None if staged in ("", before) else staged == EXECUTABLE
            found[path] = replace(local, executable=executable)
        return found

    @contextmanager
    def _index(self, digits: int = 40) -> Iterator[WorktreeIndex]:
        """A WorktreeIndex of the checkout. Raises Refused when git cannot read the checkout."""
        try:
            with worktree_index(self.root, digits) as index:
                yield index
        except (GitError, OSError) as error:
            raise Refused(f"git cannot read the working directory: {one_line(str(error), 300)}.") from error

    def remember(self, changes: Iterable[Change]) -> None:
        """Remember committed changes: those read from here do not conflict with later edits of the same files."""
        for change in changes:
            if not change.from_disk:
                continue
            ids = {blob_id(change.content, digits) for digits in (40, 64)} if change.content is not None else {""}
            with self._lock:
                self._committed.setdefault(change.path, set()).update(ids)

    def _made_here(
        self,
        changes: list[Change],
        local_ids: Mapping[str, str],
        tree: Mapping[str, TreeEntry],
        base: Mapping[str, TreeEntry],
    ) -> list[Change]:
        """The changes that were made in the working directory, and not on the branch; ids are of blobs, by path.

        Raises Conflict for files that were changed on both sides since the checkout.
        """
        made_here, on_both_sides = [], []
        for change in changes:
            path = change.path
            base_id, branch_id = (entries[path].id if path in entries else "" for entries in (base, tree))
            if branch_id == base_id or branch_id in self._committed.get(path, ()):
                made_here.append(change)
            elif local_ids.get(path, "") != base_id:
                on_both_sides.append(path)
        if on_both_sides:
            raise Conflict(
                f"Changed on the branch since this checkout, and here too: {one_line(', '.join(on_both_sides), 600)}."
                " Bring the branch's change into the working directory, or commit these with actions to overwrite it."
            )
        return made_here

    def _base(self) -> dict[str, TreeEntry] | None:
        """The entries, by path, at the newest commit of this checkout that came from GitLab; None without a commit."""
        directory = git_directory(self.root)
        for start in (*self._bases, self._newest_fetched(directory), "HEAD"):
            with suppress(GitError):
                output = git("ls-tree", "-r", "-z", start, git_directory=directory, timeout=GIT_SECONDS)
                return {entry.path: entry for entry in _entries(output)}
        return None

    def _newest_fetched(self, directory: Path) -> str:
        """The newest commit in the history of HEAD that is also in a remote-tracking branch."""
        try:
            output = git("rev-list", "--first-parent", "HEAD", "--not", "--remotes", git_directory=directory)
        except GitError:
            return "HEAD"
        commits = output.decode().split()
        return f"{commits[-1]}^" if commits else "HEAD"

    def _is_behind_link(self, path: str) -> bool:
        folders = Path(path).parents
        return any((self.root / folder).is_symlink() for folder in folders)

    def _reason_against(self, path: str, tree: Mapping[str, TreeEntry]) -> str:
        """Why the file at a path that differs cannot be committed from here, by its name or its type; "" if it can."""
        if path.endswith("/"):
            return "another git repository"
        if not path.isascii() and "\udc80" <= max(path) <= "\udcff":
            return "its name is not valid UTF-8"
        if any(ord(character) < 32 or ord(character) == 127 for character in path):
            return "its name has control characters"
        if path in tree and tree[path].mode == LINK:
            return "a symbolic link on the branch"
        return (self._refusal(path) or "").removeprefix("it is ")

    def _same_link(self, path: str, entry: TreeEntry) -> bool:
        """Whether a symbolic link on disk has the target that it has in the tree, whose blob need not be fetched."""
        at = self.root / path
        return entry.mode == LINK and at.is_symlink() and blob_id(os.fsencode(at.readlink()), len(entry.id)) == entry.id

    def _refusal(self, path: str) -> str | None:
        """Why the file at `path` is not read; None for a regular file inside the working directory."""
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
            return "it is a folder" if stat.S_ISDIR(mode) else "it is not a regular file"
        return None


def _refuse_ignored(index: WorktreeIndex, untracked: Sequence[str], advice: str) -> None:
    """Raise Refused, with `advice`, for files on no branch that git ignores."""
    listed = set(index.untracked([f":(literal){path}" for path in untracked])) if untracked else set()
    if ignored := [path for path in untracked if path not in listed]:
        names = one_line(", ".join(ignored), 600)
        raise Refused(f"{names}: git ignores this here, or it is in another repository{advice}.")


def _refuse_unmerged(state: CheckoutIndex, paths: Iterable[str]) -> None:
    """Raise Refused where a path is unmerged, as `git commit` does."""
    if unmerged := sorted(state.unmerged & set(paths)):
        raise Refused(
            f"Unmerged, with a conflict to resolve: {one_line(', '.join(unmerged), 600)}. Resolve it in the files and"
            " `git add` them, or give their content in actions."
        )


def _staged_modes(state: CheckoutIndex, base: Mapping[str, TreeEntry], tree: Mapping[str, TreeEntry]) -> set[str]:
    """The files of the tree to which only the checkout's index gives another mode than they had at the checkout."""
    return {
        path
        for path, mode in state.modes.items()
        if path in base and path in tree and mode != base[path].mode and {mode, tree[path].mode} == REGULAR
    }


def _entries(output: bytes) -> Iterator[TreeEntry]:
    """The entries that `git ls-tree -z` lists."""
    for record in output.decode("utf-8", "surrogateescape").split("\0"):
        fields, tab, path = record.partition("\t")
        if tab:
            mode, _, identity = fields.split()
            yield TreeEntry(path, mode, identity)
