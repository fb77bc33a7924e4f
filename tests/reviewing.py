"""A merge request to review: a file that was renamed and changed in two places, and another that was added."""

import json
import urllib.request
from typing import Any
from urllib.parse import quote

from gitlab_mcp.sandbox import Sandbox

OLD, NEW, ADDED = "src/app/pages.py", "src/app/sheets.py", "docs/sheets.md"
BEFORE = [f"line {number}" for number in range(1, 41)]
# Line 4 became two; far below, 33 is gone and 35 is another.
AFTER = [*BEFORE[:3], "line 4, new", "line 4, more", *BEFORE[4:32], BEFORE[33], "line 35, new", *BEFORE[35:]]


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


def text(lines: list[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


def open_for_review(sandbox: Sandbox, name: str, *more: dict[str, Any]) -> int:
    """The iid of a merge request by developer whose reviewer is maintainer; `more` actions are committed too."""
    base = f"{name}-base"
    commit(sandbox, base, "main", {"action": "create", "file_path": OLD, "content": text(BEFORE)})
    move = {"action": "move", "file_path": NEW, "previous_path": OLD, "content": text(AFTER)}
    add = {"action": "create", "file_path": ADDED, "content": "# Sheets\n\nOne a page.\n"}
    commit(sandbox, name, base, move, add, *more)
    body: dict[str, Any] = {"source_branch": name, "target_branch": base, "title": f"Review {name}"}
    body["reviewer_ids"] = [2]
    number = send(sandbox, "POST", "/merge_requests", **body)["iid"]
    assert isinstance(number, int)
    return number
