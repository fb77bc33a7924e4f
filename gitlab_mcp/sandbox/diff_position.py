"""Where in a diff a comment stands, checked against the real diff."""

from __future__ import annotations

import hashlib
import re
from typing import Any

from gitlab_mcp.sandbox.errors import bad_request_reason, invalid_parameter
from gitlab_mcp.sandbox.model import MergeRequest
from gitlab_mcp.sandbox.repositories.diffs import compare

_SHAS = ("base_sha", "start_sha", "head_sha")
_TYPES = ("text", "image", "file")
_NO_SUCH_LINE = 'Note {:line_code=>["can\'t be blank", "must be a valid line code"]}'


def line_code(path: str, old_line: int | None, new_line: int | None) -> str:
    """GitLab's name of a line of a diff: the path's SHA-1 and both line numbers."""
    digest = hashlib.sha1(path.encode(), usedforsecurity=False).hexdigest()
    return f"{digest}_{old_line or 0}_{new_line or 0}"


def checked_position(merge_request: MergeRequest, given: dict[str, Any]) -> dict[str, Any]:
    """The position as GitLab keeps it; raises its 400 if it is incomplete or names no line of the diff."""
    missing = [f"position[{name}] is missing" for name in (*_SHAS, "position_type") if name not in given]
    if missing:
        raise invalid_parameter(", ".join(missing))
    if given["position_type"] not in _TYPES:
        raise invalid_parameter("position[position_type] does not have a valid value")
    shas = tuple(str(given[name]) for name in _SHAS)
    known = [(one.base, one.start, one.head) for one in merge_request.versions]
    if shas not in known:
        raise bad_request_reason("The diff position is not valid for this merge request")
    old_line, new_line = _line(given, "old_line"), _line(given, "new_line")
    new_path = given.get("new_path") or given.get("old_path")
    old_path = given.get("old_path") or new_path
    diffs = compare(merge_request.project.repository, shas[0], shas[2])
    one = next((each for each in diffs if each.new_path == new_path and each.old_path == old_path), None)
    if one is None:
        raise bad_request_reason(_NO_SUCH_LINE)
    if given["position_type"] == "text" and not (
        (old_line is not None or new_line is not None) and one.has_line(old_line, new_line)
    ):
        raise bad_request_reason(_NO_SUCH_LINE)
    return {
        "base_sha": shas[0],
        "start_sha": shas[1],
        "head_sha": shas[2],
        "old_path": old_path,
        "new_path": new_path,
        "position_type": given["position_type"],
        "old_line": old_line,
        "new_line": new_line,
        "line_range": given.get("line_range"),
    }


def _line(given: dict[str, Any], name: str) -> int | None:
    value = given.get(name)
    if value is None or value == "":
        return None
    if isinstance(value, bool) or not re.fullmatch(r"\d{1,9}", str(value)):
        raise invalid_parameter(f"position[{name}] is invalid")
    return int(value)
