"""@mentions in text: GitLab creates a to-do item for each mentioned user."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import defaultdict

from gitlab_mcp.sandbox.state.world import World

_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})(.*)\Z")
_INDENTED = re.compile(r"(?: {4}| {0,3}\t)")
_ITEM = re.compile(r" {0,3}(?:[-*+]|\d{1,9}[.)])(?:\s|\Z)")
_TICKS = re.compile(r"`+")
_MENTION = re.compile(r"(?<!\w)@([A-Za-z0-9_](?:[A-Za-z0-9_./-]*[A-Za-z0-9_-])?)")
_ADDRESSED = re.compile(rf"\s*(?:(?:[-*+]|\d+[.)])\s+)?(?:{_MENTION.pattern}\s*)+")


def record_mentions(world: World, text: str, where: str) -> None:
    """Record the @mentions of a text, @all included, whether a user of that name exists or not."""
    for name in mentioned(text):
        world.mentions.append({"username": name, "where": where})


def mentioned(text: str) -> list[str]:
    """The mentioned names, outside code, in order and without duplicates."""
    names: dict[str, None] = {}
    for block in _outside_code_blocks(text):
        plain = _without_spans(block)
        for match in _MENTION.finditer(plain):
            if not _escaped(plain, match.start()):
                names[match[1]] = None
    return list(names)


def addressed(text: str) -> list[str]:
    """The names that a paragraph begins with, in order and without duplicates: GitLab's directly addressed users."""
    names: dict[str, None] = {}
    for block in _outside_code_blocks(text):
        if match := _ADDRESSED.match(block):
            names |= dict.fromkeys(_MENTION.findall(match[0]))
    return list(names)


def _outside_code_blocks(text: str) -> list[str]:
    """The paragraphs outside fenced and indented code; a code span never extends over a paragraph break.

    GitLab finds no mentions in `pre` and `code` (lib/banzai/filter/references/reference_filter.rb). Indented code is by
    CommonMark 0.31, 4.4; what is indented below a list item counts as a paragraph of the item.
    """
    paragraphs: list[list[str]] = [[]]
    fence = ""
    in_item = False
    for line in text.replace("\r", "").split("\n"):
        match = _FENCE.match(line)
        if fence:
            if match and match[1].startswith(fence) and not match[2].strip():
                fence = ""
            continue
        if match and not (match[1][0] == "`" and "`" in match[2]):
            fence = match[1]
            paragraphs.append([])
        elif line.strip():
            is_indented = _INDENTED.match(line) is not None
            if is_indented and not paragraphs[-1] and not in_item:
                continue
            if not is_indented:
                in_item = _ITEM.match(line) is not None or (in_item and bool(paragraphs[-1] or line[0] == " "))
            paragraphs[-1].append(line)
        else:
            paragraphs.append([])
    return ["\n".join(lines) for lines in paragraphs]


def _without_spans(text: str) -> str:
    """The text without its code spans, which are enclosed by two runs of backticks of equal length."""
    runs = list(_TICKS.finditer(text))
    by_length: defaultdict[int, list[int]] = defaultdict(list)
    for index, run in enumerate(runs):
        by_length[len(run[0])].append(index)
    parts, at, index = [], 0, 0
    while index < len(runs):
        # A backslash before a code span escapes its first backtick; inside one it has no meaning.
        start, end = runs[index].start() + _escaped(text, runs[index].start()), runs[index].end()
        same = by_length[end - start]
        place = bisect_right(same, index)
        if start == end or place == len(same):
            index += 1
            continue
        parts.append(text[at:start])
        closing = same[place]
        at, index = runs[closing].end(), closing + 1
    return " ".join([*parts, text[at:]])


def _escaped(text: str, at: int) -> bool:
    slashes = 0
    while slashes < at and text[at - slashes - 1] == "\\":
        slashes += 1
    return slashes % 2 == 1
