"""A bare repository of ours, in which git speaks with GitLab and reads objects; the job's clone stays as it is.

It borrows the objects of the clone, if there is one, and fetches what is missing. Commits are named by their ids. Its
configuration is its own, so that hooks, settings and the owner of the clone do not matter.
"""

import os
import re
import shutil
import tempfile
import threading
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from gitlab_mcp.git.remote import NAME, Remote, remote_error
from gitlab_mcp.git.run import Ended, GitError, Patience, attempt, checked, common_directory, environment

OLDEST = (2, 31)  # configuration by environment variables, fetch without FETCH_HEAD
LOCAL_SECONDS = 120.0
EVERYTHING = 2147483647  # a depth that git takes for "all of it": https://git-scm.com/docs/shallow


class OwnRepository:
    """A bare repository in a private temporary directory, for `remote`, beside the checkout at `clone` if given.

    `roots` are PEM files of certificates to trust, all that are needed.
    Its methods are called from many threads at once. They raise GitError, and RemoteError where GitLab was spoken to;
    `patience` says how long git may take.
    """

    def __init__(self, remote: Remote, clone: Path | None = None, roots: Sequence[Path] = ()) -> None:
        self.remote = remote
        self._clone = clone
        self._roots = roots
        self._settings: list[tuple[str, str]] = []
        self._directory: Path | None = None
        self._making = threading.Lock()
        # Two fetches at once would quarrel about the file that says where history ends.
        self._fetching = threading.Lock()

    def close(self) -> None:
        """Remove it from the disk."""
        with self._making:
            if self._directory:
                shutil.rmtree(self._directory, ignore_errors=True)
            self._directory = None

    def directory(self, patience: Patience) -> Path:
        """Where it is; made at first need, and again where somebody cleaned up. Raises GitError when git is too old."""
        with self._making:
            if self._directory is None or not self._directory.is_dir():
                self._directory = self._make(patience)
            return self._directory

    def _make(self, patience: Patience) -> Path:
        require_version(patience)
        directory = Path(tempfile.mkdtemp(prefix="gitlab-mcp-"))  # for our user only
        try:
            self._fill(directory, patience)
        except BaseException:
            shutil.rmtree(directory, ignore_errors=True)
            raise
        return directory

    def _fill(self, directory: Path, patience: Patience) -> None:
        theirs = common_directory(self._clone) if self._clone else None
        form = _object_format(theirs, patience) if theirs else "sha1"
        arguments = ("init", "-q", "--bare", "--template=", f"--object-format={form}", str(directory))
        checked(attempt(*arguments, environment=environment(), patience=patience, directory=directory), "init")
        self._settings = self._users_way(directory, patience)
        if theirs is None or not (theirs / "objects").is_dir():
            return
        # Borrowed by name: nothing is copied, and nothing is written there.
        (directory / "objects" / "info").mkdir(parents=True, exist_ok=True)
        (directory / "objects" / "info" / "alternates").write_bytes(os.fsencode(theirs / "objects") + b"\n")
        with suppress(FileNotFoundError):
            # Without it, git would look for the parents of the clone's oldest commits, which are not there.
            (directory / "shallow").write_bytes((theirs / "shallow").read_bytes())

    def _users_way(self, directory: Path, patience: Patience) -> list[tuple[str, str]]:
        """The proxy and the certificates that lead to GitLab: the user's own for git, and the roots that were given."""
        settings: list[tuple[str, str]] = []
        roots = list(self._roots)
        for key in ("http.proxy", "http.sslCAInfo"):
            asked = ("config", "--includes", "--get-urlmatch", key, self.remote.url)
            surroundings = environment(user_configuration=True)
            ended = attempt(*asked, environment=surroundings, patience=patience, directory=directory)
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

    def attempt(self, *arguments: str, patience: Patience, stdin: bytes = b"", settings: Sequence[str] = ()) -> Ended:
        """Run a git command that needs no network, and say how it ended."""
        directory = self.directory(patience)
        return attempt(
            f"--git-dir={directory}",
            "--literal-pathspecs",
            *arguments,
            environment=environment(),
            patience=patience,
            directory=directory,
            stdin=stdin,
            settings=settings,
        )

    def run(self, *arguments: str, patience: Patience, stdin: bytes = b"") -> bytes:
        """What a git command that needs no network prints."""
        return checked(self.attempt(*arguments, patience=patience, stdin=stdin), arguments[0])

    def speak(self, *arguments: str, patience: Patience, stdin: bytes = b"") -> Ended:
        """Run a git command that speaks with GitLab, and say how it ended."""
        directory = self.directory(patience)
        return self.remote.run(*arguments, directory=directory, settings=self._settings, patience=patience, stdin=stdin)

    def refs(self, patterns: Iterable[str], patience: Patience) -> dict[str, str]:
        """The ids that GitLab's refs have now, by their whole name; "HEAD" has the name of the default branch too.

        A ref is named whole (refs/heads/main); an annotated tag's commit is under its name with ^{} behind it.
        """
        ended = self.speak("ls-remote", "--symref", NAME, *patterns, patience=patience)
        if ended.status:
            raise remote_error(ended)
        found: dict[str, str] = {}
        for line in ended.output.decode("utf-8", "surrogateescape").splitlines():
            left, _, name = line.partition("\t")
            found["symref" if left.startswith("ref: ") else name] = left.removeprefix("ref: refs/heads/")
        return found

    def missing(self, objects: Collection[str], patience: Patience) -> list[str]:
        """Those of `objects` (ids) that are not here."""
        if not objects:
            return []
        asked = "".join(f"{identity}\n" for identity in objects).encode()
        listed = self.run("cat-file", "--batch-check=%(objectname)", patience=patience, stdin=asked)
        return [line.split()[0] for line in listed.decode().splitlines() if line.endswith(" missing")]

    def fetch(self, commits: Collection[str], patience: Patience, depth: int = 1) -> None:
        """Fetch commits with their trees, as deep as `depth`, without the content of files."""
        with self._fetching:
            if depth == 1 and not self.missing([f"{commit}^{{tree}}" for commit in commits], patience):
                return
            self._fetch([f"--depth={depth}", "--update-shallow"], commits, patience)

    def fetch_since(self, commit: str, moment: str, patience: Patience) -> None:
        """Fetch a commit and what came before it, back to `moment` (a date as git prints it)."""
        with self._fetching:
            self._fetch([f"--shallow-since={moment}", "--update-shallow"], [commit], patience)

    def fetch_blobs(self, blobs: Iterable[str], patience: Patience) -> None:
        """Fetch the content of files, as far as it is not here."""
        with self._fetching:
            if wanted := self.missing(sorted(set(blobs)), patience):
                self._fetch([], wanted, patience)

    def _fetch(self, options: Sequence[str], wanted: Collection[str], patience: Patience) -> None:
        arguments = ("fetch", "-q", "--no-tags", "--no-write-fetch-head", *options, "--stdin", NAME)
        listed = "".join(f"{identity}\n" for identity in wanted).encode()
        # Telling GitLab what is here would cost more than it saves: all that is asked for is missing.
        settings = ("-c", "fetch.negotiationAlgorithm=noop") if not options else ()
        ended = self.speak(*settings, *arguments, patience=patience, stdin=listed)
        if ended.status:
            raise remote_error(ended)


def require_version(patience: Patience) -> None:
    """Raise GitError unless there is a git that is new enough."""
    said = checked(attempt("--version", environment=environment(), patience=patience), "--version").decode()
    version = re.search(r"(\d+)\.(\d+)", said)
    if version is None or (int(version[1]), int(version[2])) < OLDEST:
        raise GitError(f"git {OLDEST[0]}.{OLDEST[1]} or newer is needed, and this is {said.strip()}")


def _certificates(roots: Iterable[Path]) -> Iterator[bytes]:
    for path in roots:
        for file in sorted(path.iterdir()) if path.is_dir() else [path]:
            with suppress(OSError):
                yield file.read_bytes()


def _object_format(theirs: Path, patience: Patience) -> str:
    """The object format of a repository: sha1 or sha256."""
    arguments = ("config", "--file", str(theirs / "config"), "--get", "extensions.objectFormat")
    ended = attempt(*arguments, environment=environment(), patience=patience)
    return "sha256" if ended.output.strip().lower() == b"sha256" else "sha1"
