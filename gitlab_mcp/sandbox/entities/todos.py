"""To-do items."""

from __future__ import annotations

from typing import Any

from gitlab_mcp.sandbox.entities.issues import issue, issue_url
from gitlab_mcp.sandbox.entities.merge_requests import merge_request, merge_request_url
from gitlab_mcp.sandbox.entities.projects import project_basic
from gitlab_mcp.sandbox.entities.users import stamp, user_basic
from gitlab_mcp.sandbox.state.model import Issue, MergeRequest, Todo
from gitlab_mcp.sandbox.state.users import User
from gitlab_mcp.sandbox.state.world import World

_IDENTITY = ("id", "description", "name", "name_with_namespace", "path", "path_with_namespace", "created_at")


def todo(world: World, todo: Todo, user: User) -> dict[str, Any]:
    """Todo (lib/api/entities/todo.rb); its body is the text of the note that it is about, or the target's title."""
    target = todo.target
    project = project_basic(world, target.project, user)
    shown: dict[str, Any] = {}
    url = ""
    if isinstance(target, Issue):
        shown, url = issue(world, target, user), issue_url(world, target)
    elif isinstance(target, MergeRequest):
        shown, url = merge_request(world, target, user), merge_request_url(world, target)
    return {
        "id": todo.id,
        "project": {name: project[name] for name in _IDENTITY},
        "author": user_basic(world, todo.author),
        "action_name": todo.action,
        "target_type": target.kind,
        "target": shown,
        "target_url": f"{url}#note_{todo.note.id}" if todo.note else url,
        "body": todo.note.body if todo.note else target.title,
        "state": todo.state,
        "created_at": stamp(todo.created_at),
        "updated_at": stamp(todo.updated_at),
    }
