"""A merge request to review: a file that was renamed and changed in two places, and another that was added."""

from typing import Any

from gitlab_mcp.sandbox import Sandbox
from tests.support.gitlab_requests import commit, get, send

OLD, NEW, ADDED = "src/app/pages.py", "src/app/sheets.py", "docs/sheets.md"
BEFORE = [f"line {number}" for number in range(1, 41)]
# Line 4 became two; far below, 33 is gone and 35 is another.
AFTER = [*BEFORE[:3], "line 4, new", "line 4, more", *BEFORE[4:32], BEFORE[33], "line 35, new", *BEFORE[35:]]


def text(lines: list[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


def write(path: str, content: str) -> dict[str, Any]:
    """An action of GitLab's commits API that creates a file."""
    return {"action": "create", "file_path": path, "content": content}


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


def threads(sandbox: Sandbox, number: int) -> list[dict[str, Any]]:
    """The first notes of all threads that people began."""
    found = get(sandbox, f"/merge_requests/{number}/discussions?per_page=100")
    return [each["notes"][0] for each in found if not each["notes"][0]["system"]]


def bodies(sandbox: Sandbox, number: int) -> list[str]:
    return sorted(note["body"] for note in threads(sandbox, number))
