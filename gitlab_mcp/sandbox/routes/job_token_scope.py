"""Which other projects' job tokens a project accepts (lib/api/project_job_token_scope.rb)."""

from __future__ import annotations

from typing import Any

from gitlab_mcp.sandbox.entities.projects import project_basic
from gitlab_mcp.sandbox.http.call import Call, Response
from gitlab_mcp.sandbox.http.errors import bad_request_reason, forbidden, invalid_parameter, not_found
from gitlab_mcp.sandbox.http.pagination import paginate
from gitlab_mcp.sandbox.http.routing import route
from gitlab_mcp.sandbox.state import permissions
from gitlab_mcp.sandbox.state.users import MAINTAINER

_SCOPE = "/projects/:id/job_token_scope"
_LIST = f"{_SCOPE}/allowlist"
# Ci::JobTokenScope::EditScopeValidations
_HIDDEN_TARGET = (
    "The target_project that you are attempting to access does not exist or you don't have permission to perform this "
    "action"
)


@route("GET", _SCOPE, user_needed=True)
def get_job_token_scope(call: Call) -> Any:
    call.require(MAINTAINER)
    enabled = call.project.inbound_job_token_scope_enabled
    return {"inbound_enabled": enabled, "outbound_enabled": False}


@route("PATCH", _SCOPE, "enabled*:bool")
def set_job_token_scope(call: Call) -> Response:
    call.require(MAINTAINER)
    call.project.inbound_job_token_scope_enabled = call.params["enabled"]
    return Response(None, 204)


@route("GET", _LIST, user_needed=True)
def list_allowed_projects(call: Call) -> Response:
    """The projects of the list, of which the project itself is always the first (Ci::JobToken::Allowlist)."""
    call.require(MAINTAINER)
    numbers = [call.project.id, *call.project.job_token_allowlist]
    listed = [call.world.projects[number] for number in numbers if number in call.world.projects]
    return paginate(call, listed, lambda one: project_basic(call.world, one, call.user))


def _require_number(call: Call) -> None:
    """Raise Grape's 400 for the path of a project: these two routes, unlike all others, take only its number."""
    if not call.path["id"].isdecimal():
        raise invalid_parameter("id is invalid")


@route("POST", _LIST, "target_project_id*:int")
def allow_project(call: Call) -> Any:
    _require_number(call)
    call.require(MAINTAINER)
    target = call.world.projects.get(call.params["target_project_id"])
    if target is None:
        raise not_found("target_project_id not found")
    if not permissions.may_see(call.me, target):
        raise bad_request_reason(_HIDDEN_TARGET)
    if target.id in call.project.job_token_allowlist:
        raise bad_request_reason("This project is already in the job token allowlist.")
    call.project.job_token_allowlist.append(target.id)
    return {"source_project_id": call.project.id, "target_project_id": target.id}


@route("DELETE", f"{_LIST}/:target_project_id")
def disallow_project(call: Call) -> Any:
    _require_number(call)
    target = call.world.projects.get(call.number("target_project_id", "Project"))
    if target is None or not permissions.may_see(call.me, target):
        raise not_found("Project")
    if call.role < MAINTAINER:
        raise forbidden("Insufficient permissions to modify the job token scope")
    if target.id not in call.project.job_token_allowlist:
        raise bad_request_reason("Target project is not in the job token scope")
    call.project.job_token_allowlist.remove(target.id)
    return None
