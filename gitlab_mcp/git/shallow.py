"""Where the history that is here ends: at commits that are here while a parent of theirs is not.

Git keeps such a list in a file named `shallow`. A fetch of a few commits writes there what it was told, and may so cut
off what is here; and the job's clone has a list of its own, which changes when somebody fetches there. Ours is a third
file, which git is told to read instead (GIT_SHALLOW_FILE), and which says what is the case.
"""

import re
import threading
from collections.abc import Iterable
from pathlib import Path

from gitlab_mcp.git.cat_file import objects_in
from gitlab_mcp.git.process import CompletedGit, TimeLeft, checked, environment, in_turn, on_disk, run_git

ROUNDS = 200
_WHOLE_ID = re.compile(r"^(?:[0-9a-f]{64}|[0-9a-f]{40})$", re.MULTILINE)

# How git says that it went beyond the edge (commit.c, revision.c).
_BEYOND = re.compile(
    r"Could not read [0-9a-f]{40}|Failed to traverse parents|cannot simplify commit|revision walk setup failed"
)


class ShallowBoundary:
    """The edge of the repository at `directory`, which borrows the objects of the one at `theirs`, if given.

    Its methods are called from many threads at once. They raise GitError.
    """

    @on_disk()
    def __init__(self, directory: Path, theirs: Path | None) -> None:
        self._directory = directory
        self._file = directory / "edge"
        self._theirs = theirs / "shallow" if theirs else None
        self._seen: tuple[int, int, int] | None = None
        self._changing = threading.Lock()
        if self._theirs:
            self._seen = _mark(self._theirs)
            _put(self._file, _ids(self._theirs))

    @property
    def variables(self) -> dict[str, str]:
        """What makes a git command end here."""
        return {"GIT_SHALLOW_FILE": str(self._file)}

    @on_disk()
    def ids(self) -> set[str]:
        """The commits at which history ends here."""
        return _ids(self._file)

    @on_disk()
    def follow(self, time_left: TimeLeft) -> None:
        """Take over what changed in the clone since."""
        if self._theirs and _mark(self._theirs) != self._seen:
            with in_turn(self._changing, time_left):
                seen = _mark(self._theirs)
                self._settle(_ids(self._theirs), time_left)
                self._seen = seen

    @on_disk()
    def lend(self) -> None:
        """Let a fetch begin with this edge; no other may run."""
        # Git leaves it behind when it is killed.
        (self._directory / "shallow.lock").unlink(missing_ok=True)
        _put(self._directory / "shallow", self.ids())

    @on_disk()
    def settle(self, time_left: TimeLeft) -> None:
        """Take over what a fetch has made of it."""
        with in_turn(self._changing, time_left):
            if (ids := _ids(self._directory / "shallow")) != self.ids():
                self._settle(ids, time_left)

    @on_disk()
    def mend(self, lines: Iterable[str], named: Iterable[str], time_left: TimeLeft) -> bool:
        """Find the edge that a git command went beyond; whether it did, and may be run again.

        `lines` is what the command said, and `named` what it was given, commits among it. Where a clone is used again
        and again, commits stay behind whose parents were never fetched, and which no list tells of any more.
        """
        if not any(_BEYOND.search(line) for line in lines):
            return False
        tips = [each for text in named for each in re.findall(r"[0-9a-f]{40,64}", text)]
        with in_turn(self._changing, time_left):
            if self._theirs:
                self._settle(_ids(self._theirs), time_left)
            for _ in range(ROUNDS):
                walked = self._git("rev-list", "--quiet", "--ignore-missing", *tips, time_left=time_left)
                ends = [each for line in walked.lines for each in re.findall(r"parents of commit ([0-9a-f]+)", line)]
                if not ends:
                    break
                self._settle(ends, time_left)
        return True

    def _settle(self, ids: Iterable[str], time_left: TimeLeft) -> None:
        """Make the edge those of its commits, and of `ids`, that are here while a parent is not."""
        known = self.ids()
        if not (asked := known.union(ids)):
            return
        parents = self._parents(asked, time_left)
        every = {each for of_one in parents.values() for each in of_one}
        here = self._here(every, time_left)
        _put(self._file, {commit for commit, of_one in parents.items() if not here.issuperset(of_one)})

    def _parents(self, commits: Iterable[str], time_left: TimeLeft) -> dict[str, list[str]]:
        """The parents of each commit that is here, as the commit itself names them."""
        found: dict[str, list[str]] = {}
        for commit, content in objects_in(self._asked("--batch", commits, time_left)):
            if content is not None:
                head = content.partition(b"\n\n")[0].decode("utf-8", "replace")
                found[commit] = re.findall(r"^parent ([0-9a-f]+)$", head, re.MULTILINE)
        return found

    def _here(self, commits: Iterable[str], time_left: TimeLeft) -> set[str]:
        listed = self._asked("--batch-check=%(objectname)", commits, time_left).decode().splitlines()
        return {line for line in listed if not line.endswith(" missing")}

    def _asked(self, how: str, objects: Iterable[str], time_left: TimeLeft) -> bytes:
        asked = "".join(f"{identity}\n" for identity in objects).encode()
        return checked(self._git("cat-file", how, time_left=time_left, stdin=asked), "cat-file")

    def _git(self, *arguments: str, time_left: TimeLeft, stdin: bytes = b"") -> CompletedGit:
        return run_git(
            f"--git-dir={self._directory}",
            *arguments,
            environment={**environment(), **self.variables},
            time_left=time_left,
            directory=self._directory,
            stdin=stdin,
        )


def _mark(file: Path) -> tuple[int, int, int] | None:
    """What tells a file from what it was before; None where there is none."""
    try:
        told = file.stat()
    except FileNotFoundError:
        return None
    return told.st_ino, told.st_size, told.st_mtime_ns


def _ids(file: Path) -> set[str]:
    try:
        return set(_WHOLE_ID.findall(file.read_text(encoding="ascii", errors="replace")))
    except FileNotFoundError:
        return set()


def _put(file: Path, ids: Iterable[str]) -> None:
    """Make a file hold these ids, at once for whoever reads it; none at all for no ids, as git has it."""
    text = "".join(f"{identity}\n" for identity in sorted(ids))
    if not text:
        file.unlink(missing_ok=True)
        return
    new = file.with_suffix(".new")
    new.write_text(text)
    new.replace(file)
