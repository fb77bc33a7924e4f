"""What GitLab itself says, asked by plain HTTP."""

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
