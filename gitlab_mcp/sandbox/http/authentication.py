"""Authentication of REST requests: personal and OAuth tokens on every route, job tokens on those that accept them.

On any other route a job token is not refused but ignored, so the request is anonymous (GitLab, auth_finders.rb).
"""

from __future__ import annotations

from collections.abc import Mapping

from gitlab_mcp.sandbox.http.errors import unauthorized
from gitlab_mcp.sandbox.state.model import Token
from gitlab_mcp.sandbox.state.permissions import basic_login, require_active
from gitlab_mcp.sandbox.state.world import World

JOB_PREFIX = "glcbt-"


def token_of(
    world: World, headers: Mapping[str, str], params: Mapping[str, object], *, job_token: bool, basic: bool = False
) -> Token | None:
    """The token of a request, or None if it is anonymous; raises 401 if the token is unknown, expired or revoked.

    `job_token` is whether the route accepts job tokens, and `basic` whether a token may be the password of HTTP Basic
    authentication; `params` are the parameters of query and body.
    """
    if basic and headers.get("authorization", "").lower().startswith("basic "):
        headers = _without_basic(headers)
    token = _access_token(world, headers, params)
    if token is None and job_token:
        token = _job_token(world, headers, params)
    if token is not None:
        token.last_used_at = world.now()
    return token


def _access_token(world: World, headers: Mapping[str, str], params: Mapping[str, object]) -> Token | None:
    private = headers.get("private-token") or _text(params, "private_token")
    value = private or _bearer(headers) or _text(params, "access_token")
    if not value or value.startswith(JOB_PREFIX):
        return None
    token = world.tokens.get(value)
    # GitLab accepts OAuth tokens only as Authorization: Bearer.
    if token is None or token.kind == "job" or (private and token.kind == "oauth"):
        raise unauthorized()
    require_active(world, token)
    return token


def _job_token(world: World, headers: Mapping[str, str], params: Mapping[str, object]) -> Token | None:
    bearer = _bearer(headers)
    value = bearer if bearer.startswith(JOB_PREFIX) else ""
    value = value or _text(params, "job_token") or _text(params, "token") or headers.get("job-token", "")
    if not value:
        return None
    token = world.tokens.get(value)
    if token is None or token.job is None or not token.job.running:
        raise unauthorized()
    return token


def _bearer(headers: Mapping[str, str]) -> str:
    scheme, _, value = headers.get("authorization", "").partition(" ")
    return value.strip() if scheme.lower() == "bearer" else ""


def _without_basic(headers: Mapping[str, str]) -> Mapping[str, str]:
    """The headers with the password of HTTP Basic authentication as a job token or as an access token."""
    _, password = basic_login(headers["authorization"]) or ("", "")
    return {"job-token" if password.startswith(JOB_PREFIX) else "private-token": password or "-"}


def _text(params: Mapping[str, object], name: str) -> str:
    return str(params.get(name) or "")
