"""Parameters of a request: read from query and body, then validated as Grape does, with Grape's messages."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cache
from typing import Any

from gitlab_mcp.sandbox.http import forms
from gitlab_mcp.sandbox.http.errors import ApiError, invalid_parameter

_DECLARATION = re.compile(r"(\w+(?:\[\w+\])?)([*+]?)(?::(\w+)(?:\(([^)]*)\))?)?(?:=(\S+))?\Z")


@dataclass(frozen=True)
class Parameter:
    """A declared parameter, written as `name*:type(a|b)=default`: the default type is str.

    * means required and not blank (Grape's `allow_blank: false`), + required, but it may be blank: then GitLab's model
    refuses it, with a message of its own. The name may be that of a member of an object: not[labels].
    """

    name: str
    required: bool
    blank: bool
    type: str
    choices: tuple[str, ...]
    default: str | None


@cache
def declare(text: str) -> tuple[Parameter, ...]:
    """Parse a declaration such as `title* state_event:enum(close|reopen) iids:ints`; raises ValueError."""
    parameters = []
    for word in text.split():
        match = _DECLARATION.match(word)
        if match is None:
            raise ValueError(word)
        name, star, kind, choices, default = match.groups()
        parameters.append(
            Parameter(
                name, bool(star), star != "*", kind or "str", tuple(choices.split("|")) if choices else (), default
            )
        )
    return tuple(parameters)


def read(query: str, body: bytes, content_type: str) -> dict[str, Any]:
    """All parameters of a request; those of the body take precedence over those of the query.

    Raises 400 for a body that cannot be parsed as JSON or as a form, or is not UTF-8, and for invalid Unicode, and 415
    for another type of body (Grape::Middleware::Formatter; lib/api/api.rb adds text/plain, whose text is not read).
    """
    params = forms.urlencoded(query)
    kind = content_type.partition(";")[0].strip().lower()
    if not body:
        return params
    if kind in ("application/json", "") or kind.endswith("+json"):
        try:
            value = json.loads(body.decode("utf-8"))
        except (UnicodeDecodeError, json.JSONDecodeError) as error:
            raise invalid_parameter("The body could not be parsed as JSON") from error
        if isinstance(value, dict):
            params.update(value)
    elif kind == "application/x-www-form-urlencoded":
        try:
            params.update(forms.urlencoded(body.decode("utf-8")))
        except UnicodeDecodeError as error:
            raise invalid_parameter("The body could not be parsed") from error
    elif kind == "multipart/form-data":
        params.update(forms.multipart(body, content_type))
    elif kind != "text/plain":
        raise ApiError(415, {"error": f"The provided content-type '{kind}' is not supported."})
    _refuse_broken_text(params)
    return params


def _refuse_broken_text(value: Any) -> None:
    # JSON can hold an unpaired surrogate, which is invalid Unicode, and NUL, which GitLab's database refuses.
    if isinstance(value, str):
        if "\x00" in value or any("\ud800" <= letter <= "\udfff" for letter in value):
            raise invalid_parameter("string contains null byte or invalid encoding")
    elif isinstance(value, Mapping):
        for item in value.values():
            _refuse_broken_text(item)
    elif isinstance(value, list):
        for item in value:
            _refuse_broken_text(item)


def check(declared: tuple[Parameter, ...], arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The declared parameters that are in `arguments` or have a default, converted.

    Raises Grape's 400, whose message lists every error.
    """
    errors: list[str] = []
    values: dict[str, Any] = {}
    for parameter in declared:
        found, raw = look_up(arguments, parameter.name)
        if found:
            try:
                values[parameter.name] = _convert(parameter, raw)
            except ValueError as error:
                errors.append(f"{parameter.name} {error}")
            else:
                # The content of a file (type any) may be empty; a title or a name may not.
                if not parameter.blank and parameter.type != "any" and values[parameter.name] in ("", None):
                    errors.append(f"{parameter.name} is empty")
        elif parameter.required:
            errors.append(f"{parameter.name} is missing")
        elif parameter.default is not None:
            values[parameter.name] = _convert(parameter, parameter.default)
    if errors:
        raise invalid_parameter(", ".join(errors))
    return values


def look_up(arguments: Mapping[str, Any], name: str) -> tuple[bool, Any]:
    """Whether the arguments have a parameter, and its value; the name may be that of a member, such as not[labels]."""
    outer, _, inner = name.partition("[")
    if not inner:
        return name in arguments, arguments.get(name)
    members = arguments.get(outer)
    member = inner.removesuffix("]")
    return (member in members, members.get(member)) if isinstance(members, Mapping) else (False, None)


def _convert(parameter: Parameter, value: Any) -> Any:
    match parameter.type:
        case "str":
            return _text(value)
        case "int":
            return _integer(value)
        case "bool":
            return _boolean(value)
        case "enum":
            return _choice(parameter, value)
        case "date":
            return _date(value)
        case "dt":
            return parse_datetime(value)
        case "list":
            return _texts(value)
        case "ints":
            return _integers(value)
        case "obj":
            return _typed(value, dict)
        case "array":
            return _typed(value, list)
        case "file":
            return _typed(value, forms.UploadedFile)
        case _ if isinstance(value, forms.UploadedFile):
            raise ValueError("is invalid")
        case _:
            return value


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    raise ValueError("is invalid")


def _integer(value: Any) -> int | None:
    if value is None or value == "":
        return None
    if isinstance(value, bool) or not re.fullmatch(r"-?\d{1,18}", str(value)):
        raise ValueError("is invalid")
    return int(value)


def _boolean(value: Any) -> bool:
    if value is None or value == "":
        return False  # GitLab docs: null counts as false
    known = {"true": True, "1": True, "t": True, "on": True, "false": False, "0": False, "f": False, "off": False}
    if str(value).lower() not in known:
        raise ValueError("is invalid")
    return known[str(value).lower()]


def _choice(parameter: Parameter, value: Any) -> str | None:
    if value is None:
        return None
    if str(value) not in parameter.choices:
        raise ValueError("does not have a valid value")
    return str(value)


def _date(value: Any) -> date | None:
    if value is None or value == "":
        return None
    try:
        return date.fromisoformat(str(value)[:10])
    except ValueError:
        raise ValueError("is invalid") from None


def parse_datetime(value: Any) -> datetime | None:
    """Parse an ISO 8601 time, which is UTC unless it has an offset. Raises ValueError."""
    if value is None or value == "":
        return None
    try:
        parsed = datetime.fromisoformat(str(value).replace(" ", "+", 1) if "T" in str(value) else str(value))
    except ValueError:
        raise ValueError("is invalid") from None
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)


def _texts(value: Any) -> list[str]:
    if value is None:
        return []
    parts = value.split(",") if isinstance(value, str) else value
    if not isinstance(parts, list) or not all(isinstance(part, str | int) for part in parts):
        raise ValueError("is invalid")
    return [str(part).strip() for part in parts if str(part).strip()]


def _integers(value: Any) -> list[int]:
    parts = value.split(",") if isinstance(value, str) else value
    if parts is None:
        return []
    if isinstance(parts, int) and not isinstance(parts, bool):
        parts = [parts]
    if not isinstance(parts, list):
        raise ValueError("is invalid")
    numbers = [_integer(part) for part in parts]
    return [number for number in numbers if number is not None]


def _typed(value: Any, wanted: type) -> Any:
    if value is None:
        return None
    if not isinstance(value, wanted):
        raise ValueError("is invalid")
    return value
