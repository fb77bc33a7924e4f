"""Merge requests that are opened and changed by the options of a push, and read back over REST."""

import re
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from urllib.parse import quote
from uuid import uuid4

from gitlab_mcp.api.deadline import current_call
from gitlab_mcp.api.entity import Entity
from gitlab_mcp.api.idempotency import WriteResult
from gitlab_mcp.api.merge_requests import NewMergeRequest, Update, new_title, titled
from gitlab_mcp.api.project import Noteable, Project
from gitlab_mcp.errors import GitLabRefusal, InvalidArgument, NotFound, Partial, Refused, Unreachable
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

BY_EMPTY_COMMIT = "An empty commit on top carries it."
MAY_START = "A pipeline of the merge request may start."
DESCRIPTION_WAS_CUT = "The description was cut: a push option takes no more."
# GitLab opens it before it answers a push, but the answer may have been lost. Seconds before each look.
LOOK_UP_DELAYS = (0.0, 0.3, 0.7, 1.5)


class AlreadyOpen(Exception):
    """Somebody opened the merge request since it was looked for."""

    def __init__(self, merge_request: Entity) -> None:
        super().__init__()
        self.merge_request = merge_request


class MergeRequestPushes:
    """The merge requests of one project, by way of pushes."""

    def __init__(self, project: Project, access: GitClient, pushes: Pushes) -> None:
        self._project = project
        self._gitlab = project.gitlab
        self._git = access
        self._pushes = pushes

    def commit(self, new: NewCommit, wanted: NewMergeRequest) -> tuple[WriteResult[str], Opened | None, str]:
        """Commit and open a merge request by the same push; one that is open for these branches stays as it is.

        Gives the commit's id and the merge request, or why there is none.
        """
        options = self._options(new.target, wanted)
        # Looking for an open one and pushing is one step, or a second call would change what the first one opened.
        with self._pushes.turn(new.branch):
            if there := self._already(new.branch, new.target):
                written, _ = self._pushes.commit(new, [])
                return written, Opened(WriteResult(there, confirmed=False), is_new=False), ""
            try:
                again = partial(self._check_not_open, new.branch, new.target)
                written, pushed = self._pushes.commit(new, options, again)
            except AlreadyOpen as open_:
                written, _ = self._pushes.commit(new, [])
                return written, Opened(WriteResult(open_.merge_request, confirmed=False), is_new=False), ""
            found = self._opened(new.branch, new.target, pushed)
        if found is None:
            return written, None, self._not_opened(new.branch, pushed)
        return (
            written,
            Opened(WriteResult(found, confirmed=False), is_new=True, remarks=[MAY_START, *self._cut(wanted)]),
            "",
        )

    def open(self, source: str, target: str, source_tip: str, wanted: NewMergeRequest) -> Opened:
        """Open a merge request for a branch that is there, at `source_tip`, by pushing an empty commit on top of it."""
        options = self._options(target, wanted)
        message = f"Open a merge request into {target}"
        with self._pushes.turn(source):
            if there := self._already(source, target):
                return Opened(WriteResult(there, confirmed=False), is_new=False)
            try:
                again = partial(self._check_not_open, source, target)
                written, pushed = self._pushes.commit(_empty(source, source_tip, message), options, again)
            except AlreadyOpen as open_:
                return Opened(WriteResult(open_.merge_request, confirmed=False), is_new=False)
            found = self._opened(source, target, pushed)
        if found is None:
            raise Partial(
                f"an empty commit, {written.result[:8]}, is on {source}, and the merge request was not opened:"
                f" {self._not_opened(source, pushed)}"
            )
        remarks = [BY_EMPTY_COMMIT, MAY_START, *self._cut(wanted), *_not_assigned(found, wanted)]
        return Opened(WriteResult(found, written.confirmed), is_new=True, remarks=remarks)

    def _check_not_open(self, source: str, target: str) -> None:
        if there := self._already(source, target):
            raise AlreadyOpen(there)

    def _cut(self, wanted: NewMergeRequest) -> list[str]:
        return [DESCRIPTION_WAS_CUT] if is_cut(self._gitlab.outgoing(wanted.description)) else []

    def update(self, target: Noteable, update: Update) -> Opened:
        """Change a merge request by pushing an empty commit on top of its source branch."""
        source = self._changeable(target).text("source_branch")
        if both := {name.casefold() for name in update.add_labels} & {name.casefold() for name in update.remove_labels}:
            raise InvalidArgument(f"add_labels and remove_labels both name {', '.join(sorted(both))}.")
        if update.target_branch and not self._git.tip(update.target_branch):
            raise NotFound(f"GitLab has no branch {update.target_branch} to merge into.", status=404)
        # What is to be changed is read, and pushed on, in one step: another call may be at the same merge request.
        with self._pushes.turn(source):
            now = self._changeable(target)
            title = new_title(update, lambda: now) if update.title is not None or update.draft is not None else ""
            update = self._inert(update, title)
            self._check(target.path, "put", update.title, update.description, [*update.add_labels])
            options = changing(update, update.title or "", update.description or "", now)
            if not options or not self._missing(now, update):
                return Opened(WriteResult(now, confirmed=False), is_new=False, remarks=["It was so already."])
            if len(self._open_from(source)) > 1:
                raise Refused(
                    f"More than one merge request is open from {source}, and a push cannot say which it is for."
                    f" {WITH_ACCESS_TOKEN}"
                )
            tip = self._git.resolve(source)
            written, pushed = self._pushes.commit(_empty(source, tip, "Change the merge request"), options)
            return self._changed(target, update, written, pushed)

    def _changeable(self, target: Noteable) -> Entity:
        """The merge request as it is. Raises Refused for one that no push of this job changes."""
        now = self._gitlab.get(target.path)
        if now.text("state") != "opened":
            raise Refused(
                f"!{target.iid} is {now.text('state')}, and a push changes open ones only. {WITH_ACCESS_TOKEN}"
            )
        if now.number("source_project_id") != now.number("target_project_id"):
            raise Refused(
                f"!{target.iid} comes from another project, which this job cannot push to. {WITH_ACCESS_TOKEN}"
            )
        return now

    def _changed(self, target: Noteable, update: Update, written: WriteResult[str], pushed: Pushed) -> Opened:
        """The merge request once it is as `update` says. Raises Partial that names what is not so."""
        missing: list[str] = []
        for seconds in LOOK_UP_DELAYS:
            self._wait(seconds)
            now = self._gitlab.get(target.path)
            if not (missing := self._missing(now, update)):
                cut = [DESCRIPTION_WAS_CUT] if update.description and is_cut(update.description) else []
                return Opened(WriteResult(now, written.confirmed), is_new=False, remarks=[BY_EMPTY_COMMIT, *cut])
        raise Partial(
            f"an empty commit, {written.result[:8]}, is on the source branch, and GitLab did not change"
            f" {', '.join(missing)}{quoted(pushed.said)}. {WITH_ACCESS_TOKEN}"
        )

    def _options(self, target: str, wanted: NewMergeRequest) -> list[str]:
        title = self._gitlab.outgoing(titled(wanted.title, wanted.draft))
        description = self._gitlab.outgoing(wanted.description)
        self._check(f"{self._project.path}/merge_requests", "post", title, description, [target, *wanted.labels])
        return opening(target, title, description, wanted)

    def _check(self, path: str, method: str, title: str | None, description: str | None, more: Sequence[str]) -> None:
        body = {"title": title, "description": description, "labels": ",".join(more)}
        self._gitlab.policy.check(method, path, body, lambda _project: "")

    def _already(self, source: str, target: str) -> Entity | None:
        """The merge request that is open for these branches. Raises Refused when one into another branch is."""
        there = self._open_from(source)
        if same := [each for each in there if each.text("target_branch") == target]:
            return same[0]
        if there:
            other = there[0]
            raise Refused(
                f"!{other.number('iid')} is open from {source} into {other.text('target_branch')}, and a push would"
                f" change that one: use another branch. {WITH_ACCESS_TOKEN}"
            )
        return None

    def _open_from(self, source: str) -> list[Entity]:
        """The open merge requests from a branch of this project; none where this GitLab does not say."""
        path = f"{self._project.path}/merge_requests"
        try:
            found = self._gitlab.page(path, 1, 20, state="opened", source_branch=source).rows
        except GitLabRefusal:
            return []
        return [each for each in found if each.number("source_project_id") == each.number("target_project_id")]

    def _opened(self, source: str, target: str, pushed: Pushed) -> Entity | None:
        """The merge request that a push opened, as GitLab has it now; else as the push was told of it."""
        for seconds in LOOK_UP_DELAYS:
            self._wait(seconds)
            for each in self._open_from(source):
                if each.text("target_branch") == target:
                    return each
        address = rf"{re.escape(self._project.web_url)}/-/merge_requests/(\d+)"
        for said in pushed.said:
            if match := re.fullmatch(address, said):
                branches = {"source_branch": source, "target_branch": target}
                return Entity({"iid": int(match[1]), "web_url": said, **branches})
        return None

    def _not_opened(self, source: str, pushed: Pushed) -> str:
        said = quoted(pushed.said)
        link = f"{self._project.web_url}/-/merge_requests/new?merge_request%5Bsource_branch%5D={quote(source, safe='')}"
        return (
            f"GitLab took the push and opened none{said}. A person opens it at {link}; with GITLAB_ACCESS_TOKEN"
            " (scope api) create_merge_request does."
        )

    def _inert(self, update: Update, title: str) -> Update:
        """The update with its texts as they are sent."""
        description = None if update.description is None else self._gitlab.outgoing(update.description)
        return replace(update, title=self._gitlab.outgoing(title) if title else None, description=description)

    def _missing(self, now: Entity, update: Update) -> list[str]:
        """What of an update is not so."""
        labels = {label.casefold() for label in now.texts("labels")}
        assignees = {user.text("username").casefold() for user in now.entities("assignees")}
        added, removed = ({name.casefold() for name in names} for names in (update.add_labels, update.remove_labels))
        so = {
            "title": update.title in (None, now.text("title")),
            "description": update.description is None or _plain(update.description) == now.text("description").strip(),
            "target_branch": update.target_branch in (None, now.text("target_branch")),
            "add_labels": labels >= added,
            "remove_labels": labels.isdisjoint(removed),
            "assignees": update.assignees is None or assignees == {name.casefold() for name in update.assignees},
            "remove_source_branch": not update.remove_source_branch or now.flag("force_remove_source_branch"),
            "squash": not update.squash or now.flag("squash"),
        }
        return [name for name, is_so in so.items() if not is_so]

    def _wait(self, seconds: float) -> None:
        if seconds:
            current_call.get().wait(seconds, Unreachable("GitLab does not show it yet."))


def _empty(branch: str, tip: str, what: str) -> NewCommit:
    """A commit that changes nothing, and is no other's: an equal one that is there already would carry no option."""
    return NewCommit(branch, f"{what}\n\nAn empty commit ({uuid4().hex[:8]}).", [], tip, {}, is_new=False)


def _not_assigned(found: Entity, wanted: NewMergeRequest) -> list[str]:
    there = {user.text("username").casefold() for user in found.entities("assignees")}
    missing = [name for name in wanted.assignees if name.casefold() not in there]
    return [f"Not assigned, being no member: {', '.join(missing)}."] if missing else []


def _plain(description: str) -> str:
    """A description as it comes back from GitLab."""
    return escaped(description).replace(NEWLINE, "\n").strip()
