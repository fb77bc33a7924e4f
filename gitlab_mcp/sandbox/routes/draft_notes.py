"""Comments of a review that are not published yet."""

from __future__ import annotations

from typing import Any

from gitlab_mcp.sandbox.entities.notes import draft_note
from gitlab_mcp.sandbox.http.call import Call, Reply
from gitlab_mcp.sandbox.http.errors import bad_request, not_found
from gitlab_mcp.sandbox.http.pagination import paginate
from gitlab_mcp.sandbox.http.routing import route
from gitlab_mcp.sandbox.routes.discussions import reply, resolve
from gitlab_mcp.sandbox.routes.issuables import check_note
from gitlab_mcp.sandbox.routes.noteables import readable_notes
from gitlab_mcp.sandbox.state import activity, merge_requests
from gitlab_mcp.sandbox.state.diff_position import kept_position, line_code
from gitlab_mcp.sandbox.state.model import MergeRequest
from gitlab_mcp.sandbox.state.notes import DraftNote, Note
from gitlab_mcp.sandbox.text.mentions import note_mentions
from gitlab_mcp.sandbox.text.quick_action_interpreter import interpret

_ALL = "/projects/:id/merge_requests/:merge_request_iid/draft_notes"
_FIELDS = "in_reply_to_discussion_id commit_id resolve_discussion:bool position:obj"


def _mine(call: Call, one: MergeRequest) -> list[DraftNote]:
    return [draft for draft in one.drafts if draft.author is call.me]


def _draft(call: Call, one: MergeRequest) -> DraftNote:
    number = call.number("draft_note_id", "")
    found = next((draft for draft in _mine(call, one) if draft.id == number), None)
    if found is None:
        raise not_found()
    return found


def _thread(call: Call, one: MergeRequest, thread: str) -> list[Note]:
    return [each for each in readable_notes(call, one) if each.discussion_id == thread]


def _place(one: MergeRequest, given: dict[str, Any] | None) -> tuple[dict[str, Any] | None, str | None]:
    """The position of a draft and the name of its line: GitLab keeps a draft whose line is not in the diff."""
    position = kept_position(one, given) if given else None
    return position, line_code(one, position) if position else None


@route("GET", _ALL, user_needed=True)
def list_drafts(call: Call) -> Reply:
    one = call.merge_request()
    return paginate(call, _mine(call, one), lambda draft: draft_note(one, draft))


@route("GET", f"{_ALL}/:draft_note_id", user_needed=True)
def get_draft(call: Call) -> Any:
    one = call.merge_request()
    return draft_note(one, _draft(call, one))


@route("POST", _ALL, f"note* {_FIELDS}", user_needed=True)
def create_draft(call: Call) -> Any:
    one = call.merge_request()
    check_note(call.params["note"])
    thread = call.get("in_reply_to_discussion_id") or None
    if thread and not _thread(call, one, thread):
        raise bad_request({"base": ["Thread to reply to cannot be found"]})
    position = call.get("position")
    draft = DraftNote(
        call.world.next_id("draft_note"),
        call.me,
        call.params["note"],
        thread,
        bool(call.get("resolve_discussion")),
        *_place(one, position),
    )
    one.drafts.append(draft)
    if len(_mine(call, one)) == 1:
        merge_requests.set_reviewer_state(call.world, one, call.me, "review_started")
    return draft_note(one, draft)


@route("PUT", f"{_ALL}/:draft_note_id", "note position:obj", user_needed=True)
def update_draft(call: Call) -> Any:
    one = call.merge_request()
    draft = _draft(call, one)
    if call.given("note"):
        check_note(call.params["note"])
        draft.note = call.params["note"]
    if call.get("position"):
        draft.position, draft.line_code = _place(one, call.params["position"])
    return draft_note(one, draft)


@route("DELETE", f"{_ALL}/:draft_note_id", user_needed=True)
def delete_draft(call: Call) -> Any:
    one = call.merge_request()
    one.drafts.remove(_draft(call, one))
    return None


@route("PUT", f"{_ALL}/:draft_note_id/publish", user_needed=True)
def publish_draft(call: Call) -> Reply:
    one = call.merge_request()
    _publish(call, one, _draft(call, one))
    return Reply(None, 204)


@route(
    "POST",
    f"{_ALL}/bulk_publish",
    "note internal:bool reviewer_state:enum(requested_changes|reviewed)",
    user_needed=True,
)
def publish_drafts(call: Call) -> Reply:
    one = call.merge_request()
    if call.get("note"):
        check_note(call.params["note"])
    for draft in _mine(call, one):
        _publish(call, one, draft)
    if text := call.get("note"):
        interpreted = interpret(call, one, text, "note")
        if not interpreted.only_commands:
            note_mentions(call.world, interpreted.content, interpreted.where)
            activity.comment(call.world, one, call.me, interpreted.content, internal=bool(call.get("internal")))
        interpreted.apply()
    if state := call.get("reviewer_state"):
        merge_requests.set_reviewer_state(call.world, one, call.me, state)
    return Reply(None, 204)


def _publish(call: Call, one: MergeRequest, draft: DraftNote) -> None:
    interpreted = interpret(call, one, draft.note, "draft note")
    one.drafts.remove(draft)
    if draft.position and draft.line_code is None:
        return  # DraftNotes::PublishService deletes it, although no note can be made of it
    if not interpreted.only_commands:
        note_mentions(call.world, interpreted.content, interpreted.where)
        _comment(call, one, draft, interpreted.content)
    interpreted.apply()


def _comment(call: Call, one: MergeRequest, draft: DraftNote, text: str) -> None:
    found = _thread(call, one, draft.discussion_id) if draft.discussion_id else []
    if not found:
        kind = "DiffNote" if draft.position else "DiscussionNote"
        activity.comment(call.world, one, call.me, text, type=kind, position=draft.position)
        return
    made = reply(call, one, found, text)
    if draft.resolve_discussion:
        resolve(call, one, [*found, made], True)
