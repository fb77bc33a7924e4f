"""Threads on issues and merge requests."""

from __future__ import annotations

from typing import Any

from gitlab_mcp.sandbox.entities import notes
from gitlab_mcp.sandbox.http.call import Call, Reply
from gitlab_mcp.sandbox.http.errors import bad_request, forbidden, invalid_parameter
from gitlab_mcp.sandbox.http.pagination import paginate
from gitlab_mcp.sandbox.routes.issuables import check_note
from gitlab_mcp.sandbox.routes.noteables import both, note, noteable, readable_notes, require_comment, thread
from gitlab_mcp.sandbox.routes.notes import change, require_own
from gitlab_mcp.sandbox.state import activity, permissions
from gitlab_mcp.sandbox.state.diff_position import checked_position
from gitlab_mcp.sandbox.state.model import Issuable, MergeRequest
from gitlab_mcp.sandbox.state.notes import Note
from gitlab_mcp.sandbox.state.users import DEVELOPER
from gitlab_mcp.sandbox.text.quick_action_interpreter import interpret


def threads(found: list[Note]) -> list[list[Note]]:
    """Notes gathered into their threads, in the order of the threads' first notes."""
    gathered: dict[str, list[Note]] = {}
    for each in found:
        gathered.setdefault(each.discussion_id, []).append(each)
    return list(gathered.values())


@both("GET", "discussions")
def list_discussions(call: Call) -> Reply:
    one = noteable(call)
    found = threads(readable_notes(call, one))
    return paginate(call, found, lambda each: notes.discussion(call.world, one, each))


@both("GET", "discussions/:discussion_id")
def get_discussion(call: Call) -> Any:
    one = noteable(call)
    return notes.discussion(call.world, one, thread(call, one))


@both("POST", "discussions", "body* created_at:dt position:obj")
def create_discussion(call: Call) -> Any:
    one = noteable(call)
    require_comment(call, one)
    check_note(call.params["body"], one.notes)
    position = call.get("position")
    kind = "DiscussionNote"
    if position is not None and isinstance(one, MergeRequest):
        position, kind = checked_position(one, position), "DiffNote"
    else:
        position = None
    found = interpret(call, one, call.params["body"], "discussion note")
    return found.save(
        lambda text: notes.discussion(
            call.world, one, [activity.comment(call.world, one, call.me, text, type=kind, position=position)]
        ),
        "notes",
    )


def reply(call: Call, one: Issuable, found: list[Note], body: str) -> Note:
    """Answer in a thread; GitLab docs: answering a single comment makes it a thread."""
    first = found[0]
    if first.system:
        raise bad_request("Discussion can not be replied to.")
    if first.type is None:
        first.type = "DiscussionNote"
    made = activity.comment(
        call.world,
        one,
        call.me,
        body,
        type=first.type,
        thread=first.discussion_id,
        internal=first.internal,
        position=first.position,
    )
    made.resolved, made.resolved_by, made.resolved_at = first.resolved, first.resolved_by, first.resolved_at
    return made


@both("POST", "discussions/:discussion_id/notes", "body* created_at:dt")
def create_reply(call: Call) -> Any:
    one = noteable(call)
    found = thread(call, one)
    require_comment(call, one)
    check_note(call.params["body"], one.notes)
    interpreted = interpret(call, one, call.params["body"], "discussion note")
    return interpreted.save(lambda text: notes.note(call.world, one, reply(call, one, found, text)))


def resolve(call: Call, one: Issuable, found: list[Note], resolved: bool) -> None:
    """Resolve or reopen a thread: Developers, and the author of the merge request, may."""
    resolvable = [each for each in found if each.resolvable]
    if not resolvable:
        raise forbidden()
    if not (permissions.role(call.user, one.project) >= DEVELOPER or call.user is one.author):
        raise forbidden()
    before = all(each.resolved for each in resolvable)
    for each in resolvable:
        each.resolved = resolved
        each.resolved_by = call.me if resolved else None
        each.resolved_at = call.world.now() if resolved else None
    open_threads = any(each.resolvable and not each.resolved for each in one.notes)
    if resolved and not before and not open_threads and isinstance(one, MergeRequest):
        activity.system_note(call.world, one, call.me, "resolved all threads")
    one.updated_at = call.world.now()


@both("PUT", "discussions/:discussion_id", "resolved*:bool")
def resolve_discussion(call: Call) -> Any:
    one = noteable(call)
    found = thread(call, one)
    resolve(call, one, found, call.params["resolved"])
    return notes.discussion(call.world, one, found)


def _thread_note(call: Call, one: Issuable) -> Note:
    thread(call, one)
    found = note(call, one)
    if found.discussion_id != call.path["discussion_id"]:
        raise bad_request("Discussion not found")
    return found


@both("GET", "discussions/:discussion_id/notes/:note_id")
def get_thread_note(call: Call) -> Any:
    one = noteable(call)
    return notes.note(call.world, one, _thread_note(call, one))


@both("PUT", "discussions/:discussion_id/notes/:note_id", "body resolved:bool")
def update_thread_note(call: Call) -> Any:
    if not call.given("body", "resolved"):
        raise invalid_parameter("body, resolved are missing, exactly one parameter must be provided")
    if "body" in call.params and "resolved" in call.params:
        raise invalid_parameter("body, resolved are mutually exclusive")
    one = noteable(call)
    found = _thread_note(call, one)
    if call.given("resolved"):
        resolve(call, one, [found], call.params["resolved"])
    else:
        change(call, one, found, call.params["body"])
    return notes.note(call.world, one, found)


@both("DELETE", "discussions/:discussion_id/notes/:note_id")
def delete_thread_note(call: Call) -> Any:
    one = noteable(call)
    found = _thread_note(call, one)
    require_own(call, found)
    one.notes.remove(found)
    return None
