"""A temporary repository whose work tree is a checkout, through which git compares files, and writes those of a commit.

Its index holds the tree to compare the files with. So the checkout's own hooks, filters, index and owner have no
effect, while git itself decides what is ignored and how line endings are normalized (.gitignore, .gitattributes).
"""

import os
import shutil
import stat
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as Set
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from gitlab_mcp.git.objects import blob_id
from gitlab_mcp.git.process import GitError, git, git_directory

GIT_SECONDS = 120.0
# Settings of a checkout and its user about its files; none of them names a program that git would run.
CHECKOUT_SETTINGS = (
    ("core.excludesFile", "path"),
    ("core.fileMode", "bool"),
    ("core.symlinks", "bool"),
    ("core.autocrlf", ""),
    ("core.eol", ""),
    ("core.ignoreCase", "bool"),
)
PLAIN = ("unspecified", "unset", "")  # the values of the attribute "filter" for a path without a filter


@dataclass(frozen=True)
class LocalFile:
    """A file of the working directory, with the content, mode and blob id that git would commit.

    `executable` is None for the mode that it has in the repository already (not executable for a new file).
    """

    content: bytes = field(repr=False)
    executable: bool | None
    id: str


class WorktreeIndex:
    """A temporary repository whose work tree is the checkout at `root`. Methods raise GitError."""

    def __init__(self, directory: Path, root: Path, settings: Sequence[str]) -> None:
        self._directory = directory
        self._root = root
        self._settings = settings

    def _git(self, *arguments: str, input_bytes: bytes = b"") -> bytes:
        return git(
            *arguments,
            git_directory=self._directory,
            work_tree=self._root,
            settings=self._settings,
            input_bytes=input_bytes,
            timeout=GIT_SECONDS,
        )

    def load(self, tree: Mapping[str, tuple[str, str]]) -> None:
        """Fill the index with `tree`, modes and ids by path, and compare its files with those on disk by content."""
        rows = (f"{mode} {identity}\t{path}\0" for path, (mode, identity) in tree.items())
        self._git("update-index", "-z", "--index-info", input_bytes="".join(rows).encode("utf-8", "surrogateescape"))
        # It exits with 1 when files differ, which `changed` reports.
        with suppress(GitError):
            self._git("update-index", "-q", "--really-refresh")

    def check_out(self, commit: str, index: Path) -> None:
        """Make the files on disk those of a commit, and `index`, which is the index of the checkout, its index.

        Files that neither the index nor the commit has stay as they are.
        """
        if index.is_file():
            shutil.copyfile(index, self._directory / "index")
        self._git("read-tree", "--reset", "-u", commit)
        new = index.with_name("index.new")
        shutil.copyfile(self._directory / "index", new)
        new.replace(index)

    def changed(self, specs: Sequence[str]) -> tuple[list[str], list[str]]:
        """The paths of the index that match the pathspecs and are deleted on disk, and those that differ there."""
        output = self._git("diff-files", "--raw", "-z", "--no-renames", "--ignore-submodules=all", "--", *specs)
        fields = output.decode("utf-8", "surrogateescape").split("\0")
        pairs = list(zip(fields[0::2], fields[1::2], strict=False))
        deleted = [path for status, path in pairs if status.endswith("D") and not status.startswith(":160000")]
        return deleted, [path for status, path in pairs if not status.endswith("D")]

    def submodules(self, specs: Sequence[str]) -> list[str]:
        """The submodules of the index that match the pathspecs and are at another commit on disk."""
        output = self._git("diff-files", "--raw", "-z", "--no-renames", "--ignore-submodules=dirty", "--", *specs)
        fields = output.decode("utf-8", "surrogateescape").split("\0")
        pairs = zip(fields[0::2], fields[1::2], strict=False)
        return [path for status, path in pairs if status.startswith(":160000") and not status.endswith("D")]

    def untracked(self, specs: Sequence[str]) -> list[str]:
        """The files on disk that match the pathspecs, are not in the index and are not ignored by git."""
        return _paths(self._git("ls-files", "-o", "--exclude-standard", "-z", "--", *specs))

    def listed(self, specs: Sequence[str]) -> list[str]:
        """The paths of the index, and the files on disk that git does not ignore, that match the pathspecs."""
        return _paths(self._git("ls-files", "-c", "-o", "--exclude-standard", "-z", "--", *specs))

    def ignored(self, specs: Sequence[str] = ()) -> list[str]:
        """The files on disk that git ignores and that match the pathspecs.

        Without pathspecs, a folder that git ignores as a whole stands for its files, with a slash at its end.
        """
        collapsed = () if specs else ("--directory",)
        return _paths(self._git("ls-files", "-o", "-i", "--exclude-standard", *collapsed, "-z", "--", *specs))

    @property
    def reads_modes(self) -> bool:
        """Whether the executable bits on disk mean anything (core.fileMode)."""
        return "core.fileMode=false" not in self._settings

    def filtered(self, paths: Sequence[str]) -> set[str]:
        """Those of `paths` with a filter such as LFS in .gitattributes: git stores other content than is on disk."""
        if not paths:
            return set()
        names = "".join(f"{path}\0" for path in paths).encode("utf-8", "surrogateescape")
        return filtered_in(self._git("check-attr", "-z", "--stdin", "filter", input_bytes=names))

    def files(self, paths: Sequence[str]) -> dict[str, LocalFile]:
        """The files at `paths`, as git would store them. Their content is read directly, and checked by its blob id.

        No object is written: if the checkout had the object already, git would update the time stamp of its pack.

        Raises GitError for a file that git would convert in another way than by its line endings (another encoding, an
        expanded $Id$).
        """
        # Each path is quoted, since git would unquote a path that begins with a quotation mark.
        hashed = self._git("hash-object", "--stdin-paths", input_bytes=b"".join(map(_quoted, paths))) if paths else b""
        files = {}
        for path, identity in zip(paths, hashed.decode().split(), strict=True):
            descriptor = os.open(self._root / path, os.O_RDONLY | os.O_NOFOLLOW)
            with os.fdopen(descriptor, "rb") as file:
                raw, executable = file.read(), bool(os.fstat(descriptor).st_mode & stat.S_IXUSR)
            forms = (raw, raw.replace(b"\r\n", b"\n"))
            content = next((form for form in forms if blob_id(form, len(identity)) == identity), None)
            if content is None:
                raise GitError(f"git stores {path} in another form than it has on disk")
            files[path] = LocalFile(content, executable, identity)
        return files


@dataclass(frozen=True)
class CheckoutIndex:
    """What the index of a checkout holds: the mode of each path, and which paths are marked.

    `unmerged` are in conflict. `untouched` are marked skip-worktree, as in a sparse checkout, or assume-unchanged: one
    that is missing on disk was not deleted.
    """

    modes: Mapping[str, str]
    unmerged: Set[str]
    untouched: Set[str]


def checkout_index(root: Path) -> CheckoutIndex:
    """Read the index of the checkout at `root`; an empty one where git cannot read it."""
    output = b""
    with suppress(GitError):
        output = git("ls-files", "-v", "-s", "-z", git_directory=git_directory(root), timeout=GIT_SECONDS)
    modes, unmerged, untouched = {}, set(), set()
    for entry in _paths(output):
        fields, _, path = entry.partition("\t")
        mark, mode, _, stage = fields.split(" ")
        modes[path] = mode
        if stage != "0":
            unmerged.add(path)
        if mark == "S" or mark.islower():
            untouched.add(path)
    return CheckoutIndex(modes, unmerged, untouched)


def _paths(output: bytes) -> list[str]:
    """The entries of an output with -z."""
    return [entry for entry in output.decode("utf-8", "surrogateescape").split("\0") if entry]


def filtered_in(output: bytes) -> set[str]:
    """The paths that have a filter, from the output of `git check-attr -z filter`."""
    fields = output.decode("utf-8", "surrogateescape").split("\0")
    return {path for path, value in zip(fields[0::3], fields[2::3], strict=False) if value not in PLAIN}


@contextmanager
def worktree_index(root: Path, digits: int = 40) -> Iterator[WorktreeIndex]:
    """A new WorktreeIndex for the checkout at `root`, deleted at the end. It ignores what the checkout ignores.

    `digits` is the length of the ids in `tree` (40: SHA-1, 64: SHA-256). Raises GitError.
    """
    theirs = git_directory(root)
    with tempfile.TemporaryDirectory(prefix="gitlab-mcp-") as folder:
        directory = Path(folder)
        format_ = "sha256" if digits == 64 else "sha1"
        git("init", "-q", "--bare", "--template=", f"--object-format={format_}", str(directory))
        (directory / "objects" / "info").mkdir(parents=True, exist_ok=True)
        settings = []
        with suppress(GitError):
            # To decide about line endings, git reads the stored objects.
            objects = root / git("rev-parse", "--git-path", "objects", git_directory=theirs).decode().strip()
            (directory / "objects" / "info" / "alternates").write_bytes(os.fsencode(objects) + b"\n")
            exclude = root / git("rev-parse", "--git-path", "info/exclude", git_directory=theirs).decode().strip()
            if exclude.is_file():
                (directory / "info").mkdir(exist_ok=True)
                (directory / "info" / "exclude").write_bytes(exclude.read_bytes())
        for name, kind in CHECKOUT_SETTINGS:
            with suppress(GitError):
                typed = (f"--type={kind}",) if kind else ()
                value = git("config", *typed, "--get", name, git_directory=theirs, user_configuration=True)
                settings.append(f"{name}={value.decode().strip()}")
        yield WorktreeIndex(directory, root, settings)


def _quoted(path: str) -> bytes:
    """A path on a line of its own, quoted as git's quote.c reads it: unusual bytes as three octal digits."""
    plain = b"".join(
        bytes([byte]) if 32 <= byte < 127 and byte not in b'"\\' else b"\\%03o" % byte for byte in os.fsencode(path)
    )
    return b'"%s"\n' % plain
