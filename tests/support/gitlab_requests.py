"""Requests to the sandbox by plain HTTP, past the server."""

import json
import urllib.request
from typing import Any
from urllib.parse import quote

from gitlab_mcp.sandbox import Sandbox


def get(sandbox: Sandbox, path: str, project: str = "") -> Any:
    """GET a path below a project's (the sandbox's own unless given), as its maintainer."""
    url = f"{sandbox.url}/api/v4/projects/{quote(project or sandbox.project, safe='')}{path}"
    request = urllib.request.Request(url, headers={"PRIVATE-TOKEN": sandbox.tokens["maintainer"]})  # noqa: S310
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310  # the sandbox's
        return json.load(answer)


def writes(sandbox: Sandbox) -> list[str]:
    """The method and path of every write that reached GitLab since the recorded requests were cleared."""
    asked = sandbox.faults.requests()
    return [f"{each['method']} {each['path']}" for each in asked if each["method"] not in ("GET", "HEAD")]


def send(sandbox: Sandbox, method: str, path: str, who: str = "developer", **body: Any) -> Any:
    """Write below the sandbox's project, as one of its people."""
    url = f"{sandbox.url}/api/v4/projects/{quote(sandbox.project, safe='')}{path}"
    headers = {"PRIVATE-TOKEN": sandbox.tokens[who], "content-type": "application/json"}
    request = urllib.request.Request(url, json.dumps(body).encode(), headers, method=method)  # noqa: S310
    with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310  # the sandbox's
        content = answer.read()
    return json.loads(content) if content else None


def commit(sandbox: Sandbox, branch: str, start: str, *actions: dict[str, Any]) -> Any:
    """Commit actions to a new branch, or with start "" to one that is there."""
    body: dict[str, Any] = {"branch": branch, "commit_message": f"Change {branch}", "actions": list(actions)}
    if start:
        body["start_branch"] = start
    return send(sandbox, "POST", "/repository/commits", **body)
