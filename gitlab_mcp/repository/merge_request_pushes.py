"""Merge requests that are opened and changed by the options of a push, and read back over REST."""

import re
from dataclasses import replace
from urllib.parse import quote

from gitlab_mcp.api.entity import Entity
from gitlab_mcp.api.merge_requests import Update, Wanted, new_title, titled
from gitlab_mcp.api.project import Noteable, Project
from gitlab_mcp.api.writes import Written
from gitlab_mcp.call import current_call
from gitlab_mcp.errors import GitLabRefusal, Partial, Refused, Unreachable
from gitlab_mcp.git.push import Pushed
from gitlab_mcp.repository import NewCommit, Opened
from gitlab_mcp.repository.git_failures import quoted
from gitlab_mcp.repository.push_options import NEWLINE, WITH_ACCESS_TOKEN, changing, escaped, is_cut, opening
from gitlab_mcp.repository.pushes import Pushes

BY_EMPTY_COMMIT = "An empty commit on top carries it."
MAY_START = "A pipeline of the merge request may start."
CUT = "The description was cut: a push option takes no more."
# GitLab opens it before it answers a push, but the answer may have been lost. Seconds before each look.
LOOKS = (0.0, 0.3, 0.7, 1.5)


class MergeRequestPushes:
    """The merge requests of one project, by way of pushes."""

    def __init__(self, project: Project, pushes: Pushes) -> None:
        self._project = project
        self._gitlab = project.gitlab
        self._pushes = pushes

    def commit(self, new: NewCommit, wanted: Wanted) -> tuple[Written[str], Opened | None, str]:
        """Commit and open a merge request by the same push; one that is open for these branches stays as it is.

        Gives the commit's id and the merge request, or why there is none.
        """
        options = self._options(new.target, wanted)
        # Looking for an open one and pushing is one step, or a second call would change what the first one opened.
        with self._pushes.turn(new.branch):
            if there := self._already(new.branch, new.target):
                written, _ = self._pushes.commit(new, [])
                return written, Opened(Written(there, confirmed=False), is_new=False), ""
            written, pushed = self._pushes.commit(new, options)
            found = self._opened(new.branch, new.target, pushed)
        if found is None:
            return written, None, self._not_opened(new.branch, pushed)
        return (
            written,
            Opened(Written(found, confirmed=False), is_new=True, remarks=[MAY_START, *self._cut(wanted)]),
            "",
        )

    def open(self, source: str, target: str, source_tip: str, wanted: Wanted) -> Opened:
        """Open a merge request for a branch that is there, at `source_tip`, by pushing an empty commit on top of it."""
        options = self._options(target, wanted)
        message = f"Open a merge request into {target}"
        with self._pushes.turn(source):
            if there := self._already(source, target):
                return Opened(Written(there, confirmed=False), is_new=False)
            written, pushed = self._pushes.commit(_empty(source, source_tip, message), options)
            found = self._opened(source, target, pushed)
        if found is None:
            raise Partial(
                f"an empty commit, {written.result[:8]}, is on {source}, and the merge request was not opened:"
                f" {self._not_opened(source, pushed)}"
            )
        remarks = [BY_EMPTY_COMMIT, MAY_START, *self._cut(wanted)]
        return Opened(Written(found, written.confirmed), is_new=True, remarks=remarks)

    def _cut(self, wanted: Wanted) -> list[str]:
        return [CUT] if is_cut(self._gitlab.outgoing(wanted.description)) else []

    def update(self, target: Noteable, update: Update, now: Entity, source_tip: str) -> Opened:
        """Change the merge request `now` by pushing an empty commit on top of its source branch."""
        title = new_title(update, lambda: now) if update.title is not None or update.draft is not None else ""
        update = self._inert(update, title)
        options = changing(update, update.title or "", update.description or "", now)
        self._check(target.path, "put", update.title, update.description)
        if not options or not self._missing(now, update):
            return Opened(Written(now, confirmed=False), is_new=False, remarks=["It was so already."])
        source = now.text("source_branch")
        with self._pushes.turn(source):
            if len(self._open_from(source)) > 1:
                raise Refused(
                    f"More than one merge request is open from {source}, and a push cannot say which it is for."
                    f" {WITH_ACCESS_TOKEN}"
                )
            written, pushed = self._pushes.commit(_empty(source, source_tip, "Change the merge request"), options)
        missing: list[str] = []
        for seconds in LOOKS:
            self._wait(seconds)
            now = self._gitlab.get(target.path)
            if not (missing := self._missing(now, update)):
                cut = [CUT] if update.description and is_cut(update.description) else []
                return Opened(Written(now, written.confirmed), is_new=False, remarks=[BY_EMPTY_COMMIT, *cut])
        raise Partial(
            f"an empty commit, {written.result[:8]}, is on {source}, and GitLab did not change"
            f" {', '.join(missing)}{quoted(pushed.said)}. {WITH_ACCESS_TOKEN}"
        )

    def _options(self, target: str, wanted: Wanted) -> list[str]:
        title = self._gitlab.outgoing(titled(wanted.title, wanted.draft))
        description = self._gitlab.outgoing(wanted.description)
        self._check(f"{self._project.path}/merge_requests", "post", title, description)
        return opening(target, title, description, wanted)

    def _check(self, path: str, method: str, title: str | None, description: str | None) -> None:
        body = {"title": title, "description": description}
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
        for seconds in LOOKS:
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
        said = quoted([said for said in pushed.said if not re.search(r"https?://|To create a merge request", said)])
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
        labels = set(now.texts("labels"))
        assignees = {user.text("username") for user in now.entities("assignees")}
        so = {
            "title": update.title in (None, now.text("title")),
            "description": update.description is None or _plain(update.description) == now.text("description").strip(),
            "target_branch": update.target_branch in (None, now.text("target_branch")),
            "add_labels": labels.issuperset(update.add_labels),
            "remove_labels": labels.isdisjoint(update.remove_labels),
            "assignees": update.assignees is None or assignees == set(update.assignees),
            "remove_source_branch": not update.remove_source_branch or now.flag("force_remove_source_branch"),
            "squash": not update.squash or now.flag("squash"),
        }
        return [name for name, is_so in so.items() if not is_so]

    def _wait(self, seconds: float) -> None:
        if seconds:
            current_call.get().wait(seconds, Unreachable("GitLab does not show it yet."))


def _empty(branch: str, tip: str, message: str) -> NewCommit:
    return NewCommit(branch, message, [], tip, {}, is_new=False)


def _plain(description: str) -> str:
    """A description as it comes back from GitLab."""
    return escaped(description).replace(NEWLINE, "\n").strip()
