"""Building blocks of answers in Markdown: quotes, fences, rows, and limits in bytes."""

import re
from collections.abc import Iterable, Sequence
from typing import Any

from gitlab_mcp.api.idempotency import WriteResult
from gitlab_mcp.safety.sanitize import one_line, plain, sanitize

ANSWER_BYTES = 40_000
ERROR_BYTES = 2_000
LISTED_VALUES = 10


def size(text: str) -> int:
    """Return the size in bytes of UTF-8."""
    return len(text.encode("utf-8", "replace"))


def cut(text: str, limit: int, more: str = "") -> str:
    """Cut `text` to at most `limit` bytes, at the end of a line if one is near; `more` says how to get the rest."""
    raw = text.encode("utf-8", "replace")
    if len(raw) <= limit:
        return text
    # The remark counts against the limit too.
    remark = f"… (cut: {limit:,} of {len(raw):,} bytes shown{f'; {more}' if more else ''})"
    room = limit - size(remark) - 1
    if room < 0:
        return f"{raw[: limit - size('…')].decode('utf-8', 'ignore')}…" if limit >= size("…") else ""
    kept = raw[:room].decode("utf-8", "ignore")
    if (end := kept.rfind("\n")) > len(kept) * 3 // 4:
        kept = kept[:end]
    return f"{kept}\n{remark}"


def share(texts: Sequence[str], limit: int) -> list[str]:
    """Cut `texts` to `limit` bytes in all: short ones stay whole, long ones get equal shares."""
    sizes = sorted(size(text) for text in texts)
    left, equal_share = limit, limit
    for index, length in enumerate(sizes):
        equal_share = left // (len(sizes) - index)
        if length > equal_share:
            break
        left -= length
    return [cut(text, equal_share) for text in texts]


def quote(text: str) -> str:
    """Sanitize Markdown and put every line of it behind "> ", so that it cannot end the quote."""
    return _quoted(sanitize(text))


def quote_plain(text: str) -> str:
    """Sanitize plain text and put every line of it behind "> ", so that it cannot end the quote."""
    return _quoted(plain(text))


def _quoted(text: str) -> str:
    # Two spaces at the end of a line are a line break in Markdown.
    return "\n".join(f"> {line}" if line else ">" for line in text.strip("\n").split("\n"))


def fence(code: str) -> str:
    """Put code, with invisible characters already escaped, between fences that are longer than any inside it."""
    runs = re.findall(r"`{3,}", code)
    ticks = "`" * max([3, *(len(run) + 1 for run in runs)])
    return f"{ticks}\n{code}\n{ticks}"


def code_span(text: str, characters: int = 200) -> str:
    """Sanitize plain text and put it on one line between backticks, more than it has in a row; "" for none."""
    line = one_line(text, characters)
    if not line:
        return ""
    ticks = "`" * next(length for length in range(1, len(line) + 2) if length not in map(len, re.findall("`+", line)))
    space = " " if "`" in (line[0], line[-1]) else ""
    return f"{ticks}{space}{line}{space}{ticks}"


def facts(*parts: str) -> str:
    """Join the parts that are not empty to one line, with a dot between them."""
    return " · ".join(part for part in parts if part)


def labelled(name: str, values: Iterable[str]) -> str:
    """Return `name: a, b`, or "" without values. The values may come from people and are sanitized."""
    safe = [one_line(value, 80) for value in values if value]
    more = [f"and {len(safe) - LISTED_VALUES} more"] if len(safe) > LISTED_VALUES else []
    joined = ", ".join([*safe[:LISTED_VALUES], *more])
    return f"{name}: {joined}" if joined else ""


def count(number: int, noun: str) -> str:
    """Return `1 comment` or `2 comments`."""
    if number == 1:
        return f"1 {noun}"
    if noun.endswith("y"):
        return f"{number:,} {noun[:-1]}ies"
    return f"{number:,} {noun}{'es' if noun.endswith('ch') else 's'}"


def confirmed(written: WriteResult[Any]) -> str:
    """Return the remark for a write whose response was lost and that a lookup found to have taken effect; else ""."""
    return " (its response was lost; a lookup confirmed it)" if written.confirmed else ""


def bytes_of(number: int) -> str:
    """Return a size for people: 812 bytes, 3.1 KB, 5.0 MB."""
    if number < 1000:
        return count(number, "byte")
    return f"{number / 1000:.1f} KB" if number < 1_000_000 else f"{number / 1_000_000:.1f} MB"
