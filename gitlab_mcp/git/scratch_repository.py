"""The scratch repository: a temporary bare repository in which git fetches, reads and pushes for this server.

It reads the objects of the job's clone, if there is one, as alternates, and fetches the missing ones; the clone itself
is never changed. Commits are named by their ids. The hooks, settings and owner of the clone have no effect, since the
scratch repository has a configuration of its own.
"""

import os
import re
import shutil
import tempfile
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from gitlab_mcp.git.process import (
    NEEDED_GIT,
    OLDEST_GIT,
    GitError,
    TimeLeft,
    checked,
    common_directory,
    environment,
    in_turn,
    on_disk,
    run_git,
)
from gitlab_mcp.git.remote import Remote
from gitlab_mcp.git.shallow import ShallowBoundary

FETCHES = 4  # how many fetches of files may run at once

_versions: dict[str, str] = {}  # of git, by PATH


@dataclass(frozen=True)
class BareRepository:
    """The repository on disk.

    `has_alternates` is whether it reads a clone's objects, `connection` has git's settings for the proxy and the
    trusted certificates, `complete` has the commits whose trees are all present.
    """

    directory: Path
    boundary: ShallowBoundary
    has_alternates: bool
    connection: Sequence[tuple[str, str]]
    complete: set[str] = field(default_factory=set)
    # Two fetches of commits at once would conflict over the file `shallow`; fetches of files do not write it.
    fetching: threading.Lock = field(default_factory=threading.Lock)
    fetching_files: threading.Semaphore = field(default_factory=lambda: threading.BoundedSemaphore(FETCHES))


class ScratchRepository:
    """A bare repository in a private temporary directory, for `remote`, which reads the objects of `clone` if given.

    `roots` are PEM files, or folders of them, with all certificate authorities to trust.

    GitSession runs git in it. Methods may be called from many threads at once.
    """

    def __init__(self, remote: Remote, clone: Path | None = None, roots: Sequence[Path] = ()) -> None:
        self.remote = remote
        self._clone = clone
        self._roots = roots
        self._repository: BareRepository | None = None
        self._creating = threading.Lock()

    def close(self) -> None:
        """Delete it from disk."""
        with self._creating:
            if self._repository:
                shutil.rmtree(self._repository.directory, ignore_errors=True)
            self._repository = None

    def ready(self, time_left: TimeLeft) -> BareRepository:
        """The repository with the shallow boundary of the clone as it is now; created if it does not exist.

        Raises GitError, as when git is too old, and whatever `time_left` raises.
        """
        with in_turn(self._creating, time_left), on_disk():
            if self._repository is None or not self._repository.directory.is_dir():
                self._repository = self._create(time_left)
            self._repository.boundary.follow_clone(time_left)
            return self._repository

    def _create(self, time_left: TimeLeft) -> BareRepository:
        require_version(time_left)
        directory = Path(tempfile.mkdtemp(prefix="gitlab-mcp-"))  # accessible to this user only
        try:
            alternate = self._initialize(directory, time_left)
            connection = self._connection_settings(directory, time_left)
            return BareRepository(directory, ShallowBoundary(directory, alternate), alternate is not None, connection)
        except BaseException:
            shutil.rmtree(directory, ignore_errors=True)
            raise

    def _initialize(self, directory: Path, time_left: TimeLeft) -> Path | None:
        """Initialize the repository, and return the git directory whose objects it reads, if any."""
        theirs = common_directory(self._clone) if self._clone else None
        configuration = _object_configuration(theirs, time_left) if theirs else {}
        form = "sha256" if configuration.get("extensions.objectformat", "").lower() == "sha256" else "sha1"
        arguments = ("init", "-q", "--bare", "--template=", f"--object-format={form}", str(directory))
        checked(run_git(*arguments, environment=environment(), time_left=time_left, directory=directory), "init")
        # In a clone without trees each one would have to be looked for: everything is fetched again instead.
        is_treeless = any("tree:" in value for value in configuration.values())
        if theirs is None or not (theirs / "objects").is_dir() or is_treeless:
            return None
        # Alternates: nothing is copied, and nothing is written to the clone.
        (directory / "objects" / "info").mkdir(parents=True, exist_ok=True)
        (directory / "objects" / "info" / "alternates").write_bytes(os.fsencode(theirs / "objects") + b"\n")
        return theirs

    def _connection_settings(self, directory: Path, time_left: TimeLeft) -> list[tuple[str, str]]:
        """Git's settings for the proxy and the trusted certificates: the user's own for git, and `roots`."""
        settings: list[tuple[str, str]] = []
        roots = list(self._roots)
        for key in ("http.proxy", "http.sslCAInfo"):
            arguments = ("config", "--includes", "--get-urlmatch", key, self.remote.url)
            users = environment(user_configuration=True)
            completed = run_git(*arguments, environment=users, time_left=time_left, directory=directory)
            value = completed.output.decode("utf-8", "surrogateescape").strip()
            if value and key == "http.proxy":
                settings.append((key, value))
            elif value:
                roots.append(Path(value).expanduser())
        if roots and self.remote.url.startswith("https://"):
            bundle = directory / "roots.pem"
            bundle.write_bytes(b"\n".join(_certificates(roots)))
            settings.append(("http.sslCAInfo", str(bundle)))
        return settings


def require_version(time_left: TimeLeft) -> str:
    """The version of git, which is asked once for a PATH. Raises GitError where git is missing or before OLDEST_GIT."""
    path = environment()["PATH"]
    if path in _versions:
        return _versions[path]
    output = checked(run_git("--version", environment=environment(), time_left=time_left), "--version").decode()
    version = re.search(r"(\d+)\.(\d+)[\d.]*", output)
    if version is None or (int(version[1]), int(version[2])) < OLDEST_GIT:
        raise GitError(f"{NEEDED_GIT} is needed, and this is {output.strip()}")
    return _versions.setdefault(path, version[0])


def _certificates(roots: Iterable[Path]) -> Iterator[bytes]:
    for path in roots:
        for file in sorted(path.iterdir()) if path.is_dir() else [path]:
            with suppress(OSError):
                yield file.read_bytes()


def _object_configuration(theirs: Path, time_left: TimeLeft) -> dict[str, str]:
    """The settings of a clone about its objects: their format, and the filters of a partial clone."""
    names = r"^(extensions\.objectformat|remote\..*\.partialclonefilter)$"
    arguments = ("config", "--file", str(theirs / "config"), "-z", "--get-regexp", names)
    completed = run_git(*arguments, environment=environment(), time_left=time_left)
    records = completed.output.decode("utf-8", "surrogateescape").split("\0")
    return dict(record.split("\n", 1) for record in records if "\n" in record)
