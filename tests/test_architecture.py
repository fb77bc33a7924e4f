"""How the code is laid out: what each package may import, one name for one thing, and what `ls` shows."""

import ast
from collections import defaultdict
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from tests.support.paths import REPOSITORY

PACKAGE = REPOSITORY / "gitlab_mcp"
MODULES = {
    ".".join(path.relative_to(REPOSITORY).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(PACKAGE.rglob("*.py"))
}
LINES = 400

# A package imports only from rows below its own: two packages in one row do not import each other either.
ROWS = (
    ("cli",),
    ("setup",),
    ("ci", "mentions"),
    ("doctor",),
    ("server",),
    ("tools",),
    ("render",),
    ("repository",),
    ("api", "claude_code"),
    ("safety",),
    ("config",),
    ("git", "errors"),
)
ROW_OF = {name: number for number, row in enumerate(ROWS) for name in row}

# Libraries, and the lowest package that may import them. The sandbox, the demo and the listener have their own.
LIBRARIES = {
    "mcp": "server",
    "mcp_types": "server",
    "gitlab": "api",
    "requests": "api",
    "urllib3": "api",
    "httpx": "api",
    "starlette": "sandbox",
    "uvicorn": "sandbox",
}

# The packages of the optional extra are imported where the command that needs it is.
LISTENER = "gitlab_mcp.mentions.listener"
LISTENER_LIBRARIES = {"prometheus_client", "sqlalchemy", "standardwebhooks", "starlette", "uvicorn"}

# Names that mean the same wherever they are defined: type variables, loggers, and the checks of a module of the doctor.
SHARED_NAMES = {"P", "T", "CHECKS", "logger", "__all__"}


def package(module: str) -> str:
    """The first name below gitlab_mcp, "" for the package itself."""
    return module.split(".")[1] if "." in module else ""


def imports(path: Path) -> Iterator[str]:
    """The modules that a file imports, anywhere in it and for type checking too."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            for alias in node.names:
                module = f"{node.module}.{alias.name}"
                yield module if module in MODULES else node.module or ""
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def top_level(kind: type[ast.stmt]) -> Iterator[tuple[str, ast.stmt]]:
    """The module and the node of each top-level statement of a kind, outside the sandbox."""
    for module, path in MODULES.items():
        if package(module) != "sandbox":
            yield from ((module, node) for node in ast.parse(path.read_text()).body if isinstance(node, kind))


def test_the_package_holds_fifteen_packages_and_the_errors() -> None:
    names = {path.name for path in PACKAGE.iterdir() if path.name != "__pycache__"}
    packages = {*ROW_OF, "sandbox"} - {"errors"}
    assert len(packages) == 15
    assert names == packages | {"errors.py", "__init__.py", "__main__.py", "py.typed"}


@pytest.mark.parametrize("module", MODULES)
def test_a_module_imports_only_from_packages_below_its_own(module: str) -> None:
    here = package(module)
    others = {package(name) for name in imports(MODULES[module]) if package(name) and name.startswith("gitlab_mcp.")}
    others -= {here}
    if here == "sandbox":
        assert others == set(), "the sandbox meets the server over HTTP and git only"
    elif here == "cli":
        assert others <= {*ROW_OF, "sandbox"}
    elif here not in ("", "__main__"):
        assert {name for name in others if ROW_OF.get(name, -1) <= ROW_OF[here]} == set()


@pytest.mark.parametrize("module", MODULES)
def test_a_library_is_imported_only_where_it_belongs(module: str) -> None:
    here = package(module)
    for name in imports(MODULES[module]):
        library = name.split(".")[0]
        lowest = LIBRARIES.get(library)
        if library in LISTENER_LIBRARIES and module.startswith(LISTENER):
            continue
        assert library in LIBRARIES or library not in LISTENER_LIBRARIES, name
        if lowest == "sandbox":
            assert here == "sandbox", name
        elif lowest and here != "sandbox":
            assert ROW_OF[here] <= ROW_OF[lowest], name


def test_no_modules_import_each_other_in_a_circle() -> None:
    graph = {module: {name for name in imports(path) if name in MODULES} for module, path in MODULES.items()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"a circle of imports: {' -> '.join(error.args[1])}")


def test_no_class_name_is_defined_twice() -> None:
    places = defaultdict(list)
    for module, node in top_level(ast.ClassDef):
        assert isinstance(node, ast.ClassDef)
        places[node.name].append(module)
    assert {name: modules for name, modules in places.items() if len(modules) > 1} == {}


def test_no_constant_name_has_two_meanings() -> None:
    values: dict[str, dict[str, str]] = defaultdict(dict)
    for module, node in [*top_level(ast.Assign), *top_level(ast.AnnAssign)]:
        assert isinstance(node, ast.Assign | ast.AnnAssign)
        for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
            for name in target.elts if isinstance(target, ast.Tuple) else [target]:
                if isinstance(name, ast.Name) and name.id not in SHARED_NAMES and not name.id.startswith("_"):
                    values[name.id][module] = ast.unparse(node)
    assert {name: places for name, places in values.items() if len(places) > 1} == {}


def test_no_module_is_longer_than_400_lines() -> None:
    lengths = {module: len(path.read_text().splitlines()) for module, path in MODULES.items()}
    assert {module: length for module, length in lengths.items() if length > LINES} == {}


def test_every_module_says_what_it_is() -> None:
    assert [module for module, path in MODULES.items() if not ast.get_docstring(ast.parse(path.read_text()))] == []


def test_no_test_module_is_imported() -> None:
    imported = {
        name
        for path in (REPOSITORY / "tests").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom)
        for name in [node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)]
        if ".test_" in name or name.startswith("test_")
    }
    assert imported == set()
