"""When this run was asked for, and which texts were edited since: somebody may have put other words under a request."""

import threading
from collections.abc import Iterable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import replace
from datetime import datetime

from gitlab_mcp.api.client import GitLab, segment
from gitlab_mcp.api.discussions import Comments, Thread, Threads, with_replies
from gitlab_mcp.api.entity import Entity
from gitlab_mcp.api.project import Noteable, Project
from gitlab_mcp.errors import Failure

SYSTEM_NOTE_PAGES = 3  # of 100 system notes each, newest first
# How the system note about an edit begins. One that changes a checklist and the text has only the note about the
# checklist: Issuable::CommonSystemNotesService#handle_description_change_note in GitLab's app/services.
SYSTEM_NOTES = {
    "changed the description": "description",
    "marked the checklist item": "description",
    "marked the task": "description",
    "changed title from": "title",
}
# A reply makes a thread of a single comment and so updates it, a moment after the reply was created
# (spec/services/notes/create_service_spec.rb, "converts existing note to DiscussionNote").
REPLY_SECONDS = 1.0


class EditedEntity(Entity):
    """An entity whose `fields` were edited after this run was asked for; () where it is not known which, if any."""

    def __init__(self, entity: Entity, fields: Iterable[str]) -> None:
        super().__init__(entity._data)
        self.fields = tuple(sorted(fields))


class Trigger:
    """The time at which a run was asked for: that of the comment that asked, and at the latest of its pipeline.

    A run that nobody asked for by a pipeline or a comment has no such time, and nothing is marked. Edits by the user of
    the run are not marked either. Thread-safe.
    """

    def __init__(self, gitlab: GitLab) -> None:
        self._gitlab = gitlab
        self._pipeline: Future[Entity] | None = None
        self._lock = threading.Lock()

    def begin(self) -> None:
        """Start to ask GitLab, in the background, when the pipeline was created."""
        self._asked()

    def time(self) -> float:
        """Seconds since the epoch; infinity where there is no such time, so that nothing is later."""
        pipeline = self._asked()
        created = pipeline.result().text("created_at") if pipeline else ""
        return min(seconds_of(self._gitlab.settings.job.asked_at), seconds_of(created))

    def _asked(self) -> "Future[Entity] | None":
        """The pipeline that GitLab was asked for, again where it did not answer; None outside of a pipeline."""
        job = self._gitlab.settings.job
        with self._lock:
            if job.pipeline and (self._pipeline is None or (self._pipeline.done() and not self._pipeline.result())):
                self._pipeline = self._gitlab.start(self._read_pipeline, job.pipeline)
            return self._pipeline

    def _read_pipeline(self, number: str) -> Entity:
        own = next(filter(None, self._gitlab.settings.own_project), "")
        with suppress(Failure):
            return self._gitlab.get(f"/projects/{segment(own)}/pipelines/{number}")
        return Entity(None)

    def job_edits(self) -> list[str]:
        """What was edited since of the issue, merge request and comment that the run is about, each with its sign."""
        job, settings = self._gitlab.settings.job, self._gitlab.settings
        if job.noun is None or self.time() == float("inf"):
            return []
        path = Noteable(job.noun, Project(self._gitlab, job.project_id or settings.project), job.iid).path
        edits = []
        with suppress(Failure):
            subject = self.subject(path, self._gitlab.get(path))
            if isinstance(subject, EditedEntity):
                edits += [f"{job.sign} {field}" for field in subject.fields or ("(not known)",)]
        with suppress(Failure):
            if job.note:
                discussion = self._gitlab.get(f"{path}/discussions/{job.discussion}")
                mention = [pair for pair in with_replies(discussion) if pair[0].number("id") == job.note]
                edits += [f"n{job.note}" for pair in mention if self.is_edited(*pair, self.time())]
        return edits

    def comments(self, shown: Comments) -> Comments:
        """The same comments, those marked that were edited since."""
        since = self.time()
        rows = [replace(row, note=self._marked(row.note, row.first_reply, since)) for row in shown.rows]
        return replace(shown, rows=rows)

    def threads(self, shown: Threads) -> Threads:
        """The same threads, those comments marked that were edited since."""
        since = self.time()
        return replace(shown, rows=[self._thread(thread, since) for thread in shown.rows])

    def subject(self, path: str, entity: Entity) -> Entity:
        """The issue or merge request at an API path, marked where its title or description was edited since."""
        since = self.time()
        if not since < seconds_of(entity.text("updated_at")) < float("inf"):
            return entity
        try:
            edited = self._edited_fields(path, since)
        except Failure:
            edited = None
        return entity if edited == set() else EditedEntity(entity, edited or ())

    def is_edited(self, note: Entity, reply: Entity, since: float) -> bool:
        """Whether a comment may have been edited after it was written and after `since`.

        `reply` is the first reply to it, if it begins a thread. After a reply by another user it is not known
        whether there was an edit too: then it counts as edited.
        """
        edited, written = seconds_of(note.text("updated_at")), seconds_of(note.text("created_at"))
        if not max(since, written) < edited < float("inf") or note.flag("system"):
            return False
        me = self._gitlab.identity.user.number("id")
        by_reply = note.text("type") == "DiscussionNote" and (
            reply.flag("system") or reply.number("author", "id") == me
        )
        if by_reply and 0 <= edited - seconds_of(reply.text("created_at")) <= REPLY_SECONDS:
            return False
        return note.number("author", "id") != me

    def _marked(self, note: Entity, reply: Entity, since: float) -> Entity:
        return EditedEntity(note, ["body"]) if self.is_edited(note, reply, since) else note

    def _thread(self, thread: Thread, since: float) -> Thread:
        replies = {note.number("id"): reply for note, reply in with_replies(thread.discussion)}
        return replace(thread, notes=[self._marked(note, replies[note.number("id")], since) for note in thread.notes])

    def _edited_fields(self, path: str, since: float) -> set[str] | None:
        """The fields that system notes since then say were edited; None where there are too many of them.

        Raises a Failure where they cannot be read.
        """
        me, edited = self._gitlab.identity.user.number("id"), set[str]()
        query = {"sort": "desc", "order_by": "created_at", "activity_filter": "only_activity"}
        for number in range(1, SYSTEM_NOTE_PAGES + 1):
            page = self._gitlab.page(f"{path}/notes", number, **query)
            recent = [note for note in page.rows if seconds_of(note.text("created_at")) > since]
            edited |= set(_fields(note for note in recent if note.number("author", "id") != me))
            if page.next_number is None or len(recent) < len(page.rows):
                return edited
        return None


def _fields(notes: Iterable[Entity]) -> Iterable[str]:
    for note in notes:
        for beginning, field in SYSTEM_NOTES.items():
            if note.flag("system") and note.text("body").lower().startswith(beginning):
                yield field


def seconds_of(text: str) -> float:
    """Seconds since the epoch of a time in ISO 8601; infinity for anything else."""
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        return float("inf")
