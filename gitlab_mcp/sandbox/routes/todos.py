"""The to-do list of the current user (lib/api/todos.rb)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gitlab_mcp.sandbox.entities.todos import todo
from gitlab_mcp.sandbox.http.call import Call, Response
from gitlab_mcp.sandbox.http.errors import ApiError
from gitlab_mcp.sandbox.http.pagination import paginate
from gitlab_mcp.sandbox.http.routing import route
from gitlab_mcp.sandbox.routes.noteables import noteable_of, noteable_route
from gitlab_mcp.sandbox.state import todos
from gitlab_mcp.sandbox.state.model import Todo

_ACTIONS = (
    "assigned|mentioned|build_failed|marked|approval_required|unmergeable|directly_addressed|merge_train_removed|"
    "review_requested|member_access_requested|review_submitted|okr_checkin_requested|added_approver|"
    "ssh_key_expired|ssh_key_expiring_soon"
)
_TYPES = (
    "Issue|WorkItem|MergeRequest|Commit|DesignManagement::Design|AlertManagement::Alert|Namespace|Project|Key|"
    "WikiPage::Meta|Epic|Vulnerability"
)
_FILTERS = (
    f"action:enum({_ACTIONS}) author_id:int project_id:int group_id:int state:enum(pending|done) type:enum({_TYPES})"
)


def _listed(call: Call) -> list[Todo]:
    """The user's to-do items that the filters keep; TodosFinder: pending ones by default."""
    state = call.get("state") or "pending"
    listed = [one for one in todos.of_user(call.world, call.me) if one.state == state]
    wanted: dict[str, Callable[[Todo], object]] = {
        "action": lambda one: one.action,
        "author_id": lambda one: one.author.id,
        "project_id": lambda one: one.target.project.id,
        "group_id": lambda one: one.target.project.group_id,
        "type": lambda one: one.target.kind,
    }
    for name, field in wanted.items():
        if (value := call.get(name)) is not None:
            listed = [one for one in listed if field(one) == value]
    return listed


@route("GET", "/todos", _FILTERS, user_needed=True)
def list_todos(call: Call) -> Response:
    return paginate(call, _listed(call), lambda one: todo(call.world, one, call.me))


@route("POST", "/todos/:todo_id/mark_as_done")
def mark_done(call: Call) -> Any:
    number = call.number("todo_id", "")
    one = next((one for one in todos.of_user(call.world, call.me) if one.id == number), None)
    if one is None:
        raise ApiError(404, {"message": "404 Not found"})  # ActiveRecord::RecordNotFound in lib/api/api.rb
    todos.finish(call.world, one)
    return todo(call.world, one, call.me)


@route("POST", "/todos/mark_as_done", _FILTERS)
def mark_all_done(call: Call) -> Response:
    for one in _listed(call):
        todos.finish(call.world, one)
    return Response(None, 204)


@noteable_route("POST", "todo")
def mark_as_todo(call: Call) -> Any:
    """Add the issue or merge request to the to-do list; the response is 304 if it is there already."""
    created = todos.create(call.world, [call.me], noteable_of(call), call.me, "marked")
    return todo(call.world, created[0], call.me) if created else Response(b"", 304)
