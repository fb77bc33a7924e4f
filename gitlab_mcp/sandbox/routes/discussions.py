"""Discussions (threads) on issues and merge requests."""

from __future__ import annotations

from typing import Any

from gitlab_mcp.sandbox.entities import notes
from gitlab_mcp.sandbox.http.call import Call, Response
from gitlab_mcp.sandbox.http.errors import bad_request, forbidden, invalid_parameter
from gitlab_mcp.sandbox.http.pagination import paginate
from gitlab_mcp.sandbox.routes.issuables import check_note
from gitlab_mcp.sandbox.routes.noteables import (
    note_of,
    noteable_of,
    noteable_route,
    readable_notes,
    require_comment,
    thread_of,
)
from gitlab_mcp.sandbox.routes.notes import change
from gitlab_mcp.sandbox.state import activity, permissions
from gitlab_mcp.sandbox.state.diff_notes import newest_position
from gitlab_mcp.sandbox.state.diff_position import validated_position
from gitlab_mcp.sandbox.state.model import Issuable, MergeRequest
from gitlab_mcp.sandbox.state.notes import Note
from gitlab_mcp.sandbox.state.users import DEVELOPER
from gitlab_mcp.sandbox.text.quick_action_interpreter import interpret


def threads(notes_in_order: list[Note]) -> list[list[Note]]:
    """The notes grouped by thread, in the order of the threads' first notes."""
    gathered: dict[str, list[Note]] = {}
    for each in notes_in_order:
        gathered.setdefault(each.discussion_id, []).append(each)
    return list(gathered.values())


@noteable_route("GET", "discussions")
def list_discussions(call: Call) -> Response:
    noteable = noteable_of(call)
    discussions = threads(readable_notes(call, noteable))
    return paginate(call, discussions, lambda each: notes.discussion(call.world, noteable, each))


@noteable_route("GET", "discussions/:discussion_id")
def get_discussion(call: Call) -> Any:
    noteable = noteable_of(call)
    return notes.discussion(call.world, noteable, thread_of(call, noteable))


@noteable_route("POST", "discussions", "body+ created_at:dt position:obj")
def create_discussion(call: Call) -> Any:
    noteable = noteable_of(call)
    require_comment(call, noteable)
    check_note(call.params["body"], noteable.notes)
    position = call.get("position")
    kind = "DiscussionNote"
    if position is not None and isinstance(noteable, MergeRequest):
        position, kind = newest_position(noteable, validated_position(noteable, position)), "DiffNote"
    else:
        position = None
    interpreted = interpret(call, noteable, call.params["body"], "discussion note")
    return interpreted.save(
        lambda text: notes.discussion(
            call.world, noteable, [activity.comment(call.world, noteable, call.me, text, type=kind, position=position)]
        ),
        "notes",
    )


def reply(call: Call, issuable: Issuable, thread: list[Note], body: str) -> Note:
    """Add a reply to a thread; a reply to a single comment makes it a thread, which updates the comment.

    spec/services/notes/create_service_spec.rb, "converts existing note to DiscussionNote".
    """
    first = thread[0]
    if first.system:
        raise bad_request("Discussion can not be replied to.")
    is_single = first.type is None
    if is_single:
        first.type = "DiscussionNote"
    note = activity.comment(
        call.world,
        issuable,
        call.me,
        body,
        type=first.type,
        thread=first.discussion_id,
        internal=first.internal,
        position=first.position,
    )
    if is_single:
        first.updated_at = call.world.now()
    note.resolved, note.resolved_by, note.resolved_at = first.resolved, first.resolved_by, first.resolved_at
    return note


@noteable_route("POST", "discussions/:discussion_id/notes", "body+ created_at:dt")
def create_reply(call: Call) -> Any:
    noteable = noteable_of(call)
    thread = thread_of(call, noteable)
    require_comment(call, noteable)
    check_note(call.params["body"], noteable.notes)
    interpreted = interpret(call, noteable, call.params["body"], "discussion note")
    return interpreted.save(lambda text: notes.note(call.world, noteable, reply(call, noteable, thread, text)))


def resolve(call: Call, issuable: Issuable, thread: list[Note], resolved: bool) -> None:
    """Resolve or unresolve a thread; raises 403 unless the caller is a Developer or the author of the merge request."""
    resolvable = [each for each in thread if each.resolvable]
    if not resolvable:
        raise forbidden()
    if not (permissions.role(call.user, issuable.project) >= DEVELOPER or call.user is issuable.author):
        raise forbidden()
    before = all(each.resolved for each in resolvable)
    for each in resolvable:
        each.resolved = resolved
        each.resolved_by = call.me if resolved else None
        each.resolved_at = call.world.now() if resolved else None
    open_threads = any(each.resolvable and not each.resolved for each in issuable.notes)
    if resolved and not before and not open_threads and isinstance(issuable, MergeRequest):
        activity.system_note(call.world, issuable, call.me, "resolved all threads")
    issuable.updated_at = call.world.now()


@noteable_route("PUT", "discussions/:discussion_id", "resolved*:bool")
def resolve_discussion(call: Call) -> Any:
    noteable = noteable_of(call)
    thread = thread_of(call, noteable)
    resolve(call, noteable, thread, call.params["resolved"])
    return notes.discussion(call.world, noteable, thread)


@noteable_route("PUT", "discussions/:discussion_id/notes/:note_id", "body resolved:bool")
def update_thread_note(call: Call) -> Any:
    if not call.has("body", "resolved"):
        raise invalid_parameter("body, resolved are missing, exactly one parameter must be provided")
    if "body" in call.params and "resolved" in call.params:
        raise invalid_parameter("body, resolved are mutually exclusive")
    noteable = noteable_of(call)
    note = note_of(call, noteable)
    if call.has("resolved"):
        resolve(call, noteable, [note], call.params["resolved"])
    else:
        change(call, noteable, note, call.params["body"])
    return notes.note(call.world, noteable, note)
