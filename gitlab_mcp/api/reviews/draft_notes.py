"""Comments of a review that are not published yet: made once, and published together.

https://docs.gitlab.com/api/draft_notes/
"""

import contextlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from gitlab_mcp.api.client import GitLab
from gitlab_mcp.api.entity import Entity
from gitlab_mcp.api.idempotency import as_stored, write_once
from gitlab_mcp.errors import GitLabRefusal, NotFound

HOW_TO_CHECK_REVIEW = "Call it again with the same arguments: what is there is not posted a second time."

Key = tuple[str, str, str, int, int, str]


@dataclass(frozen=True)
class Remark:
    """A comment of a review: its text as it is sent, and its position (none for what is about the whole)."""

    text: str
    position: Mapping[str, object] = field(default_factory=dict)

    @property
    def body(self) -> dict[str, object]:
        """What makes a draft of it."""
        return {"note": self.text, **({"position": dict(self.position)} if self.position else {})}

    @property
    def key(self) -> Key:
        """What tells it from others: where it stands, in which version, and its words."""
        return key_of(Entity(self.body), "note")


def key_of(note: Entity, text: str) -> Key:
    """The same of a draft, or of a note that is published, whose words are in the field `text`."""
    at = note.entity("position")
    path = at.text("new_path") or at.text("old_path")
    head = at.text("head_sha") if path else ""
    words = as_stored(note.text(text))
    start = at.text("line_range", "start", "line_code")
    return head, path, start, at.number("old_line"), at.number("new_line"), words


def is_on_line(key: Key) -> bool:
    """Whether it is the key of a comment on a line."""
    return bool(key[1])


class DraftNotes:
    """The drafts of this run's user in one merge request, at its API path."""

    def __init__(self, gitlab: GitLab, merge_request: str) -> None:
        self._gitlab = gitlab
        self._path = f"{merge_request}/draft_notes"

    def all(self) -> list[Entity]:
        """Those that wait."""
        return self._gitlab.every(self._path)

    def check(self, remark: Remark) -> None:
        """Raise Refused for what this run may not send."""
        self._gitlab.policy.check("post", self._path, remark.body, lambda _project: "")

    def make(self, remarks: Iterable[Remark]) -> list[Entity | GitLabRefusal]:
        """Make a draft of each, once: the draft, or why GitLab refused it.

        One after the other, since people read them in the order in which they were made. `check` comes before.
        """
        return [self._make(remark) for remark in remarks]

    def _make(self, remark: Remark) -> Entity | GitLabRefusal:
        send = partial(self._gitlab.post, self._path, remark.body)
        try:
            draft = write_once(send, partial(self._find, remark), HOW_TO_CHECK_REVIEW).result
        except GitLabRefusal as refused:
            return refused
        if remark.position and not draft.text("line_code"):
            # GitLab keeps such a draft, and drops it without a word when it is published.
            self.remove(draft)
            return GitLabRefusal("GitLab does not find this line in the diff: read the diff again.")
        return draft

    def _find(self, remark: Remark) -> Entity | None:
        return next((draft for draft in self.all() if key_of(draft, "note") == remark.key), None)

    def remove(self, draft: Entity) -> None:
        """Delete a draft; another run with the same review may have done so."""
        with contextlib.suppress(NotFound):
            self._gitlab.send("delete", f"{self._path}/{draft.number('id')}")

    def publish(self, drafts: Sequence[Entity], waiting: Sequence[Entity], state: str) -> None:
        """Publish these drafts in one go, once, and let the reviewer be in `state`.

        Where more of the user's drafts are `waiting`, which a person may not have finished, these are published one by
        one, and no state is set.
        """
        ids = {draft.number("id") for draft in drafts}
        if any(draft.number("id") not in ids for draft in waiting):
            for draft in drafts:
                path, one = f"{self._path}/{draft.number('id')}/publish", {draft.number("id")}
                write_once(partial(self._send, "put", path, {}), partial(self._gone, one), HOW_TO_CHECK_REVIEW)
            return
        body = {"reviewer_state": state} if state else {}
        # Once more with a state changes nothing: what is published is a draft no longer.
        find = partial(self._gone, ids) if drafts else lambda: None
        write_once(partial(self._send, "post", f"{self._path}/bulk_publish", body), find, HOW_TO_CHECK_REVIEW)

    def _send(self, method: str, path: str, body: Mapping[str, object]) -> bool:
        self._gitlab.send(method, path, body)
        return True

    def _gone(self, ids: set[int]) -> bool | None:
        """True once none of these drafts waits."""
        return None if any(draft.number("id") in ids for draft in self.all()) else True
