"""Comments and threads on commits, and their signatures, which no commit of the sandbox has."""

from __future__ import annotations

from typing import Any

from gitlab_mcp.sandbox.entities.users import stamp, user_basic
from gitlab_mcp.sandbox.git.diffs import of_commit
from gitlab_mcp.sandbox.git.repository import Commit
from gitlab_mcp.sandbox.http.call import Call, Response
from gitlab_mcp.sandbox.http.errors import bad_request_reason, not_found, not_implemented
from gitlab_mcp.sandbox.http.pagination import paginate
from gitlab_mcp.sandbox.http.routing import route
from gitlab_mcp.sandbox.routes.commits import commit_of_path
from gitlab_mcp.sandbox.state import events
from gitlab_mcp.sandbox.state.notes import Note, discussion_id
from gitlab_mcp.sandbox.state.users import REPORTER

_ONE = "/projects/:id/repository/commits/:sha"


def _notes(call: Call, commit: Commit) -> list[Note]:
    return call.project.commit_notes.setdefault(commit.sha, [])


def _add(call: Call, commit: Commit, body: str, *, kind: str | None = None, thread: str = "") -> Note:
    if call.project.visibility != "public":
        call.require(REPORTER)
    number, now = call.world.next_id("note"), call.world.now()
    note = Note(number, call.me, body, now, now, thread or discussion_id(number), kind)
    _notes(call, commit).append(note)
    events.record(events.NoteEvent(call.project, commit, note, "create"))
    return note


def _comment(call: Call, note: Note) -> dict[str, Any]:
    """CommitNote."""
    position = note.position or {}
    return {
        "note": note.body,
        "path": position.get("path"),
        "line": position.get("line"),
        "line_type": position.get("line_type"),
        "author": user_basic(call.world, note.author),
        "created_at": stamp(note.created_at),
    }


@route("GET", f"{_ONE}/comments")
def list_comments(call: Call) -> Response:
    return paginate(call, _notes(call, commit_of_path(call)), lambda note: _comment(call, note))


@route("POST", f"{_ONE}/comments", "note* path line:int line_type:enum(new|old)=new")
def create_comment(call: Call) -> Any:
    """Comment on a commit; a line that is not in its diff is left out, and so is its path."""
    commit = commit_of_path(call)
    note = _add(call, commit, call.params["note"])
    if path := call.get("path"):
        side, line = call.params["line_type"], call.get("line")
        wanted = (None, line) if side == "new" else (line, None)
        found = [one for one in of_commit(call.project.repository, commit.sha, commit.parents) if one.new_path == path]
        if found and found[0].has_line(*wanted):
            note.position = {"path": path, "line": line, "line_type": side}
    return _comment(call, note)


@route("GET", f"{_ONE}/signature")
def get_signature(call: Call) -> Any:
    commit_of_path(call)
    raise not_found("Signature")


def _note(call: Call, commit: Commit, note: Note) -> dict[str, Any]:
    """Note, of a commit: it has no noteable_id, and the thread cannot be resolved."""
    return {
        "id": note.id,
        "type": note.type,
        "body": note.body,
        "author": user_basic(call.world, note.author),
        "created_at": stamp(note.created_at),
        "updated_at": stamp(note.updated_at),
        "system": False,
        "noteable_id": None,
        "noteable_type": "Commit",
        "project_id": call.project.id,
        "commit_id": commit.sha,
        "resolvable": False,
        "confidential": False,
        "internal": False,
        "imported": False,
        "imported_from": "none",
        "noteable_iid": None,
        "commands_changes": {},
    }


def _discussion(call: Call, commit: Commit, thread: str) -> dict[str, Any]:
    """Discussion. Raises 404."""
    notes = [note for note in _notes(call, commit) if note.discussion_id == thread]
    if not notes:
        raise not_found("Discussion")
    return {
        "id": thread,
        "individual_note": notes[0].type is None,
        "notes": [_note(call, commit, note) for note in notes],
    }


@route("GET", f"{_ONE}/discussions")
def list_discussions(call: Call) -> Response:
    commit = commit_of_path(call)
    threads = list(dict.fromkeys(note.discussion_id for note in _notes(call, commit)))
    return paginate(call, threads, lambda thread: _discussion(call, commit, thread))


@route("GET", f"{_ONE}/discussions/:discussion_id")
def get_discussion(call: Call) -> Any:
    return _discussion(call, commit_of_path(call), call.path["discussion_id"])


@route("POST", f"{_ONE}/discussions", "body* created_at:dt position:obj")
def create_discussion(call: Call) -> Any:
    if call.get("position"):
        raise not_implemented("a thread on a line of a commit")
    commit = commit_of_path(call)
    return _discussion(call, commit, _add(call, commit, call.params["body"], kind="DiscussionNote").discussion_id)


@route("POST", f"{_ONE}/discussions/:discussion_id/notes", "body* created_at:dt")
def reply(call: Call) -> Any:
    """Reply in a thread; only a single comment takes no replies (lib/api/discussions.rb)."""
    commit, thread = commit_of_path(call), call.path["discussion_id"]
    if _discussion(call, commit, thread)["individual_note"]:
        raise bad_request_reason("Discussion can not be replied to.")
    return _note(call, commit, _add(call, commit, call.params["body"], kind="DiscussionNote", thread=thread))
