"""What a comment on a line suggests to write instead: GitLab reads it out of the comment's text when it saves it."""

from __future__ import annotations

import re
from typing import Any

from gitlab_mcp.sandbox.model import Issuable, Note
from gitlab_mcp.sandbox.repositories.trees import find, read_blob

# lib/gitlab/diff/suggestions_parser.rb: a code block whose info string is suggestion, with lines above and below.
_BLOCK = re.compile(
    r"^(?P<fence>`{3,})suggestion(?::(?:-(?P<above>\d{1,3}))?(?:\+(?P<below>\d{1,3}))?)?[ \t]*\n"
    r"(?P<text>(?:.*\n)*?)(?P=fence)`*[ \t]*$",
    re.MULTILINE,
)
_CONTEXT = 100  # lines above and below, at most


def suggestions(noteable: Issuable, note: Note) -> list[dict[str, Any]]:
    """The Suggestion of each block in a comment on a line of the new side."""
    position = note.position
    if position is None or position["new_line"] is None:
        return []
    repository = noteable.project.repository
    entry = find(repository, position["head_sha"], position["new_path"])
    if entry is None or entry.type != "blob":
        return []
    lines = read_blob(repository, entry.sha).decode("utf-8", "replace").splitlines(keepends=True)
    found = []
    for number, block in enumerate(_BLOCK.finditer(note.body)):
        first = max(position["new_line"] - min(int(block["above"] or 0), _CONTEXT), 1)
        last = min(position["new_line"] + min(int(block["below"] or 0), _CONTEXT), len(lines))
        before = "".join(lines[first - 1 : last])
        found.append(
            {
                "id": note.id * 100 + number,
                "from_line": first,
                "to_line": last,
                "appliable": before != block["text"],
                "applied": False,
                "from_content": before,
                "to_content": block["text"],
            }
        )
    return found
