"""Members of projects."""

from __future__ import annotations

from typing import Any

from gitlab_mcp.sandbox.entities import users
from gitlab_mcp.sandbox.http.call import Call, Response
from gitlab_mcp.sandbox.http.errors import bad_request, conflict, not_found, unauthorized
from gitlab_mcp.sandbox.http.pagination import paginate
from gitlab_mcp.sandbox.http.routing import route
from gitlab_mcp.sandbox.state.users import GUEST, MAINTAINER, OWNER, User

_LEVELS = (5, 10, 15, 20, 25, 30, 40, 50)


@route("GET", "/projects/:id/members", "query user_ids:ints")
@route("GET", "/projects/:id/members/all", "query user_ids:ints")
def list_members(call: Call) -> Response:
    members = list(call.project.members)
    if query := call.get("query"):
        members = [user for user in members if query.lower() in f"{user.username} {user.name}".lower()]
    if call.has("user_ids"):
        members = [user for user in members if user.id in call.params["user_ids"]]
    return paginate(call, members, lambda user: users.member(call.world, call.project, user))


@route("GET", "/projects/:id/members/:user_id")
@route("GET", "/projects/:id/members/all/:user_id")
def get_member(call: Call) -> Any:
    return users.member(call.world, call.project, _member(call))


def _member(call: Call) -> User:
    return call.item("user_id", list(call.project.members))


@route("POST", "/projects/:id/members", "user_id:int username access_level*:int expires_at:date")
def add_member(call: Call) -> Any:
    call.require(MAINTAINER)
    user = call.world.users.get(call.get("user_id") or 0) or call.world.user_by_name(call.get("username") or "")
    if user is None:
        raise not_found("User")
    if user in call.project.members:
        raise conflict("Member already exists")
    _set_level(call, user)
    return users.member(call.world, call.project, user)


@route("PUT", "/projects/:id/members/:user_id", "access_level*:int expires_at:date")
def update_member(call: Call) -> Any:
    call.require(MAINTAINER)
    user = _member(call)
    _set_level(call, user)
    return users.member(call.world, call.project, user)


def _set_level(call: Call, user: User) -> None:
    level = call.params["access_level"]
    if level not in _LEVELS:
        raise bad_request({"access_level": ["is not included in the list"]})
    if level >= OWNER > call.role:
        raise unauthorized()
    call.project.members[user] = level


@route("DELETE", "/projects/:id/members/:user_id")
def remove_member(call: Call) -> Any:
    user = _member(call)
    if user is not call.user:
        call.require(MAINTAINER)
    call.require(GUEST)
    del call.project.members[user]
    return None
