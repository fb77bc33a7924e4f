"""Render what GitLab did not take of a write, and what a write cleared: lines of an answer, each after a line break."""

from collections.abc import Sequence

from gitlab_mcp.api.field_comparison import Difference
from gitlab_mcp.errors import naming
from gitlab_mcp.safety.sanitize import one_line

DETAIL = 200  # characters
PEOPLE = ("assignees", "reviewers")
EXPOSED = {
    "confidential": "It is public now: whoever can see the project's issues can read it.",
    "draft": "It is marked as ready: it was a draft.",
    "squash": "Its commits will not be squashed any more.",
    "remove_source_branch": "Its source branch will be kept after the merge.",
}


def not_set(fields: Sequence[Difference], role: str) -> str:
    """Return the line about fields that GitLab ignored; `role` is the one that may set them. "" for none."""
    if not fields:
        return ""
    reasons = [f"role {role} is needed"] if any(field.field not in PEOPLE for field in fields) else []
    if any(field.field in PEOPLE for field in fields):
        reasons.append("more than one assignee or reviewer needs Premium, and each must be a member who may read this")
    return f"\nGitLab did not take {_named(fields)}: {', and '.join(reasons)}."


def differs(fields: Sequence[Difference], tool: str) -> str:
    """Return the line about what existed before the call and differs from it; `tool` changes it. "" for no field."""
    if not fields:
        return ""
    names = ", ".join(field.field for field in fields)
    return f"\nIt was not changed and differs from this call in {names}{naming(': use {}', tool)}."


def was_cleared(fields: Sequence[Difference]) -> str:
    """Return the lines about what a write took away, with what it held; "" for nothing."""
    emptied = [field for field in fields if field.field not in EXPOSED]
    lines = [f"Cleared: {_named(emptied)}."] if emptied else []
    lines += [EXPOSED[field.field] for field in fields if field.field in EXPOSED]
    return "".join(f"\n{line}" for line in lines)


def _named(fields: Sequence[Difference]) -> str:
    details = {field.field: one_line(field.detail, DETAIL) for field in fields}
    return ", ".join(f"{name} ({detail})" if detail else name for name, detail in details.items())
