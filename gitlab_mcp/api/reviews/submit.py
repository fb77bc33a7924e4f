"""Reviews of merge requests: comments on lines, a summary and a verdict, submitted together.

A review that is submitted again posts only the comments that do not exist yet.
"""

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
from gitlab_mcp.api.reviews.draft_notes import HOW_TO_CHECK_REVIEW, DraftNotes, Key, NewNote, is_on_line, key_of
from gitlab_mcp.errors import Failure, GitLabRefusal, Partial, Refused, naming
from gitlab_mcp.safety.sanitize import one_line

REVIEWER_STATES = {"comment": "reviewed", "approve": "", "request_changes": "requested_changes"}
NOTHING_POSTED = 'Nothing was posted; verdict "comment" posts the comments.'
NEWEST_FIRST = {"sort": "desc", "order_by": "created_at", "activity_filter": "only_comments"}


@dataclass(frozen=True)
class PlacedComment:
    """A comment of a review; `where` is its place as text, such as src/app.py:14."""

    where: str
    note: NewNote


@dataclass(frozen=True)
class Review:
    """A review of the merge request as it was read; `verdict` is a key of REVIEWER_STATES."""

    merge_request: Entity
    comments: Sequence[PlacedComment]
    summary: str
    verdict: str


@dataclass
class Outcome:
    """The result of a review: notes as place and id, how many existed already, what GitLab refused, and remarks."""

    notes: list[tuple[str, int]] = field(default_factory=list)
    existed: int = 0
    refused: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)


class Reviews:
    """The reviews that this run submits. Thread-safe."""

    def __init__(self, gitlab: GitLab, notes: Notes) -> None:
        self._gitlab = gitlab
        self._notes = notes
        self._lock = threading.Lock()
        self._locks: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)

    def submit(self, target: Noteable, review: Review) -> Outcome:
        """Submit a review.

        Raises Refused, before anything is posted, for a text that this run may not send and for a verdict that GitLab
        would not accept; Partial when the comments are posted and the verdict failed.
        """
        with self._locked(target):
            return _Submission(self._gitlab, self._notes, target, review).run()

    def draft(self, target: Noteable, review: Review) -> Outcome:
        """Create the comments of a review as draft notes, and leave it to a person to publish them.

        Raises Refused, before anything is created, for a text that this run may not send, and for a user as whom no
        person can sign in: GitLab shows drafts to nobody else.
        """
        with self._locked(target):
            return _Submission(self._gitlab, self._notes, target, review).draft()

    def _locked(self, target: Noteable) -> threading.Lock:
        """The lock of a merge request: where two threads have the same review, the second finds the first one's."""
        with self._lock:
            return self._locks[target.path]


class _Submission:
    """The submission of one review."""

    def __init__(self, gitlab: GitLab, notes: Notes, target: Noteable, review: Review) -> None:
        self._gitlab = gitlab
        self._notes = notes
        self._target = target
        self._review = review
        self._drafts = DraftNotes(gitlab, target.path)
        self._outcome = Outcome()
        self._since = time.monotonic() - SAME_SECONDS
        self._refused: set[Key] = set()
        self._has_other_drafts = False

    def run(self) -> Outcome:
        gitlab, review = self._gitlab, self._review
        self._check()
        waiting = gitlab.start(self._drafts.all)
        published = gitlab.start(self._own_notes, [comment.note.key for comment in self._all()], self._since)
        states = gitlab.start(self._states, gitlab.every_readable) if review.verdict != "approve" else None
        approvals = gitlab.start(self._approvals) if review.verdict == "approve" else None
        approved = approvals is not None and self._is_approved(approvals.result())
        existing = published.result()
        new = [comment for comment in self._all() if comment.note.key not in existing]
        state = REVIEWER_STATES[review.verdict] if new or review.verdict == "request_changes" else ""
        if states and states.result().get(self._me) == "requested_changes":
            # A comment does not withdraw requested changes, and changes that are requested need not be requested again.
            state = "requested_changes" if new else ""
        self._outcome.existed = len(self._all()) - len(new)
        self._post(new, waiting.result(), state)
        self._confirm(existing, new)
        if review.verdict == "request_changes":
            self._check_state()
        if review.verdict == "approve" and not approved:
            self._approve()
        return self._outcome

    def draft(self) -> Outcome:
        self._check()
        user = self._gitlab.user
        if user.flag("bot"):
            raise Refused(
                f"GitLab shows drafts only to the user who wrote them, here @{one_line(user.text('username'), 60)}, the"
                " bot of an access token, as which no person can sign in. Submit the review, or use the personal access"
                " token of the person who is to publish it. Nothing was created."
            )
        waiting = self._gitlab.start(self._drafts.all)
        published = self._own_notes([comment.note.key for comment in self._all()], self._since)
        new = [comment for comment in self._all() if comment.note.key not in published]
        ours = self._drafted(new, waiting.result())
        drafts, waiting_now = self._without_duplicates(ours)
        places = {comment.note.key: comment.where for comment in new}
        numbers = [draft.number("id") for draft in drafts]
        self._outcome.notes = [(places[ours[number]], number) for number in numbers if number in ours]
        self._outcome.existed = len(self._all()) - len(new)
        if others := len(waiting_now) - len(drafts):
            self._outcome.remarks.append(f"This user has other draft notes here too ({others}).")
        return self._outcome

    def _check(self) -> None:
        """Raise Refused for a text or a verdict that the policy of this run forbids."""
        if self._review.verdict == "approve":
            try:
                self._gitlab.policy.check("post", f"{self._target.path}/approve", {}, lambda _project: "")
            except Refused as refused:
                raise Refused(f"{refused} {NOTHING_POSTED}") from refused
        for comment in self._all():
            try:
                self._drafts.check(comment.note)
            except Refused as refused:
                raise Refused(f"{comment.where}: {refused}") from refused

    def _all(self) -> list[PlacedComment]:
        """The comments of the review and its summary, without duplicates."""
        summary = [PlacedComment("summary", NewNote(self._review.summary))] if self._review.summary else []
        return list({comment.note.key: comment for comment in (*self._review.comments, *summary)}.values())

    @property
    def _me(self) -> int:
        return self._gitlab.user.number("id")

    def _own_notes(self, keys: Collection[Key], since: float | None = None) -> dict[Key, int]:
        """The ids of this user's notes by key; those on no line only if created since the monotonic time `since`.

        Notes older than the newest hundred are read only where one of `keys` may be among them.
        """
        newest = self._newest()
        ids = self._ids(newest, newest.rows, since)
        ends_before = since is not None and newest.rows and not is_made_since(newest.rows[-1], since, newest)
        if all(key in ids or (ends_before and not is_on_line(key)) for key in keys):
            return ids
        older = self._gitlab.after(newest, f"{self._target.path}/notes", **NEWEST_FIRST)
        return self._ids(newest, older, since) | ids

    def _newest(self) -> Page:
        return self._gitlab.page(f"{self._target.path}/notes", 1, PAGE, **NEWEST_FIRST)

    def _ids(self, newest: Page, rows: Sequence[Entity], since: float | None) -> dict[Key, int]:
        own = [note for note in rows if note.number("author", "id") == self._me and not note.flag("system")]
        kept = [note for note in own if note.entity("position") or since is None or is_made_since(note, since, newest)]
        return {key_of(note, "body"): note.number("id") for note in reversed(kept)}

    def _states(self, ask: Callable[[str], list[Entity]]) -> dict[int, str]:
        """The review state of each reviewer, by user id."""
        rows = ask(f"{self._target.path}/reviewers")
        return {row.number("user", "id"): row.text("state") for row in rows}

    def _approvals(self) -> Entity:
        return self._gitlab.get(f"{self._target.path}/approvals")

    def _is_approved(self, approvals: Entity) -> bool:
        """Whether this user has approved. Raises Refused where this user cannot approve."""
        if approvals.flag("user_has_approved"):
            return True
        if not approvals.flag("user_can_approve"):
            raise Refused(
                f"This user cannot approve {self._target.sign}: its author usually may not, and role Developer is"
                f" needed. {NOTHING_POSTED}"
            )
        return False

    def _post(self, new: Sequence[PlacedComment], waiting: Sequence[Entity], state: str) -> None:
        """Create drafts of the comments that do not exist yet, and publish them."""
        on_lines = [comment for comment in new if comment.note.position]
        if not on_lines:
            for comment in new:  # a summary alone needs no draft
                self._notes.post(self._target.path, comment.note.text, "", internal=False)
            if state:
                self._publish([], waiting, state)
            return
        self._publish(*self._without_duplicates(self._drafted(new, waiting)), state)

    def _drafted(self, new: Sequence[PlacedComment], waiting: Sequence[Entity]) -> dict[int, Key]:
        """Create drafts of the comments that are not among the drafts `waiting`; the keys of all of them by their ids.

        Raises the refusal of GitLab where it refuses every one.
        """
        known = {key_of(draft, "note"): draft for draft in waiting}
        to_create = [comment for comment in new if comment.note.key not in known]
        created = self._drafts.create(comment.note for comment in to_create)
        keys = [comment.note.key for comment in new]
        ours = {known[key].number("id"): key for key in keys if key in known}
        for comment, draft in zip(to_create, created, strict=True):
            if isinstance(draft, Entity):
                ours[draft.number("id")] = comment.note.key
            else:
                self._outcome.refused.append(f"{comment.where}: {draft}")
                self._refused.add(comment.note.key)
        refusals = [draft for draft in created if isinstance(draft, GitLabRefusal)]
        if refusals and not ours:
            raise refusals[0]
        return ours

    def _without_duplicates(self, ours: Mapping[int, Key]) -> tuple[list[Entity], list[Entity]]:
        """The drafts to publish, and all unpublished drafts, read just before.

        Another run with the same review may have created the same drafts, and published some: duplicates are deleted.
        """
        listed = self._gitlab.start(self._drafts.all)
        newest = self._newest()
        existing = self._ids(newest, newest.rows, self._since)
        to_publish: dict[Key, Entity] = {}
        waiting: list[Entity] = []
        for draft in sorted(listed.result(), key=lambda draft: draft.number("id")):
            key = ours.get(draft.number("id")) or key_of(draft, "note")
            if key not in ours.values():
                waiting.append(draft)
            elif key in existing or key in to_publish:
                self._drafts.remove(draft)
            else:
                to_publish[key] = draft
                waiting.append(draft)
        return list(to_publish.values()), waiting

    def _publish(self, drafts: Sequence[Entity], waiting: Sequence[Entity], state: str) -> None:
        others = {draft.number("id") for draft in waiting} - {draft.number("id") for draft in drafts}
        self._has_other_drafts = bool(others)
        if others:
            self._outcome.remarks.append(
                f"This user has other draft notes here ({len(others)}): they were left alone, and no review state was"
                " set, since GitLab would publish them with it."
            )
        if drafts or not others:
            self._drafts.publish(drafts, waiting, state)

    def _confirm(self, existing: Mapping[Key, int], new: Sequence[PlacedComment]) -> None:
        """Record the ids of the notes, and as refused those that GitLab does not list.

        The comments are posted by now, so that a failure is a remark and no exception.
        """
        try:
            posted = [comment.note.key for comment in new if comment.note.key not in self._refused]
            existing = {**existing, **self._own_notes(posted)} if posted else existing
        except Failure as failure:
            self._outcome.remarks.append(f"The review is posted; the ids of its comments could not be read: {failure}")
            return
        for comment in self._all():
            if number := existing.get(comment.note.key):
                self._outcome.notes.append((comment.where, number))
            elif comment.note.key not in self._refused:
                self._outcome.refused.append(
                    f"{comment.where}: GitLab did not keep it{naming('; look with {}', 'list_discussions')}."
                )

    def _check_state(self) -> None:
        """Add a remark where GitLab did not record that changes are requested."""
        try:
            state = self._states(self._gitlab.every).get(self._me)
        except Failure as failure:
            self._outcome.remarks.append(f"Whether changes are formally requested could not be read: {failure}")
            return
        if state != "requested_changes":
            why = "that needs GitLab 19.2 or newer. Only comments were posted"
            if not state:
                why = "only a reviewer can do that, and this user is not one. Only comments were posted"
            elif self._has_other_drafts:
                why = "publish or delete those drafts, and submit the review again"
            self._outcome.remarks.append(f"Changes are not formally requested: {why}.")

    def _approve(self) -> None:
        """Approve the merge request at the head that was reviewed. Raises Partial when this fails after comments."""
        path, sha = f"{self._target.path}/approve", self._review.merge_request.text("sha")

        def find() -> Entity | None:
            approvals = self._approvals()
            return approvals if approvals.flag("user_has_approved") else None

        try:
            write_once(partial(self._gitlab.post, path, {"sha": sha}), find, HOW_TO_CHECK_REVIEW)
        except Failure as failure:
            if not self._outcome.notes:
                raise
            raise Partial(f"the comments are posted, but {self._target.sign} is not approved: {failure}") from failure
