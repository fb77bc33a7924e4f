"""JSON objects of GitLab, read without trust: a missing, null or mistyped field is an empty value, never a crash.

GitLab adds, drops and nulls fields between versions. A write that has happened must not be reported as failed
because of a field in its response.
"""

import re
from collections.abc import Iterator
from typing import Any

DAY = re.compile(r"\d{4}-\d\d-\d\d")
URL = re.compile(r"https?://[\x21-\x7e\u00a1-\ud7ff]{1,2000}")
LONGEST_NUMBER = 18  # digits; Python refuses to convert very long ones
SHA = re.compile(r"[0-9a-f]{4,64}")


class Entity:
    """A JSON object of GitLab's. Each getter follows a path of keys and returns an empty value where it ends early."""

    def __init__(self, data: object) -> None:
        self._data: dict[str, Any] = data if isinstance(data, dict) else {}

    def __bool__(self) -> bool:
        return bool(self._data)

    def _at(self, keys: tuple[str, ...]) -> object:
        value: object = self._data
        for key in keys:
            if not isinstance(value, dict):
                return None
            value = value.get(key)
        return value

    def changed(self, **values: object) -> "Entity":
        """The same object with other values for some of its keys."""
        return Entity({**self._data, **values})

    def text(self, *keys: str) -> str:
        """A string or number as text; "" for anything else."""
        value = self._at(keys)
        if isinstance(value, bool):
            return ""
        return str(value) if isinstance(value, str | int | float) else ""

    def number(self, *keys: str) -> int:
        """An integer, also from text such as GitLab's changes_count "12"; 0 for anything else."""
        value = self._at(keys)
        if isinstance(value, str) and value.isdecimal():
            return int(value) if len(value) <= LONGEST_NUMBER else 0
        return value if isinstance(value, int) and not isinstance(value, bool) else 0

    def flag(self, *keys: str) -> bool:
        """True only for a JSON true (GitLab sends null for false)."""
        return self._at(keys) is True

    def entity(self, *keys: str) -> "Entity":
        """An object; an empty one for anything else."""
        return Entity(self._at(keys))

    def entities(self, *keys: str) -> list["Entity"]:
        """The objects of a list; [] for anything else."""
        return list(entities(self._at(keys)))

    def texts(self, *keys: str) -> list[str]:
        """The strings of a list; [] for anything else."""
        value = self._at(keys)
        return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []

    def names(self, *keys: str) -> list[str]:
        """The keys of an object; [] for anything else."""
        value = self._at(keys)
        return [str(key) for key in value] if isinstance(value, dict) else []

    def day(self, *keys: str) -> str:
        """The date of a timestamp, such as 2026-11-20; "" for anything else."""
        match = DAY.match(self.text(*keys))
        return match[0] if match else ""

    def url(self, *keys: str) -> str:
        """An http(s) URL; "" for anything else, so that it needs no escaping."""
        value = self.text(*keys)
        return value if URL.fullmatch(value) else ""

    def sha(self, *keys: str) -> str:
        """The id of a git object, full or abbreviated; "" for anything else."""
        value = self.text(*keys)
        return value if SHA.fullmatch(value) else ""


def entities(data: object) -> Iterator[Entity]:
    """The objects of a JSON list; nothing for anything else."""
    if isinstance(data, list):
        yield from (Entity(item) for item in data if isinstance(item, dict))
