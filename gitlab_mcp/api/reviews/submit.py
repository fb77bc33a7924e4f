"""Reviews of merge requests: comments on lines, a summary and a verdict, submitted in one go and once."""

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from gitlab_mcp.api.client import PAGE, GitLab, Page
from gitlab_mcp.api.entity import Entity
from gitlab_mcp.api.idempotency import SAME_SECONDS, is_made_since, write_once
from gitlab_mcp.api.notes import Notes
from gitlab_mcp.api.project import Noteable
from gitlab_mcp.api.reviews.draft_notes import HOW_TO_CHECK_REVIEW, DraftNotes, Key, Remark, is_on_line, key_of
from gitlab_mcp.errors import Failure, GitLabRefusal, Partial, Refused

REVIEWER_STATES = {"comment": "reviewed", "approve": "", "request_changes": "requested_changes"}
NOTHING_POSTED = 'Nothing was posted; verdict "comment" posts the comments.'
NEWEST_FIRST = {"sort": "desc", "order_by": "created_at", "activity_filter": "only_comments"}


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
        """Submit a review. Raises Refused for what this run may not send and for a verdict that GitLab would not take,
        before anything is posted, and Partial when the comments are posted and the verdict failed.
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
        self._since = time.monotonic() - SAME_SECONDS
        self._refused: set[Key] = set()
        self._is_held = False

    def run(self) -> Outcome:
        gitlab, review = self._gitlab, self._review
        self._check()
        waiting = gitlab.start(self._drafts.all)
        published = gitlab.start(self._mine, [one.remark.key for one in self._all()], self._since)
        states = gitlab.start(self._states, gitlab.every_readable) if review.verdict != "approve" else None
        approvals = gitlab.start(self._approvals) if review.verdict == "approve" else None
        approved = approvals is not None and self._is_approved(approvals.result())
        there = published.result()
        new = [one for one in self._all() if one.remark.key not in there]
        state = REVIEWER_STATES[review.verdict] if new or review.verdict == "request_changes" else ""
        if states and states.result().get(self._me) == "requested_changes":
            # A comment does not take back what was asked for, and what is asked for already needs no second time.
            state = "requested_changes" if new else ""
        self._outcome.again = len(self._all()) - len(new)
        self._post(new, waiting.result(), state)
        self._confirm(there, new)
        if review.verdict == "request_changes":
            self._look_at_state()
        if review.verdict == "approve" and not approved:
            self._approve()
        return self._outcome

    def _check(self) -> None:
        """Raise Refused for what this run may not send."""
        if self._review.verdict == "approve":
            try:
                self._gitlab.policy.check("post", f"{self._target.path}/approve", {}, lambda _project: "")
            except Refused as refused:
                raise Refused(f"{refused} {NOTHING_POSTED}") from refused
        for one in self._all():
            try:
                self._drafts.check(one.remark)
            except Refused as refused:
                raise Refused(f"{one.where}: {refused}") from refused

    def _all(self) -> list[Placed]:
        """Every comment of the review, each once."""
        summary = [Placed("summary", Remark(self._review.summary))] if self._review.summary else []
        return list({one.remark.key: one for one in (*self._review.comments, *summary)}.values())

    @property
    def _me(self) -> int:
        return self._gitlab.user.number("id")

    def _mine(self, keys: Collection[Key], since: float | None = None) -> dict[Key, int]:
        """The ids of this user's notes; those on no line only if made `since` then, on the monotonic clock.

        Older ones than the newest hundred are asked for only where one of `keys` may be among them.
        """
        newest = self._newest()
        found = self._ids(newest, newest.rows, since)
        ends_before = since is not None and newest.rows and not is_made_since(newest.rows[-1], since, newest)
        if all(key in found or (ends_before and not is_on_line(key)) for key in keys):
            return found
        older = self._gitlab.after(newest, f"{self._target.path}/notes", **NEWEST_FIRST)
        return self._ids(newest, older, since) | found

    def _newest(self) -> Page:
        return self._gitlab.page(f"{self._target.path}/notes", 1, PAGE, **NEWEST_FIRST)

    def _ids(self, newest: Page, rows: Sequence[Entity], since: float | None) -> dict[Key, int]:
        mine = [note for note in rows if note.number("author", "id") == self._me and not note.flag("system")]
        kept = [note for note in mine if note.entity("position") or since is None or is_made_since(note, since, newest)]
        return {key_of(note, "body"): note.number("id") for note in reversed(kept)}

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
                f" needed. {NOTHING_POSTED}"
            )
        return False

    def _post(self, new: Sequence[Placed], waiting: Sequence[Entity], state: str) -> None:
        """Make drafts of what is not there yet, and publish them."""
        on_lines = [one for one in new if one.remark.position]
        if not on_lines:
            for one in new:  # a summary alone needs no draft
                self._notes.post(self._target.path, one.remark.text, "", internal=False)
            if state:
                self._publish([], waiting, state)
            return
        known = {key_of(draft, "note"): draft for draft in waiting}
        to_make = [one for one in new if one.remark.key not in known]
        made = self._drafts.make(one.remark for one in to_make)
        ours = {known[one.remark.key].number("id"): one.remark.key for one in new if one.remark.key in known}
        for one, draft in zip(to_make, made, strict=True):
            if isinstance(draft, Entity):
                ours[draft.number("id")] = one.remark.key
            else:
                self._outcome.refused.append(f"{one.where}: {draft}")
                self._refused.add(one.remark.key)
        refusals = [draft for draft in made if isinstance(draft, GitLabRefusal)]
        if refusals and not ours:
            raise refusals[0]
        self._publish(*self._without_doubles(ours), state)

    def _without_doubles(self, ours: Mapping[int, Key]) -> tuple[list[Entity], list[Entity]]:
        """The drafts to publish, and all that wait, looked at just before.

        Another run with the same review may have made the same ones, and published some: its doubles are deleted.
        """
        listed = self._gitlab.start(self._drafts.all)
        newest = self._newest()
        there, to_publish, waiting = self._ids(newest, newest.rows, self._since), dict[Key, Entity](), list[Entity]()
        for draft in sorted(listed.result(), key=lambda draft: draft.number("id")):
            key = ours.get(draft.number("id")) or key_of(draft, "note")
            if key not in ours.values():
                waiting.append(draft)
            elif key in there or key in to_publish:
                self._drafts.remove(draft)
            else:
                to_publish[key] = draft
                waiting.append(draft)
        return list(to_publish.values()), waiting

    def _publish(self, drafts: Sequence[Entity], waiting: Sequence[Entity], state: str) -> None:
        others = {draft.number("id") for draft in waiting} - {draft.number("id") for draft in drafts}
        self._is_held = bool(others)
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
            posted = [one.remark.key for one in new if one.remark.key not in self._refused]
            there = {**there, **self._mine(posted)} if posted else there
        except Failure as blind:
            self._outcome.remarks.append(f"It is posted; the ids of its comments could not be read: {blind}")
            return
        for one in self._all():
            if number := there.get(one.remark.key):
                self._outcome.notes.append((one.where, number))
            elif one.remark.key not in self._refused:
                self._outcome.refused.append(f"{one.where}: GitLab did not keep it; look with list_discussions.")

    def _look_at_state(self) -> None:
        try:
            state = self._states(self._gitlab.every).get(self._me)
        except Failure as blind:
            self._outcome.remarks.append(f"Whether changes are formally requested could not be read: {blind}")
            return
        if state != "requested_changes":
            why = "GitLab 19.2 or newer does that. Only comments were posted"
            if not state:
                why = "only a reviewer can, and this user is none of them. Only comments were posted"
            elif self._is_held:
                why = "publish or delete those drafts, and call it again"
            self._outcome.remarks.append(f"Changes are not formally requested: {why}.")

    def _approve(self) -> None:
        """Approve the head that was reviewed."""
        path, sha = f"{self._target.path}/approve", self._review.merge_request.text("sha")

        def approved() -> Entity | None:
            approvals = self._approvals()
            return approvals if approvals.flag("user_has_approved") else None

        try:
            write_once(partial(self._gitlab.post, path, {"sha": sha}), approved, HOW_TO_CHECK_REVIEW)
        except Failure as failure:
            if not self._outcome.notes:
                raise
            raise Partial(f"the comments are posted, but {self._target.sign} is not approved: {failure}") from failure
