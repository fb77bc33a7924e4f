"""The REST contract: which routes there are, what they answer, and which fields and types their entities have."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

_FOLDER = Path(__file__).parent
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")
_INLINE = re.compile(r"(\w+)(?::(\w+(?:\[\]\*?)?(?:\{[^}]*\})?)|\{[^}]*\})?(?:,|$)")


@dataclass(frozen=True)
class Expected:
    """What a route answers; None is unknown. The entity "raw" is a body that is no JSON."""

    status: int | None
    entity: str | None
    array: bool | None
    added: bool


def _key(method: str, path: str) -> tuple[str, str]:
    return method, re.sub(r"\{[^}]+\}|:\w+", "*", path)


class Contract:
    """The contract with its additions; an addition overrides, and says where it is from."""

    def __init__(self) -> None:
        contract = json.loads((_FOLDER / "gitlab-rest-contract.json").read_text(encoding="utf-8"))
        additions = json.loads((_FOLDER / "additions.json").read_text(encoding="utf-8"))
        self.entities: dict[str, dict[str, str]] = contract["entities"]
        self.conditional: dict[str, dict[str, str]] = contract["when"]
        self.sources = [one["source"] for kind in ("fields", "routes") for one in additions[kind]]
        self.sources += [one["source"] for one in additions["entities"].values()]
        nullable = json.loads((_FOLDER / "nullable.json").read_text(encoding="utf-8"))
        self.nullable: set[tuple[str, str]] = set()  # of (entity, field)
        # Fields that have a value in some seeded case, as the set of the entities that have the field in common.
        self.sometimes: list[set[tuple[str, str]]] = []
        for group in nullable:
            for field in (*group.get("sometimes", "").split(), *group.get("always", {})):
                self.nullable |= {(entity, field) for entity in group["entities"]}
            for field in group.get("sometimes", "").split():
                self.sometimes.append({(entity, field) for entity in group["entities"]})
        self.with_value: set[tuple[str, str]] = set()
        for name, one in additions["entities"].items():
            self.entities[name] = one["fields"]
        for one in additions["fields"]:
            self.entities[one["entity"]][one["field"]] = one["type"]
        self.routes = {
            _key(one["method"], one["path"]): Expected(one["status"], one["entity"], one["array"], False)
            for one in contract["endpoints"]
        }
        for one in additions["routes"]:
            expected = Expected(one["status"], one["entity"], one["array"], True)
            self.routes[_key(one["method"], one["path"])] = expected

    def find(self, method: str, template: str) -> Expected | None:
        """What a route answers, or None if there is no entry for it."""
        return self.routes.get(_key(method, template))

    def faults(self, value: Any, kind: str, where: str = "") -> list[str]:
        """What is wrong with a value of a type; a field that is null is wrong unless nullable.json has it."""
        if value is None or kind == "?":
            return []
        kind = kind.removesuffix("*")
        if kind.endswith("[]") and kind != "obj[]":
            if not isinstance(value, list):
                return [f"{where} is no list: {value!r}"]
            return [fault for at, one in enumerate(value) for fault in self.faults(one, kind[:-2], f"{where}[{at}]")]
        if kind in self.entities:
            return self._fields(value, self.entities[kind], where or kind, kind)
        if kind.startswith("obj{"):
            inner = {name: type_ or "?" for name, type_ in _INLINE.findall(kind[4:-1])}
            return self._fields(value, inner, where, re.sub(r"\[\d+\]", "", where))
        return [] if _fits(value, kind) else [f"{where} is no {kind}: {value!r}"]

    def _fields(self, value: Any, fields: dict[str, str], where: str, owner: str) -> list[str]:
        if not isinstance(value, dict):
            return [f"{where} is no object: {value!r}"]
        found = []
        for name, inner in value.items():
            if name not in fields:
                found.append(f"{where}.{name} is not in the contract")
            elif inner is not None:
                self.with_value.add((owner, name))
                found += self.faults(inner, fields[name], f"{where}.{name}")
            elif fields[name] != "?" and (owner, name) not in self.nullable:
                found.append(f"{where}.{name} is null")
        return found


def _fits(value: Any, kind: str) -> bool:
    if kind.startswith("e("):
        return value in kind[2:-1].split("|")
    match kind:
        case "str" | "date":
            return isinstance(value, str)
        case "dt":
            return isinstance(value, str) and _TIME.fullmatch(value) is not None
        case "int":
            return isinstance(value, int) and not isinstance(value, bool)
        case "num":
            return isinstance(value, int | float) and not isinstance(value, bool)
        case "bool":
            return isinstance(value, bool)
        case "obj":
            return isinstance(value, dict)
        case "obj[]" | "arr":
            return isinstance(value, list)
    return True


@cache
def _endpoints() -> list[dict[str, Any]]:
    contract = json.loads((_FOLDER / "gitlab-rest-contract.json").read_text(encoding="utf-8"))
    additions = json.loads((_FOLDER / "additions.json").read_text(encoding="utf-8"))
    return [*contract["endpoints"], *additions["routes"]]


def endpoint(method: str, path: str) -> dict[str, Any]:
    """The contract's entry for a request, with or without /api/v4 before its path. Raises AssertionError for none."""
    path = path.removeprefix("/api/v4")
    for entry in _endpoints():
        pattern = re.sub(r"\\\{[^}]*\\\}|:\w+", "[^/]+", re.escape(entry["path"]))
        pattern = re.sub(r"\\\*\w+", ".+", pattern)
        if entry["method"] == method and re.fullmatch(pattern, path):
            found: dict[str, Any] = entry
            return found
    raise AssertionError(f"{method} {path} is not in the contract")
