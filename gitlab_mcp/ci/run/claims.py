"""What GitLab confirms of the variables that say what a run is about: the comment, its author and thread, the pipeline.

AI_FLOW_*, TRIGGER_PAYLOAD, CI_* and ids of notes are claims: anyone who may set a pipeline variable can write them.
"""

import json
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from gitlab_mcp.api.client import GitLab
from gitlab_mcp.api.discussions import thread_of, with_replies
from gitlab_mcp.api.entity import Entity
from gitlab_mcp.api.project import Noteable, Project
from gitlab_mcp.config.environment import SettingsError, variable
from gitlab_mcp.config.job_context import NUMBER, Noun
from gitlab_mcp.errors import Failure, InvalidArgument, NotFound
from gitlab_mcp.tools.context import NOUNS
from gitlab_mcp.tools.references import is_url, parsed

PAYLOAD_CHARACTERS = 20_000  # an environment variable has at most 128 KiB, a character up to six in JSON
REFERENCE = re.compile(r"(?P<subject>[#!][0-9]{1,18})?(?: *#note_| +n?|n)?(?P<note>[0-9]{1,18})")


@dataclass(frozen=True)
class Mention:
    """A comment that asked for a run, as GitLab has it; its id is 0 where only its thread is known.

    `thread` is the id of its discussion, "" with a job token, which may not list discussions. `is_conversation` is
    whether the text that asked contains several comments of the thread. `reply` is the first reply to the comment.
    """

    note: Entity
    thread: str
    is_conversation: bool = False
    reply: Entity = field(default_factory=lambda: Entity(None))

    @property
    def id(self) -> int:
        """The id of the note."""
        return self.note.number("id")

    @property
    def body(self) -> str:
        """The text of the comment."""
        return self.note.text("body")

    @property
    def author(self) -> str:
        """The username of its author."""
        return self.note.text("author", "username")

    @property
    def internal(self) -> bool:
        """Whether the note, and so its thread, is internal."""
        return self.note.flag("internal") or self.note.flag("confidential")

    def says(self, text: str) -> bool:
        """Whether the comment contains a text, apart from white space."""
        return _words(text) in _words(self.body)


def claimed_subject(gitlab: GitLab) -> Noteable | None:
    """The issue or merge request that the job's variables name; None where they name none."""
    job = gitlab.settings.job
    name = job.project_id or gitlab.settings.project
    return Noteable(job.noun, Project(gitlab, name), job.iid) if job.noun and name else None


def referenced(gitlab: GitLab, reference: str) -> tuple[Noteable, int]:
    """The issue or merge request, and the id of the comment, that a reference names.

    It is the URL of a comment, or `#7 101`, `!12#note_101`, or `101` where the job names the issue or merge request.

    Raises SettingsError for anything else.
    """
    if is_url(reference) and (page := parsed(reference)) and page.kind in NOUNS and page.note:
        path = gitlab.site.project_of(page.project)
        if not path:
            raise SettingsError(f"--note is {reference}, which is not a comment on {gitlab.settings.url}.")
        return Noteable(NOUNS[page.kind], Project(gitlab, path), int(page.value)), int(page.note)
    match = REFERENCE.fullmatch(reference.strip())
    subject = claimed_subject(gitlab)
    if match and match["subject"] and gitlab.settings.project:
        noun: Noun = "issue" if match["subject"][0] == "#" else "merge request"
        iid = int(match["subject"][1:])
        if subject is None or (subject.noun, subject.iid) != (noun, iid):
            subject = Noteable(noun, Project(gitlab, gitlab.settings.project), iid)
    if not match or subject is None:
        raise SettingsError(f'--note is "{reference}": write the URL of a comment, or "#7 101" for comment 101 on #7.')
    return subject, int(match["note"])


def mention_by_id(gitlab: GitLab, subject: Noteable, note_id: int, thread: str = "") -> Mention:
    """The comment with an id, and its thread, which is first looked for in the claimed `thread`.

    Raises a Failure when GitLab does not show it, InvalidArgument when it is a system note.
    """
    note = gitlab.get(f"{subject.path}/notes/{note_id}")
    if note.flag("system"):
        raise InvalidArgument(f"Note {note_id} on {subject.sign} is a system note, not a comment.")
    if gitlab.settings.credential.kind == "job token":
        return Mention(note, "")
    if thread:
        with suppress(Failure):
            discussion = _discussion(gitlab, subject, thread)
            if any(one.number("id") == note_id for one in discussion.entities("notes")):
                return _mention(note, discussion)
    return _mention(note, _discussion(gitlab, subject, thread_of(gitlab, subject.path, str(note_id))))


def mention_on_commit(gitlab: GitLab, path: str, note_id: int) -> Mention:
    """The comment with an id on the commit at an API path. Raises NotFound where there is none, or another Failure."""
    for discussion in gitlab.every(f"{path}/discussions"):
        for note in discussion.entities("notes"):
            if note.number("id") == note_id:
                return _mention(note, discussion)
    raise NotFound(f"There is no comment {note_id} on this commit.", status=404)


def mention_in_thread(gitlab: GitLab, subject: Noteable, thread: str, text: str) -> Mention:
    """The newest comment of a thread that a text is, or is a part of. Where there is none, its id is 0.

    GitLab Duo's flows send the whole conversation since 19.x (its form is expected, not yet confirmed): a text that
    contains several comments of the thread is taken for one, and none of them for the request.

    Raises a Failure when GitLab does not show the thread.
    """
    discussion = _discussion(gitlab, subject, thread)
    notes = [note for note in reversed(discussion.entities("notes")) if not note.flag("system")]
    bodies = [(_words(note.text("body")), note) for note in notes]
    words = _words(text)
    for is_it in (words.__eq__, lambda body: words in body):
        if found := next((note for body, note in bodies if is_it(body)), None):
            return _mention(found, discussion)
    unknown = Entity({"internal": any(note.flag("internal") or note.flag("confidential") for note in notes)})
    return Mention(unknown, thread, is_conversation=sum(bool(body) and body in words for body, _ in bodies) > 1)


def pipeline_of(gitlab: GitLab, environ: Mapping[str, str]) -> Entity:
    """The pipeline of this job; an empty object outside of CI, and where GitLab does not show it."""
    number = variable(environ, "CI_PIPELINE_ID")
    own = next(filter(None, gitlab.settings.own_project), "")
    if not gitlab.settings.in_ci or not NUMBER.fullmatch(number) or not own:
        return Entity(None)
    with suppress(Failure):
        return gitlab.get(f"{Project(gitlab, own).path}/pipelines/{number}")
    return Entity(None)


def is_of_own_pipeline(gitlab: GitLab, environ: Mapping[str, str], job: str) -> bool:
    """Whether the job with an id is of this job's own pipeline: then this job was started to repeat it."""
    own = pipeline_of(gitlab, environ).number("id")
    project = next(filter(None, gitlab.settings.own_project), "")
    if own and NUMBER.fullmatch(job):
        with suppress(Failure):
            return gitlab.get(f"{Project(gitlab, project).path}/jobs/{job}").number("pipeline", "id") == own
    return False


def confirmed_subject(entity: Entity, continues: int = 0) -> dict[str, Any]:
    """What GitLab says of an issue or merge request, in the form of a webhook's payload and of AI_FLOW_CONTEXT.

    `continues` is the iid of the merge request that a run on an issue goes on with, 0 for none.
    """
    names = ("iid", "project_id", "source_branch", "target_branch", "source_project_id", "target_project_id")
    about = {name: entity.number(name) if name.endswith("id") else entity.text(name) for name in names}
    return {name: value for name, value in {**about, "continues": continues}.items() if value}


def confirmed_payload(subject: Mapping[str, Any], mention: Mention) -> str:
    """What GitLab confirms, as TRIGGER_PAYLOAD: the body of a webhook for this comment.

    Our server reads it in place of the claims. `subject` is the `confirmed_subject`.
    """
    kind = "commit" if "iid" not in subject else "merge_request" if "source_branch" in subject else "issue"
    note = {
        "id": mention.id,
        "note": mention.body[:PAYLOAD_CHARACTERS],
        "noteable_type": kind.title().replace("_", ""),
        "discussion_id": mention.thread,
        "created_at": mention.note.text("created_at"),
    }
    return json.dumps(
        {
            "object_kind": "note",
            "user": {"username": mention.author},
            "project_id": subject.get("project_id", 0),
            "object_attributes": note,
            kind: subject,
        }
    )


def _discussion(gitlab: GitLab, subject: Noteable, thread: str) -> Entity:
    return gitlab.get(f"{subject.path}/discussions/{thread}")


def _mention(note: Entity, discussion: Entity) -> Mention:
    replies = {one.number("id"): reply for one, reply in with_replies(discussion)}
    return Mention(note, discussion.text("id"), reply=replies.get(note.number("id"), Entity(None)))


def _words(text: str) -> str:
    return " ".join(text.split())
