"""Values of YAML that need no lines: scalars, quoted text, flow collections and aliases."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

_NUMBER = re.compile(r"[-+]?(?:0|[1-9][0-9_]*)")
_FLOAT = re.compile(r"[-+]?(?:\d[\d_]*)?\.?\d+(?:[eE][-+]?\d+)?")
_ESCAPES = {
    "0": "\0", "a": "\a", "b": "\b", "t": "\t", "\t": "\t", "n": "\n", "v": "\v", "f": "\f", "r": "\r", "e": "\x1b",
    " ": " ", '"': '"', "/": "/", "\\": "\\", "N": "\x85", "_": "\xa0", "L": "\u2028", "P": "\u2029",
}  # fmt: skip
# Psych follows YAML 1.1, in which yes, no, on and off are booleans.
_CONSTANTS: dict[str, Any] = {"": None, "~": None, "null": None}
_CONSTANTS |= dict.fromkeys(("true", "yes", "on"), True) | dict.fromkeys(("false", "no", "off"), False)


class Unreadable(Exception):
    """The text has something that is not read here, or is not valid YAML."""


@dataclass(frozen=True)
class Reference:
    """The value of !reference: the path to a value elsewhere in the configuration."""

    path: tuple[str, ...]


def resolved(text: str) -> Any:
    """A plain scalar as null, boolean, number or text."""
    lowered = text.lower()
    if lowered in _CONSTANTS:
        return _CONSTANTS[lowered]
    if _NUMBER.fullmatch(text):
        return int(text.replace("_", ""))
    if _FLOAT.fullmatch(text) and any(letter in text for letter in ".eE"):
        return float(text.replace("_", ""))
    return text


def folded(parts: list[str]) -> str:
    """Lines of a scalar as one text: a line break becomes a space, an empty line a line break."""
    text, blanks = parts[0] if parts else "", 0
    for part in parts[1:]:
        if not part:
            blanks += 1
        else:
            text += ("\n" * blanks or " ") + part
            blanks = 0
    return text


class Flow:
    """Reads one quoted scalar, flow collection or alias at the beginning of a text; `at` is where it ends."""

    def __init__(self, text: str, anchors: dict[str, Any]) -> None:
        self.text = text
        self.at = 0
        self.anchors = anchors

    def value(self) -> Any:
        self._skip()
        match self.text[self.at : self.at + 1]:
            case '"':
                return self._double()
            case "'":
                return self._single()
            case "[":
                return self._list()
            case "{":
                return self._object()
            case "*":
                name = self._word()[1:]
                if name not in self.anchors:
                    raise Unreadable(f"the anchor {name} is not defined")
                return self.anchors[name]
            case "!":
                if self._word() != "!reference":
                    raise Unreadable("tags other than !reference are not read")
                return Reference(tuple(str(part) for part in self.value()))
            case "&":
                name = self._word()[1:]
                self.anchors[name] = self.value()
                return self.anchors[name]
            case _:
                return self._plain()

    def _skip(self) -> None:
        match = re.compile(r"(?:\s|(?:(?<=\s)|^)#[^\n]*)*").match(self.text, self.at)
        self.at = match.end() if match else self.at

    def _word(self) -> str:
        match = re.compile(r"[^\s,\[\]{}]+").match(self.text, self.at)
        if match is None:
            raise Unreadable("a name is missing")
        self.at = match.end()
        return match[0]

    def _plain(self) -> Any:
        match = re.compile(r"(?:[^,\[\]{}\n:#]|:(?![\s,\[\]{}]|$)|(?<!\s)#|\n[ \t]*(?=[^\s#]))+").match(
            self.text, self.at
        )
        if match is None:
            raise Unreadable("a value is missing")
        self.at = match.end()
        return resolved(" ".join(match[0].split()))

    def _single(self) -> str:
        match = re.compile(r"'((?:[^']|'')*)'").match(self.text, self.at)
        if match is None:
            raise Unreadable("a quote is not closed")
        self.at = match.end()
        return _unwrapped(match[1]).replace("''", "'")

    def _double(self) -> str:
        match = re.compile(r'"((?:[^"\\]|\\[\s\S])*)"').match(self.text, self.at)
        if match is None:
            raise Unreadable("a quote is not closed")
        self.at = match.end()
        body = _unwrapped(re.sub(r"\\\n\s*", "", match[1]))
        return re.sub(r"\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[\s\S])", _escape, body)

    def _list(self) -> list[Any]:
        items: list[Any] = []
        self.at += 1
        while not self._ends("]"):
            item = self.value()
            self._skip()
            if self.text[self.at : self.at + 1] == ":":  # a mapping with one pair, without braces
                self.at += 1
                item = {item: self.value()}
            items.append(item)
            self._comma("]")
        return items

    def _object(self) -> dict[Any, Any]:
        values: dict[Any, Any] = {}
        self.at += 1
        while not self._ends("}"):
            key = self.value()
            self._skip()
            value = None
            if self.text[self.at : self.at + 1] == ":":
                self.at += 1
                self._skip()
                if self.text[self.at : self.at + 1] not in (",", "}"):
                    value = self.value()
            if key == "<<" and isinstance(value, dict):
                values = {**value, **values}
            else:
                values[key] = value
            self._comma("}")
        return values

    def _ends(self, closing: str) -> bool:
        self._skip()
        if self.text[self.at : self.at + 1] == closing:
            self.at += 1
            return True
        if self.at >= len(self.text):
            raise Unreadable(f"{closing} is missing")
        return False

    def _comma(self, closing: str) -> None:
        self._skip()
        if self.text[self.at : self.at + 1] == ",":
            self.at += 1
        elif self.text[self.at : self.at + 1] != closing:
            raise Unreadable(f", or {closing} is missing")


def _escape(match: re.Match[str]) -> str:
    name = match[1]
    if len(name) > 1:
        return chr(int(name[1:], 16))
    if name not in _ESCAPES:
        raise Unreadable(f"\\{name} is not an escape")
    return _ESCAPES[name]


def _unwrapped(text: str) -> str:
    """The text of a quoted scalar whose line breaks are folded."""
    if "\n" not in text:
        return text
    first, *inner, last = text.split("\n")
    whole = folded([first.rstrip(), *(line.strip() for line in inner), last.lstrip()])
    return whole if last.strip() else f"{whole} "
