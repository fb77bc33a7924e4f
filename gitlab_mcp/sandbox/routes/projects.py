"""Projects."""

from __future__ import annotations

import re
from typing import Any

from gitlab_mcp.sandbox.entities import projects
from gitlab_mcp.sandbox.git.commit_files import Action, Signature, build_commit
from gitlab_mcp.sandbox.git.repository import valid_branch_name
from gitlab_mcp.sandbox.http.call import Call, Response
from gitlab_mcp.sandbox.http.errors import bad_request, invalid_parameter
from gitlab_mcp.sandbox.http.pagination import paginate, paginate_by_id
from gitlab_mcp.sandbox.http.routing import route
from gitlab_mcp.sandbox.state import permissions
from gitlab_mcp.sandbox.state.model import Project
from gitlab_mcp.sandbox.state.project_paths import slug
from gitlab_mcp.sandbox.state.users import MAINTAINER, OWNER

_CREATE = (
    "name path namespace_id:int description visibility:enum(private|internal|public) default_branch "
    "initialize_with_readme:bool"
)
_OVERRIDE_ROLE = "ci_pipeline_variables_minimum_override_role"
_CHOICES = {_OVERRIDE_ROLE: "enum(no_one_allowed|developer|maintainer|owner)"}
_SETTINGS = " ".join(
    f"{name}:{_CHOICES.get(name) or ('bool' if isinstance(default, bool) else 'any')}"
    for name, default in projects.EDITABLE.items()
    if not name.endswith(("_count", "shared_with_groups"))
)


@route(
    "GET",
    "/projects",
    "pagination id_after:int id_before:int "
    "search search_namespaces:bool membership:bool owned:bool archived:bool simple:bool "
    "visibility:enum(private|internal|public) min_access_level:int sort:enum(asc|desc)=desc "
    "order_by:enum(id|name|path|created_at|updated_at|last_activity_at|similarity|star_count)=created_at",
)
def list_projects(call: Call) -> Response:
    listed = [one for one in list(call.world.projects.values()) if permissions.may_see(call.user, one)]
    if search := call.get("search"):
        field = "full_path" if call.get("search_namespaces") else "path"
        listed = [one for one in listed if search.lower() in f"{getattr(one, field)} {one.name}".lower()]
    if call.get("membership"):
        listed = [one for one in listed if permissions.role(call.user, one)]
    if call.get("owned"):
        listed = [one for one in listed if permissions.role(call.user, one) >= OWNER]
    if call.has("min_access_level"):
        listed = [one for one in listed if permissions.role(call.user, one) >= call.params["min_access_level"]]
    if call.has("archived"):
        listed = [one for one in listed if one.archived == call.params["archived"]]
    if call.has("visibility"):
        listed = [one for one in listed if one.visibility == call.params["visibility"]]
    if call.get("id_after") is not None:
        listed = [one for one in listed if one.id > call.params["id_after"]]
    if call.get("id_before") is not None:
        listed = [one for one in listed if one.id < call.params["id_before"]]
    key = call.get("order_by")
    listed.sort(key=lambda one: (_order(one, key), one.id), reverse=call.get("sort") == "desc")
    pages = paginate_by_id if call.get("pagination") == "keyset" else paginate
    return pages(call, listed, lambda one: projects.project_basic(call.world, one, call.user))


def _order(project: Project, key: str | None) -> str:
    if key in ("name", "path"):
        return str(getattr(project, key)).lower()
    return projects.last_activity(project).isoformat() if key in ("last_activity_at", "updated_at") else ""


@route("POST", "/projects", f"{_CREATE} {_SETTINGS}")
def create_project(call: Call) -> Any:
    name, path = call.get("name"), call.get("path")
    if not name and not path:
        raise invalid_parameter("name, path are missing, at least one parameter must be provided")
    path = path or slug(name)
    name = name or path
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]*", path) or path.endswith((".git", ".atom", ".")):
        text = "must not start or end with a special character and must not contain consecutive special characters."
        raise bad_request({"path": [text]})
    group = _group(call)
    branch = call.get("default_branch") or "main"
    if not valid_branch_name(branch):
        raise bad_request({"default_branch": ["is invalid"]})
    with call.world.lock:
        if call.world.project_by_path(f"{group}/{path}") is not None:
            taken = ["has already been taken"]
            raise bad_request({"project_namespace.name": taken, "name": taken, "path": taken})
        project = call.world.create_project(group, path, name, call.me)
    project.description = call.get("description") or ""
    project.visibility = call.get("visibility") or "private"
    project.members[call.me] = OWNER
    project.protected[branch] = MAINTAINER
    project.repository.create(branch)
    _set(project, call)
    if call.get("initialize_with_readme"):
        _write_readme(call, project)
    return projects.project_full(call.world, project, call.user)


def _group(call: Call) -> str:
    number = call.get("namespace_id")
    if number is None:
        return call.me.username
    for group, known in call.world.groups.items():
        if known == number:
            return group
    raise bad_request({"namespace": ["is not valid"]})


def _write_readme(call: Call, project: Project) -> None:
    me = Signature(call.me.name, call.me.email)
    action = Action("create", "README.md", content=f"# {project.name}\n".encode())
    sha = build_commit(project.repository, None, [action], "Initial commit", me, me, call.world.now())
    project.repository.update_ref(f"refs/heads/{project.repository.default_branch}", sha, None)


def _set(project: Project, call: Call) -> None:
    given = {name: call.params[name] for name in projects.EDITABLE if name in call.params}
    # Projects::UpdateService
    if given.get(_OVERRIDE_ROLE) == "owner" and call.role < OWNER:
        raise bad_request(f"Changing the {_OVERRIDE_ROLE} to the owner role is not allowed")
    project.settings.update(given)


@route("GET", "/projects/:id", "license:bool statistics:bool")
def get_project(call: Call) -> Any:
    return projects.project_full(call.world, call.project, call.user)


@route("PUT", "/projects/:id", f"{_CREATE} {_SETTINGS}", archived=True)
def update_project(call: Call) -> Any:
    call.require(MAINTAINER)
    project = call.project
    if not call.params:
        raise invalid_parameter("at least one parameter must be provided")
    branch = call.get("default_branch")
    if branch and branch != project.repository.default_branch:
        if project.repository.branch(branch) is None and not project.repository.is_empty():
            raise bad_request({"base": [f"Could not change HEAD: branch '{branch}' does not exist"]})
        project.repository.set_default_branch(branch)
        project.protected.setdefault(branch, MAINTAINER)
    if path := call.get("path"):
        _move(call, project, path)
    project.name = call.get("name") or project.name
    project.description = call.get("description", project.description) or ""
    project.visibility = call.get("visibility") or project.visibility
    _set(project, call)
    return projects.project_full(call.world, project, call.user)


def _move(call: Call, project: Project, path: str) -> None:
    if path == project.path:
        return
    with call.world.lock:
        if call.world.project_by_path(f"{project.group}/{path}") is not None:
            raise bad_request({"path": ["has already been taken"]})
        call.world.moved[project.full_path.lower()] = f"{project.group}/{path}"
        project.path = path


@route("DELETE", "/projects/:id", archived=True)
def delete_project(call: Call) -> Any:
    call.require(OWNER)
    with call.world.lock:
        call.world.projects.pop(call.project.id, None)
    call.project.repository.remove()
    return Response({"message": "202 Accepted"}, 202)


@route("POST", "/projects/:id/archive", archived=True)
def archive(call: Call) -> Any:
    call.require(OWNER)
    call.project.archived = True
    return projects.project_full(call.world, call.project, call.user)


@route("POST", "/projects/:id/unarchive", archived=True)
def unarchive(call: Call) -> Any:
    call.require(OWNER)
    call.project.archived = False
    return projects.project_full(call.world, call.project, call.user)
