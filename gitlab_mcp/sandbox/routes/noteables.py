"""Finding the issue or merge request, the thread and the note that a notes or discussions route is about."""

from __future__ import annotations

from collections.abc import Callable

from gitlab_mcp.sandbox.http.call import Call
from gitlab_mcp.sandbox.http.errors import forbidden, not_found
from gitlab_mcp.sandbox.http.routing import Handler, route
from gitlab_mcp.sandbox.state import permissions
from gitlab_mcp.sandbox.state.model import Issuable
from gitlab_mcp.sandbox.state.notes import Note
from gitlab_mcp.sandbox.state.users import REPORTER

KINDS = ("issues", "merge_requests")


def both(
    method: str, rest: str, parameters: str = "", *, job_token_kinds: tuple[str, ...] = ()
) -> Callable[[Handler], Handler]:
    """Register a route for issues and for merge requests; GitLab's notes routes answer nobody without a user."""

    def register(handler: Handler) -> Handler:
        for kind in KINDS:
            template = f"/projects/:id/{kind}/:noteable_id/{rest}"
            route(method, template, parameters, user_needed=True, job_token=kind in job_token_kinds)(handler)
        return handler

    return register


def noteable(call: Call) -> Issuable:
    """The issue or merge request of the path."""
    # The path is /projects/<id>/issues/... or /projects/<id>/merge_requests/..., with the id percent-encoded.
    if call.raw_path.split("/")[3] == "issues":
        return call.issue("noteable_id")
    return call.merge_request("noteable_id")


def readable_notes(call: Call, one: Issuable) -> list[Note]:
    """Its notes that the caller may see, oldest first."""
    return [note for note in list(one.notes) if permissions.may_read_note(call.user, one, note)]


def note(call: Call, one: Issuable) -> Note:
    """The note of the path."""
    number = call.number("note_id", "")
    found = next((each for each in readable_notes(call, one) if each.id == number), None)
    if found is None:
        raise not_found()
    return found


def thread(call: Call, one: Issuable, name: str = "discussion_id") -> list[Note]:
    """The notes of the thread of the path."""
    found = [each for each in readable_notes(call, one) if each.discussion_id == call.path[name]]
    if not found:
        raise not_found("Discussion")
    return found


def require_comment(call: Call, one: Issuable) -> None:
    """Raise unless the caller may comment: a locked discussion takes a member."""
    if one.discussion_locked and call.role < REPORTER and call.user is not one.author:
        raise forbidden()
