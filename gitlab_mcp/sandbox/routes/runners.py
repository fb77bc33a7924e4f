"""The runners that a project's jobs may run on (lib/api/ci/runners.rb)."""

from __future__ import annotations

from gitlab_mcp.sandbox.entities.runners import instance_runner
from gitlab_mcp.sandbox.http.call import Call, Response
from gitlab_mcp.sandbox.http.pagination import paginate
from gitlab_mcp.sandbox.http.routing import route
from gitlab_mcp.sandbox.state.users import MAINTAINER


@route(
    "GET",
    "/projects/:id/runners",
    "type:enum(instance_type|group_type|project_type) status:enum(online|offline|stale|never_contacted|active|paused) "
    "paused:bool tag_list:list",
    user_needed=True,
)
def list_project_runners(call: Call) -> Response:
    """The instance's runner, which has no tags, unless the project does not use instance runners."""
    call.require(MAINTAINER)
    status = call.world.runner_status
    found = (
        status
        and call.project.settings.get("shared_runners_enabled", True)
        and call.get("type") in (None, "instance_type")
        and call.get("status") in (None, "active", status)
        and not call.get("paused")
        and not call.get("tag_list")
    )
    created_at = min(project.created_at for project in call.world.projects.values())
    return paginate(call, [created_at] if found else [], lambda one: instance_runner(one, status))
