"""What a write asked for, compared with what GitLab shows: fields it did not set, and fields that a write cleared.

GitLab drops in silence what a user may not set: all but one assignee or reviewer without Premium, users who cannot read
the project, labels and milestones of a Guest. `Asked` maps the tool's name of a field to the value that was sent.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from gitlab_mcp.api.entity import Entity
from gitlab_mcp.api.idempotency import as_stored

Asked = Mapping[str, object]
STATES = {"closed": "close", "opened": "reopen", "active": "reopen"}


@dataclass(frozen=True)
class Difference:
    """A field of a write, by the tool's name of it, and in few words what about it, such as "@b"; "" for all of it."""

    field: str
    detail: str = ""


def given(asked: Asked) -> dict[str, object]:
    """The fields that were given: without those that are None, and without lists of labels that are empty."""
    labels = ("labels", "add_labels", "remove_labels")
    return {name: value for name, value in asked.items() if value is not None and (value or name not in labels)}


def not_taken(asked: Asked, now: Entity) -> list[Difference]:
    """The fields of `asked` that GitLab's object `now` does not have; a field that the object lacks is left out."""
    shown = set(now.names())
    fields = (Difference(name, _missing(name, value, now)) for name, value in asked.items() if _key(name) in shown)
    return [field for field in fields if not _is_set(field.field, asked[field.field], now)]


def cleared(asked: Asked, before: Entity, now: Entity) -> list[Difference]:
    """The fields of `asked` that are empty or false, were not so in `before`, and are so in `now`."""
    emptied = {name: value for name, value in asked.items() if not value and not _is_set(name, value, before)}
    return [Difference(name, _content(name, before)) for name, value in emptied.items() if _is_set(name, value, now)]


def may_clear(asked: Asked) -> bool:
    """Whether `asked` has an empty or false value, so that the object before the write has to be known."""
    return not all(asked.values())


def _key(name: str) -> str:
    """GitLab's name of the field in the object that it returns."""
    keys = {"add_labels": "labels", "remove_labels": "labels", "remove_source_branch": "force_remove_source_branch"}
    return keys.get(name, name)


def _is_set(name: str, value: object, now: Entity) -> bool:
    if isinstance(value, bool):
        return now.flag(_key(name)) == value
    if name in ("labels", "add_labels"):
        return _folded(value) <= _folded(now.texts("labels"))
    if name == "remove_labels":
        return not _folded(value) & _folded(now.texts("labels"))
    if name in ("assignees", "reviewers"):
        return _folded(value) == _folded(_usernames(now, name))
    if name == "milestone":
        return now.number("milestone", "id") == value
    if name == "state":
        return STATES.get(now.text("state"), now.text("state")) == value
    return as_stored(now.text(name)) == as_stored(str(value))


def _missing(name: str, value: object, now: Entity) -> str:
    """The labels or users that the object lacks, or those that it has beyond what was asked for."""
    if name in ("labels", "add_labels"):
        return _without(value, now.texts("labels"))
    if name == "remove_labels":
        return ", ".join(sorted(_folded(value) & _folded(now.texts("labels"))))
    if name in ("assignees", "reviewers"):
        users = _usernames(now, name)
        return _without(value, users, "@") or (f"{_without(users, value, '@')} remain" if users else "")
    return ""


def _content(name: str, before: Entity) -> str:
    """What a field held before it was cleared, as far as that is short."""
    contents: dict[str, Callable[[], str]] = {
        "description": lambda: f"{len(before.text('description')):,} characters",
        "assignees": lambda: _without(_usernames(before, "assignees"), (), "@"),
        "reviewers": lambda: _without(_usernames(before, "reviewers"), (), "@"),
        "milestone": lambda: before.text("milestone", "title"),
        "due_date": lambda: before.text("due_date"),
    }
    return contents.get(name, str)()


def _usernames(now: Entity, name: str) -> list[str]:
    return [user.text("username") for user in now.entities(name)]


def _without(values: object, others: object, sign: str = "") -> str:
    folded = _folded(others)
    return ", ".join(f"{sign}{value}" for value in _texts(values) if value.casefold() not in folded)


def _folded(values: object) -> set[str]:
    return {value.casefold() for value in _texts(values)}


def _texts(values: object) -> Iterable[str]:
    return [str(value).strip() for value in values] if isinstance(values, list | tuple) else []
