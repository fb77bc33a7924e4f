"""The documentation says nothing that is not so."""

import ast
import json
import re
from pathlib import Path

import jsonschema
import pytest

from gitlab_mcp.api import job_token
from gitlab_mcp.cli.options import CONFIGURATION
from gitlab_mcp.git.process import NEEDED_GIT
from gitlab_mcp.tools import TOOLS
from tests.check_gitlab.facts import FACTS
from tests.support.paths import REPOSITORY

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


@pytest.mark.parametrize("page", ["README.md", "docs/job-token.md"])
def test_the_oldest_git_of_the_pages_is_the_one_that_the_server_needs(page: str) -> None:
    named = re.findall(r"needs\s(git [\d.]+ or newer)", (REPOSITORY / page).read_text())
    assert set(named) == {NEEDED_GIT}


def rows(page: Path, heading: str) -> list[list[str]]:
    """The cells of the table under a line of a page."""
    _, _, after = page.read_text().partition(f"{heading}\n")
    lines = [line for line in after.split("\n\n")[0].splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[1:]]


def test_the_page_on_job_tokens_says_of_every_tool_what_the_code_does() -> None:
    table = rows(
        REPOSITORY / "docs" / "job-token.md", "| operation | tool | CI_JOB_TOKEN | access token, scope `api` |"
    )
    said = {row[1].strip("`"): row[2] for row in table}
    assert set(said) == {definition.name for definition in TOOLS}
    refused = {name for name, text in said.items() if text.startswith("no")}
    assert refused == {definition.name for definition in TOOLS if not definition.job_token}
    by_git = {name for name, text in said.items() if text.startswith("git")}
    writes = {definition.name for definition in TOOLS if definition.writes and definition.job_token}
    assert writes <= by_git


def test_the_page_on_job_tokens_lists_the_routes_that_take_one() -> None:
    listed = [row[0].strip("`") for row in rows(REPOSITORY / "docs" / "job-token.md", "| route |")]
    assert tuple(listed) == job_token.READABLE


def test_every_fact_that_is_called_unconfirmed_is_one_that_the_check_tries() -> None:
    table = rows(REPOSITORY / "docs" / "job-token.md", "| what is expected | fact |")
    named = {fact for row in table for fact in re.findall(r"F\d+", row[1])}
    assert len(named) > 15
    assert named - {fact.id for fact in FACTS} == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_to_a_file_and_every_script_that_is_named_exists(page: Path) -> None:
    text = page.read_text()
    links = re.findall(r"\]\((?!https?://|#)([^)#]+)", text)
    scripts = re.findall(r"(?<![\w/])(scripts/[\w-]+|\.ci/run)", text)
    folder = page.parent
    assert [link for link in links if not (folder / link).exists()] == []
    assert [script for script in scripts if not (REPOSITORY / script).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_to_a_section_leads_to_one(page: Path) -> None:
    for file, section in re.findall(r"\]\((?!https?://)([^)#]*)#([^)]+)\)", page.read_text()):
        target = page.parent / file if file else page
        headings = re.findall(r"^#+ (.*)", target.read_text(), re.MULTILINE)
        # As GitLab and GitHub make them.
        known = [re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings]
        assert section in known, (file, section)


def test_the_readme_names_every_option_of_the_server() -> None:
    readme = (REPOSITORY / "README.md").read_text()

    def options(command: object) -> list[str]:
        return [name for parameter in getattr(command, "__click_params__", []) for name in parameter.opts]

    def nothing() -> None:
        """A function to hang the options on."""

    named = [name for option in CONFIGURATION for name in options(option(nothing))]
    assert [name for name in set(named) if f"`{name}" not in readme] == []


def test_the_calls_that_a_fresh_reader_made_are_right_by_the_schemas_of_today() -> None:
    table = rows(REPOSITORY / "docs" / "descriptions.md", "| | task | call |")
    assert len(table) == 20
    for _, _, call in table:
        tool, _, arguments = call.strip("`").partition(" ")
        golden = json.loads((REPOSITORY / "tests" / "golden" / f"{tool}.json").read_text())
        jsonschema.validate(json.loads(arguments), golden["inputSchema"])
        assert set(json.loads(arguments)) <= set(golden["inputSchema"]["properties"])


@pytest.mark.parametrize("name", ["README.md", "docs/run.md"])
def test_what_a_page_shows_of_a_run_is_of_the_recorded_one(name: str) -> None:
    golden = REPOSITORY / "tests" / "golden"
    recorded = [*(golden / "run_log.txt").read_text().splitlines(), *(golden / "run_note.md").read_text().splitlines()]
    recorded = [re.sub(r"\[job\]\(<.*?>\)", "job", line) for line in recorded]
    page = (REPOSITORY / name).read_text()
    shown = "".join(re.findall(r"^```text\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)).splitlines()
    assert len(shown) > 10
    assert [line for line in shown if line not in recorded] == []
