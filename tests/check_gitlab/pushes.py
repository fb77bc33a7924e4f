"""What git says and does with a job token: reading by it, and pushes with push options."""

import re
import time
from collections.abc import Callable, Sequence
from typing import TypeVar
from urllib.parse import quote
from uuid import uuid4

from gitlab_mcp.api.entity import Entity
from gitlab_mcp.api.http import roots
from gitlab_mcp.config.settings import Settings
from gitlab_mcp.git import objects
from gitlab_mcp.git.change import Author
from gitlab_mcp.git.objects import TreeEntry
from gitlab_mcp.git.process import until
from gitlab_mcp.git.push import Pushed, PushStatus, build, push
from gitlab_mcp.git.remote import REMOTE_NAME, Remote, RemoteError, RemoteErrorKind
from gitlab_mcp.git.scratch_repository import ScratchRepository
from gitlab_mcp.git.session import GitSession
from tests.check_gitlab import facts
from tests.check_gitlab.pipelines import Pipelines
from tests.check_gitlab.report import NotTried, Report
from tests.check_gitlab.rest import Rest

T = TypeVar("T")

SECONDS = 1200.0  # for all that git does in a run
NO_PUSH = "You are not allowed to push code to this project."
LABELS = ("check-gitlab-1", "check-gitlab-2")
AUTHOR = Author("Check GitLab", "check-gitlab@example.com")
OF_PUSHES = (
    *(facts.OPENED, facts.OPENED_AT_ONCE, facts.PRINTED, facts.NEWLINES, facts.OPTIONS, facts.UPDATED),
    *(facts.BYTES_5000, facts.BYTES_60000, facts.WARNED, facts.UP_TO_DATE, facts.LEASE),
)


class Pushes:
    """The pushes of a run to one branch of its own, each an empty commit on top of the one before."""

    def __init__(self, settings: Settings, rest: Rest, report: Report, pipelines: Pipelines, seconds: float) -> None:
        remote = Remote(f"{settings.url}/{quote(settings.project)}.git", settings.credential.token)
        self._scratch = ScratchRepository(remote, None, roots(settings.ca_files))
        self._git = GitSession(self._scratch, until(SECONDS))
        self._address = f"{settings.url}/{settings.project}/-/merge_requests/"
        self._author = settings.author or AUTHOR
        self._rest = rest
        self._report = report
        self._pipelines = pipelines
        self._seconds = seconds
        self.branch = f"check-gitlab-{uuid4().hex[:8]}"
        self.start = self.default_branch = ""
        self._tip = ""
        self.merge_request = 0

    def close(self) -> None:
        """Remove what is on the disk."""
        self._scratch.close()

    def read(self) -> None:
        """Read the repository. Raises NotTried when git cannot."""
        with self._report.trying(facts.GIT_READS, facts.FILTER, facts.BY_ID):
            try:
                found = self._git.refs(["HEAD"])
            except RemoteError as error:
                self._report.did_not_hold(facts.GIT_READS, " ".join(error.lines))
                return
            self.start, self.default_branch = found.get("HEAD", ""), found.get("symref", "")
            self._report.judge(facts.GIT_READS, bool(self.start and self.default_branch), f"HEAD is {found}")
            if not self.start:
                raise NotTried("the repository is empty")
            self._fetch()

    def _fetch(self) -> None:
        git = self._git
        git.fetch([self.start])
        files = [entry for entry in objects.list_all(git, self.start) if entry.mode.startswith("100")]
        if not files:
            raise NotTried("there is no file at HEAD")
        here = not git.missing([files[0].id])
        self._report.judge(facts.FILTER, not here, f"the content of {files[0].path} came with the commit")
        # As the commit has them: to git, one at the edge of what was fetched has none.
        raw = git.run("cat-file", "commit", self.start).decode("utf-8", "replace")
        parents = re.findall(r"^parent (\w+)$", raw.split("\n\n", 1)[0], re.MULTILINE)
        try:
            git.fetch(parents)
            git.fetch_blobs([files[0].id])
        except RemoteError as error:
            self._report.did_not_hold(facts.BY_ID, " ".join(error.lines))
            return
        if not parents:
            raise NotTried("HEAD is the only commit")
        self._report.judge(facts.BY_ID, not git.missing([*parents, files[0].id]), "they did not come")

    def play(self) -> None:
        """Push, as long as there is something to learn from it."""
        with self._report.trying(facts.PUSH_TAKEN, facts.PUSH_REFUSED, *OF_PUSHES):
            if not self.start:
                raise NotTried("git could not read the repository")
            pushed = self._first_push()
            self._report.held(facts.PUSH_TAKEN)
            self._report.not_tried(facts.PUSH_REFUSED, "the project allows the push")
            with self._report.trying(facts.LEASE):
                self._unfit_lease()
            self._opened(pushed)
            self._next_pushes()

    def _first_push(self) -> Pushed:
        """The push that makes the branch. Raises NotTried when it is refused, with GitLab's words."""
        options = ["create", "title=Check GitLab", r"description=One line\nand another", "remove_source_branch"]
        options += ["squash", *(f"label={label}" for label in LABELS)]
        try:
            pushed = self._push(options, new=True)
        except RemoteError as error:
            said = " ".join(error.messages) or str(error)
            if error.kind is RemoteErrorKind.FORBIDDEN:
                printed = " ".join(error.lines)
                self._report.judge(facts.PUSH_REFUSED, said == NO_PUSH, f"git printed: {printed}", quoted=True)
            raise NotTried(f"GitLab refused the push ({error.kind.value}): {said}") from error
        if pushed.status is not PushStatus.OK:
            raise NotTried(f"GitLab refused the push: {pushed.reason} {' '.join(pushed.messages)}")
        return pushed

    def _push(self, options: Sequence[str], *, new: bool = False) -> Pushed:
        """Push an empty commit on top, with merge request options; the pipelines are told of it."""
        commit = self._empty_commit(self._tip or self.start)
        given = [f"merge_request.{option}" for option in options]
        pushed = push(self._git, self.branch, commit, self._tip, given)
        if pushed.status is PushStatus.OK:
            self._tip = commit
            self._pipelines.pushed(commit, opens=new)
        return pushed

    def _empty_commit(self, parent: str) -> str:
        tree: dict[str, TreeEntry] = {}
        message = f"Check GitLab {uuid4().hex[:8]}"
        return build(self._git, parent, message, [], tree, self._author, int(time.time()))

    def _opened(self, pushed: Pushed) -> None:
        """What the first push opened. Raises NotTried when that is nothing."""
        report = self._report
        printed = " ".join(pushed.messages)
        at_once = self._open_one()
        found = self._wait(self._open_one, lambda found: found is not None)
        report.judge(facts.OPENED, found is not None, f"the push printed: {printed}")
        if found is None:
            raise NotTried("no merge request was opened")
        self.merge_request = found.number("iid")
        report.judge(facts.OPENED_AT_ONCE, at_once is not None, "it came later")
        told = [f"View merge request for {self.branch}:", f"{self._address}{self.merge_request}"]
        as_told = all(line in pushed.messages for line in told)
        report.judge(facts.PRINTED, as_told, f"the push printed: {printed}", quoted=True)
        description = found.text("description")
        report.judge(facts.NEWLINES, description == "One line\nand another", f"the description is {description!r}")
        now = self._wait(self._now, lambda now: not _not_followed(now))
        report.judge(facts.OPTIONS, not _not_followed(now), f"not followed: {', '.join(_not_followed(now))}")

    def _open_one(self) -> Entity | None:
        rows = self._rest.get(f"merge_requests?state=opened&source_branch={self.branch}").needed().rows
        return rows[0] if rows else None

    def _now(self) -> Entity:
        return self._rest.get(f"merge_requests/{self.merge_request}").needed().entity

    def _wait(self, ask: Callable[[], T], fits: Callable[[T], bool]) -> T:
        """What is asked for, again for a while until it fits."""
        ends = time.monotonic() + self._seconds
        while not fits(found := ask()) and time.monotonic() < ends:
            time.sleep(1)
        return found

    def _next_pushes(self) -> None:
        """Pushes that change the merge request, and that cannot."""
        report, title = self._report, "Check GitLab, changed"
        short, long = ("word " * length + "end" for length in (999, 11_999))
        pushed = self._push([f"title={title}", f"unlabel={LABELS[1]}", f"description={short}"])
        now = self._wait(self._now, lambda now: now.text("description") == short)
        printed = " ".join(pushed.messages)
        changed = now.text("title") == title and LABELS[1] not in now.texts("labels")
        report.judge(facts.UPDATED, changed, f"the push printed: {printed}")
        report.judge(facts.BYTES_5000, now.text("description") == short, _length(now, printed))
        try:
            pushed = self._push([f"description={long}"])
            now = self._wait(self._now, lambda now: now.text("description") == long)
            report.judge(facts.BYTES_60000, now.text("description") == long, _length(now, " ".join(pushed.messages)))
        except RemoteError as error:
            report.did_not_hold(facts.BYTES_60000, " ".join(error.lines))
        pushed = self._push([f"target=check-gitlab-nowhere-{uuid4().hex[:8]}"])
        told = any("Error encountered with push options" in line for line in pushed.messages)
        report.judge(
            facts.WARNED, pushed.status is PushStatus.OK and told, f"the push printed: {' '.join(pushed.messages)}"
        )
        options = ["merge_request.title=Carried by a push of nothing"]
        pushed = push(self._git, self.branch, self._tip, self._tip, options)
        idle = pushed.unchanged and self._now().text("title") == title
        report.judge(facts.UP_TO_DATE, idle, f"the push printed: {' '.join(pushed.messages)}")

    def _unfit_lease(self) -> None:
        """A push that expects another commit, and one that expects no branch."""
        commit = self._empty_commit(self._tip)
        for expected in (self.start, ""):
            pushed = push(self._git, self.branch, commit, expected, [])
            self._report.judge(
                facts.LEASE, pushed.status is PushStatus.STALE, f"git printed: {pushed.reason}", quoted=True
            )

    @property
    def took_one(self) -> bool:
        """Whether a push was taken, so that the branch is there."""
        return bool(self._tip)

    def delete(self, branch: str) -> None:
        """Delete a branch."""
        ended = self._git.run_remote("push", "--porcelain", REMOTE_NAME, f":refs/heads/{branch}")
        if ended.status:
            self._report.remark(f"Left behind: the branch {branch} ({' '.join(ended.lines)}).")


def _not_followed(now: Entity) -> list[str]:
    """The options of the first push that a merge request does not show."""
    followed = {
        "label": set(LABELS) <= set(now.texts("labels")),
        "remove_source_branch": now.flag("force_remove_source_branch"),
        "squash": now.flag("squash"),
    }
    return [name for name, done in followed.items() if not done]


def _length(now: Entity, printed: str) -> str:
    return f"{len(now.text('description')):,} bytes came; the push printed: {printed}"
