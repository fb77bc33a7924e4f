"""The position of a comment in a diff, validated against the real diff."""

from __future__ import annotations

import re
from typing import Any

from gitlab_mcp.sandbox.git.diffs import FileDiff, compare
from gitlab_mcp.sandbox.http.errors import bad_request_reason, invalid_parameter
from gitlab_mcp.sandbox.state.model import MergeRequest

_SHAS = ("base_sha", "start_sha", "head_sha")
_TYPES = ("text", "image", "file")
_NO_SUCH_LINE = 'Note {:line_code=>["can\'t be blank", "must be a valid line code"]}'


def validated_position(merge_request: MergeRequest, params: dict[str, Any]) -> dict[str, Any]:
    """The position as GitLab stores it; raises 400 if it is incomplete or its line is not in the diff."""
    position = stored_position(merge_request, params)
    file_diff = file_diff_of(merge_request, position)
    if file_diff is None or (position["position_type"] == "text" and line_code(merge_request, position) is None):
        raise bad_request_reason(_NO_SUCH_LINE)
    return position


def stored_position(merge_request: MergeRequest, params: dict[str, Any]) -> dict[str, Any]:
    """The position of a draft note as GitLab stores it; raises 400 if it is incomplete.

    GitLab checks whether the line is in the diff only when the draft is published.
    """
    missing = [f"position[{name}] is missing" for name in (*_SHAS, "position_type") if name not in params]
    if missing:
        raise invalid_parameter(", ".join(missing))
    if params["position_type"] not in _TYPES:
        raise invalid_parameter("position[position_type] does not have a valid value")
    shas = tuple(str(params[name]) for name in _SHAS)
    known_shas = [(one.base, one.start, one.head) for one in merge_request.versions]
    if shas not in known_shas:
        raise bad_request_reason("The diff position is not valid for this merge request")
    new_path = params.get("new_path") or params.get("old_path")
    return {
        "base_sha": shas[0],
        "start_sha": shas[1],
        "head_sha": shas[2],
        "old_path": params.get("old_path") or new_path,
        "new_path": new_path,
        "position_type": params["position_type"],
        "old_line": _line(params, "old_line"),
        "new_line": _line(params, "new_line"),
        "line_range": _line_range(params.get("line_range")),
    }


def file_diff_of(merge_request: MergeRequest, position: dict[str, Any]) -> FileDiff | None:
    """The file of the diff that a position is in, or None; both paths must match, also for a renamed file."""
    diffs = compare(merge_request.project.repository, position["base_sha"], position["head_sha"])
    paths = (position["old_path"], position["new_path"])
    return next((each for each in diffs if (each.old_path, each.new_path) == paths), None)


def line_code(merge_request: MergeRequest, position: dict[str, Any]) -> str | None:
    """GitLab's line code for a position, or None if the diff has no such line.

    GitLab accepts a wrong line range and displays it wrongly. Here a range with a wrong line code has none, so that
    clients do not come to depend on it; a range without line codes is accepted, as GitLab does.
    """
    file_diff = file_diff_of(merge_request, position)
    if file_diff is None or (position["old_line"] is None and position["new_line"] is None):
        return None
    for end in (position["line_range"] or {}).values():
        if isinstance(end, dict) and end.get("line_code") is not None and not _is_code_of(file_diff, end):
            return None
    return file_diff.line_code(position["old_line"], position["new_line"])


def _is_code_of(file_diff: FileDiff, end: dict[str, Any]) -> bool:
    """Whether an end of a range has the line code of its line; before GitLab 18.6 it had no numbers beside the code."""
    code, numbers = str(end["line_code"]), (end.get("old_line"), end.get("new_line"))
    if numbers == (None, None) and (match := re.fullmatch(r"[0-9a-f]{40}_(\d+)_(\d+)", code)):
        old, new = int(match[1]), int(match[2])
        return code in (file_diff.line_code(*pair) for pair in ((old, new), (old, None), (None, new)))
    return code == file_diff.line_code(*numbers)


def _line_range(value: Any) -> dict[str, Any] | None:
    """The range of lines, whose numbers a form sends as text."""
    if not value:
        return None
    if not isinstance(value, dict):
        raise invalid_parameter("position[line_range] is invalid")
    lines = ("old_line", "new_line")
    return {
        name: {**end, **{line: _line(end, line, f"[line_range][{name}]") for line in lines if line in end}}
        if isinstance(end, dict)
        else end
        for name, end in value.items()
    }


def _line(params: dict[str, Any], name: str, inside: str = "") -> int | None:
    value = params.get(name)
    if value is None or value == "":
        return None
    if isinstance(value, bool) or not re.fullmatch(r"\d{1,9}", str(value)):
        raise invalid_parameter(f"position{inside}[{name}] is invalid")
    return int(value)
