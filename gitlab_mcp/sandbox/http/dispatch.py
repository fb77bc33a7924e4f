"""Dispatching a REST request: find the route, authenticate, check parameters and project, then call the handler."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from gitlab_mcp.sandbox import routes
from gitlab_mcp.sandbox.entities.webhook_bodies import deliveries_of
from gitlab_mcp.sandbox.http import authentication, forms, parameters, routing
from gitlab_mcp.sandbox.http.call import Call, Response
from gitlab_mcp.sandbox.http.errors import ApiError, forbidden, not_found, not_implemented, unauthorized
from gitlab_mcp.sandbox.http.routing import Route
from gitlab_mcp.sandbox.http.undone import refuse_undone
from gitlab_mcp.sandbox.state import events, permissions
from gitlab_mcp.sandbox.state.model import Project
from gitlab_mcp.sandbox.state.webhooks import Delivery
from gitlab_mcp.sandbox.state.world import World

routes.load()


@dataclass(frozen=True)
class EncodedResponse:
    """A response with its body as bytes, ready to be sent, and the webhooks that are to be sent behind it."""

    status: int
    headers: dict[str, str]
    body: bytes
    deliveries: list[Delivery] = field(default_factory=list)


def respond(
    world: World, method: str, raw_path: str, query: str, headers: Mapping[str, str], body: bytes
) -> EncodedResponse:
    """The response to a REST request.

    `raw_path` is the percent-encoded path after /api/v4; the names in `headers` are in lower case. Errors that GitLab
    would send become responses; anything else that is raised is an error of the sandbox.
    """
    deliveries: list[Delivery] = []
    try:
        response = _dispatch(world, method, raw_path, query, headers, body, deliveries)
    except ApiError as error:
        response = Response(error.body, error.status, error.headers)
    return replace(_encode(response, method, headers.get("if-none-match", "")), deliveries=deliveries)


def _dispatch(
    world: World,
    method: str,
    raw_path: str,
    query: str,
    headers: Mapping[str, str],
    body: bytes,
    deliveries: list[Delivery],
) -> Response:
    match = routing.match(method, raw_path) or (routing.match("GET", raw_path) if method == "HEAD" else None)
    if match is None:
        name = f"{method} {routing.template_of(raw_path)}"
        raise not_implemented(name)
    route, path = match
    query_params = forms.urlencoded(query)
    if route.raw_body:
        raw_params = {**query_params, "file": forms.UploadedFile("", body)}
    else:
        raw_params = parameters.read(query, body, headers.get("content-type", ""))
    token = None
    if not route.own_login:
        token = authentication.token_of(world, headers, raw_params, job_token=route.job_token, basic=route.basic_auth)
        if token is None and (route.user_needed or (method not in ("GET", "HEAD") and "/repository/" not in raw_path)):
            raise unauthorized()
    if token is not None:
        permissions.require_scope(token, method, route.template)
    params = parameters.check(route.parameters, raw_params)
    refuse_undone(route, raw_params)
    user = token.user if token else None
    call = Call(world, method, raw_path, query_params, path, params, token, user, None, raw_params, headers)
    if route.in_project:
        call.maybe_project = _project(call, route)
    # Writes in a project are serialized, so that what a handler checked still holds when it acts.
    writes = method not in ("GET", "HEAD") and call.maybe_project is not None
    with call.project.lock if writes else contextlib.nullcontext(), events.collect() as collected:
        try:
            result = route.handler(call)
        finally:
            deliveries += deliveries_of(world, collected)
    if isinstance(result, Response):
        return result
    return Response(result, {"POST": 201, "DELETE": 204}.get(method, 200))


def _project(call: Call, route: Route) -> Project:
    key = call.path["id"]
    project = call.world.find_project(key, call.method, call.address_with("{id}"))
    if route.own_login:
        return project
    if call.token is not None and call.token.job is not None:
        refusal = permissions.job_project_refusal(call.token.job, project)
        if refusal:
            raise forbidden(refusal)
    if not permissions.may_see(call.user, project):
        raise not_found("Project")
    if call.method not in ("GET", "HEAD"):
        if call.user is None:
            raise forbidden()
        if project.archived and not route.archived:
            raise forbidden()
    return project


def _encode(response: Response, method: str, known_etag: str) -> EncodedResponse:
    """The response as bytes, with an ETag if it is JSON; 304 without a body if the client has this version already.

    Rack::ETag and Rack::ConditionalGet, through which all responses of GitLab's REST API pass.
    """
    headers = dict(response.headers)
    if response.status == 204:
        return EncodedResponse(204, headers, b"")
    body: Any = response.body
    if not isinstance(body, bytes):
        body = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
        if response.status in (200, 201):
            headers["etag"] = f'W/"{hashlib.sha256(body).hexdigest()[:32]}"'
            headers["cache-control"] = "max-age=0, private, must-revalidate"
            if response.status == 200 and method in ("GET", "HEAD") and headers["etag"] == known_etag:
                return EncodedResponse(304, headers, b"")
    headers["content-type"] = response.media_type
    headers["content-length"] = str(len(body))
    return EncodedResponse(response.status, headers, b"" if method == "HEAD" else body)
