"""Users, the current user and token, and the version of the instance."""

from __future__ import annotations

from typing import Any

from gitlab_mcp.sandbox.entities import users
from gitlab_mcp.sandbox.http.call import Call, Response
from gitlab_mcp.sandbox.http.errors import not_found, unauthorized
from gitlab_mcp.sandbox.http.pagination import paginate
from gitlab_mcp.sandbox.http.routing import route


@route("GET", "/version", user_needed=True)
@route("GET", "/metadata", user_needed=True)
def get_metadata(call: Call) -> Any:
    return {
        "version": call.world.version,
        "revision": "5a9db0a1c2e",
        "kas": {"enabled": False, "externalUrl": None, "externalK8sProxyUrl": None, "version": None},
        "enterprise": bool(call.world.plan),
    }


@route("GET", "/user", user_needed=True)
def get_me(call: Call) -> Any:
    return users.user_public(call.world, call.me)


@route("GET", "/users", "username search")
def list_users(call: Call) -> Response:
    listed = list(call.world.users.values())
    if username := call.get("username"):
        listed = [user for user in listed if user.username == username.lower()]
    if search := call.get("search"):
        listed = [user for user in listed if search.lower() in f"{user.username} {user.name}".lower()]
    return paginate(call, listed[::-1], lambda user: users.user_basic(call.world, user))


@route("GET", "/users/:user_id")
def get_user(call: Call) -> Any:
    user = call.world.users.get(call.number("user_id", "User"))
    if user is None:
        raise not_found("User")
    return users.user_full(call.world, user)


@route("GET", "/personal_access_tokens/self", user_needed=True)
def get_own_token(call: Call) -> Any:
    if call.token is None or call.token.kind != "pat":
        raise unauthorized()
    return users.personal_access_token(call.token, call.world.now().date())
