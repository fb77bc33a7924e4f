"""Merge requests that are opened and changed by push options, and read over REST."""

import re
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from urllib.parse import quote
from uuid import uuid4

from gitlab_mcp.api.deadline import current_call
from gitlab_mcp.api.entity import Entity
from gitlab_mcp.api.field_comparison import Asked, Difference, cleared, not_taken
from gitlab_mcp.api.idempotency import WriteResult
from gitlab_mcp.api.merge_requests import (
    NewMergeRequest,
    Update,
    asked_of_new,
    asked_of_update,
    new_title,
    open_from,
    titled,
)
from gitlab_mcp.api.project import Noteable, Project
from gitlab_mcp.errors import InvalidArgument, NotFound, Partial, Refused, Unreachable, naming
from gitlab_mcp.git.push import Pushed
from gitlab_mcp.repository.git_backend.client import GitClient
from gitlab_mcp.repository.git_backend.errors import quoted
from gitlab_mcp.repository.git_backend.push_options import (
    NEWLINE,
    WITH_ACCESS_TOKEN,
    changing,
    escaped,
    is_cut,
    opening,
)
from gitlab_mcp.repository.git_backend.pushes import Pushes
from gitlab_mcp.repository.interface import NewCommit, Opened

BY_EMPTY_COMMIT = "An empty commit was pushed for this."
MAY_START = "A pipeline of the merge request may start."
DESCRIPTION_WAS_CUT = "The description was cut: a push option takes no more."
# The seconds to wait before each look-up. GitLab opens a merge request before it answers the push, but the answer may
# have been lost.
LOOK_UP_DELAYS = (0.0, 0.3, 0.7, 1.5)


class AlreadyOpen(Exception):
    """Somebody opened the merge request after it was looked up."""

    def __init__(self, merge_request: Entity) -> None:
        super().__init__()
        self.merge_request = merge_request


class MergeRequestPushes:
    """Opens and changes the merge requests of one project by pushes."""

    def __init__(self, project: Project, client: GitClient, pushes: Pushes) -> None:
        self._project = project
        self._gitlab = project.gitlab
        self._git = client
        self._pushes = pushes

    def commit(self, new: NewCommit, wanted: NewMergeRequest) -> tuple[WriteResult[str], Opened | None, str]:
        """Commit and open a merge request by the same push. One that is open for these branches stays as it is.

        Returns the commit's id, the merge request (None if GitLab opened none), and the reason for that ("" otherwise).
        """
        options = self._options(new.target, wanted)
        # The look-up and the push hold one lock: otherwise a second call would change what the first one opened.
        with self._pushes.turn(new.branch):
            if existing := self._already_open(new.branch, new.target):
                written, _ = self._pushes.commit(new, [])
                return written, self._existing(existing, new.target, wanted), ""
            try:
                check = partial(self._check_not_open, new.branch, new.target)
                written, pushed = self._pushes.commit(new, options, check)
            except AlreadyOpen as open_:
                written, _ = self._pushes.commit(new, [])
                return written, self._existing(open_.merge_request, new.target, wanted), ""
            opened = self._opened(new.branch, new.target, pushed)
        if opened is None:
            return written, None, self._not_opened(new.branch, pushed)
        remarks = [MAY_START, *self._cut(wanted)]
        differences = not_taken(self._asked(new.target, wanted), opened)
        return written, Opened(WriteResult(opened, confirmed=False), True, remarks, differences), ""

    def open(self, source: str, target: str, source_tip: str, wanted: NewMergeRequest) -> Opened:
        """Open a merge request for an existing branch, at `source_tip`, by pushing an empty commit on top of it.

        Raises Partial when the commit was pushed and GitLab opened no merge request.
        """
        options = self._options(target, wanted)
        message = f"Open a merge request into {target}"
        with self._pushes.turn(source):
            if existing := self._already_open(source, target):
                return self._existing(existing, target, wanted)
            try:
                check = partial(self._check_not_open, source, target)
                written, pushed = self._pushes.commit(_empty(source, source_tip, message), options, check)
            except AlreadyOpen as open_:
                return self._existing(open_.merge_request, target, wanted)
            opened = self._opened(source, target, pushed)
        if opened is None:
            raise Partial(
                f"an empty commit, {written.result[:8]}, is on {source}, and the merge request was not opened:"
                f" {self._not_opened(source, pushed)}"
            )
        remarks = [BY_EMPTY_COMMIT, MAY_START, *self._cut(wanted)]
        differences = not_taken(self._asked(target, wanted), opened)
        return Opened(WriteResult(opened, written.confirmed), True, remarks, differences)

    def _existing(self, merge_request: Entity, target: str, wanted: NewMergeRequest) -> Opened:
        """A merge request that was open before, with the fields in which it differs from what was wanted."""
        differences = not_taken(self._asked(target, wanted), merge_request)
        return Opened(WriteResult(merge_request, confirmed=False), is_new=False, not_taken=differences)

    def _asked(self, target: str, wanted: NewMergeRequest) -> Asked:
        return _as_stored(asked_of_new(self._gitlab, target, wanted))

    def _check_not_open(self, source: str, target: str) -> None:
        if existing := self._already_open(source, target):
            raise AlreadyOpen(existing)

    def _cut(self, wanted: NewMergeRequest) -> list[str]:
        return [DESCRIPTION_WAS_CUT] if is_cut(self._gitlab.outgoing(wanted.description)) else []

    def update(self, target: Noteable, update: Update) -> Opened:
        """Change a merge request by pushing an empty commit on top of its source branch.

        Raises Refused for changes that a push cannot make, Partial when GitLab did not make all of them.
        """
        source = self._changeable(target).text("source_branch")
        if both := {name.casefold() for name in update.add_labels} & {name.casefold() for name in update.remove_labels}:
            raise InvalidArgument(f"add_labels and remove_labels both name {', '.join(sorted(both))}.")
        if update.target_branch and not self._git.tip(update.target_branch):
            raise NotFound(f"GitLab has no branch {update.target_branch} to merge into.", status=404)
        # The merge request is read and changed under one lock, since another call may change the same one.
        with self._pushes.turn(source):
            now = self._changeable(target)
            title = new_title(update, lambda: now) if update.title is not None or update.draft is not None else ""
            asked = _as_stored(asked_of_update(self._gitlab, update))
            if title:
                asked["title"] = self._gitlab.outgoing(title)
            update = self._as_sent(update, title)
            self._check(target.path, "put", update.title, update.description, [*update.add_labels])
            options = changing(update, update.title or "", update.description or "", now)
            if not options or not not_taken(asked, now):
                return Opened(WriteResult(now, confirmed=False), is_new=False, remarks=["Nothing had to be changed."])
            if len(open_from(self._project, source)) > 1:
                raise Refused(
                    f"More than one merge request is open from {source}, and a push cannot say which it is for."
                    f" {WITH_ACCESS_TOKEN}"
                )
            tip = self._git.resolve(source)
            written, pushed = self._pushes.commit(_empty(source, tip, "Change the merge request"), options)
            return self._changed(target, asked, now, written, pushed)

    def _changeable(self, target: Noteable) -> Entity:
        """The merge request as it is now. Raises Refused for one that no push of this job can change."""
        now = self._gitlab.get(target.path)
        if now.text("state") != "opened":
            raise Refused(
                f"!{target.iid} is {now.text('state')}, and a push changes only open merge requests."
                f" {WITH_ACCESS_TOKEN}"
            )
        if now.number("source_project_id") != now.number("target_project_id"):
            raise Refused(
                f"!{target.iid} comes from another project, which this job cannot push to. {WITH_ACCESS_TOKEN}"
            )
        return now

    def _changed(
        self, target: Noteable, asked: Asked, before: Entity, written: WriteResult[str], pushed: Pushed
    ) -> Opened:
        """The merge request once GitLab shows all of `asked`. Raises Partial, which names the missing fields."""
        missing: list[Difference] = []
        for seconds in LOOK_UP_DELAYS:
            self._wait(seconds)
            now = self._gitlab.get(target.path)
            if not (missing := not_taken(asked, now)):
                cut = [DESCRIPTION_WAS_CUT] if is_cut(str(asked.get("description", ""))) else []
                result = WriteResult(now, written.confirmed)
                return Opened(result, False, [BY_EMPTY_COMMIT, *cut], cleared=cleared(asked, before, now))
        raise Partial(
            f"an empty commit, {written.result[:8]}, is on the source branch, and GitLab did not change"
            f" {', '.join(field.field for field in missing)}{quoted(pushed.messages)}. {WITH_ACCESS_TOKEN}"
        )

    def _options(self, target: str, wanted: NewMergeRequest) -> list[str]:
        title = self._gitlab.outgoing(titled(wanted.title, wanted.draft))
        description = self._gitlab.outgoing(wanted.description)
        self._check(f"{self._project.path}/merge_requests", "post", title, description, [target, *wanted.labels])
        return opening(target, title, description, wanted)

    def _check(self, path: str, method: str, title: str | None, description: str | None, more: Sequence[str]) -> None:
        body = {"title": title, "description": description, "labels": ",".join(more)}
        self._gitlab.policy.check(method, path, body, lambda _project: "")

    def _already_open(self, source: str, target: str) -> Entity | None:
        """The open merge request for these branches. Raises Refused when one into another target branch is open."""
        merge_requests = open_from(self._project, source)
        if same := [candidate for candidate in merge_requests if candidate.text("target_branch") == target]:
            return same[0]
        if merge_requests:
            other = merge_requests[0]
            raise Refused(
                f"!{other.number('iid')} is open from {source} into {other.text('target_branch')}, and a push would"
                f" change that one: use another branch. {WITH_ACCESS_TOKEN}"
            )
        return None

    def _opened(self, source: str, target: str, pushed: Pushed) -> Entity | None:
        """The merge request that a push opened: read over REST, else from the URL in GitLab's answer to the push."""
        for seconds in LOOK_UP_DELAYS:
            self._wait(seconds)
            for merge_request in open_from(self._project, source):
                if merge_request.text("target_branch") == target:
                    return merge_request
        url = rf"{re.escape(self._project.web_url)}/-/merge_requests/(\d+)"
        for message in pushed.messages:
            if match := re.fullmatch(url, message):
                branches = {"source_branch": source, "target_branch": target}
                return Entity({"iid": int(match[1]), "web_url": message, **branches})
        return None

    def _not_opened(self, source: str, pushed: Pushed) -> str:
        link = f"{self._project.web_url}/-/merge_requests/new?merge_request%5Bsource_branch%5D={quote(source, safe='')}"
        return (
            f"GitLab accepted the push and opened no merge request{quoted(pushed.messages)}. A person can open it at"
            f" {link}{naming('; with GITLAB_ACCESS_TOKEN (scope api) {} can', 'create_merge_request')}."
        )

    def _as_sent(self, update: Update, title: str) -> Update:
        """The update with its title and description as the client's method `outgoing` sends them."""
        description = None if update.description is None else self._gitlab.outgoing(update.description)
        return replace(update, title=self._gitlab.outgoing(title) if title else None, description=description)

    def _wait(self, seconds: float) -> None:
        if seconds:
            current_call.get().wait(seconds, Unreachable("GitLab does not show the merge request's change yet."))


def _empty(branch: str, tip: str, purpose: str) -> NewCommit:
    """A commit without changes and with a unique message: GitLab ignores the options of a push that moves no branch."""
    return NewCommit(branch, f"{purpose}\n\nAn empty commit ({uuid4().hex[:8]}).", [], tip, {}, is_new=False)


def _as_stored(asked: Asked) -> dict[str, object]:
    """The same fields, with the description as GitLab stores it after a push."""
    description = asked.get("description")
    return {**asked, "description": _plain(description)} if isinstance(description, str) else {**asked}


def _plain(description: str) -> str:
    """A description as GitLab stores it after a push."""
    return escaped(description).replace(NEWLINE, "\n").strip()
