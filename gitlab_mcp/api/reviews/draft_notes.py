"""Draft notes: the comments of a review that are created one by one and published together.

https://docs.gitlab.com/api/draft_notes/
"""

import contextlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from gitlab_mcp.api.client import GitLab
from gitlab_mcp.api.entity import Entity
from gitlab_mcp.api.idempotency import as_stored, write_once
from gitlab_mcp.api.reviews.diff import without_numbers
from gitlab_mcp.errors import GitLabRefusal, NotFound

HOW_TO_CHECK_REVIEW = "Call it again with the same arguments: comments that exist are not posted a second time."

BAD_REQUEST = 400

Key = tuple[str, str, str, int, int, str]


@dataclass(frozen=True)
class NewNote:
    """A comment of a review: its text as it is sent, and its position (empty for a comment on no line)."""

    text: str
    position: Mapping[str, object] = field(default_factory=dict)

    @property
    def body(self) -> dict[str, object]:
        """The body of the request that creates a draft of the comment."""
        return {"note": self.text, **({"position": dict(self.position)} if self.position else {})}

    @property
    def key(self) -> Key:
        """The identity of the comment: its position, the SHA of the head, and its text."""
        return key_of(Entity(self.body), "note")


def key_of(note: Entity, text: str) -> Key:
    """The key of an existing draft or published note, whose text is in the field `text`."""
    at = note.entity("position")
    path = at.text("new_path") or at.text("old_path")
    head = at.text("head_sha") if path else ""
    body = as_stored(note.text(text))
    start = at.text("line_range", "start", "line_code")
    return head, path, start, at.number("old_line"), at.number("new_line"), body


def is_on_line(key: Key) -> bool:
    """Whether the key is that of a comment on a line."""
    return bool(key[1])


class DraftNotes:
    """The draft notes of this run's user in the merge request at an API path."""

    def __init__(self, gitlab: GitLab, merge_request: str) -> None:
        self._gitlab = gitlab
        self._path = f"{merge_request}/draft_notes"

    def all(self) -> list[Entity]:
        """The drafts that are not published yet."""
        return self._gitlab.every(self._path)

    def check(self, note: NewNote) -> None:
        """Raise Refused for a comment that the policy of this run forbids."""
        self._gitlab.policy.check("post", self._path, note.body, lambda _project: "")

    def create(self, notes: Iterable[NewNote]) -> list[Entity | GitLabRefusal]:
        """Create a draft of each comment. Returns for each the draft, or the refusal of GitLab.

        The requests are sent one after the other, since GitLab shows comments in the order of their creation. Call
        `check` before.
        """
        return [self._create(note) for note in notes]

    def _create(self, note: NewNote) -> Entity | GitLabRefusal:
        send = partial(self._gitlab.post, self._path, note.body)
        try:
            draft = write_once(send, partial(self._find, note), HOW_TO_CHECK_REVIEW, repeats=True).result
        except GitLabRefusal as refused:
            plain = NewNote(note.text, without_numbers(note.position))
            if refused.status != BAD_REQUEST or plain == note:
                return refused
            return self._create(plain)
        if note.position and not draft.text("line_code"):
            # GitLab stores such a draft, and silently drops it when it is published.
            self.remove(draft)
            return GitLabRefusal("GitLab does not find this line in the diff: read the diff again.")
        return draft

    def _find(self, note: NewNote) -> Entity | None:
        return next((draft for draft in self.all() if key_of(draft, "note") == note.key), None)

    def remove(self, draft: Entity) -> None:
        """Delete a draft, unless another run with the same review has deleted it."""
        with contextlib.suppress(NotFound):
            self._gitlab.send("delete", f"{self._path}/{draft.number('id')}")

    def publish(self, drafts: Sequence[Entity], waiting: Sequence[Entity], state: str) -> None:
        """Publish `drafts` together, and set the `state` of the reviewer ("" for none).

        `waiting` are all unpublished drafts of the user. Where some of them are not in `drafts`, a person may not have
        finished these, so that `drafts` are published one by one, and no state is set.
        """
        ids = {draft.number("id") for draft in drafts}
        if any(draft.number("id") not in ids for draft in waiting):
            for draft in drafts:
                path = f"{self._path}/{draft.number('id')}/publish"
                find_one = partial(self._if_published, {draft.number("id")})
                write_once(partial(self._send, "put", path, {}), find_one, HOW_TO_CHECK_REVIEW)
            return
        body = {"reviewer_state": state} if state else {}
        # Without drafts, repeating the request sets the same state again, so that no look-up is needed.
        find = partial(self._if_published, ids) if drafts else lambda: None
        write_once(partial(self._send, "post", f"{self._path}/bulk_publish", body), find, HOW_TO_CHECK_REVIEW)

    def _send(self, method: str, path: str, body: Mapping[str, object]) -> bool:
        self._gitlab.send(method, path, body)
        return True

    def _if_published(self, ids: set[int]) -> bool | None:
        """True where none of these drafts is left, otherwise None."""
        return None if any(draft.number("id") in ids for draft in self.all()) else True
