"""How the tests are laid out: names and modules of a length that is read, and neither sleeps nor mocks."""

import ast
from collections.abc import Iterator

from tests.support.paths import REPOSITORY

TREES = {
    path.relative_to(REPOSITORY).as_posix(): ast.parse(path.read_text())
    for path in sorted((REPOSITORY / "tests").rglob("*.py"))
}
NAME_CHARACTERS = 80
MODULE_LINES = 500

# scripts/check-gitlab waits for pipelines of a real GitLab, which sends no event that it could wait for.
POLLING = {"tests/check_gitlab/pipelines.py", "tests/check_gitlab/pushes.py"}

SLEEPS = {"time.sleep", "asyncio.sleep", "anyio.sleep", "trio.sleep"}


def functions_of_tests(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """The functions of a module that pytest collects."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
            yield node


def imported(tree: ast.Module) -> Iterator[str]:
    """The dotted name of each module and of each name that a module imports."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def used(tree: ast.Module) -> Iterator[str]:
    """The dotted name of each attribute that a module reads, such as time.sleep."""
    return (ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Attribute))


def places(found: dict[str, set[str]]) -> dict[str, set[str]]:
    """The modules in which something was found."""
    return {path: names for path, names in found.items() if names}


def test_names_of_tests_have_fewer_than_80_characters() -> None:
    names = {path: {function.name for function in functions_of_tests(tree)} for path, tree in TREES.items()}
    long = {path: {name for name in found if len(name) >= NAME_CHARACTERS} for path, found in names.items()}
    assert places(long) == {}


def test_no_module_of_the_tests_is_longer_than_500_lines() -> None:
    lengths = {path: len((REPOSITORY / path).read_text().splitlines()) for path in TREES}
    assert {path: length for path, length in lengths.items() if length > MODULE_LINES} == {}


def test_every_module_with_tests_says_what_it_tests() -> None:
    tested = {path: tree for path, tree in TREES.items() if any(functions_of_tests(tree))}
    assert [path for path, tree in tested.items() if not ast.get_docstring(tree)] == []


def test_no_test_sleeps() -> None:
    sleeping = places({path: SLEEPS & {*used(tree), *imported(tree)} for path, tree in TREES.items()})
    assert sleeping.keys() - POLLING == set(), sleeping


def test_no_test_mocks() -> None:
    mocking = {path: {name for name in imported(tree) if "mock" in name.split(".")} for path, tree in TREES.items()}
    assert places(mocking) == {}


def test_every_module_that_may_sleep_does() -> None:
    assert {path for path in POLLING if SLEEPS & set(used(TREES[path]))} == POLLING
