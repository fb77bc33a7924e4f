"""What the modules of the sandbox import: nothing of the server, and each other without cycles."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import TopologicalSorter

from tests.support.paths import REPOSITORY

PACKAGE = REPOSITORY / "gitlab_mcp" / "sandbox"
MODULES = {
    ".".join(path.relative_to(REPOSITORY).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(PACKAGE.rglob("*.py"))
}


def imported_names(module: str) -> Iterator[str]:
    """Dotted names that a module imports anywhere, also under TYPE_CHECKING."""
    for node in ast.walk(ast.parse(MODULES[module].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def module_of(name: str) -> str:
    """The sandbox module that an imported name is or comes from."""
    return name if name in MODULES else name.rpartition(".")[0]


def test_the_sandbox_imports_nothing_of_the_server() -> None:
    for module in MODULES:
        for name in imported_names(module):
            assert name.split(".")[0] not in ("mcp", "gitlab", "requests"), module
            assert not name.startswith("gitlab_mcp") or name.startswith("gitlab_mcp.sandbox."), module


def test_no_modules_of_the_sandbox_import_each_other_in_a_cycle() -> None:
    graph = {module: {module_of(name) for name in imported_names(module)} & set(MODULES) for module in MODULES}
    TopologicalSorter(graph).prepare()  # raises CycleError, which names the modules
