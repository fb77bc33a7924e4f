"""Notes: single comments on issues and merge requests."""

from __future__ import annotations

from typing import Any

from gitlab_mcp.sandbox.entities import notes
from gitlab_mcp.sandbox.http.call import Call, Response
from gitlab_mcp.sandbox.http.errors import forbidden
from gitlab_mcp.sandbox.http.pagination import paginate
from gitlab_mcp.sandbox.routes.issuables import check_note
from gitlab_mcp.sandbox.routes.noteables import note_of, noteable_of, noteable_route, readable_notes, require_comment
from gitlab_mcp.sandbox.state import activity, events, permissions, todos
from gitlab_mcp.sandbox.state.model import Issuable
from gitlab_mcp.sandbox.state.notes import Note
from gitlab_mcp.sandbox.state.users import MAINTAINER, OWNER
from gitlab_mcp.sandbox.text.quick_action_interpreter import interpret

_READ = ("merge_requests",)  # GitLab docs: a job token may read the notes of merge requests only


@noteable_route(
    "GET",
    "notes",
    "sort:enum(asc|desc)=desc order_by:enum(created_at|updated_at)=created_at "
    "activity_filter:enum(all_notes|only_comments|only_activity)=all_notes",
    job_token_kinds=_READ,
)
def list_notes(call: Call) -> Response:
    noteable = noteable_of(call)
    listed = readable_notes(call, noteable)
    if call.get("activity_filter") != "all_notes":
        listed = [each for each in listed if each.system == (call.get("activity_filter") == "only_activity")]
    listed.sort(key=lambda each: (getattr(each, call.get("order_by")), each.id), reverse=call.get("sort") == "desc")
    return paginate(call, listed, lambda each: notes.note(call.world, noteable, each))


@noteable_route("GET", "notes/:note_id", job_token_kinds=_READ)
@noteable_route("GET", "discussions/:discussion_id/notes/:note_id")
def get_note(call: Call) -> Any:
    noteable = noteable_of(call)
    return notes.note(call.world, noteable, note_of(call, noteable))


@noteable_route("POST", "notes", "body+ internal:bool confidential:bool created_at:dt merge_request_diff_head_sha")
def create_note(call: Call) -> Any:
    noteable = noteable_of(call)
    require_comment(call, noteable)
    body = call.params["body"]
    check_note(body, noteable.notes)
    internal = bool(call.get("internal") or call.get("confidential"))
    if internal and not permissions.may_read_internal(call.user, call.project):
        raise forbidden()
    when = call.get("created_at") if call.role >= OWNER else None
    interpreted = interpret(call, noteable, body, "note")
    return interpreted.save(
        lambda text: notes.note(
            call.world,
            noteable,
            activity.comment(call.world, noteable, call.me, text, internal=internal, created_at=when),
        )
    )


def change(call: Call, issuable: Issuable, note: Note, body: str | None) -> None:
    """Change the text of a note; a note whose new text is only commands is deleted.

    Raises 403 unless the caller is its author or a Maintainer.
    """
    _require_own(call, note)
    check_note(body)
    body = str(body)
    interpreted = interpret(call, issuable, body, "note", before=note.body)
    if interpreted.only_commands:
        issuable.notes.remove(note)
    else:
        before, note.body = note.body, interpreted.content
        events.record(events.NoteEvent(issuable.project, issuable, note, "update"))
        todos.noted(call.world, issuable, note, before=before)
    interpreted.apply()
    note.updated_at = call.world.now()
    issuable.updated_at = note.updated_at


def _require_own(call: Call, note: Note) -> None:
    """Raise 403 unless the caller may change the note; nobody may change a system note."""
    if note.system or (note.author is not call.user and call.role < MAINTAINER):
        raise forbidden()


@noteable_route("PUT", "notes/:note_id", "body confidential:bool")
def update_note(call: Call) -> Any:
    noteable = noteable_of(call)
    note = note_of(call, noteable)
    change(call, noteable, note, call.get("body"))
    return notes.note(call.world, noteable, note)


@noteable_route("DELETE", "notes/:note_id")
@noteable_route("DELETE", "discussions/:discussion_id/notes/:note_id")
def delete_note(call: Call) -> Any:
    noteable = noteable_of(call)
    note = note_of(call, noteable)
    _require_own(call, note)
    noteable.notes.remove(note)
    return None
