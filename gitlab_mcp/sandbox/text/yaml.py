"""Reading YAML, as far as CI configurations use it.

It reads block and flow collections, every kind of scalar, anchors, merge keys and the tag !reference. Explicit keys,
other tags and directives are not read: they raise Unreadable, as a text does that is not valid.
"""

from __future__ import annotations

import re
from typing import Any, NoReturn

from gitlab_mcp.sandbox.text.yaml_flow import Flow, Reference, Unreadable, folded, resolved

__all__ = ["Reference", "Unreadable", "documents", "load"]

_KEY = re.compile(
    r"""("(?:[^"\\]|\\.)*"|'(?:[^']|'')*'|[^\s"'#\[\]{}&*!|>%@`,?-][^#]*?|[?-][^\s#][^#]*?|<<)\s*:(?=\s|$)"""
)
_ITEM = re.compile(r"-(?=\s|$)")
_BLOCK_SCALAR = re.compile(r"([|>])([+-]?)([1-9]?)([+-]?)\s*(?:#.*)?$")
_PROPERTY = re.compile(r"([&!])(\S*)\s*")
_DOCUMENT = re.compile(r"^(?:---|\.\.\.)(?=\s|$)", re.MULTILINE)


def documents(text: str) -> list[str]:
    """The documents of a text; one that begins with `---` has no empty document before it."""
    parts, start = [], 0
    for mark in _DOCUMENT.finditer(text):
        parts.append(text[start : mark.start()])
        start = mark.end()
    parts.append(text[start:])
    if len(parts) > 1 and not re.sub(r"#.*", "", parts[0]).strip():
        del parts[0]
    return parts


def load(text: str) -> Any:
    """The value of one document. Raises Unreadable."""
    return _Reader(text).document()


class _Reader:
    """Reads lines; what a line has before a nested value is blanked out, so that the value's column is its indent."""

    def __init__(self, text: str) -> None:
        self.lines = text.replace("\r\n", "\n").split("\n")
        self.at = 0
        self.anchors: dict[str, Any] = {}

    def document(self) -> Any:
        value = self._block(0)
        if self._next() is not None:
            self._fail("the text goes on behind its value")
        return value

    def _fail(self, reason: str) -> NoReturn:
        raise Unreadable(f"line {self.at + 1}: {reason}")

    def _next(self) -> int | None:
        """The indent of the next line that is neither blank nor a comment, or None at the end."""
        while self.at < len(self.lines):
            line = self.lines[self.at]
            content = line.lstrip(" ")
            if content.startswith("\t") and content.strip():
                self._fail("a tab indents the line")
            if content.strip() and not content.startswith("#"):
                return len(line) - len(content)
            self.at += 1
        return None

    def _block(self, least: int) -> Any:
        """The value that begins on the next line, if that is indented by at least `least` columns; else None."""
        indent = self._next()
        if indent is None or indent < least:
            return None
        content = self.lines[self.at][indent:]
        if content.startswith("%") or re.match(r"\?(\s|$)", content):
            self._fail("directives and explicit keys are not read")
        if _ITEM.match(content):
            return self._sequence(indent)
        if _KEY.match(content):
            return self._mapping(indent)
        return self._inline(indent, least - 1)

    def _sequence(self, indent: int) -> list[Any]:
        items = []
        while self._next() == indent and _ITEM.match(self.lines[self.at][indent:]):
            line = self.lines[self.at]
            self.lines[self.at] = " " * (indent + 1) + line[indent + 1 :]
            items.append(self._nested(indent))
        return items

    def _nested(self, indent: int) -> Any:
        """The value of an item or a key whose own column is `indent`; the text before the value is blanked out."""
        rest = self.lines[self.at].strip()
        if not rest or rest.startswith("#"):
            self.at += 1
            return self._block(indent + 1)
        start = self._next() or 0
        if rest[0] in "&!|>":
            return self._inline(start, indent)
        return self._block(indent + 1)

    def _mapping(self, indent: int) -> dict[Any, Any]:
        values: dict[Any, Any] = {}
        merged: list[Any] = []
        while self._next() == indent and (match := _KEY.match(self.lines[self.at][indent:])):
            key = self._scalar_of(match[1])
            line, end = self.lines[self.at], indent + match.end()
            self.lines[self.at] = " " * end + line[end:]
            value = self._value(indent)
            if key == "<<":
                merged += value if isinstance(value, list) else [value]
            else:
                values[key] = value
        following = self._next()
        if following is not None and following > indent:
            self._fail("the line is indented further than its mapping")
        for other in merged:
            if not isinstance(other, dict):
                self._fail("what << merges is not a mapping")
            values = {**other, **values}
        return values

    def _value(self, indent: int) -> Any:
        """The value of a key; a sequence may be indented as far as its key."""
        rest = self.lines[self.at].strip()
        if rest and not rest.startswith("#"):
            start = len(self.lines[self.at]) - len(self.lines[self.at].lstrip())
            return self._inline(start, indent)
        self.at += 1
        return self._below(indent)

    def _below(self, indent: int) -> Any:
        following = self._next()
        if following == indent and _ITEM.match(self.lines[self.at][indent:]):
            return self._sequence(indent)
        return self._block(indent + 1)

    def _inline(self, start: int, indent: int) -> Any:
        """The value that begins at a column of this line and belongs to a node whose column is `indent`."""
        rest = self.lines[self.at][start:]
        if match := _PROPERTY.match(rest):
            return self._with_property(match, start, indent)
        if match := _BLOCK_SCALAR.match(rest):
            return self._block_scalar(match, indent)
        text = "\n".join([rest, *self.lines[self.at + 1 :]])
        if rest[0] in "\"'[{*":
            flow = Flow(text, self.anchors)
            value = flow.value()
            if not re.match(r"[ \t]*(#.*)?(\n|$)", text[flow.at :]):
                self._fail("the line goes on behind its value")
            self.at += text.count("\n", 0, flow.at) + 1
            return value
        if rest[0] in "%@`":
            self._fail(f"{rest[0]} cannot begin a value")
        return self._plain(rest, indent)

    def _with_property(self, match: re.Match[str], start: int, indent: int) -> Any:
        """A value with an anchor or a tag."""
        value: Any
        mark, name = match[1], match[2]
        end = start + match.end()
        if mark == "!" and name not in ("reference", ""):
            self._fail(f"the tag !{name} is not read")
        line = self.lines[self.at]
        self.lines[self.at] = " " * end + line[end:]
        if _KEY.match(line[end:]):
            value = self._mapping(end)
        elif line[end:].strip() and not line[end:].lstrip().startswith("#"):
            value = self._inline(end, indent)
        else:
            self.at += 1
            value = self._below(indent)
        if name == "reference" and not isinstance(value, list):
            self._fail("!reference takes a list")
        if mark == "&":
            self.anchors[name] = value
        elif name == "reference":
            return Reference(tuple(str(part) for part in value))
        return value

    def _plain(self, rest: str, indent: int) -> Any:
        """A plain scalar, which goes on while lines are indented further than its parent."""
        first = re.sub(r"\s#.*", "", rest).strip()
        parts, more, self.at = [first], first == rest.strip(), self.at + 1
        while more and self.at < len(self.lines):
            line = self.lines[self.at]
            if line.strip() and len(line) - len(line.lstrip(" ")) <= indent:
                break
            if line.strip() and (line.lstrip().startswith("#") or _KEY.match(line.strip())):
                if _KEY.match(line.strip()):
                    self._fail("a mapping cannot begin here")
                break
            parts.append(re.sub(r"\s#.*", "", line).strip())
            more = parts[-1] == line.strip()
            self.at += 1
        while parts and not parts[-1]:
            parts.pop()
        return resolved(folded(parts)) if len(parts) == 1 else folded(parts)

    def _scalar_of(self, text: str) -> Any:
        return Flow(text, self.anchors).value() if text[0] in "\"'" else resolved(text.strip())

    def _block_scalar(self, match: re.Match[str], indent: int) -> str:
        style, chomp, given = match[1], match[2] or match[4], match[3]
        self.at += 1
        lines: list[str] = []
        width = max(indent, 0) + int(given) if given else 0
        while self.at < len(self.lines):
            line = self.lines[self.at]
            column = len(line) - len(line.lstrip(" "))
            if line.strip(" "):
                width = width or column
                if column < width or column <= indent:
                    break
            lines.append(line[width:] if line.strip(" ") else line[width:] if width else "")
            self.at += 1
        body = "\n".join(lines).rstrip("\n") if chomp != "+" else "\n".join(lines)
        text = body if style == "|" else _fold_block(body)
        return text if chomp in ("-", "+") or not text else f"{text}\n"


def _fold_block(text: str) -> str:
    """The text of a folded scalar: single line breaks become spaces, except around lines that are indented further."""
    folded, previous = "", ""
    blanks = 0
    for number, line in enumerate(text.split("\n")):
        if not line.strip():
            blanks += 1
            continue
        if number - blanks == 0:
            folded += "\n" * blanks + line
        elif line[0] in " \t" or previous[:1] in (" ", "\t"):
            folded += "\n" * (blanks + 1) + line
        else:
            folded += ("\n" * blanks or " ") + line
        previous, blanks = line, 0
    return folded + "\n" * blanks
