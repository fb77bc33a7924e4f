"""Protected branches (lib/api/protected_branches.rb); one rule holds for pushing and merging."""

from __future__ import annotations

import zlib
from typing import Any

from gitlab_mcp.sandbox.http.call import Call, Response
from gitlab_mcp.sandbox.http.errors import conflict, not_found, not_implemented
from gitlab_mcp.sandbox.http.pagination import paginate
from gitlab_mcp.sandbox.http.routing import route
from gitlab_mcp.sandbox.state.users import DEVELOPER, MAINTAINER

_ALL = "/projects/:id/protected_branches"
_NAMES = {DEVELOPER: "Developers + Maintainers", MAINTAINER: "Maintainers"}


def _entity(call: Call, name: str) -> dict[str, Any]:
    """ProtectedBranch, with an id that is the same in every run."""
    level = call.project.protected[name]
    number = zlib.crc32(f"{call.project.id} {name}".encode()) % 100_000 + 1
    access = {
        "id": number,
        "access_level": level,
        "access_level_description": _NAMES[level],
        "deploy_key_id": None,
        "user_id": None,
        "group_id": None,
    }
    return {
        "id": number,
        "name": name,
        "push_access_levels": [access],
        "merge_access_levels": [{key: value for key, value in access.items() if key != "deploy_key_id"}],
        "allow_force_push": False,
    }


def _name(call: Call) -> str:
    call.require(MAINTAINER)
    if call.path["name"] not in call.project.protected:
        raise not_found()
    return call.path["name"]


@route("GET", _ALL, "search", user_needed=True)
def list_protected_branches(call: Call) -> Response:
    call.require(MAINTAINER)
    names = [name for name in sorted(call.project.protected) if (call.get("search") or "").lower() in name.lower()]
    return paginate(call, names, lambda name: _entity(call, name))


@route("GET", f"{_ALL}/:name", user_needed=True)
def get_protected_branch(call: Call) -> Any:
    return _entity(call, _name(call))


@route(
    "POST",
    _ALL,
    "name* push_access_level:enum(0|30|40|60) merge_access_level:enum(0|30|40|60) allow_force_push:bool=false",
)
def protect_branch(call: Call) -> Any:
    call.require(MAINTAINER)
    name = call.params["name"]
    if name in call.project.protected:
        raise conflict(f"Protected branch '{name}' already exists")
    levels = {int(call.get(f"{what}_access_level") or MAINTAINER) for what in ("push", "merge")}
    if len(levels) > 1 or not levels <= set(_NAMES) or call.params["allow_force_push"]:
        raise not_implemented("a protected branch with other levels than one for Developers or one for Maintainers")
    call.project.protected[name] = levels.pop()
    return _entity(call, name)


@route("DELETE", f"{_ALL}/:name")
def unprotect_branch(call: Call) -> Any:
    del call.project.protected[_name(call)]
    return None
