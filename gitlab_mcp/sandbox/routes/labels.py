"""Labels."""

from __future__ import annotations

from typing import Any

from gitlab_mcp.sandbox.entities import projects
from gitlab_mcp.sandbox.http.call import Call, Response
from gitlab_mcp.sandbox.http.errors import bad_request, conflict, invalid_parameter, not_found
from gitlab_mcp.sandbox.http.pagination import paginate
from gitlab_mcp.sandbox.http.routing import route
from gitlab_mcp.sandbox.state.model import Label, Project
from gitlab_mcp.sandbox.state.users import REPORTER
from gitlab_mcp.sandbox.state.world import World
from gitlab_mcp.sandbox.text import colors


def labels_named(world: World, project: Project, names: list[str], *, create: bool = True) -> list[Label]:
    """The labels with these names; GitLab docs: labels that do not exist are created."""
    labels = []
    for name in names:
        label = next((one for one in list(project.labels.values()) if one.name.lower() == name.lower()), None)
        if label is None and create:
            label = project.labels[name] = Label(world.next_id("label"), name)
        if label is not None and label not in labels:
            labels.append(label)
    return labels


def _label(call: Call) -> Label:
    key = call.path["name"]
    for label in list(call.project.labels.values()):
        if label.name == key or (key.isdecimal() and label.id == int(key)):
            return label
    raise not_found("Label")


def _color(value: str) -> str:
    """The color as GitLab stores it; raises its 400 for a value that is neither a hexadecimal code nor a known name."""
    code = colors.code_of(value)
    if code is None:
        raise bad_request({"color": ["must be a valid color code"]})
    return code


@route("GET", "/projects/:id/labels", "with_counts:bool search include_ancestor_groups:bool archived:bool")
def list_labels(call: Call) -> Response:
    labels = sorted(call.project.labels.values(), key=lambda one: one.name.lower())
    if search := call.get("search"):
        labels = [one for one in labels if search.lower() in f"{one.name} {one.description or ''}".lower()]
    counts = bool(call.get("with_counts"))
    return paginate(call, labels, lambda one: projects.label(call.project, one, counts=counts))


@route("POST", "/projects/:id/labels", "name* color* description priority:int")
def create_label(call: Call) -> Any:
    call.require(REPORTER)
    name, color = call.params["name"], call.params["color"]
    if labels_named(call.world, call.project, [name], create=False):
        raise conflict("Label already exists")
    if "," in name or len(name) > 255:
        raise bad_request({"title": ["is invalid"]})
    label = Label(call.world.next_id("label"), name, _color(color), call.get("description"))
    call.project.labels[name] = label
    return projects.label(call.project, label, counts=True)


@route("GET", "/projects/:id/labels/:name")
def get_label(call: Call) -> Any:
    return projects.label(call.project, _label(call), counts=True)


@route("PUT", "/projects/:id/labels/:name", "new_name color description priority:int")
def update_label(call: Call) -> Any:
    return _update(call, _label(call))


@route("PUT", "/projects/:id/labels", "label_id:int name new_name color description priority:int")
def update_named_label(call: Call) -> Any:
    key = call.params.pop("name", None) or call.params.pop("label_id", None)
    if key is None:
        raise invalid_parameter("label_id, name are missing, exactly one parameter must be provided")
    call.path["name"] = str(key)
    return _update(call, _label(call))


def _update(call: Call, label: Label) -> Any:
    call.require(REPORTER)
    if not call.params:
        raise invalid_parameter("new_name, color, description, priority are missing, at least one must be provided")
    if new := call.get("new_name"):
        del call.project.labels[label.name]
        label.name = new
        call.project.labels[new] = label
    label.color = _color(call.get("color") or label.color)
    label.description = call.get("description", label.description)
    return projects.label(call.project, label, counts=True)


@route("DELETE", "/projects/:id/labels/:name")
def delete_label(call: Call) -> Any:
    call.require(REPORTER)
    label = _label(call)
    del call.project.labels[label.name]
    for one in [*call.project.issues.values(), *call.project.merge_requests.values()]:
        for event in one.events:
            event.label = None if event.label is label else event.label
        one.labels = [other for other in one.labels if other is not label]
    return None
