"""Reading YAML as GitLab does for CI configurations: with aliases, merge keys and the tag !reference.

PyYAML reads it, with libyaml where that is built in, as it is in its wheels. Psych, with which GitLab reads, is built
on libyaml too, so that both say the same about an invalid text. The limits are those of Gitlab::Config::Loader::Yaml.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, NoReturn

import yaml

try:
    from yaml import CSafeLoader as SafeLoader
except ImportError:  # PyYAML without libyaml reads the same, but words errors in its own way
    from yaml import SafeLoader  # type: ignore[assignment]

_DIVIDER = re.compile(r"^---\s+", re.MULTILINE)  # MultiDocYaml::MULTI_DOC_DIVIDER
_MOST_DOCUMENTS = 2
_MOST_BYTES = 2 * 1024 * 1024  # max_yaml_size_bytes of the application settings
_MOST_DEPTH = 100  # max_yaml_depth
_MOST_MERGED = 100_000  # what << may take over in a text: an alias costs little, and each may stand for many pairs
_BYTES_OF_A_VALUE = 40  # of any object of Ruby; a longer text has its length on top
_TOO_BIG = "The parsed YAML is too big"
_TAG = "tag:yaml.org,2002:"


class Unreadable(Exception):
    """The text has something that is not read here."""


class InvalidYaml(Exception):
    """The text is not valid YAML, or too big; the message is GitLab's."""


@dataclass(frozen=True)
class Reference:
    """The value of !reference: the path to a value elsewhere in the configuration."""

    path: tuple[str, ...]


def documents(text: str) -> list[str]:
    """The first documents of a text, before they are read; one that begins with `---` has no empty one before it."""
    parts = _DIVIDER.split(text, _MOST_DOCUMENTS)
    if len(parts) > 1 and not re.sub(r"#.*", "", parts[0]).strip():
        del parts[0]
    return parts


def load(text: str) -> Any:
    """The value of the first document of a text. Raises InvalidYaml, and Unreadable for what is not read here."""
    try:
        value = next(yaml.load_all(text, Loader=_Loader), None)
    except yaml.constructor.ConstructorError as error:
        if "recursive" in str(error.problem):
            raise InvalidYaml(_TOO_BIG) from None
        raise Unreadable(str(error.problem)) from error
    except yaml.YAMLError as error:
        raise InvalidYaml(_psych(error)) from error
    except RecursionError:
        raise InvalidYaml(_TOO_BIG) from None
    except (ValueError, LookupError, TypeError) as error:  # a value does not fit its tag, or cannot be a key
        raise Unreadable(f"a value is not read: {error}") from error
    _check_size(value)
    return value


def _psych(error: yaml.YAMLError) -> str:
    """The message of Psych::SyntaxError, which names where the context of an error begins, or else the first line."""
    if isinstance(error, yaml.reader.ReaderError):
        return f"(<unknown>): {error.reason} at line 1 column 1"
    if not isinstance(error, yaml.MarkedYAMLError):
        return f"(<unknown>): {error}"
    mark = error.context_mark or (error.problem_mark if isinstance(error, yaml.scanner.ScannerError) else None)
    line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
    words = " ".join(part for part in (error.problem, error.context) if part)
    return f"(<unknown>): {words} at line {line} column {column}"


def _check_size(value: Any) -> None:
    """Raises InvalidYaml for a value that is too big or too deep, with each alias as what it stands for."""
    size, rest = 0, [(value, 1)]
    while rest:
        one, depth = rest.pop()
        size += _BYTES_OF_A_VALUE + (len(one) if isinstance(one, str) else 0)
        if size > _MOST_BYTES or depth > _MOST_DEPTH:
            raise InvalidYaml(_TOO_BIG)
        inner = [*one, *one.values()] if isinstance(one, dict) else one if isinstance(one, list) else []
        rest += [(each, depth + 1) for each in inner]


class _Loader(SafeLoader, yaml.composer.Composer):
    """Reads events with libyaml, and composes them in Python, which lets an anchor be given again, as Psych does.

    It makes a value whole before the one that holds it, so that `<<` has all of what it merges.
    """

    check_node = yaml.composer.Composer.check_node
    get_node = yaml.composer.Composer.get_node

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self.anchors: dict[str, yaml.Node] = {}
        self.merged = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        event: Any = self.peek_event()
        if not isinstance(event, yaml.AliasEvent):
            self.anchors.pop(event.anchor, None)
        elif event.anchor not in self.anchors:
            raise InvalidYaml(f"An alias referenced an unknown anchor: {event.anchor}")
        return super().compose_node(parent, index)


def _mapping(loader: _Loader, node: yaml.MappingNode) -> dict[Any, Any]:
    """A mapping, with what it merges in the place of `<<`: as in Psych, what stands further below has precedence."""
    if not isinstance(node, yaml.MappingNode):
        raise Unreadable("!!map takes a mapping")
    values: dict[Any, Any] = {}
    for key, inner in node.value:
        value = loader.construct_object(inner, deep=True)
        if key.tag != f"{_TAG}merge":
            values[loader.construct_object(key, deep=True)] = value
            continue
        for other in reversed(value) if isinstance(value, list) else [value]:
            if not isinstance(other, dict):
                raise Unreadable("what << merges is not a mapping")
            loader.merged += len(other)
            if loader.merged > _MOST_MERGED:
                raise InvalidYaml(_TOO_BIG)
            values.update(other)
    return values


def _sequence(loader: _Loader, node: yaml.SequenceNode) -> list[Any]:
    return loader.construct_sequence(node, deep=True)


def _reference(loader: _Loader, node: yaml.Node) -> Reference:
    if not isinstance(node, yaml.SequenceNode):
        raise Unreadable("!reference takes a list")
    return Reference(tuple(str(part) for part in _sequence(loader, node)))


def _equals(loader: _Loader, node: yaml.ScalarNode) -> Any:
    """A plain =, which is a text in Psych."""
    return loader.construct_scalar(node)


def _time(_: _Loader, node: yaml.Node) -> NoReturn:
    """A date is of a class that GitLab does not let Psych load; a time is not read here."""
    if re.fullmatch(r"\d{4}-\d\d?-\d\d?", str(node.value)):
        raise InvalidYaml("Tried to load unspecified class: Date")
    raise Unreadable(f"the time {node.value} is not read")


def _unread(_: _Loader, node: yaml.Node) -> NoReturn:
    raise Unreadable(f"the tag {node.tag.replace(_TAG, '!!')} is not read")


_Loader.add_constructor(f"{_TAG}map", _mapping)
_Loader.add_constructor(f"{_TAG}seq", _sequence)
_Loader.add_constructor(f"{_TAG}value", _equals)
_Loader.add_constructor(f"{_TAG}timestamp", _time)
_Loader.add_constructor("!reference", _reference)
for _tag in (*(f"{_TAG}{name}" for name in ("binary", "omap", "pairs", "set")), None):
    _Loader.add_constructor(_tag, _unread)
