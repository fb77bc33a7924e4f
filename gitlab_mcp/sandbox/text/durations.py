"""Durations as GitLab writes them: 1w 2d 3h, with days of eight hours and weeks of five days."""

from __future__ import annotations

import re

_UNITS = {"mo": 4 * 5 * 8 * 3600, "w": 5 * 8 * 3600, "d": 8 * 3600, "h": 3600, "m": 60, "s": 1}
_PART = re.compile(r"(\d{1,6})\s*(mo|w|d|h|m|s)\s*")


def parse_duration(text: str) -> int | None:
    """The seconds in a duration such as "1h 30m" or "-2d", or None if it is not valid."""
    sign, rest = (-1, text[1:].strip()) if text.startswith("-") else (1, text.strip())
    if rest == "0":
        return 0
    if not re.fullmatch(f"(?:{_PART.pattern})+", rest):
        return None
    return sign * sum(int(count) * _UNITS[unit] for count, unit in _PART.findall(rest))


def format_duration(total: int) -> str | None:
    """The duration of this many seconds as text, or None for 0."""
    parts, rest = [], abs(total)
    for unit, length in _UNITS.items():
        count, rest = divmod(rest, length)
        parts += [f"{count}{unit}"] if count else []
    text = " ".join(parts)
    return (f"-{text}" if total < 0 else text) or None
