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
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from gitlab_mcp.git.process import (
    PRINTED_BYTES,
    CompletedGit,
    GitError,
    TimeLeft,
    checked,
    common_directory,
    environment,
    in_turn,
    on_disk,
    run_git,
)
from gitlab_mcp.git.remote import REMOTE_NAME, REMOTE_OUTPUT_BYTES, Remote, RemoteError, RemoteErrorKind, remote_error
from gitlab_mcp.git.shallow import ShallowBoundary

OLDEST_GIT = (2, 31)  # configuration by environment variables, fetch without FETCH_HEAD
FETCHES = 4  # how many fetches of files may run at once
EVERYTHING = 2147483647  # the depth with which git fetches the whole history: https://git-scm.com/docs/shallow


@dataclass(frozen=True)
class _State:
    """The repository on disk.

    `has_alternates` is whether it reads a clone's objects, `complete` has the commits whose trees are all present.
    """

    directory: Path
    boundary: ShallowBoundary
    has_alternates: bool
    complete: set[str] = field(default_factory=set)


class ScratchRepository:
    """A bare repository in a private temporary directory, for `remote`, which reads the objects of `clone` if given.

    `roots` are PEM files, or folders of them, with all certificate authorities to trust.

    Methods may be called from many threads at once. `time_left` limits how long git may take. They raise GitError, and
    RemoteError when a command that contacts GitLab fails.
    """

    def __init__(self, remote: Remote, clone: Path | None = None, roots: Sequence[Path] = ()) -> None:
        self.remote = remote
        self._clone = clone
        self._roots = roots
        self._settings: list[tuple[str, str]] = []
        self._state: _State | None = None
        self._creating = threading.Lock()
        # Two fetches of commits at once would conflict over the file `shallow`; fetches of files do not write it.
        self._fetching = threading.Lock()
        self._fetching_files = threading.BoundedSemaphore(FETCHES)

    def close(self) -> None:
        """Delete it from disk."""
        with self._creating:
            if self._state:
                shutil.rmtree(self._state.directory, ignore_errors=True)
            self._state = None

    def directory(self, time_left: TimeLeft) -> Path:
        """Its directory, created on first use, and again if it was deleted. Raises GitError when git is too old."""
        return self._ready(time_left).directory

    def boundary(self, time_left: TimeLeft) -> set[str]:
        """The ids of the commits at which history is cut off here: they have parents that were not fetched."""
        return self._ready(time_left).boundary.ids()

    def _ready(self, time_left: TimeLeft) -> _State:
        """The repository, created if it does not exist, with the shallow boundary of the clone as it is now."""
        with in_turn(self._creating, time_left), on_disk():
            if self._state is None or not self._state.directory.is_dir():
                self._state = self._create(time_left)
            self._state.boundary.follow_clone(time_left)
            return self._state

    def _create(self, time_left: TimeLeft) -> _State:
        require_version(time_left)
        directory = Path(tempfile.mkdtemp(prefix="gitlab-mcp-"))  # accessible to this user only
        try:
            alternate = self._initialize(directory, time_left)
            return _State(directory, ShallowBoundary(directory, alternate), alternate is not None)
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
        self._settings = self._connection_settings(directory, time_left)
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

    def run_git(
        self,
        *arguments: str,
        time_left: TimeLeft,
        stdin: bytes = b"",
        settings: Sequence[str] = (),
        locale: str = "C",
    ) -> CompletedGit:
        """Run a git command that needs no network, whatever its exit code."""
        state = self._ready(time_left)

        def run() -> CompletedGit:
            return run_git(
                f"--git-dir={state.directory}",
                "--literal-pathspecs",
                *arguments,
                environment={**environment(), "LC_ALL": locale, **state.boundary.variables},
                time_left=time_left,
                directory=state.directory,
                stdin=stdin,
                settings=settings,
            )

        completed = run()
        return run() if state.boundary.repair(completed.lines, arguments, time_left) else completed

    def run(self, *arguments: str, time_left: TimeLeft, stdin: bytes = b"") -> bytes:
        """Run a git command that needs no network, and return its output. Raises GitError when it fails."""
        return checked(self.run_git(*arguments, time_left=time_left, stdin=stdin), arguments[0])

    def run_remote(
        self, *arguments: str, time_left: TimeLeft, stdin: bytes = b"", most: int = REMOTE_OUTPUT_BYTES
    ) -> CompletedGit:
        """Run a git command that contacts GitLab, whatever its exit code. It may print at most `most` bytes."""
        return self._run_remote(arguments, time_left, stdin, most, self._ready(time_left).boundary.variables)

    def _run_remote(
        self, arguments: Sequence[str], time_left: TimeLeft, stdin: bytes, most: int, variables: Mapping[str, str]
    ) -> CompletedGit:
        return self.remote.run(
            *arguments,
            directory=self.directory(time_left),
            settings=self._settings,
            time_left=time_left,
            stdin=stdin,
            most=most,
            variables=variables,
        )

    def refs(self, patterns: Collection[str], time_left: TimeLeft) -> dict[str, str]:
        """The ids that GitLab's refs point at now, by their full name; "symref" is the name of the default branch.

        `patterns` are full names (refs/heads/main), or HEAD, with which the name of the default branch comes too. The
        commit of an annotated tag is listed under the tag's name with ^{} appended.
        """
        most = PRINTED_BYTES if any("*" in pattern for pattern in patterns) else REMOTE_OUTPUT_BYTES
        completed = self.run_remote("ls-remote", "--symref", REMOTE_NAME, *patterns, time_left=time_left, most=most)
        if completed.status:
            raise remote_error(completed)
        refs: dict[str, str] = {}
        for line in completed.output.decode("utf-8", "surrogateescape").splitlines():
            value, _, name = line.partition("\t")
            if not value.startswith("ref: "):
                refs[name] = value
            elif name == "HEAD":  # other symbolic refs are listed too
                refs["symref"] = value.removeprefix("ref: ").removeprefix("refs/heads/")
        return refs

    def missing(self, objects: Collection[str], time_left: TimeLeft) -> list[str]:
        """Those of `objects` (ids) that were not fetched yet, and that the clone does not have either."""
        lines = self._batch_check("%(objectname)", objects, time_left)
        return [line.split()[0] for line in lines if line.endswith(" missing")]

    def _batch_check(self, form: str, names: Collection[str], time_left: TimeLeft) -> list[str]:
        """The line that `git cat-file --batch-check` prints for each name, in order."""
        stdin = "".join(f"{name}\n" for name in names).encode()
        output = self.run("cat-file", f"--batch-check={form}", time_left=time_left, stdin=stdin) if names else b""
        return output.decode().splitlines()

    def fetch(self, commits: Collection[str], time_left: TimeLeft, depth: int = 1) -> None:
        """Fetch commits and their trees, without the content of files, as far as they are missing.

        With a `depth` above 1 as many generations of their history are fetched too.

        Raises RemoteError, with the message that git has for an unknown commit, for an object that is not a commit.
        """
        options = (f"--depth={depth}", "--update-shallow")
        self._fetch_missing(lambda: self._missing_commits(commits, depth, time_left), options, time_left)
        state = self._ready(time_left)
        if unknown := [commit for commit in commits if commit not in state.complete]:
            self._check_commits(unknown, time_left)
            if state.has_alternates:
                self._fetch_missing(lambda: self._missing_trees(unknown, time_left), (), time_left)
            state.complete.update(unknown)

    def _missing_commits(self, commits: Collection[str], depth: int, time_left: TimeLeft) -> list[str]:
        """Those of `commits` that are missing, and with a `depth` above 1 those whose history is cut off."""
        missing = self.missing(commits, time_left)
        if depth == 1 or not (boundary := self.boundary(time_left)):
            return missing
        present = [commit for commit in commits if commit not in missing]
        return missing + [commit for commit in present if not boundary.isdisjoint(self._roots_of(commit, time_left))]

    def _roots_of(self, commit: str, time_left: TimeLeft) -> list[str]:
        """The commits without parents in the history of a commit, those at which it is cut off included."""
        return self.run("rev-list", "--max-parents=0", commit, time_left=time_left).decode().split()

    def _check_commits(self, commits: Collection[str], time_left: TimeLeft) -> None:
        kinds = self._batch_check("%(objecttype)", [f"{commit}^{{}}" for commit in commits], time_left)
        for commit, kind in zip(commits, kinds, strict=True):
            if kind != "commit":
                message = f"bad object {commit}: it is not a commit"
                raise RemoteError(message, RemoteErrorKind.OTHER, [message], None)

    def _missing_trees(self, commits: Sequence[str], time_left: TimeLeft) -> list[str]:
        """The missing trees of commits that are present: a clone may have been made without some."""
        options = ("--objects", "--no-object-names", "--no-walk", "--filter=blob:none", "--missing=print")
        lines = self.run("rev-list", *options, *commits, time_left=time_left).decode().splitlines()
        return [line.removeprefix("?") for line in lines if line.startswith("?")]

    def fetch_blobs(self, blobs: Iterable[str], time_left: TimeLeft) -> None:
        """Fetch the content of files by its blob ids, as far as it is missing."""
        ids = sorted(set(blobs))
        self._fetch_missing(lambda: self.missing(ids, time_left), (), time_left)

    def _fetch_missing(
        self, find_missing: Callable[[], list[str]], options: Sequence[str], time_left: TimeLeft
    ) -> None:
        """Fetch the objects that `find_missing` returns. A caller that misses nothing does not wait for other fetches.

        Fetches with `options` change the shallow boundary, and run one after the other.
        """
        if wanted := find_missing():
            with in_turn(self._fetching if options else self._fetching_files, time_left) as waited:
                if wanted := find_missing() if waited else wanted:
                    self._fetch(options, wanted, time_left)

    def _fetch(self, options: Sequence[str], wanted: Collection[str], time_left: TimeLeft) -> None:
        boundary = self._ready(time_left).boundary
        arguments = ("fetch", "-q", "--no-tags", "--no-write-fetch-head", *options, "--stdin", REMOTE_NAME)
        stdin = "".join(f"{identity}\n" for identity in wanted).encode()
        if options:
            boundary.before_fetch()
            completed = self._run_remote(arguments, time_left, stdin, REMOTE_OUTPUT_BYTES, {})
            boundary.after_fetch(time_left)
        else:
            # Negotiating about common commits would cost more than it saves: every wanted object is missing here.
            settings = ("-c", "fetch.negotiationAlgorithm=noop")
            variables = boundary.variables
            completed = self._run_remote((*settings, *arguments), time_left, stdin, REMOTE_OUTPUT_BYTES, variables)
        if completed.status:
            raise remote_error(completed)


def require_version(time_left: TimeLeft) -> None:
    """Raise GitError when git is missing or older than OLDEST_GIT."""
    output = checked(run_git("--version", environment=environment(), time_left=time_left), "--version").decode()
    version = re.search(r"(\d+)\.(\d+)", output)
    if version is None or (int(version[1]), int(version[2])) < OLDEST_GIT:
        raise GitError(f"git {OLDEST_GIT[0]}.{OLDEST_GIT[1]} or newer is needed, and this is {output.strip()}")


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
