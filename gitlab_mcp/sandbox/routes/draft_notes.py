"""Draft notes: the comments of a review before it is published."""

from __future__ import annotations

from typing import Any

from gitlab_mcp.sandbox.entities.notes import draft_note
from gitlab_mcp.sandbox.http.call import Call, Response
from gitlab_mcp.sandbox.http.errors import bad_request
from gitlab_mcp.sandbox.http.pagination import paginate
from gitlab_mcp.sandbox.http.routing import route
from gitlab_mcp.sandbox.routes.discussions import reply, resolve
from gitlab_mcp.sandbox.routes.issuables import check_note
from gitlab_mcp.sandbox.routes.noteables import readable_notes
from gitlab_mcp.sandbox.state import activity, merge_requests, todos
from gitlab_mcp.sandbox.state.diff_notes import newest_position
from gitlab_mcp.sandbox.state.diff_position import line_code, stored_position
from gitlab_mcp.sandbox.state.model import MergeRequest
from gitlab_mcp.sandbox.state.notes import DraftNote, Note
from gitlab_mcp.sandbox.text.quick_action_interpreter import interpret

_ALL = "/projects/:id/merge_requests/:merge_request_iid/draft_notes"
_FIELDS = "in_reply_to_discussion_id commit_id resolve_discussion:bool position:obj"


def _mine(call: Call, merge_request: MergeRequest) -> list[DraftNote]:
    return [draft for draft in merge_request.drafts if draft.author is call.me]


def _draft(call: Call, merge_request: MergeRequest) -> DraftNote:
    return call.item("draft_note_id", _mine(call, merge_request))


def _thread(call: Call, merge_request: MergeRequest, thread: str) -> list[Note]:
    return [each for each in readable_notes(call, merge_request) if each.discussion_id == thread]


def _place(
    merge_request: MergeRequest, raw_position: dict[str, Any] | None
) -> tuple[dict[str, Any] | None, str | None]:
    """The position of a draft and its line code, which is None if its line is not in the diff (GitLab allows that)."""
    position = stored_position(merge_request, raw_position) if raw_position else None
    return position, line_code(merge_request, position) if position else None


@route("GET", _ALL, user_needed=True)
def list_drafts(call: Call) -> Response:
    merge_request = call.merge_request()
    return paginate(call, _mine(call, merge_request), lambda draft: draft_note(merge_request, draft))


@route("GET", f"{_ALL}/:draft_note_id", user_needed=True)
def get_draft(call: Call) -> Any:
    merge_request = call.merge_request()
    return draft_note(merge_request, _draft(call, merge_request))


@route("POST", _ALL, f"note+ {_FIELDS}", user_needed=True)
def create_draft(call: Call) -> Any:
    merge_request = call.merge_request()
    check_note(call.params["note"], draft=True)
    thread = call.get("in_reply_to_discussion_id") or None
    if thread and not _thread(call, merge_request, thread):
        raise bad_request({"base": ["Thread to reply to cannot be found"]})
    position = call.get("position")
    draft = DraftNote(
        call.world.next_id("draft_note"),
        call.me,
        call.params["note"],
        thread,
        bool(call.get("resolve_discussion")),
        *_place(merge_request, position),
    )
    merge_request.drafts.append(draft)
    if len(_mine(call, merge_request)) == 1:
        merge_requests.set_reviewer_state(call.world, merge_request, call.me, "review_started")
    return draft_note(merge_request, draft)


@route("PUT", f"{_ALL}/:draft_note_id", "note position:obj", user_needed=True)
def update_draft(call: Call) -> Any:
    merge_request = call.merge_request()
    draft = _draft(call, merge_request)
    if call.has("note"):
        check_note(call.params["note"], draft=True)
        draft.note = call.params["note"]
    if call.get("position"):
        draft.position, draft.line_code = _place(merge_request, call.params["position"])
    return draft_note(merge_request, draft)


@route("DELETE", f"{_ALL}/:draft_note_id", user_needed=True)
def delete_draft(call: Call) -> Any:
    merge_request = call.merge_request()
    merge_request.drafts.remove(_draft(call, merge_request))
    return None


@route("PUT", f"{_ALL}/:draft_note_id/publish", user_needed=True)
def publish_draft(call: Call) -> Response:
    merge_request = call.merge_request()
    _publish(call, merge_request, _draft(call, merge_request))
    return Response(None, 204)


@route(
    "POST",
    f"{_ALL}/bulk_publish",
    "note internal:bool reviewer_state:enum(requested_changes|reviewed)",
    user_needed=True,
)
def publish_drafts(call: Call) -> Response:
    merge_request = call.merge_request()
    if call.get("note"):
        check_note(call.params["note"])
    for draft in _mine(call, merge_request):
        _publish(call, merge_request, draft)
    if text := call.get("note"):
        interpreted = interpret(call, merge_request, text, "note")
        if not interpreted.only_commands:
            activity.comment(
                call.world, merge_request, call.me, interpreted.content, internal=bool(call.get("internal"))
            )
        interpreted.apply()
    todos.resolve(call.world, merge_request, call.me)
    if state := call.get("reviewer_state"):
        merge_requests.set_reviewer_state(call.world, merge_request, call.me, state)
    return Response(None, 204)


def _publish(call: Call, merge_request: MergeRequest, draft: DraftNote) -> None:
    if draft.position and draft.line_code is None:
        # DraftNotes::PublishService deletes a draft even if its note is not valid, whose commands are not executed.
        merge_request.drafts.remove(draft)
        return
    interpreted = interpret(call, merge_request, draft.note, "draft note")
    merge_request.drafts.remove(draft)
    if not interpreted.only_commands:
        _comment(call, merge_request, draft, interpreted.content)
    interpreted.apply()


def _comment(call: Call, merge_request: MergeRequest, draft: DraftNote, text: str) -> None:
    thread = _thread(call, merge_request, draft.discussion_id) if draft.discussion_id else []
    if not thread:
        kind = "DiffNote" if draft.position else "DiscussionNote"
        position = newest_position(merge_request, draft.position) if draft.position else None
        activity.comment(call.world, merge_request, call.me, text, type=kind, position=position)
        return
    answer = reply(call, merge_request, thread, text)
    if draft.resolve_discussion:
        resolve(call, merge_request, [*thread, answer], True)
