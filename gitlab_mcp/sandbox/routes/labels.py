"""Labels and milestones."""

from __future__ import annotations

import re
from typing import Any

from gitlab_mcp.sandbox.call import Call, Reply
from gitlab_mcp.sandbox.entities import projects
from gitlab_mcp.sandbox.errors import bad_request, conflict, invalid_parameter, not_found
from gitlab_mcp.sandbox.model import REPORTER, Label, Milestone, Project
from gitlab_mcp.sandbox.paging import paginate
from gitlab_mcp.sandbox.routing import route
from gitlab_mcp.sandbox.world import World


def labels_named(world: World, project: Project, names: list[str], *, create: bool = True) -> list[Label]:
    """The labels of these names; GitLab docs: unknown ones are created."""
    found = []
    for name in names:
        label = next((one for one in list(project.labels.values()) if one.name.lower() == name.lower()), None)
        if label is None and create:
            label = project.labels[name] = Label(world.next_id("label"), name)
        if label is not None and label not in found:
            found.append(label)
    return found


def _label(call: Call) -> Label:
    key = call.path["name"]
    for label in list(call.project.labels.values()):
        if label.name == key or (key.isdecimal() and label.id == int(key)):
            return label
    raise not_found("Label")


@route("GET", "/projects/:id/labels", "with_counts:bool search include_ancestor_groups:bool archived:bool")
def list_labels(call: Call) -> Reply:
    found = sorted(call.project.labels.values(), key=lambda one: one.name.lower())
    if search := call.get("search"):
        found = [one for one in found if search.lower() in f"{one.name} {one.description or ''}".lower()]
    counts = bool(call.get("with_counts"))
    return paginate(call, found, lambda one: projects.label(call.project, one, counts=counts))


@route("POST", "/projects/:id/labels", "name* color* description priority:int")
def create_label(call: Call) -> Any:
    call.require(REPORTER)
    name, color = call.params["name"], call.params["color"]
    if labels_named(call.world, call.project, [name], create=False):
        raise conflict("Label already exists")
    if not re.fullmatch(r"#(?:[0-9a-fA-F]{3}|[0-9a-fA-F]{6})|[a-z]+", color):
        raise bad_request({"color": ["must be a valid color code"]})
    if "," in name or len(name) > 255:
        raise bad_request({"title": ["is invalid"]})
    label = Label(call.world.next_id("label"), name, color, call.get("description"))
    call.project.labels[name] = label
    return projects.label(call.project, label, counts=True)


@route("GET", "/projects/:id/labels/:name")
def get_label(call: Call) -> Any:
    return projects.label(call.project, _label(call), counts=True)


@route("PUT", "/projects/:id/labels/:name", "new_name color description priority:int")
def update_label(call: Call) -> Any:
    call.require(REPORTER)
    label = _label(call)
    if not call.params:
        raise invalid_parameter("new_name, color, description, priority are missing, at least one must be provided")
    if new := call.get("new_name"):
        del call.project.labels[label.name]
        label.name = new
        call.project.labels[new] = label
    label.color = call.get("color") or label.color
    label.description = call.get("description", label.description)
    return projects.label(call.project, label, counts=True)


@route("DELETE", "/projects/:id/labels/:name")
def delete_label(call: Call) -> Any:
    call.require(REPORTER)
    label = _label(call)
    del call.project.labels[label.name]
    for one in [*call.project.issues.values(), *call.project.merge_requests.values()]:
        one.labels = [other for other in one.labels if other is not label]
    return None


def _milestone(call: Call) -> Milestone:
    number = call.number("milestone_id", "")
    found = next((one for one in call.project.milestones if one.id == number), None)
    if found is None:
        raise not_found()
    return found


@route("GET", "/projects/:id/milestones", "state:enum(active|closed|all)=all iids:ints title search")
def list_milestones(call: Call) -> Reply:
    found = list(call.project.milestones)[::-1]
    if call.get("state") != "all":
        found = [one for one in found if one.state == call.get("state")]
    if call.given("iids"):
        found = [one for one in found if one.iid in call.params["iids"]]
    if title := call.get("title"):
        found = [one for one in found if one.title == title]
    if search := call.get("search"):
        found = [one for one in found if search.lower() in f"{one.title} {one.description}".lower()]
    return paginate(call, found, lambda one: projects.milestone(call.world, call.project, one))


@route("POST", "/projects/:id/milestones", "title* description due_date:date start_date:date")
def create_milestone(call: Call) -> Any:
    call.require(REPORTER)
    project, title = call.project, call.params["title"]
    if any(one.title == title for one in project.milestones):
        raise bad_request({"title": ["already being used for another group or project milestone."]})
    now = call.world.now()
    number = max((one.iid for one in project.milestones), default=0) + 1
    found = Milestone(call.world.next_id("milestone"), number, title, now, now, call.get("description") or "")
    found.due_date, found.start_date = call.get("due_date"), call.get("start_date")
    project.milestones.append(found)
    return projects.milestone(call.world, project, found)


@route("GET", "/projects/:id/milestones/:milestone_id")
def get_milestone(call: Call) -> Any:
    return projects.milestone(call.world, call.project, _milestone(call))


@route(
    "PUT",
    "/projects/:id/milestones/:milestone_id",
    "title description due_date:date start_date:date state_event:enum(close|activate)",
)
def update_milestone(call: Call) -> Any:
    call.require(REPORTER)
    found = _milestone(call)
    found.title = call.get("title") or found.title
    found.description = call.get("description", found.description) or ""
    found.due_date = call.get("due_date", found.due_date)
    found.start_date = call.get("start_date", found.start_date)
    found.state = {"close": "closed", "activate": "active"}.get(call.get("state_event"), found.state)
    found.updated_at = call.world.now()
    return projects.milestone(call.world, call.project, found)
