"""What changed between two versions of a title or a description, as system notes tell it."""

from __future__ import annotations

import re
from collections.abc import Sequence

# Taskable::ITEM_PATTERN: a list item that begins with a check box.
TASK = re.compile(r"^\s*(?:[-*+]|\d+[.)])\s+\[([ xX])\]\s+(.*)", re.MULTILINE)


def mark_changes(old: str, new: str) -> tuple[str, str]:
    """Both texts with only what differs marked: {-removed-} in the old one and {+added+} in the new one.

    Gitlab::Diff::InlineDiff marks each differing part; here everything between the first and the last is one part.
    """
    start = _common(old, new)
    end = _common(old[start:][::-1], new[start:][::-1])

    def marked(text: str, sign: str) -> str:
        part = text[start : len(text) - end]
        return text[:start] + (f"{{{sign}{part}{sign}}}" if part else "") + text[len(text) - end :]

    return marked(old, "-"), marked(new, "+")


def _common(one: str, other: str) -> int:
    """The number of characters with which both texts begin."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((at for at, (first, second) in pairs if first != second), min(len(one), len(other)))


def changed_tasks(old: str, new: str) -> list[tuple[str, bool]]:
    """The check boxes that were ticked or cleared, as (text, whether it is ticked now).

    Taskable.get_updated_tasks compares the items of both texts in order.
    """
    before, after = TASK.findall(old), TASK.findall(new)
    return [
        (text, mark != " ")
        for (old_mark, old_text), (mark, text) in zip(before, after, strict=False)
        if text == old_text and (mark == " ") != (old_mark == " ")
    ]


def to_sentence(names: Sequence[str]) -> str:
    """Rails' to_sentence: a, b, and c."""
    if len(names) < 3:
        return " and ".join(names)
    return f"{', '.join(names[:-1])}, and {names[-1]}"
