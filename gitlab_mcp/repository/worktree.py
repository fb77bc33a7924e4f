"""The working directory: what an agent edited there, held against a branch. Nothing in it is changed."""

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
    """A checkout at `root`, made at the commit `base` where that is known."""

    def __init__(self, root: Path, base: str = "") -> None:
        self.root = root
        self._bases = (base,) if base else ()
        # What this server itself committed from here, by path: blob ids, "" for a deletion.
        self._committed: dict[str, set[str]] = {}
        self._lock = threading.Lock()

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
        with self._beside() as repository:
            if untracked:
                listed = set(repository.untracked([f":(literal){path}" for path in untracked]))
                if ignored := [path for path in untracked if path not in listed]:
                    named = one_line(", ".join(ignored), 600)
                    raise Refused(
                        f"{named}: git ignores this here, or another repository holds it; give content to commit it."
                    )
            if filtered := repository.filtered(paths):
                named = one_line(", ".join(sorted(filtered)), 600)
                raise Refused(f"{named}: .gitattributes gives this to a filter such as LFS; commit it with git.")
            return repository.files(paths)

    def differences(self, globs: Sequence[str], tree: Mapping[str, TreeEntry]) -> tuple[list[Change], list[str]]:
        """What differs on disk from `tree` at paths that match `globs`, deletions included; and what is left out.

        Left out are links and what .gitattributes gives to a filter such as LFS. A file that was changed on the branch
        since the checkout, and not here, is left as the branch has it.

        Raises Conflict for a file that was changed on both sides, InvalidArgument when a glob matches nothing, Refused
        where there is no commit to compare with.
        """
        if len(globs) > GLOBS:
            raise InvalidArgument(f"{len(globs)} globs are too many for one call ({GLOBS} at most): give folders.")
        base = self._base()
        if base is None:
            raise Refused(
                f"{self.root.name} is no checkout with a commit, so what was edited there cannot be told from what was"
                " not: name the files in actions."
            )
        digits = max((len(entry.id) for entry in tree.values()), default=40)
        with self._beside(digits) as repository:
            repository.load({path: (entry.mode, entry.id) for path, entry in tree.items()})
            # ** crosses folders, * does not, a folder means all in it: as the parameter of the tools says.
            specs = [f":(glob){glob}" for glob in globs]
            deleted, changed = repository.changed(specs)
            untracked = [path for path in repository.untracked(specs) if not path.endswith("/")]
            unmatched = [glob for glob, spec in zip(globs, specs, strict=True) if not repository.matches([spec])]
            if unmatched:
                raise InvalidArgument(
                    f"No file matches {', '.join(unmatched)} in the working directory or on the branch."
                )
            untouched, is_checked_out = self._marked_untouched()
            changed = [path for path in changed if path not in untouched and not self._same_link(path, tree[path])]
            deleted = [path for path in deleted if is_checked_out and path not in untouched]
            behind_links = [path for path in deleted if self._is_behind_link(path)]
            deleted = [path for path in deleted if path not in behind_links]
            found = (*changed, *untracked)
            filtered = repository.filtered(found)
            refused = {path for path in found if path in filtered or self._left_out(path, tree)} | set(behind_links)
            taken = [path for path in found if path not in refused]
            files = repository.files(taken)
        changes = [Change("delete", path, from_disk=True) for path in deleted]
        for path, local in files.items():
            kind: Literal["create", "update"] = "update" if path in tree else "create"
            changes.append(Change(kind, path, local.content, local.executable, from_disk=True))
        here = {path: local.id for path, local in files.items()}
        return self._own(changes, here, tree, base), sorted(refused)

    @contextmanager
    def _beside(self, digits: int = 40) -> Iterator[WorktreeIndex]:
        """A repository beside the checkout; what git cannot make out there is a refusal."""
        try:
            with worktree_index(self.root, digits) as repository:
                yield repository
        except (GitError, OSError) as error:
            raise Refused(f"git cannot make out the working directory: {one_line(str(error), 300)}.") from error

    def remember(self, changes: Iterable[Change]) -> None:
        """These changes are now on a branch, and what of them came from here is no conflict with what is here later."""
        for change in changes:
            if not change.from_disk:
                continue
            ids = {blob_id(change.content, digits) for digits in (40, 64)} if change.content is not None else {""}
            with self._lock:
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
                " Bring the branch's change into the working directory, or commit these with actions to overwrite it."
            )
        return own

    def _base(self) -> dict[str, str] | None:
        """The blob ids at the newest commit of this checkout that came from GitLab; None where there is no commit."""
        directory = git_directory(self.root)
        for start in (*self._bases, self._newest_fetched(directory), "HEAD"):
            with suppress(GitError):
                listed = git("ls-tree", "-r", "-z", start, git_directory=directory, timeout=GIT_SECONDS)
                return {path: fields.split()[2] for fields, path in _records(listed)}
        return None

    def _newest_fetched(self, directory: Path) -> str:
        """The newest commit under HEAD that a remote-tracking branch has too."""
        try:
            own = git("rev-list", "--first-parent", "HEAD", "--not", "--remotes", git_directory=directory)
        except GitError:
            return "HEAD"
        commits = own.decode().split()
        return f"{commits[-1]}^" if commits else "HEAD"

    def _marked_untouched(self) -> tuple[set[str], bool]:
        """Paths that the checkout's index marks as not looked at; and whether anything was checked out at all.

        A sparse checkout, `--skip-worktree` and `--assume-unchanged` leave out or hide files that nobody deleted.
        """
        with suppress(GitError):
            listed = git("ls-files", "-v", "-z", git_directory=git_directory(self.root), timeout=GIT_SECONDS)
            entries = [entry for entry in listed.decode("utf-8", "surrogateescape").split("\0") if entry]
            return {entry[2:] for entry in entries if entry[0] == "S" or entry[0].islower()}, bool(entries)
        return set(), False

    def _is_behind_link(self, path: str) -> bool:
        folders = Path(path).parents
        return any((self.root / folder).is_symlink() for folder in folders)

    def _left_out(self, path: str, tree: Mapping[str, TreeEntry]) -> bool:
        """Whether a path that differs is no file that can be committed from here."""
        strange = not path.isascii() and "\udc80" <= max(path) <= "\udcff"
        controls = any(ord(character) < 32 or ord(character) == 127 for character in path)
        was_link = path in tree and tree[path].mode == LINK
        return strange or controls or was_link or self._refusal(path) is not None

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


def _records(listed: bytes) -> Iterator[tuple[str, str]]:
    for record in listed.decode("utf-8", "surrogateescape").split("\0"):
        fields, tab, path = record.partition("\t")
        if tab:
            yield fields, path
