"""Comments on issues and merge requests, one by one."""

from __future__ import annotations

from typing import Any

from gitlab_mcp.sandbox.entities import notes
from gitlab_mcp.sandbox.http.call import Call, Reply
from gitlab_mcp.sandbox.http.errors import bad_request, forbidden
from gitlab_mcp.sandbox.http.pagination import paginate
from gitlab_mcp.sandbox.routes.issuables import check_note
from gitlab_mcp.sandbox.routes.noteables import both, note, noteable, readable_notes, require_comment
from gitlab_mcp.sandbox.state import activity, permissions
from gitlab_mcp.sandbox.state.model import Issuable
from gitlab_mcp.sandbox.state.notes import Note
from gitlab_mcp.sandbox.state.users import MAINTAINER, OWNER
from gitlab_mcp.sandbox.text.mentions import note_mentions
from gitlab_mcp.sandbox.text.quick_action_interpreter import interpret

_READ = ("merge_requests",)  # GitLab docs: a job token may read merge requests' notes, no others


@both(
    "GET",
    "notes",
    "sort:enum(asc|desc)=desc order_by:enum(created_at|updated_at)=created_at "
    "activity_filter:enum(all_notes|only_comments|only_activity)=all_notes",
    job_token_kinds=_READ,
)
def list_notes(call: Call) -> Reply:
    one = noteable(call)
    found = readable_notes(call, one)
    if call.get("activity_filter") != "all_notes":
        found = [each for each in found if each.system == (call.get("activity_filter") == "only_activity")]
    found.sort(key=lambda each: (getattr(each, call.get("order_by")), each.id), reverse=call.get("sort") == "desc")
    return paginate(call, found, lambda each: notes.note(call.world, one, each))


@both("GET", "notes/:note_id", job_token_kinds=_READ)
def get_note(call: Call) -> Any:
    one = noteable(call)
    return notes.note(call.world, one, note(call, one))


@both("POST", "notes", "body* internal:bool confidential:bool created_at:dt merge_request_diff_head_sha")
def create_note(call: Call) -> Any:
    one = noteable(call)
    require_comment(call, one)
    body = call.params["body"]
    check_note(body, one.notes)
    internal = bool(call.get("internal") or call.get("confidential"))
    if internal and not permissions.may_read_internal(call.user, call.project):
        raise forbidden()
    when = call.get("created_at") if call.role >= OWNER else None
    found = interpret(call, one, body, "note")
    return found.save(
        lambda text: notes.note(
            call.world,
            one,
            activity.comment(call.world, one, call.me, text, internal=internal, created_at=when),
        )
    )


def change(call: Call, one: Issuable, found: Note, body: str | None) -> None:
    """Change a note's text, as its author or a Maintainer may; one that now holds only commands is deleted."""
    require_own(call, found)
    if body is None or not body.strip():
        raise bad_request({"note": ["can't be blank"]})
    check_note(body)
    interpreted = interpret(call, one, body, "note", before=found.body)
    if interpreted.only_commands:
        one.notes.remove(found)
    else:
        note_mentions(call.world, interpreted.content, interpreted.where)
        found.body = interpreted.content
    interpreted.apply()
    found.updated_at = call.world.now()
    one.updated_at = found.updated_at


def require_own(call: Call, found: Note) -> None:
    """Raise unless the caller may change this note; nobody changes what the system wrote."""
    if found.system or (found.author is not call.user and call.role < MAINTAINER):
        raise forbidden()


@both("PUT", "notes/:note_id", "body confidential:bool")
def update_note(call: Call) -> Any:
    one = noteable(call)
    found = note(call, one)
    change(call, one, found, call.get("body"))
    return notes.note(call.world, one, found)


@both("DELETE", "notes/:note_id")
def delete_note(call: Call) -> Any:
    one = noteable(call)
    found = note(call, one)
    require_own(call, found)
    one.notes.remove(found)
    return None
