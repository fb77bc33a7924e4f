"""The pieces that answers are made of: quotes, fences, rows, and limits in bytes."""

import re
from collections.abc import Iterable, Sequence
from typing import Any

from gitlab_mcp.api.idempotency import WriteResult
from gitlab_mcp.safety.sanitize import one_line, sanitize

ANSWER_BYTES = 40_000
ERROR_BYTES = 2_000
MANY = 10


def size(text: str) -> int:
    """Bytes of UTF-8."""
    return len(text.encode("utf-8", "replace"))


def cut(text: str, limit: int, more: str = "") -> str:
    """`text` in at most `limit` bytes, on a line's end where one is near; `more` says how to get the rest."""
    raw = text.encode("utf-8", "replace")
    if len(raw) <= limit:
        return text
    # Room for the remark itself, which names both figures.
    remark = f"… (cut: {limit:,} of {len(raw):,} bytes shown{f'; {more}' if more else ''})"
    room = limit - size(remark) - 1
    if room < 0:
        return f"{raw[: limit - size('…')].decode('utf-8', 'ignore')}…" if limit >= size("…") else ""
    kept = raw[:room].decode("utf-8", "ignore")
    if (end := kept.rfind("\n")) > len(kept) * 3 // 4:
        kept = kept[:end]
    return f"{kept}\n{remark}"


def share(texts: Sequence[str], limit: int) -> list[str]:
    """`texts` cut so that together they keep to `limit` bytes: short ones stay whole, long ones get equal parts."""
    sizes = sorted(size(text) for text in texts)
    left, part = limit, limit
    for index, length in enumerate(sizes):
        part = left // (len(sizes) - index)
        if length > part:
            break
        left -= length
        part = max(part, length)
    return [cut(text, part) for text in texts]


def quote(text: str) -> str:
    """Sanitised text with every line behind "> ", so that it cannot leave its quote."""
    return "\n".join(f"> {line}".rstrip() for line in sanitize(text).strip("\n").split("\n"))


def fence(code: str) -> str:
    """Code, made visible already, between fences that are longer than any inside it."""
    runs = re.findall(r"`{3,}", code)
    ticks = "`" * max([3, *(len(run) + 1 for run in runs)])
    return f"{ticks}\n{code}\n{ticks}"


def facts(*parts: str) -> str:
    """One line of facts: those that are there, with a dot between."""
    return " · ".join(part for part in parts if part)


def labelled(name: str, values: Iterable[str]) -> str:
    """`name: a, b`, or "" without values; the values are people's words and are sanitised."""
    given = [one_line(value, 80) for value in values if value]
    more = [f"and {len(given) - MANY} more"] if len(given) > MANY else []
    joined = ", ".join([*given[:MANY], *more])
    return f"{name}: {joined}" if joined else ""


def count(number: int, noun: str) -> str:
    """`1 comment`, `2 comments`."""
    if number == 1:
        return f"1 {noun}"
    if noun.endswith("y"):
        return f"{number:,} {noun[:-1]}ies"
    return f"{number:,} {noun}{'es' if noun.endswith('ch') else 's'}"


def confirmed(written: WriteResult[Any]) -> str:
    """The remark of a write whose answer was lost and that was found to have happened."""
    return " (its answer was lost; a look-up confirmed it)" if written.confirmed else ""


def bytes_of(number: int) -> str:
    """A size for people: 812 bytes, 3.1 KB, 5.0 MB."""
    if number < 1000:
        return count(number, "byte")
    return f"{number / 1000:.1f} KB" if number < 1_000_000 else f"{number / 1_000_000:.1f} MB"
