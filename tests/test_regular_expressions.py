"""Python before 3.11.5 matches a possessive repeat of a group wrongly where the group itself can backtrack.

https://github.com/python/cpython/issues/106052. Debian 12 has Python 3.11.2.
"""

import importlib
import pkgutil
import re
from collections.abc import Iterator
from typing import Any

import pytest

import gitlab_mcp

PARSER: Any = importlib.import_module("re._parser")
MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages(gitlab_mcp.__path__, "gitlab_mcp.")
    if not module.name.endswith("__main__")
)


def parts_of(items: Any) -> Iterator[tuple[str, Any]]:
    """Every part of a parsed pattern, as the name of its operator and its argument, inner parts included."""
    for operator, argument in items:
        yield str(operator), argument
        for inner in argument if isinstance(argument, tuple | list) else ():
            for pattern in inner if isinstance(inner, list) else [inner]:
                if isinstance(pattern, PARSER.SubPattern):
                    yield from parts_of(pattern)


def is_wrong_before_3_11_5(pattern: re.Pattern[Any]) -> bool:
    """Whether a pattern repeats possessively, or makes atomic, what can be matched in more than one way."""
    backtracks = {"BRANCH", "MAX_REPEAT", "MIN_REPEAT"}
    for operator, argument in parts_of(PARSER.parse(pattern.pattern, pattern.flags)):
        if operator in ("POSSESSIVE_REPEAT", "ATOMIC_GROUP"):
            inner = argument[2] if operator == "POSSESSIVE_REPEAT" else argument
            if backtracks & {name for name, _ in parts_of(inner)}:
                return True
    return False


@pytest.mark.parametrize(
    ("pattern", "is_wrong"),
    [
        (r"(?:a|bc)++d", True),
        (r"(?:ab?)*+c", True),
        (r"(?>a+)", True),
        (r"[ab]++c", False),
        (r"(?:a[ ]*+){3,}b", False),
    ],
)
def test_a_group_that_can_backtrack_is_found(pattern: str, is_wrong: bool) -> None:
    assert is_wrong_before_3_11_5(re.compile(pattern)) is is_wrong


@pytest.mark.parametrize("module", MODULES)
def test_no_pattern_depends_on_the_version_of_python(module: str) -> None:
    named = vars(importlib.import_module(module)).items()
    assert [name for name, value in named if isinstance(value, re.Pattern) and is_wrong_before_3_11_5(value)] == []
