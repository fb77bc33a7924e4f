"""A repository of ours beside a checkout, through which git looks at the checkout's files and changes nothing there.

Its index holds whatever tree the files are to be held against. So the checkout's own hooks, index and owner do not
matter, and what git ignores and how it normalises line ends (.gitignore, .gitattributes) is decided by git itself.
"""

import os
import stat
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from gitlab_mcp.git.objects import blob_id
from gitlab_mcp.git.process import GitError, git, git_directory

GIT_SECONDS = 120.0
# What a checkout and its user say about the files in it; none of it names a program.
CHECKOUT_SETTINGS = (
    ("core.excludesFile", "path"),
    ("core.fileMode", "bool"),
    ("core.autocrlf", ""),
    ("core.eol", ""),
    ("core.ignoreCase", "bool"),
)
PLAIN = ("unspecified", "unset", "")  # what git says of a path without a filter


@dataclass(frozen=True)
class LocalFile:
    """A file as git would commit it."""

    content: bytes = field(repr=False)
    executable: bool
    id: str


class WorktreeIndex:
    """A temporary repository of ours that has the working directory as its work tree."""

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
        """Make the index hold `tree`, modes and ids by path, and learn by content what of it is the same on disk."""
        rows = (f"{mode} {identity}\t{path}\0" for path, (mode, identity) in tree.items())
        self._git("update-index", "-z", "--index-info", input_bytes="".join(rows).encode("utf-8", "surrogateescape"))
        # It ends with 1 when files differ, which is what is asked next.
        with suppress(GitError):
            self._git("update-index", "-q", "--really-refresh")

    def changed(self, specs: Sequence[str]) -> tuple[list[str], list[str]]:
        """Paths of the index that are gone from disk, and those that differ there."""
        listed = self._git("diff-files", "--raw", "-z", "--no-renames", "--ignore-submodules=all", "--", *specs)
        fields = listed.decode("utf-8", "surrogateescape").split("\0")
        pairs = list(zip(fields[0::2], fields[1::2], strict=False))
        deleted = [path for status, path in pairs if status.endswith("D") and not status.startswith(":160000")]
        return deleted, [path for status, path in pairs if not status.endswith("D")]

    def untracked(self, specs: Sequence[str]) -> list[str]:
        """Files on disk that are not in the index and that git does not ignore."""
        listed = self._git("ls-files", "-o", "--exclude-standard", "-z", "--", *specs)
        return [path for path in listed.decode("utf-8", "surrogateescape").split("\0") if path]

    def matches(self, specs: Sequence[str]) -> bool:
        """Whether any path of the index or any file on disk matches."""
        return bool(self._git("ls-files", "-c", "-o", "--exclude-standard", "-z", "--", *specs))

    def filtered(self, paths: Sequence[str]) -> set[str]:
        """Those of `paths` that .gitattributes gives to a filter such as LFS: what is on disk is not what is stored."""
        if not paths:
            return set()
        listed = self._git("check-attr", "-z", "--stdin", "filter", input_bytes=_lines(paths, "\0"))
        return filtered_in(listed)

    def files(self, paths: Sequence[str]) -> dict[str, LocalFile]:
        """The files at `paths`, as git would store them.

        Nothing is written: where the checkout has the object already, git would touch its pack. Raises GitError for a
        file that git stores in a form that only git itself can make (another encoding, an expanded $Id$).
        """
        # Each path is quoted: git takes quotes off a line that begins with one, and what is inside could be any path.
        hashed = self._git("hash-object", "--stdin-paths", input_bytes=b"".join(map(_quoted, paths))) if paths else b""
        files = {}
        for path, identity in zip(paths, hashed.decode().split(), strict=True):
            descriptor = os.open(self._root / path, os.O_RDONLY | os.O_NOFOLLOW)
            with os.fdopen(descriptor, "rb") as file:
                raw, executable = file.read(), bool(os.fstat(descriptor).st_mode & stat.S_IXUSR)
            forms = (raw, raw.replace(b"\r\n", b"\n"))
            content = next((form for form in forms if blob_id(form, len(identity)) == identity), None)
            if content is None:
                raise GitError(f"{path} is stored in another form than it has on disk")
            files[path] = LocalFile(content, executable, identity)
        return files


def filtered_in(listed: bytes) -> set[str]:
    """The paths that have a filter, in what `git check-attr -z filter` lists."""
    fields = listed.decode("utf-8", "surrogateescape").split("\0")
    return {path for path, value in zip(fields[0::3], fields[2::3], strict=False) if value not in PLAIN}


@contextmanager
def beside(root: Path, digits: int = 40) -> Iterator[WorktreeIndex]:
    """A new repository of ours whose ids have so many digits, which ignores what the checkout at `root` ignores."""
    theirs = git_directory(root)
    with tempfile.TemporaryDirectory(prefix="gitlab-mcp-") as folder:
        directory = Path(folder)
        format_ = "sha256" if digits == 64 else "sha1"
        git("init", "-q", "--bare", "--template=", f"--object-format={format_}", str(directory))
        (directory / "objects" / "info").mkdir(parents=True, exist_ok=True)
        settings = []
        with suppress(GitError):
            # Git looks at what is stored already to decide about line ends.
            objects = root / git("rev-parse", "--git-path", "objects", git_directory=theirs).decode().strip()
            (directory / "objects" / "info" / "alternates").write_bytes(os.fsencode(objects) + b"\n")
            exclude = root / git("rev-parse", "--git-path", "info/exclude", git_directory=theirs).decode().strip()
            if exclude.is_file():
                (directory / "info").mkdir(exist_ok=True)
                (directory / "info" / "exclude").write_bytes(exclude.read_bytes())
        for name, kind in CHECKOUT_SETTINGS:
            with suppress(GitError):
                typed = (f"--type={kind}",) if kind else ()
                asked = git("config", *typed, "--get", name, git_directory=theirs, user_configuration=True)
                settings.append(f"{name}={asked.decode().strip()}")
        yield WorktreeIndex(directory, root, settings)


def _lines(paths: Sequence[str], end: str) -> bytes:
    return "".join(f"{path}{end}" for path in paths).encode("utf-8", "surrogateescape")


def _quoted(path: str) -> bytes:
    """A path as git's quote.c reads it back: in quotes, with what is unusual as three octal digits."""
    plain = b"".join(
        bytes([byte]) if 32 <= byte < 127 and byte not in b'"\\' else b"\\%03o" % byte for byte in os.fsencode(path)
    )
    return b'"%s"\n' % plain
