"""The documentation says nothing that is not so."""

import ast
import re
from pathlib import Path

import pytest

from gitlab_mcp.cli import CONFIGURATION
from tests.support import REPOSITORY

PAGES = [REPOSITORY / "README.md", REPOSITORY / "CONTRIBUTING.md", *sorted((REPOSITORY / "docs").glob("*.md"))]


def test_every_test_that_the_security_page_names_exists() -> None:
    named = set(re.findall(r"`(test_\w+)`", (REPOSITORY / "docs" / "security.md").read_text()))
    trees = (ast.parse(path.read_text()) for path in (REPOSITORY / "tests").rglob("test_*.py"))
    defined = {
        node.name
        for tree in trees
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    assert len(named) > 25
    assert named - defined == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_to_a_file_and_every_script_that_is_named_exists(page: Path) -> None:
    text = page.read_text()
    links = re.findall(r"\]\((?!https?://|#)([^)#]+)", text)
    scripts = re.findall(r"(?<![\w/])(scripts/\w+|\.ci/run)", text)
    folder = page.parent
    assert [link for link in links if not (folder / link).exists()] == []
    assert [script for script in scripts if not (REPOSITORY / script).exists()] == []


def test_the_readme_names_every_option_of_the_server() -> None:
    readme = (REPOSITORY / "README.md").read_text()

    def options(command: object) -> list[str]:
        return [name for parameter in getattr(command, "__click_params__", []) for name in parameter.opts]

    def nothing() -> None:
        """A function to hang the options on."""

    named = [name for option in CONFIGURATION for name in options(option(nothing))]
    assert [name for name in set(named) if f"`{name}" not in readme] == []
