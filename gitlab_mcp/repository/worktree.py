"""The working directory: its files, and how they differ from a branch. Nothing in it is changed."""

import os
import stat
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal

from gitlab_mcp.errors import Conflict, InvalidArgument, Refused
from gitlab_mcp.git.change import Change
from gitlab_mcp.git.objects import LINK, TreeEntry, blob_id
from gitlab_mcp.git.process import GitError, git, git_directory
from gitlab_mcp.git.worktree_index import GIT_SECONDS, LocalFile, WorktreeIndex, worktree_index
from gitlab_mcp.safety.sanitize import one_line

GLOBS = 200


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
        has a filter such as LFS.
        """
        for path in paths:
            if refusal := self._refusal(path):
                raise Refused(f"{path} is not read from the working directory: {refusal}.")
        untracked = sorted(set(paths) - set(tracked))
        with self._index() as index:
            if untracked:
                listed = set(index.untracked([f":(literal){path}" for path in untracked]))
                if ignored := [path for path in untracked if path not in listed]:
                    names = one_line(", ".join(ignored), 600)
                    raise Refused(
                        f"{names}: git ignores this here, or it is in another repository; give content to commit it."
                    )
            if filtered := index.filtered(paths):
                names = one_line(", ".join(sorted(filtered)), 600)
                raise Refused(f"{names}: .gitattributes gives this to a filter such as LFS; commit it with git.")
            return index.files(paths)

    def differences(self, globs: Sequence[str], tree: Mapping[str, TreeEntry]) -> tuple[list[Change], list[str]]:
        """The changes, deletions included, that turn `tree` into the files on disk, at paths that match `globs`.

        The second list holds the paths that differ and are left out: links, names that no commit here can contain, and
        files with a filter such as LFS in .gitattributes. A file that was changed on the branch since the checkout, and
        not here, is not a change.

        Raises Conflict for a file that was changed on both sides, InvalidArgument when a glob matches nothing, Refused
        when the working directory has no commit to compare with.
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
            # ** crosses folders, * does not, a folder means everything in it: as the tool's parameter describes it.
            specs = [f":(glob){glob}" for glob in globs]
            deleted, changed = index.changed(specs)
            untracked = [path for path in index.untracked(specs) if not path.endswith("/")]
            unmatched = [glob for glob, spec in zip(globs, specs, strict=True) if not index.matches([spec])]
            if unmatched:
                raise InvalidArgument(
                    f"No file matches {', '.join(unmatched)} in the working directory or on the branch."
                )
            untouched, is_checked_out = self._marked_untouched()
            changed = [path for path in changed if path not in untouched and not self._same_link(path, tree[path])]
            deleted = [path for path in deleted if is_checked_out and path not in untouched]
            behind_links = [path for path in deleted if self._is_behind_link(path)]
            deleted = [path for path in deleted if path not in behind_links]
            differing = (*changed, *untracked)
            filtered = index.filtered(differing)
            left_out = {path for path in differing if path in filtered or self._is_left_out(path, tree)}
            left_out |= set(behind_links)
            files = index.files([path for path in differing if path not in left_out])
        changes = [Change("delete", path, from_disk=True) for path in deleted]
        for path, local in files.items():
            kind: Literal["create", "update"] = "update" if path in tree else "create"
            changes.append(Change(kind, path, local.content, local.executable, from_disk=True))
        local_ids = {path: local.id for path, local in files.items()}
        return self._made_here(changes, local_ids, tree, base), sorted(left_out)

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
        base: Mapping[str, str],
    ) -> list[Change]:
        """The changes that were made in the working directory, and not on the branch; ids are of blobs, by path.

        Raises Conflict for files that were changed on both sides since the checkout.
        """
        made_here, on_both_sides = [], []
        for change in changes:
            path = change.path
            base_id, branch_id = base.get(path, ""), tree[path].id if path in tree else ""
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

    def _base(self) -> dict[str, str] | None:
        """The blob ids, by path, at the newest commit of this checkout that came from GitLab; None without a commit."""
        directory = git_directory(self.root)
        for start in (*self._bases, self._newest_fetched(directory), "HEAD"):
            with suppress(GitError):
                output = git("ls-tree", "-r", "-z", start, git_directory=directory, timeout=GIT_SECONDS)
                return {path: fields.split()[2] for fields, path in _records(output)}
        return None

    def _newest_fetched(self, directory: Path) -> str:
        """The newest commit in the history of HEAD that is also in a remote-tracking branch."""
        try:
            output = git("rev-list", "--first-parent", "HEAD", "--not", "--remotes", git_directory=directory)
        except GitError:
            return "HEAD"
        commits = output.decode().split()
        return f"{commits[-1]}^" if commits else "HEAD"

    def _marked_untouched(self) -> tuple[set[str], bool]:
        """The paths that the checkout's index marks as skip-worktree or assume-unchanged, and whether it has any paths.

        In a sparse checkout, and with these marks, a file may be missing that nobody deleted.
        """
        with suppress(GitError):
            output = git("ls-files", "-v", "-z", git_directory=git_directory(self.root), timeout=GIT_SECONDS)
            entries = [entry for entry in output.decode("utf-8", "surrogateescape").split("\0") if entry]
            return {entry[2:] for entry in entries if entry[0] == "S" or entry[0].islower()}, bool(entries)
        return set(), False

    def _is_behind_link(self, path: str) -> bool:
        folders = Path(path).parents
        return any((self.root / folder).is_symlink() for folder in folders)

    def _is_left_out(self, path: str, tree: Mapping[str, TreeEntry]) -> bool:
        """Whether the file at a path that differs cannot be committed from here, for its name or its type."""
        has_invalid_bytes = not path.isascii() and "\udc80" <= max(path) <= "\udcff"
        has_controls = any(ord(character) < 32 or ord(character) == 127 for character in path)
        was_link = path in tree and tree[path].mode == LINK
        return has_invalid_bytes or has_controls or was_link or self._refusal(path) is not None

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


def _records(output: bytes) -> Iterator[tuple[str, str]]:
    """The fields and the path of each entry that `git ls-tree -z` lists."""
    for record in output.decode("utf-8", "surrogateescape").split("\0"):
        fields, tab, path = record.partition("\t")
        if tab:
            yield fields, path
