"""Reviews of merge requests: comments on lines, a summary and a verdict, submitted in one go and once."""

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from gitlab_mcp.api.client import GitLab
from gitlab_mcp.api.draft_notes import CHECK, DraftNotes, Key, Remark, key_of
from gitlab_mcp.api.entity import Entity
from gitlab_mcp.api.notes import Notes
from gitlab_mcp.api.project import Noteable
from gitlab_mcp.api.repeats import SAME_SECONDS, is_made_since
from gitlab_mcp.api.writes import write_once
from gitlab_mcp.errors import Failure, GitLabRefusal, Partial, Refused

VERDICTS = {"comment": "reviewed", "approve": "", "request_changes": "requested_changes"}


@dataclass(frozen=True)
class Placed:
    """A comment and where it is, in words such as src/app.py:14."""

    where: str
    remark: Remark


@dataclass(frozen=True)
class Review:
    """What is to be submitted on the merge request as it was read; `verdict` is one of VERDICTS."""

    merge_request: Entity
    comments: Sequence[Placed]
    summary: str
    verdict: str


@dataclass
class Outcome:
    """What became of a review: notes by where they are, those that were there before, and what GitLab refused."""

    notes: list[tuple[str, int]] = field(default_factory=list)
    again: int = 0
    refused: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)


class Reviews:
    """The reviews that this run submits. Calls come from many threads at once."""

    def __init__(self, gitlab: GitLab, notes: Notes) -> None:
        self._gitlab = gitlab
        self._notes = notes
        self._lock = threading.Lock()
        self._locks: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)

    def submit(self, target: Noteable, review: Review) -> Outcome:
        """Submit a review. Raises Refused for a verdict that GitLab would not take, before anything is posted, and
        Partial when the comments are posted and the verdict failed.
        """
        with self._lock:
            lock = self._locks[target.path]
        with lock:  # the same review twice at once: the second finds what the first posted
            return _Submission(self._gitlab, self._notes, target, review).run()


class _Submission:
    """One review on its way."""

    def __init__(self, gitlab: GitLab, notes: Notes, target: Noteable, review: Review) -> None:
        self._gitlab = gitlab
        self._notes = notes
        self._target = target
        self._review = review
        self._drafts = DraftNotes(gitlab, target.path)
        self._outcome = Outcome()

    def run(self) -> Outcome:
        gitlab, review = self._gitlab, self._review
        waiting = gitlab.start(self._drafts.all)
        published = gitlab.start(self._mine, time.monotonic() - SAME_SECONDS)
        states = gitlab.start(self._states, gitlab.every_readable) if review.verdict == "comment" else None
        approvals = gitlab.start(self._approvals) if review.verdict == "approve" else None
        approved = approvals is not None and self._is_approved(approvals.result())
        state = VERDICTS[review.verdict]
        if states and states.result().get(self._me) == "requested_changes":
            state = "requested_changes"  # a comment does not take back what was asked for
        there = published.result()
        new = [one for one in self._all() if one.remark.key not in there]
        self._outcome.again = len(self._all()) - len(new)
        self._post(new, waiting.result(), state)
        self._confirm(there, new)
        if review.verdict == "request_changes":
            self._look_at_state()
        if review.verdict == "approve" and not approved:
            self._approve()
        return self._outcome

    def _all(self) -> list[Placed]:
        """Every comment of the review, each once."""
        summary = [Placed("summary", Remark(self._review.summary))] if self._review.summary else []
        return list({one.remark.key: one for one in (*self._review.comments, *summary)}.values())

    @property
    def _me(self) -> int:
        return self._gitlab.user.number("id")

    def _mine(self, since: float | None = None) -> dict[Key, int]:
        """The ids of this user's newest notes; those on no line only if made `since` then, on the monotonic clock."""
        page = self._gitlab.page(f"{self._target.path}/notes", 1, 100, sort="desc", order_by="created_at")
        mine = [note for note in page.rows if note.number("author", "id") == self._me and not note.flag("system")]
        kept = [note for note in mine if note.entity("position") or since is None or is_made_since(note, since, page)]
        return {key_of(note, "body"): note.number("id") for note in kept}

    def _states(self, ask: Callable[[str], list[Entity]]) -> dict[int, str]:
        """What each reviewer made of it so far, by user id."""
        rows = ask(f"{self._target.path}/reviewers")
        return {row.number("user", "id"): row.text("state") for row in rows}

    def _approvals(self) -> Entity:
        return self._gitlab.get(f"{self._target.path}/approvals")

    def _is_approved(self, approvals: Entity) -> bool:
        """Whether this user has approved. Raises Refused where they cannot."""
        if approvals.flag("user_has_approved"):
            return True
        if not approvals.flag("user_can_approve"):
            raise Refused(
                f"This user cannot approve {self._target.sign}: who wrote it usually may not, and role Developer is"
                ' needed. Nothing was posted; verdict "comment" posts the comments.'
            )
        return False

    def _post(self, new: Sequence[Placed], waiting: Sequence[Entity], state: str) -> None:
        """Make drafts of what is not there yet, and publish them."""
        on_lines = [one for one in new if one.remark.position]
        if not on_lines:
            for one in new:  # a summary alone needs no draft
                self._notes.post(self._target.path, one.remark.text, "", internal=False)
            if state and (new or self._review.verdict == "request_changes"):
                self._publish([], waiting, state)
            return
        known = {key_of(draft, "note"): draft for draft in waiting}
        to_make = [one for one in new if one.remark.key not in known]
        made = self._drafts.make(one.remark for one in to_make)
        drafts = [known[one.remark.key] for one in new if one.remark.key in known]
        for one, draft in zip(to_make, made, strict=True):
            if isinstance(draft, Entity):
                drafts.append(draft)
            else:
                self._outcome.refused.append(f"{one.where}: {draft}")
        refusals = [draft for draft in made if isinstance(draft, GitLabRefusal)]
        if refusals and not drafts:
            raise refusals[0]
        self._publish(sorted(drafts, key=lambda draft: draft.number("id")), waiting, state)

    def _publish(self, drafts: Sequence[Entity], waiting: Sequence[Entity], state: str) -> None:
        others = {draft.number("id") for draft in waiting} - {draft.number("id") for draft in drafts}
        if others:
            self._outcome.remarks.append(
                f"Other drafts of this user wait there ({len(others)}): they were left alone, and no review state was"
                " set, since GitLab would publish them with it."
            )
        if drafts or not others:
            self._drafts.publish(drafts, waiting, state)

    def _confirm(self, there: Mapping[Key, int], new: Sequence[Placed]) -> None:
        """Say which notes there are now; what is missing was refused. They are posted, so that this cannot fail."""
        try:
            there = self._mine() if new else there
        except Failure as blind:
            self._outcome.remarks.append(f"It is posted; the ids of its comments could not be read: {blind}")
            return
        refused = {line.split(": ")[0] for line in self._outcome.refused}
        for one in self._all():
            if number := there.get(one.remark.key):
                self._outcome.notes.append((one.where, number))
            elif one.where not in refused:
                self._outcome.refused.append(f"{one.where}: GitLab did not keep it; look with list_discussions.")

    def _look_at_state(self) -> None:
        try:
            state = self._states(self._gitlab.every).get(self._me)
        except Failure as blind:
            self._outcome.remarks.append(f"Whether changes are formally requested could not be read: {blind}")
            return
        if state != "requested_changes":
            why = "GitLab 19.2 or newer does that" if state else "only a reviewer can, and this user is none of them"
            self._outcome.remarks.append(f"Changes are not formally requested: {why}. Only comments were posted.")

    def _approve(self) -> None:
        """Approve the head that was reviewed."""
        path, sha = f"{self._target.path}/approve", self._review.merge_request.text("sha")

        def approved() -> Entity | None:
            approvals = self._approvals()
            return approvals if approvals.flag("user_has_approved") else None

        try:
            write_once(partial(self._gitlab.post, path, {"sha": sha}), approved, CHECK)
        except Failure as failure:
            if not self._outcome.notes:
                raise
            raise Partial(f"the comments are posted, but {self._target.sign} is not approved: {failure}") from failure
