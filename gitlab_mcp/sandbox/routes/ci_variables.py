"""CI/CD variables of a project (lib/api/ci/variables.rb, Ci::ChangeVariableService)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from gitlab_mcp.sandbox.entities.ci_variables import ci_variable
from gitlab_mcp.sandbox.http.call import Call, Response
from gitlab_mcp.sandbox.http.errors import bad_request, conflict, not_found
from gitlab_mcp.sandbox.http.pagination import paginate
from gitlab_mcp.sandbox.http.routing import route
from gitlab_mcp.sandbox.state.ci_variables import CiVariable
from gitlab_mcp.sandbox.state.users import MAINTAINER

_ALL = "/projects/:id/variables"
_ONE = f"{_ALL}/:key"
_FILTER = "filter[environment_scope]"
_FIELDS = "protected:bool masked:bool raw:bool variable_type:enum(env_var|file) environment_scope description"
_HIDDEN_STAYS = "The visibility setting cannot be changed for masked and hidden variables."


@route("GET", _ALL, user_needed=True)
def list_ci_variables(call: Call) -> Response:
    call.require(MAINTAINER)
    return paginate(call, list(call.project.variables), lambda one: ci_variable(call.world, one))


def _variable(call: Call) -> CiVariable:
    """The variable of the path and of the filter. Raises 404, and 409 where several have the key."""
    call.require(MAINTAINER)
    scope = call.get(_FILTER)
    found = [one for one in call.project.variables if one.key == call.path["key"]]
    if scope is not None:
        found = [one for one in found if one.environment_scope == scope]
    if not found:
        raise not_found("Variable")
    if len(found) > 1:
        text = "There are multiple variables with provided parameters. Please use 'filter[environment_scope]'"
        raise conflict(text)
    return found[0]


@route("GET", _ONE, _FILTER, user_needed=True)
def get_ci_variable(call: Call) -> Any:
    return ci_variable(call.world, _variable(call))


def _fields(call: Call) -> dict[str, Any]:
    """The given parameters as fields of a variable, with the text that GitLab's models make of each."""
    fields = {name: value for name, value in call.params.items() if name in CiVariable.__dataclass_fields__}
    for name in ("key", "environment_scope"):
        if name in fields:
            fields[name] = (fields[name] or "").strip()
    if "value" in fields:
        fields["value"] = fields["value"] or ""
    if "variable_type" in fields:
        fields["variable_type"] = fields["variable_type"] or "env_var"
    return fields


@route("POST", _ALL, f"key+ value+ masked_and_hidden:bool {_FIELDS}")
def create_ci_variable(call: Call) -> Any:
    call.require(MAINTAINER)
    fields = _fields(call)
    # GitLab docs: masked_and_hidden is known since 17.4, and an older GitLab ignores it like any unknown parameter.
    if call.get("masked_and_hidden") and call.world.is_at_least(17, 4):
        fields |= {"masked": True, "hidden": True}
    variable = CiVariable(**fields)
    if errors := variable.errors(call.project.variables):
        raise bad_request(errors)
    call.project.variables.append(variable)
    return ci_variable(call.world, variable)


@route("PUT", _ONE, f"value {_FIELDS} {_FILTER}")
def update_ci_variable(call: Call) -> Any:
    old = _variable(call)
    new = replace(old, **_fields(call))
    # Ci::HidableVariable
    if old.hidden and not new.masked:
        raise bad_request({"base": [_HIDDEN_STAYS]})
    variables = call.project.variables
    if errors := new.errors(one for one in variables if one is not old):
        raise bad_request(errors)
    variables[variables.index(old)] = new
    return ci_variable(call.world, new)


@route("DELETE", _ONE, _FILTER)
def delete_ci_variable(call: Call) -> Any:
    call.project.variables.remove(_variable(call))
    return None
