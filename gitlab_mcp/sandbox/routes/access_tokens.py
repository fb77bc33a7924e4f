"""Project access tokens, each with a bot user of its own (lib/api/resource_access_tokens.rb)."""

from __future__ import annotations

import secrets
from datetime import date, timedelta
from typing import Any

from gitlab_mcp.sandbox.entities import users
from gitlab_mcp.sandbox.http.call import Call, Response
from gitlab_mcp.sandbox.http.errors import bad_request_reason, invalid_parameter, not_allowed, not_found, unauthorized
from gitlab_mcp.sandbox.http.pagination import paginate
from gitlab_mcp.sandbox.http.routing import route
from gitlab_mcp.sandbox.state.model import Token
from gitlab_mcp.sandbox.state.users import MAINTAINER, User

_ALL = "/projects/:id/access_tokens"
_ONE = f"{_ALL}/:token_id"
# Gitlab::Auth.resource_bot_scopes
_SCOPES = {
    "api", "read_api", "read_repository", "write_repository", "read_registry", "write_registry", "create_runner",
    "manage_runner", "ai_features", "k8s_proxy", "self_rotate",
}  # fmt: skip
_MOST_DAYS = 365  # PersonalAccessToken::MAX_PERSONAL_ACCESS_TOKEN_LIFETIME_IN_DAYS
_DAYS_AFTER_ROTATION = 7  # PersonalAccessTokens::RotateService::EXPIRATION_PERIOD
_SORTS = "created_asc|created_desc|expires_asc|expires_desc|last_used_asc|last_used_desc|name_asc|name_desc"


def _may_read(call: Call) -> bool:
    """Whether the caller may list and revoke tokens: GitLab.com has them from the plan Premium on."""
    return call.role >= MAINTAINER and call.world.plan != "free"


def _may_manage(call: Call) -> bool:
    """Whether the caller may create and rotate tokens, which no bot may (ProjectPolicy)."""
    return _may_read(call) and not call.me.bot


def _tokens(call: Call) -> list[Token]:
    bots = {user for user in call.project.members if user.bot}
    return [token for token in list(call.world.tokens.values()) if token.user in bots]


def _entity(call: Call, token: Token, *, value: bool = False) -> dict[str, Any]:
    """ResourceAccessToken, or ResourceAccessTokenWithToken, which only the responses to its creation are."""
    return {
        **users.personal_access_token(token, call.world.now().date()),
        "access_level": call.project.members[token.user],
        "resource_type": "project",
        "resource_id": call.project.id,
        **({"token": token.value} if value else {}),
    }


@route(
    "GET",
    _ALL,
    f"state:enum(active|inactive) revoked:bool search sort:enum({_SORTS}) created_after:dt created_before:dt "
    "expires_after:date expires_before:date last_used_after:dt last_used_before:dt",
    user_needed=True,
)
def list_access_tokens(call: Call) -> Response:
    if not _may_read(call):
        raise unauthorized()
    rows = [(token, _entity(call, token)) for token in _tokens(call)]
    if state := call.get("state"):
        rows = [(token, row) for token, row in rows if row["active"] == (state == "active")]
    if call.has("revoked"):
        rows = [(token, row) for token, row in rows if token.revoked == call.params["revoked"]]
    if search := call.get("search"):
        rows = [(token, row) for token, row in rows if search.lower() in token.name.lower()]
    for field in ("created_at", "expires_at", "last_used_at"):
        name = field.removesuffix("_at")
        if after := call.get(f"{name}_after"):
            rows = [one for one in rows if (when := getattr(one[0], field)) and when >= after]
        if before := call.get(f"{name}_before"):
            rows = [one for one in rows if (when := getattr(one[0], field)) and when < before]
    if sort := call.get("sort"):
        name, _, direction = sort.rpartition("_")
        field = "name" if name == "name" else f"{name}_at"
        rows.sort(key=lambda one: (str(getattr(one[0], field) or ""), one[0].id), reverse=direction == "desc")
    return paginate(call, rows, lambda one: one[1])


def _token(call: Call) -> Token:
    """The token of the path; raises 404 in the words of the route."""
    for token in _tokens(call):
        if str(token.id) == call.path["token_id"]:
            return token
    raise not_found("project Access Token")


@route("GET", _ONE, user_needed=True)
def get_access_token(call: Call) -> Any:
    if not _may_read(call):
        raise unauthorized()
    return _entity(call, _token(call))


@route(
    "POST",
    _ALL,
    "name+ description scopes+:list expires_at:date access_level:enum(10|15|20|30|40|50)=40",
)
def create_access_token(call: Call) -> Any:
    """ResourceAccessTokens::CreateService: the bot user, its membership and the token."""
    scopes = call.params["scopes"]
    if not set(scopes) <= _SCOPES:
        raise invalid_parameter("scopes does not have a valid value")
    if not _may_manage(call):
        raise bad_request_reason("User does not have permission to create project access token")
    level = int(call.params["access_level"] or MAINTAINER)
    if level > call.role:
        raise bad_request_reason("Access level of the token contains permissions not held by the creating user")
    name = call.params["name"] or ""
    blank = [f"{what} can't be blank" for what, value in (("Name", name), ("Scopes", scopes)) if not value]
    if blank:
        raise bad_request_reason(" and ".join(blank))
    expires_at = _expiry(call, _MOST_DAYS)
    with call.world.lock:
        username = f"project_{call.project.id}_bot_{secrets.token_hex(16)}"
        bot = call.world.add_user(username, name, call.world.now())
    bot.bot = True
    call.project.members[bot] = level
    token = _add_token(call, name, bot, tuple(scopes), expires_at, call.get("description"))
    return _entity(call, token, value=True)


def _expiry(call: Call, days: int) -> date:
    """The date that the request gives, or the one in so many days. Raises 400 for one after the longest lifetime."""
    today = call.world.now().date()
    latest = today + timedelta(days=_MOST_DAYS)
    given: date | None = call.get("expires_at")
    if given is not None and given > latest:
        raise bad_request_reason(f"Expires at must be before {latest.isoformat()}")
    return given or today + timedelta(days=days)


def _add_token(
    call: Call, name: str, bot: User, scopes: tuple[str, ...], expires_at: date, description: str | None
) -> Token:
    value = f"glpat-{secrets.token_urlsafe(15)}"
    token = call.world.add_token(value, name, bot, scopes, expires_at=expires_at)
    token.description = description or ""
    return token


@route("DELETE", _ONE)
def revoke_access_token(call: Call) -> Any:
    """ResourceAccessTokens::RevokeService; the bot user stays a member, as GitLab keeps inactive tokens."""
    token = _token(call)
    if not _may_read(call):
        raise bad_request_reason(f"{call.me.name} cannot delete {token.user.name}")
    token.revoked = True
    return None


@route("POST", f"{_ALL}/self/rotate", "expires_at:date")
def rotate_own_access_token(call: Call) -> Response:
    """lib/api/resource_access_tokens/self_rotation.rb: only for a token of this project."""
    if call.token is None or not call.me.bot:
        raise not_allowed()
    if call.me not in call.project.members:
        raise unauthorized()
    return _rotate(call, call.token)


@route("POST", f"{_ONE}/rotate", "expires_at:date")
def rotate_access_token(call: Call) -> Response:
    found = [token for token in _tokens(call) if str(token.id) == call.path["token_id"]]
    # GitLab tells only administrators that a token does not exist.
    if not found or not _may_manage(call):
        raise unauthorized()
    if call.project.members[found[0].user] > call.role:
        raise bad_request_reason("Not eligible to rotate tokens with permissions not held by the user")
    return _rotate(call, found[0])


def _rotate(call: Call, token: Token) -> Response:
    """Revoke a token and create its successor; a token that was rotated before ends its whole family."""
    if token.revoked:
        for one in _tokens(call):
            one.revoked = one.revoked or one.user is token.user
        raise bad_request_reason("Token already revoked")
    expires_at = _expiry(call, _DAYS_AFTER_ROTATION)
    token.revoked = True
    new = _add_token(call, token.name, token.user, token.scopes, expires_at, token.description)
    return Response(_entity(call, new, value=True), 200)
