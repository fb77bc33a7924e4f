"""Suggestions in comments on a diff line, which GitLab parses from the text of the comment when it saves it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from gitlab_mcp.sandbox.git.trees import find, read_blob
from gitlab_mcp.sandbox.state.model import Issuable
from gitlab_mcp.sandbox.state.notes import Note

# lib/gitlab/diff/suggestions_parser.rb: a code block whose info string is suggestion, with lines above and below.
_SUGGESTION = re.compile(r"suggestion(?::(?:-(?P<above>\d{1,3}))?(?:\+(?P<below>\d{1,3}))?)?")
# CommonMark 0.31, 4.5 and 4.6: a code block ends at its closing fence, and these HTML blocks at their end condition.
_FENCE = re.compile(r" {0,3}(?P<fence>`{3,}(?=[^`]*$)|~{3,})(?P<info>.*)")
_HTML = (
    (
        re.compile(r" {0,3}<(pre|script|style|textarea)(\s|>|$)", re.I),
        re.compile(r"</(pre|script|style|textarea)>", re.I),
    ),
    (re.compile(r" {0,3}<!--"), re.compile(r"-->")),
    (re.compile(r" {0,3}<\?"), re.compile(r"\?>")),
    (re.compile(r" {0,3}<![a-z]", re.I), re.compile(r">")),
    (re.compile(r" {0,3}<!\[CDATA\["), re.compile(r"\]\]>")),
)
_CONTEXT = 100  # lines above and below, at most


def suggestions(noteable: Issuable, note: Note) -> list[dict[str, Any]]:
    """The Suggestion entities of a comment on a line of the new version of a file; [] for any other comment."""
    position = note.position
    if position is None or position["new_line"] is None:
        return []
    repository = noteable.project.repository
    entry = find(repository, position["head_sha"], position["new_path"])
    if entry is None or entry.type != "blob":
        return []
    lines = read_blob(repository, entry.sha).decode("utf-8", "replace").splitlines(keepends=True)
    entities = []
    for number, (block, text) in enumerate(_blocks(note.body)):
        first = max(position["new_line"] - min(int(block["above"] or 0), _CONTEXT), 1)
        last = min(position["new_line"] + min(int(block["below"] or 0), _CONTEXT), len(lines))
        before = "".join(lines[first - 1 : last])
        entities.append(
            {
                "id": note.id * 100 + number,
                "from_line": first,
                "to_line": last,
                "appliable": before != text,
                "applied": False,
                "from_content": before,
                "to_content": text,
            }
        )
    return entities


def _blocks(body: str) -> Iterator[tuple[re.Match[str], str]]:
    """The matched info string and the content of each suggestion block outside other code and raw HTML.

    Lists and quotes are not parsed, so a block inside one is treated like any other.
    """
    lines = iter(body.split("\n"))
    for line in lines:
        if fence := _FENCE.match(line):
            closing = re.compile(rf" {{0,3}}{fence['fence']}{fence['fence'][0]}*[ \t]*")
            text = "".join(f"{each}\n" for each in _until(lines, closing.fullmatch))
            if block := _SUGGESTION.fullmatch(fence["info"].strip()):
                yield block, text
        elif ends := [ending for beginning, ending in _HTML if beginning.match(line) and not ending.search(line)]:
            list(_until(lines, ends[0].search))


def _until(lines: Iterator[str], is_end: Callable[[str], object]) -> Iterator[str]:
    """The lines up to the end line, which is consumed but not yielded; all remaining lines if there is no end line."""
    for line in lines:
        if is_end(line):
            return
        yield line
