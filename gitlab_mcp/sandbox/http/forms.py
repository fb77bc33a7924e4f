"""Form bodies, urlencoded or multipart, and the nesting of their names, as Rack reads them for GitLab."""

from __future__ import annotations

import io
from collections.abc import Iterable
from dataclasses import dataclass
from re import compile as pattern
from typing import Any
from urllib.parse import parse_qsl

from python_multipart import parse_form
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import Field, File

from gitlab_mcp.sandbox.http.errors import invalid_parameter

_KEY = pattern(r"\[([^\]]*)\]")
_MAX_FIELDS = 10_000


@dataclass(frozen=True)
class UploadedFile:
    """A file in a multipart body."""

    name: str
    content: bytes


def urlencoded(text: str) -> dict[str, Any]:
    """The parameters of a query or an urlencoded body; raises 400 if it cannot be parsed."""
    try:
        return nest(parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=_MAX_FIELDS))
    except ValueError as error:
        raise invalid_parameter("Invalid query parameters") from error


def multipart(body: bytes, content_type: str) -> dict[str, Any]:
    """The parameters of a multipart/form-data body; raises 400 if it cannot be parsed or is not UTF-8."""
    pairs: list[tuple[str, Any]] = []

    def add_field(field: Field) -> None:
        pairs.append(((field.field_name or b"").decode("utf-8"), (field.value or b"").decode("utf-8")))

    def add_file(file: File) -> None:
        file.file_object.seek(0)
        name = (file.file_name or b"").decode("utf-8")
        pairs.append(((file.field_name or b"").decode("utf-8"), UploadedFile(name, file.file_object.read())))
        file.close()

    try:
        parse_form({"Content-Type": content_type.encode()}, io.BytesIO(body), add_field, add_file)
    except (FormParserError, UnicodeDecodeError) as error:
        raise invalid_parameter("The body could not be parsed as multipart/form-data") from error
    return nest(pairs)


def nest(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """Parameters by name, with `a[]` as lists, `a[b]` as objects and `a[][b]` as lists of objects.

    The rules are those of Rack::QueryParser: in a list of objects, a name that the last object has already begins the
    next object. Raises 400 for a name that is used with two shapes.
    """
    params: dict[str, Any] = {}
    for key, value in pairs:
        name, _, _ = key.partition("[")
        _insert(params, [name, *_KEY.findall(key)], value)
    return params


def _insert(target: dict[str, Any], keys: list[str], value: Any) -> None:
    key, rest = keys[0], keys[1:]
    if not rest:
        target[key] = value
        return
    inner = target.setdefault(key, {} if rest[0] else [])
    if not isinstance(inner, dict if rest[0] else list):
        expected, present = ("Hash", "Array") if rest[0] else ("Array", "Hash")
        present = "String" if isinstance(inner, str) else present
        raise invalid_parameter(f"expected {expected} (got {present}) for param `{key}'")
    if isinstance(inner, dict):
        _insert(inner, rest, value)
    elif len(rest) == 1:
        inner.append(value)
    else:
        if not inner or not isinstance(inner[-1], dict) or _holds(inner[-1], rest[1:]):
            inner.append({})
        _insert(inner[-1], rest[1:], value)


def _holds(item: dict[str, Any], keys: list[str]) -> bool:
    """Whether an object has a value under these keys; a list in it never counts as one."""
    inner: Any = item
    for key in keys:
        if not isinstance(inner, dict) or key not in inner or key == "":
            return False
        inner = inner[key]
    return True
