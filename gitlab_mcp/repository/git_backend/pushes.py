"""Writing with git: branches, commits and merge requests, each by one push that happens once."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from urllib.parse import urlsplit

from gitlab_mcp.api.deadline import current_call
from gitlab_mcp.api.entity import Entity
from gitlab_mcp.api.idempotency import WriteResult, write_once
from gitlab_mcp.api.project import Project
from gitlab_mcp.api.retry import backoff
from gitlab_mcp.errors import AnswerLost, Conflict, Unreachable
from gitlab_mcp.git import history, objects
from gitlab_mcp.git.change import Author, Change
from gitlab_mcp.git.objects import TreeEntry
from gitlab_mcp.git.process import GitError, TimeLeft
from gitlab_mcp.git.push import Pushed, PushStatus, build, push
from gitlab_mcp.repository.git_backend import entities
from gitlab_mcp.repository.git_backend.client import GitClient
from gitlab_mcp.repository.git_backend.errors import failure_of, refused
from gitlab_mcp.repository.interface import NewCommit
from gitlab_mcp.repository.paths import touching

TIMES_REBUILT = 5
PATHS_NAMED = 10
NEWEST_COMMITS = 20  # commits of a branch that moved, among which one of ours must be if it is there


class Pushes:
    """The pushes of a run to one repository. Calls come from many threads at once."""

    def __init__(self, project: Project, access: GitClient) -> None:
        self._project = project
        self._gitlab = project.gitlab
        self._git = access
        self._own = access.own
        self._branches: dict[str, threading.RLock] = {}
        self._lock = threading.Lock()

    def create_branch(self, name: str, start: str) -> WriteResult[Entity]:
        """Create a branch at the commit `start`. Raises Conflict when there is one of that name."""
        self._check(name, "", [])
        pushed = self._push(name, start, "", [])
        if pushed.result.status is PushStatus.STALE or (pushed.result.unchanged and not pushed.confirmed):
            raise Conflict(f"The branch {name} is already there.", status=400, reason="Branch already exists")
        return WriteResult(entities.branch(self._project.web_url, name, start), pushed.confirmed)

    def delete(self, name: str, expected: str) -> WriteResult[Pushed]:
        """Delete a branch that points at `expected`. Raises Conflict when it moved meanwhile."""
        self._check(name, "", [])
        gone = Pushed(PushStatus.OK)
        check = f"Look with list_branches whether {name} is there."
        written = write_once(
            lambda: self._send(name, "", expected, []), lambda: None if self._git.tip(name) else gone, check
        )
        if written.result.status is not PushStatus.STALE:
            return written
        if self._git.tip(name):
            raise Conflict(f"{name} moved meanwhile and was not deleted: look at it again.")
        # curl sends a request again by itself when its connection was dead: the first one had arrived.
        return WriteResult(written.result, confirmed=True)

    def commit(
        self, new: NewCommit, options: Sequence[str], before_again: Callable[[], None] | None = None
    ) -> tuple[WriteResult[str], Pushed]:
        """Commit on top of a branch, or to a new one, with push options: the commit's id, and what GitLab said.

        A branch that moved meanwhile is built on anew where nothing moved at the paths of this commit, and once
        `before_again` raises nothing.
        """
        message = self._gitlab.outgoing(new.message)
        self._check(new.branch, message, new.changes)
        author, made_at, parent = self._author(), int(time.time()), new.parent
        changed: list[str] = []
        with self.turn(new.branch):
            for attempt in range(1, TIMES_REBUILT + 2):
                commit = self._build(parent, message, new.changes, new.tree, author, made_at)
                pushed = self._push(new.branch, commit, "" if new.is_new else parent, options)
                if pushed.result.status is PushStatus.OK:
                    return WriteResult(commit, pushed.confirmed or pushed.result.unchanged), pushed.result
                if attempt > 1:
                    # Whoever read the branch last and pushes first wins: the others come back at different times.
                    current_call.get().wait(backoff(attempt + 1), self._kept_moving(new.branch, changed))
                moved, parent = parent, self._tip_of(new.branch)
                if self._is_below(commit, parent):
                    # curl sends a request again by itself when its connection was dead: the first one had arrived.
                    return WriteResult(commit, confirmed=True), pushed.result
                self._check_moved(new, parent)
                if before_again:
                    before_again()
                changed = self._changed_between(moved, parent)
                if clash := touching((path for change in new.changes for path in change.paths), changed):
                    raise Conflict(
                        f"{', '.join(clash[:PATHS_NAMED])} changed on {new.branch} meanwhile: nothing was committed."
                        " Read what is there now, then commit again."
                    )
        raise self._kept_moving(new.branch, changed)

    def _kept_moving(self, branch: str, changed: Sequence[str]) -> Conflict:
        named = ", ".join(sorted(changed)[:PATHS_NAMED])
        return Conflict(
            f"{branch} moved each time that this was to be committed ({named} changed last): nothing was committed."
            " Try again."
        )

    def _tip_of(self, branch: str) -> str:
        """Where a branch is now, with its newest commits here. Raises Conflict when it is gone."""
        tip = self._git.tip(branch)
        if not tip:
            raise Conflict(f"The branch {branch} was deleted meanwhile: nothing was committed.")
        self._git.ask("fetch the branch", lambda time_left: self._own.fetch([tip], time_left, NEWEST_COMMITS))
        return tip

    def _is_below(self, commit: str, tip: str) -> bool:
        return self._git.local(lambda time_left: history.is_ancestor(self._own, commit, tip, time_left))

    def _check_moved(self, new: NewCommit, tip: str) -> None:
        """Raise Conflict for a branch that was to be created and is there."""
        if new.is_new or not new.parent:
            raise Conflict(
                f"The branch {new.branch} is already there, at {tip[:8]}: leave ref out to commit on top of it, or"
                " choose another name."
            )

    def _changed_between(self, old: str, new: str) -> list[str]:
        return sorted(self._git.local(lambda time_left: objects.changed_paths(self._own, old, new, time_left)))

    def _is_in(self, commit: str, tip: str) -> bool:
        """Whether a commit of ours that was pushed is in a branch, also below what others pushed since."""
        return self._git.ask("look for the commit", lambda time_left: history.is_in(self._own, commit, tip, time_left))

    def _build(
        self,
        parent: str,
        message: str,
        changes: Sequence[Change],
        tree: Mapping[str, TreeEntry],
        author: Author,
        made_at: int,
    ) -> str:
        def make(time_left: TimeLeft) -> str:
            return build(self._own, parent, message, changes, tree, author, made_at, time_left)

        return self._git.ask("build the commit", make)

    def _push(self, branch: str, commit: str, expected: str, options: Sequence[str]) -> WriteResult[Pushed]:
        """Push once; after a lost answer look whether the branch has the commit."""
        confirmed = False

        def find() -> Pushed | None:
            nonlocal confirmed
            tip = self._git.tip(branch)
            confirmed = bool(tip) and (tip == commit or self._holds(tip, commit, expected))
            return Pushed(PushStatus.OK) if confirmed else None

        check = f"Look with list_branches whether {branch} has it before trying again."
        written = write_once(lambda: self._send(branch, commit, expected, options), find, check)
        return WriteResult(written.result, confirmed)

    def _send(self, branch: str, commit: str, expected: str, options: Sequence[str]) -> Pushed:
        try:
            with current_call.get().transfer("push to GitLab") as time_left:
                pushed = push(self._own, branch, commit, expected, options, time_left)
        except GitError as error:
            raise failure_of(error, self._own.remote.url, pushes=True) from error
        except Unreachable as failure:  # out of time, and it may have arrived
            raise AnswerLost(str(failure)) from failure
        if pushed.status is PushStatus.REJECTED:
            raise refused(pushed)
        return pushed

    def _holds(self, tip: str, commit: str, expected: str) -> bool:
        """Whether a branch that moved on from `expected` has the commit."""
        return tip != expected and self._is_in(commit, tip)

    def turn(self, branch: str) -> threading.RLock:
        """Commits of this run to one branch wait for each other: each would only push the others aside."""
        with self._lock:
            return self._branches.setdefault(branch, threading.RLock())

    def _author(self) -> Author:
        """Whom the settings name, else the user whose job or token this is."""
        if author := self._gitlab.settings.author:
            return author
        user = self._gitlab.identity.user
        name = user.text("username")
        if not name:
            raise Unreachable('GitLab does not say whose job this is: give --author, such as "Name <me@example.com>".')
        # https://docs.gitlab.com/user/profile/#use-an-automatically-generated-private-commit-email
        host = urlsplit(self._gitlab.settings.url).hostname
        email = user.text("commit_email") or user.text("public_email")
        return Author(user.text("name") or name, email or f"{user.number('id')}-{name}@users.noreply.{host}")

    def _check(self, branch: str, message: str, changes: Sequence[Change]) -> None:
        def default_branch() -> str:
            return self._git.default_branch

        self._gitlab.policy.check_push(self._project.path, branch, message, changes, default_branch)
