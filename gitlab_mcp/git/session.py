"""Git in the scratch repository for one tool call: its commands, and fetching what they lack from GitLab."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

from gitlab_mcp.git.process import PRINTED_BYTES, CompletedGit, TimeLeft, checked, environment, in_turn, run_git
from gitlab_mcp.git.remote import REMOTE_NAME, REMOTE_OUTPUT_BYTES, RemoteError, RemoteErrorKind, remote_error
from gitlab_mcp.git.scratch_repository import BareRepository, ScratchRepository

EVERYTHING = 2147483647  # the depth with which git fetches the whole history: https://git-scm.com/docs/shallow


class GitSession:
    """Git in `scratch`, for as long as `time_left` says.

    Methods raise GitError, RemoteError when a command that contacts GitLab fails, and whatever `time_left` raises.
    """

    def __init__(self, scratch: ScratchRepository, time_left: TimeLeft) -> None:
        self._scratch = scratch
        self._time_left = time_left

    def _repository(self) -> BareRepository:
        return self._scratch.ready(self._time_left)

    def directory(self) -> Path:
        """The directory of the scratch repository, which exists."""
        return self._repository().directory

    def boundary(self) -> set[str]:
        """The ids of the commits at which history is cut off here: they have parents that were not fetched."""
        return self._repository().boundary.ids()

    def run_git(
        self, *arguments: str, stdin: bytes | BinaryIO = b"", settings: Sequence[str] = (), locale: str = "C"
    ) -> CompletedGit:
        """Run a git command that needs no network, whatever its exit code."""
        repository = self._repository()

        def run() -> CompletedGit:
            return run_git(
                f"--git-dir={repository.directory}",
                "--literal-pathspecs",
                *arguments,
                environment={**environment(), "LC_ALL": locale, **repository.boundary.variables},
                time_left=self._time_left,
                directory=repository.directory,
                stdin=stdin,
                settings=settings,
            )

        completed = run()
        return run() if repository.boundary.repair(completed.lines, arguments, self._time_left) else completed

    def run(self, *arguments: str, stdin: bytes | BinaryIO = b"", settings: Sequence[str] = ()) -> bytes:
        """Run a git command that needs no network, and return its output. Raises GitError when it fails."""
        return checked(self.run_git(*arguments, stdin=stdin, settings=settings), arguments[0])

    def run_remote(self, *arguments: str, most: int = REMOTE_OUTPUT_BYTES) -> CompletedGit:
        """Run a git command that contacts GitLab, whatever its exit code. It may print at most `most` bytes."""
        repository = self._repository()
        return self._run_remote(repository, arguments, repository.boundary.variables, most=most)

    def fetch_into(self, directory: Path, refspec: str, *options: str) -> None:
        """Fetch a refspec, whole, from GitLab into another repository, whose git directory is `directory`."""
        scratch = self._repository()
        completed = self._scratch.remote.run(
            "fetch",
            *options,
            self._scratch.remote.url,
            refspec,
            directory=directory,
            settings=scratch.connection,
            time_left=self._time_left,
            variables={"HOME": str(scratch.directory)},
        )
        if completed.status:
            raise remote_error(completed)

    def _run_remote(
        self,
        repository: BareRepository,
        arguments: Sequence[str],
        variables: Mapping[str, str],
        *,
        stdin: bytes = b"",
        most: int = REMOTE_OUTPUT_BYTES,
    ) -> CompletedGit:
        return self._scratch.remote.run(
            *arguments,
            directory=repository.directory,
            settings=repository.connection,
            time_left=self._time_left,
            stdin=stdin,
            most=most,
            variables=variables,
        )

    def refs(self, patterns: Collection[str]) -> dict[str, str]:
        """The ids that GitLab's refs point at now, by their full name; "symref" is the name of the default branch.

        `patterns` are full names (refs/heads/main), or HEAD, with which the name of the default branch comes too. The
        commit of an annotated tag is listed under the tag's name with ^{} appended.
        """
        most = PRINTED_BYTES if any("*" in pattern for pattern in patterns) else REMOTE_OUTPUT_BYTES
        completed = self.run_remote("ls-remote", "--symref", REMOTE_NAME, *patterns, most=most)
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

    def missing(self, objects: Collection[str]) -> list[str]:
        """Those of `objects` (ids) that were not fetched yet, and that the clone does not have either."""
        lines = self._batch_check("%(objectname)", objects)
        return [line.split()[0] for line in lines if line.endswith(" missing")]

    def _batch_check(self, form: str, names: Collection[str]) -> list[str]:
        """The line that `git cat-file --batch-check` prints for each name, in order."""
        stdin = "".join(f"{name}\n" for name in names).encode()
        output = self.run("cat-file", f"--batch-check={form}", stdin=stdin) if names else b""
        return output.decode().splitlines()

    def fetch(self, commits: Collection[str], depth: int = 1) -> None:
        """Fetch commits and their trees, without the content of files, as far as they are missing.

        With a `depth` above 1 as many generations of their history are fetched too.

        Raises RemoteError, with the message that git has for an unknown commit, for an object that is not a commit.
        """
        options = (f"--depth={depth}", "--update-shallow")
        self._fetch_missing(lambda: self._missing_commits(commits, depth), options)
        repository = self._repository()
        if unknown := [commit for commit in commits if commit not in repository.complete]:
            self._check_commits(unknown)
            if repository.has_alternates:
                self._fetch_missing(lambda: self._missing_trees(unknown))
            repository.complete.update(unknown)

    def _missing_commits(self, commits: Collection[str], depth: int) -> list[str]:
        """Those of `commits` that are missing, and with a `depth` above 1 those whose history is cut off."""
        missing = self.missing(commits)
        if depth == 1 or not (boundary := self.boundary()):
            return missing
        present = [commit for commit in commits if commit not in missing]
        return missing + [commit for commit in present if not boundary.isdisjoint(self._roots_of(commit))]

    def _roots_of(self, commit: str) -> list[str]:
        """The commits without parents in the history of a commit, those at which it is cut off included."""
        return self.run("rev-list", "--max-parents=0", commit).decode().split()

    def _check_commits(self, commits: Collection[str]) -> None:
        kinds = self._batch_check("%(objecttype)", [f"{commit}^{{}}" for commit in commits])
        for commit, kind in zip(commits, kinds, strict=True):
            if kind != "commit":
                message = f"bad object {commit}: it is not a commit"
                raise RemoteError(message, RemoteErrorKind.OTHER, [message], None)

    def _missing_trees(self, commits: Sequence[str]) -> list[str]:
        """The missing trees of commits that are present: a clone may have been made without some."""
        options = ("--objects", "--no-object-names", "--no-walk", "--filter=blob:none", "--missing=print")
        lines = self.run("rev-list", *options, *commits).decode().splitlines()
        return [line.removeprefix("?") for line in lines if line.startswith("?")]

    def fetch_blobs(self, blobs: Iterable[str]) -> None:
        """Fetch the content of files by its blob ids, as far as it is missing."""
        ids = sorted(set(blobs))
        self._fetch_missing(lambda: self.missing(ids))

    def _fetch_missing(self, find_missing: Callable[[], list[str]], options: Sequence[str] = ()) -> None:
        """Fetch the objects that `find_missing` returns. A caller that misses nothing does not wait for other fetches.

        Fetches with `options` change the shallow boundary, and run one after the other.
        """
        if wanted := find_missing():
            repository = self._repository()
            lock = repository.fetching if options else repository.fetching_files
            with in_turn(lock, self._time_left) as waited:
                if wanted := find_missing() if waited else wanted:
                    self._fetch(wanted, options)

    def _fetch(self, wanted: Collection[str], options: Sequence[str]) -> None:
        repository = self._repository()
        arguments = ("fetch", "-q", "--no-tags", "--no-write-fetch-head", *options, "--stdin", REMOTE_NAME)
        stdin = "".join(f"{identity}\n" for identity in wanted).encode()
        if options:
            repository.boundary.before_fetch()
            completed = self._run_remote(repository, arguments, {}, stdin=stdin)
            repository.boundary.after_fetch(self._time_left)
        else:
            # Negotiating about common commits would cost more than it saves: every wanted object is missing here.
            settings = ("-c", "fetch.negotiationAlgorithm=noop")
            variables = repository.boundary.variables
            completed = self._run_remote(repository, (*settings, *arguments), variables, stdin=stdin)
        if completed.status:
            raise remote_error(completed)
