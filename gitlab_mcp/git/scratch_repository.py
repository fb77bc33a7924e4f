"""A bare repository of ours, in which git speaks with GitLab and reads objects; the job's clone stays as it is.

It borrows the objects of the clone, if there is one, and fetches what is missing. Commits are named by their ids. Its
configuration is its own, so that hooks, settings and the owner of the clone do not matter.
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
from gitlab_mcp.git.remote import REMOTE_NAME, SPOKEN_BYTES, Remote, RemoteError, RemoteErrorKind, remote_error
from gitlab_mcp.git.shallow import ShallowBoundary

OLDEST_GIT = (2, 31)  # configuration by environment variables, fetch without FETCH_HEAD
FETCHES = 4  # of files, at once
EVERYTHING = 2147483647  # a depth that git takes for "all of it": https://git-scm.com/docs/shallow


@dataclass(frozen=True)
class _Place:
    """Where it is on the disk, where history ends in it, whether it borrows objects, and which commits are whole."""

    directory: Path
    edge: ShallowBoundary
    borrows: bool
    whole: set[str] = field(default_factory=set)


class ScratchRepository:
    """A bare repository in a private temporary directory, for `remote`, beside the checkout at `clone` if given.

    `roots` are PEM files of certificates to trust, all that are needed.
    Its methods are called from many threads at once. They raise GitError, and RemoteError where GitLab was spoken to;
    `time_left` says how long git may take.
    """

    def __init__(self, remote: Remote, clone: Path | None = None, roots: Sequence[Path] = ()) -> None:
        self.remote = remote
        self._clone = clone
        self._roots = roots
        self._settings: list[tuple[str, str]] = []
        self._place: _Place | None = None
        self._making = threading.Lock()
        # Two fetches at once would quarrel about the file that says where history ends; those of files leave it alone.
        self._fetching = threading.Lock()
        self._fetching_files = threading.BoundedSemaphore(FETCHES)

    def close(self) -> None:
        """Remove it from the disk."""
        with self._making:
            if self._place:
                shutil.rmtree(self._place.directory, ignore_errors=True)
            self._place = None

    def directory(self, time_left: TimeLeft) -> Path:
        """Where it is; made at first need, and again where somebody cleaned up. Raises GitError when git is too old."""
        return self._where(time_left).directory

    def edge(self, time_left: TimeLeft) -> set[str]:
        """The commits at which history ends here although it goes on."""
        return self._where(time_left).edge.ids()

    def _where(self, time_left: TimeLeft) -> _Place:
        with in_turn(self._making, time_left), on_disk():
            if self._place is None or not self._place.directory.is_dir():
                self._place = self._make(time_left)
            self._place.edge.follow(time_left)
            return self._place

    def _make(self, time_left: TimeLeft) -> _Place:
        require_version(time_left)
        directory = Path(tempfile.mkdtemp(prefix="gitlab-mcp-"))  # for our user only
        try:
            theirs = self._fill(directory, time_left)
            return _Place(directory, ShallowBoundary(directory, theirs), theirs is not None)
        except BaseException:
            shutil.rmtree(directory, ignore_errors=True)
            raise

    def _fill(self, directory: Path, time_left: TimeLeft) -> Path | None:
        """Make it; the repository that it borrows from is returned."""
        theirs = common_directory(self._clone) if self._clone else None
        told = _told(theirs, time_left) if theirs else {}
        form = "sha256" if told.get("extensions.objectformat", "").lower() == "sha256" else "sha1"
        arguments = ("init", "-q", "--bare", "--template=", f"--object-format={form}", str(directory))
        checked(run_git(*arguments, environment=environment(), time_left=time_left, directory=directory), "init")
        self._settings = self._users_way(directory, time_left)
        # A clone without folders would have to be asked for each of them: whatever is in it is fetched anew.
        if theirs is None or not (theirs / "objects").is_dir() or any("tree:" in value for value in told.values()):
            return None
        # Borrowed by name: nothing is copied, and nothing is written there.
        (directory / "objects" / "info").mkdir(parents=True, exist_ok=True)
        (directory / "objects" / "info" / "alternates").write_bytes(os.fsencode(theirs / "objects") + b"\n")
        return theirs

    def _users_way(self, directory: Path, time_left: TimeLeft) -> list[tuple[str, str]]:
        """The proxy and the certificates that lead to GitLab: the user's own for git, and the roots that were given."""
        settings: list[tuple[str, str]] = []
        roots = list(self._roots)
        for key in ("http.proxy", "http.sslCAInfo"):
            asked = ("config", "--includes", "--get-urlmatch", key, self.remote.url)
            surroundings = environment(user_configuration=True)
            ended = run_git(*asked, environment=surroundings, time_left=time_left, directory=directory)
            value = ended.output.decode("utf-8", "surrogateescape").strip()
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
        """Run a git command that needs no network, and say how it ended."""
        place = self._where(time_left)

        def run() -> CompletedGit:
            return run_git(
                f"--git-dir={place.directory}",
                "--literal-pathspecs",
                *arguments,
                environment={**environment(), "LC_ALL": locale, **place.edge.variables},
                time_left=time_left,
                directory=place.directory,
                stdin=stdin,
                settings=settings,
            )

        ended = run()
        return run() if place.edge.mend(ended.lines, arguments, time_left) else ended

    def run(self, *arguments: str, time_left: TimeLeft, stdin: bytes = b"") -> bytes:
        """What a git command that needs no network prints."""
        return checked(self.run_git(*arguments, time_left=time_left, stdin=stdin), arguments[0])

    def speak(self, *arguments: str, time_left: TimeLeft, stdin: bytes = b"", most: int = SPOKEN_BYTES) -> CompletedGit:
        """Run a git command that speaks with GitLab, and say how it ended. It may print `most` bytes."""
        return self._spoken(arguments, time_left, stdin, most, self._where(time_left).edge.variables)

    def _spoken(
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
        """The ids that GitLab's refs have now, by their whole name; "symref" is the name of the default branch.

        A ref is named whole (refs/heads/main), or as HEAD, which brings the name of the default branch along; an
        annotated tag's commit is under its name with ^{} behind it.
        """
        most = PRINTED_BYTES if any("*" in pattern for pattern in patterns) else SPOKEN_BYTES
        ended = self.speak("ls-remote", "--symref", REMOTE_NAME, *patterns, time_left=time_left, most=most)
        if ended.status:
            raise remote_error(ended)
        found: dict[str, str] = {}
        for line in ended.output.decode("utf-8", "surrogateescape").splitlines():
            left, _, name = line.partition("\t")
            if not left.startswith("ref: "):
                found[name] = left
            elif name == "HEAD":  # other symbolic refs are listed too
                found["symref"] = left.removeprefix("ref: ").removeprefix("refs/heads/")
        return found

    def missing(self, objects: Collection[str], time_left: TimeLeft) -> list[str]:
        """Those of `objects` (ids) that are not here."""
        listed = self._told_of("%(objectname)", objects, time_left)
        return [line.split()[0] for line in listed if line.endswith(" missing")]

    def _told_of(self, form: str, names: Collection[str], time_left: TimeLeft) -> list[str]:
        """What `git cat-file --batch-check` says of each name, in order."""
        asked = "".join(f"{name}\n" for name in names).encode()
        listed = self.run("cat-file", f"--batch-check={form}", time_left=time_left, stdin=asked) if names else b""
        return listed.decode().splitlines()

    def fetch(self, commits: Collection[str], time_left: TimeLeft, depth: int = 1) -> None:
        """Fetch what is missing of commits and their trees, without the content of files, and where `depth` is more
        than 1, of so much of their history.

        Raises RemoteError, with git's words for a commit that is not there, for what is no commit.
        """
        options = (f"--depth={depth}", "--update-shallow")
        self._fetch_lacking(lambda: self._lacking(commits, depth, time_left), options, time_left)
        place = self._where(time_left)
        if unknown := [commit for commit in commits if commit not in place.whole]:
            self._check_commits(unknown, time_left)
            if place.borrows:
                self._fetch_lacking(lambda: self._missing_trees(unknown, time_left), (), time_left)
            place.whole.update(unknown)

    def _lacking(self, commits: Collection[str], depth: int, time_left: TimeLeft) -> list[str]:
        """Those of `commits` that are not here, and if more than one deep is asked for, whose history is cut off."""
        missing = self.missing(commits, time_left)
        if depth == 1 or not (edge := self.edge(time_left)):
            return missing
        here = [commit for commit in commits if commit not in missing]
        return missing + [one for one in here if not edge.isdisjoint(self._ends(one, time_left))]

    def _ends(self, commit: str, time_left: TimeLeft) -> list[str]:
        return self.run("rev-list", "--max-parents=0", commit, time_left=time_left).decode().split()

    def _check_commits(self, commits: Collection[str], time_left: TimeLeft) -> None:
        listed = self._told_of("%(objecttype)", [f"{commit}^{{}}" for commit in commits], time_left)
        for commit, kind in zip(commits, listed, strict=True):
            if kind != "commit":
                said = f"bad object {commit}: it is no commit"
                raise RemoteError(said, RemoteErrorKind.OTHER, [said], None)

    def _missing_trees(self, commits: Sequence[str], time_left: TimeLeft) -> list[str]:
        """The trees of commits that are here, as far as they are not: a clone may have come without some."""
        options = ("--objects", "--no-object-names", "--no-walk", "--filter=blob:none", "--missing=print")
        listed = self.run("rev-list", *options, *commits, time_left=time_left).decode().splitlines()
        return [line.removeprefix("?") for line in listed if line.startswith("?")]

    def fetch_blobs(self, blobs: Iterable[str], time_left: TimeLeft) -> None:
        """Fetch the content of files, as far as it is not here."""
        asked = sorted(set(blobs))
        self._fetch_lacking(lambda: self.missing(asked, time_left), (), time_left)

    def _fetch_lacking(self, look: Callable[[], list[str]], options: Sequence[str], time_left: TimeLeft) -> None:
        """Fetch what `look` finds to be lacking. Who lacks nothing waits for nobody."""
        if wanted := look():
            with in_turn(self._fetching if options else self._fetching_files, time_left) as waited:
                if wanted := look() if waited else wanted:
                    self._fetch(options, wanted, time_left)

    def _fetch(self, options: Sequence[str], wanted: Collection[str], time_left: TimeLeft) -> None:
        edge = self._where(time_left).edge
        arguments = ("fetch", "-q", "--no-tags", "--no-write-fetch-head", *options, "--stdin", REMOTE_NAME)
        listed = "".join(f"{identity}\n" for identity in wanted).encode()
        if options:
            edge.lend()
            ended = self._spoken(arguments, time_left, listed, SPOKEN_BYTES, {})
            edge.settle(time_left)
        else:
            # Telling GitLab what is here would cost more than it saves: all that is asked for is missing.
            settings = ("-c", "fetch.negotiationAlgorithm=noop")
            ended = self._spoken((*settings, *arguments), time_left, listed, SPOKEN_BYTES, edge.variables)
        if ended.status:
            raise remote_error(ended)


def require_version(time_left: TimeLeft) -> None:
    """Raise GitError unless there is a git that is new enough."""
    said = checked(run_git("--version", environment=environment(), time_left=time_left), "--version").decode()
    version = re.search(r"(\d+)\.(\d+)", said)
    if version is None or (int(version[1]), int(version[2])) < OLDEST_GIT:
        raise GitError(f"git {OLDEST_GIT[0]}.{OLDEST_GIT[1]} or newer is needed, and this is {said.strip()}")


def _certificates(roots: Iterable[Path]) -> Iterator[bytes]:
    for path in roots:
        for file in sorted(path.iterdir()) if path.is_dir() else [path]:
            with suppress(OSError):
                yield file.read_bytes()


def _told(theirs: Path, time_left: TimeLeft) -> dict[str, str]:
    """What the configuration of a clone says of its objects: their format, and the filters that they came through."""
    asked = r"^(extensions\.objectformat|remote\..*\.partialclonefilter)$"
    arguments = ("config", "--file", str(theirs / "config"), "-z", "--get-regexp", asked)
    ended = run_git(*arguments, environment=environment(), time_left=time_left)
    records = ended.output.decode("utf-8", "surrogateescape").split("\0")
    return dict(record.split("\n", 1) for record in records if "\n" in record)
