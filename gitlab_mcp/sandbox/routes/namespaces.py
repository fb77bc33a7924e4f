"""Namespaces (lib/api/namespaces.rb), of which the sandbox has only groups."""

from __future__ import annotations

from typing import Any

from gitlab_mcp.sandbox.entities.projects import namespace_basic
from gitlab_mcp.sandbox.http.call import Call
from gitlab_mcp.sandbox.http.errors import not_found
from gitlab_mcp.sandbox.http.routing import route
from gitlab_mcp.sandbox.state import permissions
from gitlab_mcp.sandbox.state.users import GUEST, OWNER


@route("GET", "/namespaces/:namespace_id", user_needed=True)
def get_namespace(call: Call) -> Any:
    """A group that the caller belongs to. Only its owners see the plan, which only GitLab.com's namespaces have.

    Memberships of groups are not modelled: whoever has a role in a project of the group has it in the group.
    """
    wanted = call.path["namespace_id"].lower()
    for group, number in list(call.world.groups.items()):
        if wanted in (str(number), group.lower()):
            projects = [one for one in list(call.world.projects.values()) if one.group == group]
            role = max((permissions.role(call.me, one) for one in projects), default=0)
            if role >= GUEST:
                break
    else:
        raise not_found("Namespace")
    namespace = namespace_basic(call.world, group, number)
    if role < OWNER:
        return namespace
    members = {user for project in projects for user in project.members}
    counted = {"members_count_with_descendants": len(members), "root_repository_size": 0}
    counted["projects_count"] = len(projects)
    return namespace | counted | ({"plan": call.world.plan} if call.world.plan else {})
