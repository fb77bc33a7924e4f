"""How the code is laid out, held by a test: imports run one way, modules stay small."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import REPOSITORY

PACKAGE = REPOSITORY / "gitlab_mcp"
MODULES = sorted(PACKAGE.rglob("*.py"))
LINES = 300

# A module imports from its own row and from rows below it.
ROWS = (
    ("__main__",),
    ("cli", "cli_doctor", "cli_options", "cli_register", "cli_tools"),
    ("exposed",),
    (
        "bare_start",
        "preflight",
        "demo",
        "doctor",
        "claude_code",
        "server",
        "transport",
        "logs",
        "instructions",
        "prompts",
    ),
    ("tools",),
    ("registry", "context"),
    ("repository", "worktree", "api", "render", "params", "policy", "outgoing", "call", "errors"),
    ("settings",),
    ("checkout", "job", "stdin", "variables"),
    ("git",),
)
RANK = {name: rank for rank, row in enumerate(ROWS) for name in row}


def room(path: Path) -> str:
    """The first name below the package: a folder or a module."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported_rooms(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        names = []
        if isinstance(node, ast.ImportFrom) and node.module == "gitlab_mcp":
            names = [f"gitlab_mcp.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        for name in names:
            parts = name.split(".")
            if parts[0] == "gitlab_mcp" and len(parts) > 1 and parts[1] != "__version__":
                yield parts[1]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_module_imports_only_from_its_own_row_and_below(path: Path) -> None:
    here = room(path)
    others = set(imported_rooms(path)) - {here}
    if here == "sandbox":
        assert others == set(), "the sandbox meets the server over HTTP and git only"
    elif here != "__init__":
        allowed = {name for name in RANK if RANK[name] >= RANK[here]}
        allowed |= {"sandbox"} if here in ("cli", "demo") else set()
        assert others - allowed == set()


def test_no_module_is_longer_than_300_lines() -> None:
    lengths = {str(path.relative_to(PACKAGE)): len(path.read_text().splitlines()) for path in MODULES}
    assert {name: length for name, length in lengths.items() if length > LINES} == {}


def test_every_module_says_what_it_is() -> None:
    assert [path for path in MODULES if not ast.get_docstring(ast.parse(path.read_text()))] == []
