"""Where in a diff a comment stands, checked against the real diff."""

from __future__ import annotations

import re
from typing import Any

from gitlab_mcp.sandbox.git.diffs import FileDiff, compare
from gitlab_mcp.sandbox.http.errors import bad_request_reason, invalid_parameter
from gitlab_mcp.sandbox.state.model import MergeRequest

_SHAS = ("base_sha", "start_sha", "head_sha")
_TYPES = ("text", "image", "file")
_NO_SUCH_LINE = 'Note {:line_code=>["can\'t be blank", "must be a valid line code"]}'


def checked_position(merge_request: MergeRequest, given: dict[str, Any]) -> dict[str, Any]:
    """The position as GitLab keeps it; raises its 400 if it is incomplete or names no line of the diff."""
    position = kept_position(merge_request, given)
    one = file_of(merge_request, position)
    if one is None or (position["position_type"] == "text" and line_code(merge_request, position) is None):
        raise bad_request_reason(_NO_SUCH_LINE)
    return position


def kept_position(merge_request: MergeRequest, given: dict[str, Any]) -> dict[str, Any]:
    """The position of a draft, as GitLab keeps it: whether the line is there is seen when the draft is published."""
    missing = [f"position[{name}] is missing" for name in (*_SHAS, "position_type") if name not in given]
    if missing:
        raise invalid_parameter(", ".join(missing))
    if given["position_type"] not in _TYPES:
        raise invalid_parameter("position[position_type] does not have a valid value")
    shas = tuple(str(given[name]) for name in _SHAS)
    known = [(one.base, one.start, one.head) for one in merge_request.versions]
    if shas not in known:
        raise bad_request_reason("The diff position is not valid for this merge request")
    new_path = given.get("new_path") or given.get("old_path")
    return {
        "base_sha": shas[0],
        "start_sha": shas[1],
        "head_sha": shas[2],
        "old_path": given.get("old_path") or new_path,
        "new_path": new_path,
        "position_type": given["position_type"],
        "old_line": _line(given, "old_line"),
        "new_line": _line(given, "new_line"),
        "line_range": given.get("line_range"),
    }


def file_of(merge_request: MergeRequest, position: dict[str, Any]) -> FileDiff | None:
    """The file of the diff that a position is in: both of its paths must be right, also where it was renamed."""
    diffs = compare(merge_request.project.repository, position["base_sha"], position["head_sha"])
    paths = (position["old_path"], position["new_path"])
    return next((each for each in diffs if (each.old_path, each.new_path) == paths), None)


def line_code(merge_request: MergeRequest, position: dict[str, Any]) -> str | None:
    """GitLab's name of the line that a position is at, None where there is no such line.

    GitLab only draws a wrong range wrongly; here it counts as no line, so that nobody gets used to it.
    """
    one = file_of(merge_request, position)
    if one is None or (position["old_line"] is None and position["new_line"] is None):
        return None
    for end in (position["line_range"] or {}).values():
        if isinstance(end, dict) and end.get("line_code") != one.line_code(end.get("old_line"), end.get("new_line")):
            return None
    return one.line_code(position["old_line"], position["new_line"])


def _line(given: dict[str, Any], name: str) -> int | None:
    value = given.get(name)
    if value is None or value == "":
        return None
    if isinstance(value, bool) or not re.fullmatch(r"\d{1,9}", str(value)):
        raise invalid_parameter(f"position[{name}] is invalid")
    return int(value)
