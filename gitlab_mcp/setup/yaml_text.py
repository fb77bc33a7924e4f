"""YAML as text: where each node stands, what it means, and insertions that leave every other character as it is."""

import json
import re
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import yaml

from gitlab_mcp.errors import Failure

# A text that YAML 1.1, which GitLab reads, takes for itself without quotes: it is not a number, a boolean or null.
PLAIN_SCALAR = re.compile(
    r"(?!(?:true|false|yes|no|on|off|null|y|n)$)[A-Za-z$/.][A-Za-z0-9$/._@%+-]*(?::/?[A-Za-z0-9$/._@%+-]+)*"
)


class CannotEdit(Failure):
    """A YAML text cannot be read, or has a form in which nothing can be inserted safely; the text says which."""


@dataclass
class YamlNode:
    """A node of a YAML text, from index `start` to `end` of it; the comments after a node are not part of it.

    `items` are the items of a sequence, or the keys and values of a mapping in turn. Nodes of equal `meaning` mean the
    same, also in two texts that were read with the same Meanings.
    """

    kind: Literal["scalar", "alias", "sequence", "mapping"]
    start: int
    end: int
    meaning: int
    value: str = ""
    flow: bool = False
    items: Sequence["YamlNode"] = ()

    @property
    def pairs(self) -> list[tuple["YamlNode", "YamlNode"]]:
        """The keys and values of a mapping; [] for any other node."""
        return list(zip(self.items[::2], self.items[1::2], strict=True)) if self.kind == "mapping" else []

    def get(self, key: str) -> "YamlNode | None":
        """The value of a key of a mapping; of several, the last one, as in GitLab. None where there is none."""
        return next((value for name, value in reversed(self.pairs) if name.value == key), None)

    def key(self, key: str) -> "YamlNode | None":
        """The node of a key of a mapping; None where there is none."""
        return next((name for name, _ in reversed(self.pairs) if name.value == key), None)

    @property
    def is_null(self) -> bool:
        """Whether this is an empty value, or null."""
        return self.kind == "scalar" and self.value in ("", "~", "null", "Null", "NULL")


@dataclass
class Meanings:
    """Numbers for what nodes mean, equal for equal nodes; an alias means what its anchor does."""

    _numbers: dict[Hashable, int] = field(default_factory=dict)

    def number(self, *parts: Hashable) -> int:
        """The number of a node of these parts."""
        return self._numbers.setdefault(parts, len(self._numbers))


@dataclass
class YamlText:
    """A YAML text, and the root of each of its documents, None for an empty one.

    `begins` is the index at which each document begins with `---`, None for one that has no such line.
    """

    text: str
    roots: list[YamlNode | None]
    begins: list[int | None]

    @property
    def newline(self) -> str:
        """The end of a line in this text."""
        return "\r\n" if "\r\n" in self.text else "\n"

    def column(self, index: int) -> int:
        """The column of an index, from 0."""
        return index - self.line_start(index)

    def line_start(self, index: int) -> int:
        """The index at which the line of an index begins."""
        start = self.text.rfind("\n", 0, index) + 1
        return start + 1 if start == 0 and self.text.startswith("\ufeff") else start

    def after(self, node: YamlNode) -> int:
        """The index of the line below a node, which has its comment at the end of the line before it."""
        if node.end and self.text[node.end - 1] == "\n":
            return node.end
        end = self.text.find("\n", node.end)
        return len(self.text) if end < 0 else end + 1

    def with_lines(self, index: int, lines: Iterable[str]) -> str:
        """The text with lines inserted at the index of a line's begin, or at its end."""
        before, after = self.text[:index], self.text[index:]
        joined = "".join(f"{line}{self.newline}" for line in lines)
        return before + ("" if before.endswith(("\n", "\ufeff")) or not before else self.newline) + joined + after

    def with_text(self, index: int, inserted: str) -> str:
        """The text with another one inserted at an index."""
        return self.text[:index] + inserted + self.text[index:]


def read_yaml(text: str, meanings: Meanings | None = None) -> YamlText:
    """Read a YAML text. Raises CannotEdit where it is not valid YAML, or an alias has no anchor before it."""
    reader = _Reader(text, meanings or Meanings())
    try:
        return reader.read()
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" at line {mark.line + 1}" if mark else ""
        raise CannotEdit(
            f"It is not valid YAML{where}: {getattr(error, 'problem', '') or 'it cannot be read'}."
        ) from error
    except RecursionError:
        raise CannotEdit("It is nested too deeply to be read.") from None


class _Reader:
    def __init__(self, text: str, meanings: Meanings) -> None:
        self._text, self._meanings = text, meanings
        self._events: Iterator[yaml.Event] = yaml.parse(text, Loader=yaml.SafeLoader)
        self._resolver = yaml.resolver.Resolver()
        self._anchors: dict[str, int] = {}

    def read(self) -> YamlText:
        roots: list[YamlNode | None] = []
        begins: list[int | None] = []
        for event in self._events:
            if isinstance(event, yaml.DocumentStartEvent):
                self._anchors = {}
                begins.append(self._text.find("---", _index(event.start_mark)) if event.explicit else None)
                root = self._node(next(self._events))
                roots.append(None if root.is_null and root.start == root.end else root)
        return YamlText(self._text, roots, begins)

    def _node(self, event: yaml.Event) -> YamlNode:
        start, end = _index(event.start_mark), _index(event.end_mark)
        if isinstance(event, yaml.AliasEvent):
            if event.anchor not in self._anchors:
                raise CannotEdit(f"The alias *{event.anchor} has no anchor before it.")
            return YamlNode("alias", start, end, self._anchors[event.anchor])
        if isinstance(event, yaml.ScalarEvent):
            tag = event.tag or self._resolver.resolve(yaml.ScalarNode, event.value, event.implicit)  # type: ignore[no-untyped-call]
            meaning = self._meanings.number("scalar", tag, event.value)
            node = YamlNode("scalar", start, end, meaning, event.value)
        elif isinstance(event, yaml.CollectionStartEvent):
            node = self._collection(event)
        else:
            raise CannotEdit("It is not valid YAML.")
        if event.anchor:
            self._anchors[event.anchor] = node.meaning
        return node

    def _collection(self, event: yaml.CollectionStartEvent) -> YamlNode:
        items: list[YamlNode] = []
        while not isinstance(inner := next(self._events), yaml.CollectionEndEvent):
            items.append(self._node(inner))
        kind: Literal["sequence", "mapping"] = "sequence" if isinstance(event, yaml.SequenceStartEvent) else "mapping"
        meaning = self._meanings.number(kind, event.tag, *(item.meaning for item in items))
        # The end of a block is where the next token begins: comments and empty lines after it are not part of it.
        end = _index(inner.end_mark) if event.flow_style or not items else items[-1].end
        return YamlNode(kind, _index(event.start_mark), end, meaning, "", bool(event.flow_style), items)


def _index(mark: Any) -> int:
    """The index of a mark, which every event of a text has."""
    return int(mark.index)


def first_that(candidates: Iterable[str], holds: Callable[[str], bool]) -> str:
    """The first edited text that `holds`. Raises CannotEdit where none does."""
    for candidate in candidates:
        try:
            if holds(candidate):
                return candidate
        except CannotEdit:
            continue
    raise CannotEdit("It has a form in which nothing can be inserted without changing something else.")


def with_pair(document: YamlText, mapping: YamlNode, key: str, value: object, index: int | None = None) -> str:
    """The text with a key and its value added to a mapping: at the line that begins at `index`, else at its end."""
    if mapping.flow:
        pair = f"{json.dumps(key)}: {json.dumps(value)}"
        return _in_flow(document, mapping, pair)
    column = document.column(mapping.items[0].start)
    where = document.after(mapping) if index is None else index
    return document.with_lines(where, indented(lines_of({key: value}), column))


def with_item(document: YamlText, sequence: YamlNode, item: object) -> str:
    """The text with an item added at the end of a sequence."""
    if sequence.flow:
        return _in_flow(document, sequence, json.dumps(item))
    dash = document.text.rfind("-", 0, sequence.items[0].start)
    return document.with_lines(document.after(sequence), indented(lines_of([item]), document.column(dash)))


def _in_flow(document: YamlText, node: YamlNode, text: str) -> str:
    # Directly behind the last item, where it does not matter whether a comma or a comment follows.
    if node.items:
        return document.with_text(node.items[-1].end, f", {text}")
    opened = document.text.index("[" if node.kind == "sequence" else "{", node.start)
    return document.with_text(opened + 1, text)


def lines_of(value: object) -> list[str]:
    """A value as the lines of a YAML block."""
    if isinstance(value, Mapping) and value:
        return [line for name, inner in value.items() for line in _pair(scalar(name), inner)]
    if isinstance(value, list | tuple) and value:
        return [
            f"{'- ' if number == 0 else '  '}{line}" for item in value for number, line in enumerate(lines_of(item))
        ]
    return [scalar(value)]


def _pair(name: str, value: object) -> list[str]:
    if isinstance(value, Mapping | list | tuple) and value:
        return [f"{name}:", *indented(lines_of(value), 2)]
    return [f"{name}: {scalar(value)}"]


def scalar(value: object) -> str:
    """A value on one line: text without quotes where it needs none."""
    return value if isinstance(value, str) and PLAIN_SCALAR.fullmatch(value) else json.dumps(value)


def indented(lines: Iterable[str], column: int) -> list[str]:
    """Lines that begin at a column."""
    return [f"{' ' * column}{line}" if line else line for line in lines]
