"""Arguments that a client fills in though nobody gave them: "", 0, [] and {} stand for "not given".

Some clients send every optional argument. An empty value is kept only where the tool gives it a meaning: where the
default is UNCHANGED or None, "" clears a text and [] a list, and 0 is a number wherever the schema allows it.
"""

from collections.abc import Mapping
from functools import cache
from typing import Any

from pydantic import BaseModel

from gitlab_mcp.tools.definition import UNCHANGED


def without_empties(arguments: Mapping[str, Any], model: type[BaseModel]) -> dict[str, Any]:
    """The arguments, and the fields of objects in them, without those that stand for "not given".

    `model` is that of the arguments. Required ones are kept as they are, and so is what the model lacks.
    """
    schema = _schema(model)
    return _kept(arguments, schema, schema.get("$defs", {}))


@cache
def _schema(model: type[BaseModel]) -> dict[str, Any]:
    """The JSON schema of a model, made at the first call of a tool: those of all tools would delay the start."""
    return model.model_json_schema()


def _kept(values: Mapping[str, Any], schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> dict[str, Any]:
    kept = {}
    for name, value in values.items():
        field, clearable = _field(schema.get("properties", {}).get(name, {}), definitions)
        inner = _inner(value, field, definitions)
        known = name in schema.get("properties", {})
        if not known or name in schema.get("required", ()) or not _is_not_given(inner, field, clearable):
            kept[name] = inner
    return kept


def _field(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> tuple[Mapping[str, Any], bool]:
    """The schema of a field without its null and its reference, and whether an empty value clears the field."""
    choices = [choice for choice in schema.get("anyOf", ()) if choice.get("type") != "null"]
    found = {**schema, **choices[0]} if choices else schema
    if reference := found.get("$ref"):
        found = {**definitions[reference.rsplit("/", 1)[-1]], "default": found.get("default")}
    return found, bool(choices) or schema.get("default") == UNCHANGED


def _inner(value: Any, field: Mapping[str, Any], definitions: Mapping[str, Any]) -> Any:
    if isinstance(value, dict) and "properties" in field:
        return _kept(value, field, definitions)
    if isinstance(value, list) and "items" in field:
        item, _ = _field(field["items"], definitions)
        return [_inner(part, item, definitions) for part in value]
    return value


def _is_not_given(value: Any, field: Mapping[str, Any], clearable: bool) -> bool:
    kind = field.get("type")
    if isinstance(value, str):
        if kind == "string" and "enum" not in field:
            return value == "" and not clearable
        return value.strip() in ("", "0")
    if isinstance(value, dict) and "properties" in field:
        return not any(value.values())
    if isinstance(value, bool) or value not in (0, [], {}):
        return False
    if value == 0:
        # 0 is the number of no page, line or object, but may be a number of lines around a match.
        is_number = kind == "integer" and field.get("minimum", 0) <= 0 and field.get("default") != 0
        return not is_number and not (clearable and kind == "string")
    return not (clearable and kind == "array" and value == [])
