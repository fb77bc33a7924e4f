"""The shallow boundary: the commits at which history is cut off, since they are present while a parent is not.

Git lists them in a file named `shallow`. A fetch with a depth writes the boundary of that fetch there, and may so cut
off history that is present; and the job's clone has a list of its own, which changes when somebody fetches there. The
list used here is a third file, `edge`, which git reads instead (GIT_SHALLOW_FILE). It is computed from the objects that
are present in the scratch repository and in the clone.
"""

import re
import threading
from collections.abc import Iterable
from pathlib import Path

from gitlab_mcp.git.cat_file import parse_batch
from gitlab_mcp.git.process import CompletedGit, TimeLeft, checked, environment, in_turn, on_disk, run_git

ROUNDS = 200  # how often repair looks for further commits whose parents are missing
_WHOLE_ID = re.compile(r"^(?:[0-9a-f]{64}|[0-9a-f]{40})$", re.MULTILINE)

# git's messages when it follows a parent beyond the boundary (commit.c, revision.c).
_BEYOND = re.compile(
    r"Could not read [0-9a-f]{40}|Failed to traverse parents|cannot simplify commit|revision walk setup failed"
)


class ShallowBoundary:
    """The boundary of the scratch repository at `directory`, which reads the objects of the one at `theirs`, if given.

    Methods may be called from many threads at once. They raise GitError when git fails or a file cannot be written.
    """

    @on_disk()
    def __init__(self, directory: Path, theirs: Path | None) -> None:
        self._directory = directory
        self._file = directory / "edge"
        self._theirs = theirs / "shallow" if theirs else None
        self._seen: tuple[int, int, int] | None = None
        self._changing = threading.Lock()
        if self._theirs:
            self._seen = _fingerprint(self._theirs)
            _write(self._file, _ids(self._theirs))

    @property
    def variables(self) -> dict[str, str]:
        """The environment variables with which git uses this boundary."""
        return {"GIT_SHALLOW_FILE": str(self._file)}

    @on_disk()
    def ids(self) -> set[str]:
        """The ids of the commits at which history is cut off."""
        return _ids(self._file)

    @on_disk()
    def follow_clone(self, time_left: TimeLeft) -> None:
        """Update the boundary when the clone's list has changed."""
        if self._theirs and _fingerprint(self._theirs) != self._seen:
            with in_turn(self._changing, time_left):
                seen = _fingerprint(self._theirs)
                self._update(_ids(self._theirs), time_left)
                self._seen = seen

    @on_disk()
    def before_fetch(self) -> None:
        """Copy the boundary to the file that a fetch reads and writes. Only one fetch may run at a time."""
        # A git that was killed leaves its lock behind.
        (self._directory / "shallow.lock").unlink(missing_ok=True)
        _write(self._directory / "shallow", self.ids())

    @on_disk()
    def after_fetch(self, time_left: TimeLeft) -> None:
        """Update the boundary from the file that a fetch has written."""
        with in_turn(self._changing, time_left):
            if (ids := _ids(self._directory / "shallow")) != self.ids():
                self._update(ids, time_left)

    @on_disk()
    def repair(self, lines: Iterable[str], arguments: Iterable[str], time_left: TimeLeft) -> bool:
        """Extend the boundary when a git command met a missing parent. Returns whether it did, and may be run again.

        `lines` is the stderr of the command, `arguments` its arguments, with commit ids among them. A clone that many
        jobs use in turn keeps commits whose parents were never fetched, and which its list does not name any more.
        """
        if not any(_BEYOND.search(line) for line in lines):
            return False
        tips = [tip for argument in arguments for tip in re.findall(r"[0-9a-f]{40,64}", argument)]
        with in_turn(self._changing, time_left):
            if self._theirs:
                self._update(_ids(self._theirs), time_left)
            for _ in range(ROUNDS):
                walk = self._git("rev-list", "--quiet", "--ignore-missing", *tips, time_left=time_left)
                ends = [end for line in walk.lines for end in re.findall(r"parents of commit ([0-9a-f]+)", line)]
                if not ends:
                    break
                self._update(ends, time_left)
        return True

    def _update(self, ids: Iterable[str], time_left: TimeLeft) -> None:
        """Set the boundary to those of its commits, and of `ids`, that are present while a parent is missing."""
        candidates = self.ids().union(ids)
        if not candidates:
            return
        parents = self._parents(candidates, time_left)
        present = self._present({parent for of_commit in parents.values() for parent in of_commit}, time_left)
        _write(self._file, {commit for commit, of_commit in parents.items() if not present.issuperset(of_commit)})

    def _parents(self, commits: Iterable[str], time_left: TimeLeft) -> dict[str, list[str]]:
        """The parents of each commit that is present, as the commit object itself names them."""
        parents: dict[str, list[str]] = {}
        for commit, content in parse_batch(self._cat_file("--batch", commits, time_left)):
            if content is not None:
                head = content.partition(b"\n\n")[0].decode("utf-8", "replace")
                parents[commit] = re.findall(r"^parent ([0-9a-f]+)$", head, re.MULTILINE)
        return parents

    def _present(self, commits: Iterable[str], time_left: TimeLeft) -> set[str]:
        lines = self._cat_file("--batch-check=%(objectname)", commits, time_left).decode().splitlines()
        return {line for line in lines if not line.endswith(" missing")}

    def _cat_file(self, option: str, objects: Iterable[str], time_left: TimeLeft) -> bytes:
        stdin = "".join(f"{identity}\n" for identity in objects).encode()
        return checked(self._git("cat-file", option, time_left=time_left, stdin=stdin), "cat-file")

    def _git(self, *arguments: str, time_left: TimeLeft, stdin: bytes = b"") -> CompletedGit:
        return run_git(
            f"--git-dir={self._directory}",
            *arguments,
            environment={**environment(), **self.variables},
            time_left=time_left,
            directory=self._directory,
            stdin=stdin,
        )


def _fingerprint(file: Path) -> tuple[int, int, int] | None:
    """The inode, size and modification time (ns), which change when the file does; None for a missing file."""
    try:
        status = file.stat()
    except FileNotFoundError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns


def _ids(file: Path) -> set[str]:
    try:
        return set(_WHOLE_ID.findall(file.read_text(encoding="ascii", errors="replace")))
    except FileNotFoundError:
        return set()


def _write(file: Path, ids: Iterable[str]) -> None:
    """Replace a file atomically with these ids, one a line. Without ids it is deleted, as git does with `shallow`."""
    text = "".join(f"{identity}\n" for identity in sorted(ids))
    if not text:
        file.unlink(missing_ok=True)
        return
    new = file.with_suffix(".new")
    new.write_text(text)
    new.replace(file)
