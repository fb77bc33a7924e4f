"""Idempotent writes with git: branches, commits and merge requests, each by one push."""

import threading
import time
from collections.abc import Callable, Sequence
from urllib.parse import urlsplit

from gitlab_mcp.api.deadline import current_call
from gitlab_mcp.api.entity import Entity
from gitlab_mcp.api.idempotency import WriteResult, write_once
from gitlab_mcp.api.project import Project
from gitlab_mcp.api.retry import backoff
from gitlab_mcp.errors import AnswerLost, Conflict, Unreachable, naming
from gitlab_mcp.git import history, objects
from gitlab_mcp.git.change import Author, Change
from gitlab_mcp.git.process import GitError
from gitlab_mcp.git.push import Pushed, PushStatus, build, push
from gitlab_mcp.git.session import GitSession
from gitlab_mcp.repository.git_backend import entities
from gitlab_mcp.repository.git_backend.client import GitClient
from gitlab_mcp.repository.git_backend.errors import failure_of, refused
from gitlab_mcp.repository.interface import NewCommit
from gitlab_mcp.repository.paths import touching

TIMES_REBUILT = 5  # how often a commit is created again on top of a branch that moved
PATHS_NAMED = 10  # how many changed paths an error names
NEWEST_COMMITS = 20  # how many commits of a branch that moved are fetched, to look for the pushed one among them


class Pushes:
    """The pushes of a run to one repository. Methods may be called from many threads at once."""

    def __init__(self, project: Project, client: GitClient) -> None:
        self._project = project
        self._gitlab = project.gitlab
        self._git = client
        self._branches: dict[str, threading.RLock] = {}
        self._lock = threading.Lock()

    def create_branch(self, name: str, start: str) -> WriteResult[Entity]:
        """Create a branch at the commit `start`. Raises Conflict when a branch of that name exists."""
        self._check(name, "", [])
        pushed = self._push(name, start, "", [])
        if pushed.result.status is PushStatus.STALE or (pushed.result.unchanged and not pushed.confirmed):
            raise Conflict(f"The branch {name} already exists.", status=400, already_exists=True)
        return WriteResult(entities.branch(self._project.web_url, name, start), pushed.confirmed)

    def delete(self, name: str, expected: str) -> WriteResult[Pushed]:
        """Delete a branch that points at `expected`. Raises Conflict when it points elsewhere by now."""
        self._check(name, "", [])
        deleted = Pushed(PushStatus.OK)
        check = f"Look{naming(' with {}', 'list_branches')} whether {name} still exists."
        written = write_once(
            lambda: self._send(name, "", expected, []), lambda: None if self._git.tip(name) else deleted, check
        )
        if written.result.status is not PushStatus.STALE:
            return written
        if self._git.tip(name):
            raise Conflict(f"{name} moved meanwhile and was not deleted: look at it again.")
        # curl repeats a request by itself when its connection broke: the first one had arrived.
        return WriteResult(written.result, confirmed=True)

    def commit(
        self, new: NewCommit, options: Sequence[str], before_again: Callable[[], None] | None = None
    ) -> tuple[WriteResult[str], Pushed]:
        """Commit on top of a branch, or to a new one, with push options. Returns the commit's id and GitLab's answer.

        If the branch moved meanwhile, the commit is created again on top of it, unless the other commits changed its
        paths or `before_again`, which is called before each further push, raises.

        Raises Conflict when its paths were changed, when the branch was deleted or exists already, and when it moved
        each time.
        """
        message = self._gitlab.outgoing(new.message)
        self._check(new.branch, message, new.changes)
        author, made_at, parent = self._author(), int(time.time()), new.parent
        changed: list[str] = []
        with self.turn(new.branch):
            for attempt in range(1, TIMES_REBUILT + 2):
                commit = self._git.ask(
                    "build the commit", build, parent, message, new.changes, new.tree, author, made_at
                )
                pushed = self._push(new.branch, commit, "" if new.is_new else parent, options)
                if pushed.result.status is PushStatus.OK:
                    return WriteResult(commit, pushed.confirmed or pushed.result.unchanged), pushed.result
                if attempt > 1:
                    # Of many that push to one branch one succeeds: the others try again after different waits.
                    current_call.get().wait(backoff(attempt + 1), self._kept_moving(new.branch, changed))
                old_parent, parent = parent, self._fetched_tip(new.branch)
                if self._git.local(history.is_ancestor, commit, parent):
                    # curl repeats a request by itself when its connection broke: the first one had arrived.
                    return WriteResult(commit, confirmed=True), pushed.result
                self._check_not_created(new, parent)
                if before_again:
                    before_again()
                changed = sorted(self._git.local(objects.changed_paths, old_parent, parent))
                if clash := touching((path for change in new.changes for path in change.paths), changed):
                    raise Conflict(
                        f"{', '.join(clash[:PATHS_NAMED])} changed on {new.branch} meanwhile: nothing was committed."
                        " Read the new content, then commit again."
                    )
        raise self._kept_moving(new.branch, changed)

    def _kept_moving(self, branch: str, changed: Sequence[str]) -> Conflict:
        paths = ", ".join(sorted(changed)[:PATHS_NAMED])
        return Conflict(
            f"{branch} moved each time that this was to be committed ({paths} changed last): nothing was committed."
            " Try again."
        )

    def _fetched_tip(self, branch: str) -> str:
        """The commit that a branch points at, with its newest commits fetched. Raises Conflict for a deleted branch."""
        tip = self._git.tip(branch)
        if not tip:
            raise Conflict(f"The branch {branch} was deleted meanwhile: nothing was committed.")
        self._git.ask("fetch the branch", GitSession.fetch, [tip], NEWEST_COMMITS)
        return tip

    def _check_not_created(self, new: NewCommit, tip: str) -> None:
        """Raise Conflict when the commit was to create its branch, which exists now at `tip`."""
        if new.is_new or not new.parent:
            raise Conflict(
                f"The branch {new.branch} already exists, at {tip[:8]}: leave ref out to commit on top of it, or"
                " choose another name."
            )

    def _push(self, branch: str, commit: str, expected: str, options: Sequence[str]) -> WriteResult[Pushed]:
        """Push a commit; after a lost answer look up whether the branch has it before pushing again."""
        confirmed = False

        def find() -> Pushed | None:
            nonlocal confirmed
            tip = self._git.tip(branch)
            confirmed = bool(tip) and (tip == commit or self._holds(tip, commit, expected))
            return Pushed(PushStatus.OK) if confirmed else None

        check = f"Look{naming(' with {}', 'list_branches')} whether {branch} has it before trying again."
        written = write_once(lambda: self._send(branch, commit, expected, options), find, check)
        return WriteResult(written.result, confirmed)

    def _send(self, branch: str, commit: str, expected: str, options: Sequence[str]) -> Pushed:
        try:
            with current_call.get().transfer("push to GitLab") as time_left:
                pushed = push(GitSession(self._git.scratch, time_left), branch, commit, expected, options)
        except GitError as error:
            raise failure_of(error, self._git.scratch.remote.url, pushes=True) from error
        except Unreachable as failure:  # out of time, and the push may have arrived
            raise AnswerLost(str(failure)) from failure
        if pushed.status is PushStatus.REJECTED:
            raise refused(pushed)
        return pushed

    def _holds(self, tip: str, commit: str, expected: str) -> bool:
        """Whether a branch that moved from `expected` to `tip` has the commit, below what others pushed since."""
        return tip != expected and self._git.ask("look for the commit", history.is_in, commit, tip)

    def turn(self, branch: str) -> threading.RLock:
        """The lock of a branch, with which the commits of this run to it wait for each other instead of conflicting."""
        with self._lock:
            return self._branches.setdefault(branch, threading.RLock())

    def _author(self) -> Author:
        """The author of the settings, else the user who started the job or owns the token."""
        if author := self._gitlab.settings.author:
            return author
        user = self._gitlab.identity.user
        name = user.text("username")
        if not name:
            raise Unreachable(
                'GitLab does not report who started this job: give --author, such as "Name <me@example.com>".'
            )
        # https://docs.gitlab.com/user/profile/#use-an-automatically-generated-private-commit-email
        host = urlsplit(self._gitlab.settings.url).hostname
        email = user.text("commit_email") or user.text("public_email")
        return Author(user.text("name") or name, email or f"{user.number('id')}-{name}@users.noreply.{host}")

    def _check(self, branch: str, message: str, changes: Sequence[Change]) -> None:
        def default_branch() -> str:
            return self._git.default_branch

        self._gitlab.policy.check_push(self._project.path, branch, message, changes, default_branch)
