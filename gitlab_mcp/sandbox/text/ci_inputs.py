"""The inputs of a CI configuration: its header `spec: inputs`, the values given, and `$[[ inputs.name ]]` in its text.

The checks and their messages are those of Ci::Inputs (lib/ci/inputs), Gitlab::Ci::Config::Interpolation::Inputs and
TextInterpolator. Interpolation functions other than expand_vars and truncate are not implemented.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from gitlab_mcp.sandbox.text.ci_variables import expand
from gitlab_mcp.sandbox.text.yaml import Unreadable, documents, load

_BLOCK = re.compile(r"\$\[\[(.*?)\]\]", re.DOTALL)
_TRUNCATE = re.compile(r"truncate\(\s*(\d+)\s*,\s*(\d+)\s*\)")
_TYPES = ("array", "boolean", "number", "string")
_MOST_SHOWN = 3  # TextInterpolator#error_message
_NOT_DECLARED = "Given inputs not defined in the `spec` section of the included configuration file"


class InvalidInputs(Exception):
    """The given inputs do not fit, or the configuration uses one that it does not declare; the text is GitLab's."""


def interpolate(text: str, given: Mapping[str, Any], variables: Mapping[str, str]) -> str:
    """The configuration without its header and with the values of its inputs.

    Raises InvalidInputs with GitLab's message, and InvalidYaml and Unreadable for a header that cannot be read.
    """
    parts = documents(text)
    header = load(parts[0]) if len(parts) > 1 else None
    if not isinstance(header, dict) or "spec" not in header:
        if given:
            raise InvalidInputs(_NOT_DECLARED)
        return parts[0]
    declared = _mapping(_mapping(header["spec"], "spec").get("inputs"), "spec: inputs")
    values = _values(declared, given)
    errors: list[str] = []

    def value_of(match: re.Match[str]) -> str:
        path, *functions = (part.strip() for part in match[1].split("|"))
        name = path.removeprefix("inputs.")
        if not path.startswith("inputs.") or name not in values:
            errors.append(f"unknown interpolation key: `{name}`")
            return ""
        value = values[name]
        shown = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        for function in functions:
            shown = _applied(function, shown, variables)
        return shown

    content = _BLOCK.sub(value_of, parts[1])
    if errors:
        raise InvalidInputs(", ".join(errors[:_MOST_SHOWN]))
    return content


def _mapping(value: Any, name: str) -> dict[Any, Any]:
    """What the header has at a place; nothing there is an empty mapping."""
    if value is not None and not isinstance(value, dict):
        raise Unreadable(f"{name} of the header is not a mapping")
    return value or {}


def _applied(function: str, value: str, variables: Mapping[str, str]) -> str:
    if function == "expand_vars":
        return expand(value, variables)
    if match := _TRUNCATE.fullmatch(function):
        return value[int(match[1]) : int(match[1]) + int(match[2])]
    raise Unreadable(f"the interpolation function {function} is not implemented")


def _values(declared: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """The value of each declared input; raises InvalidInputs with at most three errors."""
    errors: list[str] = []
    if unknown := [str(name) for name in given if name not in declared]:
        errors.append(f"unknown input arguments: {', '.join(unknown)}")
    values: dict[str, Any] = {}
    for name, raw_spec in declared.items():
        spec = _mapping(raw_spec, f"the input {name}")
        kind = spec.get("type", "string")
        if kind not in _TYPES:
            errors.append(f"unknown input specification for `{name}` (valid types: {', '.join(_TYPES)})")
            continue
        if "rules" in spec or not isinstance(spec.get("options") or [], list):
            raise Unreadable("rules of an input, and options that are no list, are not implemented")
        value = given.get(name)
        if value is None and "default" not in spec:
            errors.append(f"`{name}` input: required value has not been provided")
            continue
        found = [*_faults(spec, kind, spec["default"], "default")] if "default" in spec else []
        found += _faults(spec, kind, value, "provided") if value is not None else []
        errors += [f"`{name}` input: {fault}" for fault in found]
        values[name] = _coerced(kind, spec.get("default") if value is None else value)
    if errors:
        raise InvalidInputs(", ".join(errors[:_MOST_SHOWN]))
    return values


def _coerced(kind: str, value: Any) -> Any:
    """BaseInput#coerced_value: a form sends numbers, booleans and arrays as the text of their JSON."""
    if kind == "string":
        return value if isinstance(value, str) else "" if value is None else json.dumps(value)
    if isinstance(value, str):
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value


def _faults(spec: Mapping[str, Any], kind: str, raw: Any, which: str) -> list[str]:
    """What is wrong with the default or the provided value of an input."""
    value, faults = _coerced(kind, raw), []
    number = isinstance(value, int | float) and not isinstance(value, bool)
    fits = {"string": True, "number": number, "boolean": isinstance(value, bool), "array": isinstance(value, list)}
    if not fits[kind]:
        faults.append(f"{which} value is not {'an' if kind == 'array' else 'a'} {kind}")
    options = spec.get("options")
    if options and kind in ("array", "boolean"):
        faults.append("Options can only be used with string and number inputs")
    elif options and kind == "string" and value not in [_coerced("string", one) for one in options]:
        faults.append(f"`{value}` cannot be used because it is not in the list of allowed options")
    elif options and kind == "number" and value not in options:
        faults.append(f"`{value}` cannot be used because it is not in the list of the allowed options")
    if "regex" in spec:
        faults += _regex_faults(str(spec["regex"]), kind, value, which)
    return faults


def _regex_faults(pattern: str, kind: str, value: Any, which: str) -> list[str]:
    if kind != "string":
        return ["RegEx validation can only be used with string inputs"]
    try:
        # RE2, as GitLab uses it, takes $ as the end of the text and not also as the place before a last line break.
        matches = re.search(re.sub(r"(?<!\\)\$$", r"\\Z", pattern), value)
    except re.error:
        return ["invalid regular expression"]
    return [] if matches else [f"{which} value does not match required RegEx pattern"]
