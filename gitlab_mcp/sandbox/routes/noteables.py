"""Noteables: the issue or merge request, thread and note that the path of a notes route names."""

from __future__ import annotations

from collections.abc import Callable

from gitlab_mcp.sandbox.http.call import Call
from gitlab_mcp.sandbox.http.errors import bad_request, forbidden, not_found
from gitlab_mcp.sandbox.http.routing import Handler, route
from gitlab_mcp.sandbox.state import permissions
from gitlab_mcp.sandbox.state.model import Issuable
from gitlab_mcp.sandbox.state.notes import Note
from gitlab_mcp.sandbox.state.users import REPORTER

KINDS = ("issues", "merge_requests")


def noteable_route(
    method: str, rest: str, parameters: str = "", *, job_token_kinds: tuple[str, ...] = ()
) -> Callable[[Handler], Handler]:
    """Register a route for issues and for merge requests; GitLab's notes routes require a user."""

    def register(handler: Handler) -> Handler:
        for kind in KINDS:
            template = f"/projects/:id/{kind}/:noteable_id/{rest}"
            route(method, template, parameters, user_needed=True, job_token=kind in job_token_kinds)(handler)
        return handler

    return register


def noteable_of(call: Call) -> Issuable:
    """The issue or merge request of the path."""
    # The path is /projects/<id>/issues/... or /projects/<id>/merge_requests/..., with the id percent-encoded.
    if call.raw_path.split("/")[3] == "issues":
        return call.issue("noteable_id")
    return call.merge_request("noteable_id")


def readable_notes(call: Call, issuable: Issuable) -> list[Note]:
    """The notes that the caller may read, oldest first."""
    return [note for note in list(issuable.notes) if permissions.may_read_note(call.user, issuable, note)]


def note_of(call: Call, issuable: Issuable) -> Note:
    """The note of the path, in the discussion of the path if that names one; raises 404."""
    if "discussion_id" in call.path:
        thread_of(call, issuable)
    note = call.item("note_id", readable_notes(call, issuable))
    if note.discussion_id != call.path.get("discussion_id", note.discussion_id):
        raise bad_request("Discussion not found")
    return note


def thread_of(call: Call, issuable: Issuable, name: str = "discussion_id") -> list[Note]:
    """The notes of the thread of the path; raises 404."""
    notes = [each for each in readable_notes(call, issuable) if each.discussion_id == call.path[name]]
    if not notes:
        raise not_found("Discussion")
    return notes


def require_comment(call: Call, issuable: Issuable) -> None:
    """Raise 403 unless the caller may comment; a locked discussion takes a Reporter or the author."""
    if issuable.discussion_locked and call.role < REPORTER and call.user is not issuable.author:
        raise forbidden()
