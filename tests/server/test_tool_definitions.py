"""What the model gets of the tools: each is held to its golden file, all of them to the rules of the house."""

import inspect
import json
import os
import re
from typing import Any

import jsonschema
import pytest
from click.testing import CliRunner
from mcp.server.mcpserver.exceptions import ToolError

from gitlab_mcp.cli.main import main
from gitlab_mcp.config.settings import SettingsError
from gitlab_mcp.server import catalog
from gitlab_mcp.server.server import build_server
from gitlab_mcp.server.toolsets import MY_WORK
from gitlab_mcp.tools import TOOLS
from gitlab_mcp.tools.examples import EXAMPLES
from tests.support.paths import REPOSITORY
from tests.support.settings import EVERY_TOOLSET, offline_settings

GOLDEN = REPOSITORY / "tests" / "golden"
UPDATE = "GOLDEN=update scripts/test tests/server/test_tool_definitions.py"
NESTED = {"commit_files", "review_merge_request"}
NAMES = [definition.name for definition in TOOLS]


async def listed(**changes: Any) -> dict[str, dict[str, Any]]:
    tools = await build_server(offline_settings(**changes)).list_tools()
    return {tool.name: tool.model_dump(mode="json", by_alias=True, exclude_none=True) for tool in tools}


def model_bytes(tool: dict[str, Any]) -> int:
    """The size of what the model gets, as compact JSON."""
    given = {key: tool[key] for key in ("name", "description", "inputSchema")}
    return len(json.dumps(given, separators=(",", ":"), ensure_ascii=False).encode())


@pytest.mark.parametrize("name", NAMES)
async def test_a_tool_is_defined_as_its_golden_file_says(name: str) -> None:
    text = json.dumps((await listed(toolsets=EVERY_TOOLSET))[name], indent=2, ensure_ascii=False) + "\n"
    golden = GOLDEN / f"{name}.json"
    if os.environ.get("GOLDEN") == "update":
        golden.write_text(text)
    assert golden.exists(), f"there is no golden file; write it with: {UPDATE}"
    assert text == golden.read_text(), f"the definition changed; if that is wanted: {UPDATE}"


def test_no_golden_file_is_left_of_a_tool_that_is_gone() -> None:
    assert sorted(path.stem for path in GOLDEN.glob("*.json")) == sorted(NAMES)


async def test_what_is_listed_unasked_is_at_most_26_tools_and_16000_bytes() -> None:
    unasked = {definition.name for definition in TOOLS if not definition.opt_in}
    sizes = {name: model_bytes(tool) for name, tool in (await listed()).items()}
    assert set(sizes) == unasked
    my_work = {definition.name for definition in TOOLS if definition.toolset == MY_WORK}
    assert len(unasked - my_work) <= 26
    assert sum(sizes.values()) <= 16_000, sizes


async def test_no_definition_is_over_1200_bytes_and_none_of_the_nested_ones_over_1600() -> None:
    sizes = {name: model_bytes(tool) for name, tool in (await listed(toolsets=EVERY_TOOLSET)).items()}
    assert set(sizes) == set(NAMES)
    assert {name: size for name, size in sizes.items() if size > (1600 if name in NESTED else 1200)} == {}


async def test_in_ci_nothing_of_my_work_is_listed_whatever_is_asked_for() -> None:
    job = {"in_ci": True, "own_project": ("acme/app", "1")}
    my_work = {definition.name for definition in TOOLS if definition.toolset == MY_WORK}
    asked: list[dict[str, Any]] = [{}, {"toolsets": EVERY_TOOLSET}, {"tools": tuple(NAMES)}]
    for changes in asked:
        names = set(await listed(**job, **changes))
        assert not names & my_work
        assert "get_issue" in names


async def test_in_a_local_run_restricted_to_projects_nothing_of_my_work_is_listed() -> None:
    my_work = {definition.name for definition in TOOLS if definition.toolset == MY_WORK}
    assert not set(await listed(allow_projects=("acme/app",), toolsets=EVERY_TOOLSET)) & my_work


@pytest.mark.parametrize(
    ("name", "arguments", "example"),
    [
        ("list_issues", {"labls": "x"}, {"labels": ["bug"]}),
        ("list_issues", {"zzz": 1}, {"state": "opened"}),
        ("update_issue", {"zzz": 1}, {"iid": "7", "title": "Handle an empty configuration file"}),
        ("update_issue", {"labels": 1}, {"iid": "7", "add_labels": ["bug"]}),
        ("get_file", {"zzz": 1}, {"path": "src/app.py"}),
        ("list_my_work", {"zzz": 1}, {}),
    ],
)
async def test_an_argument_that_is_not_there_is_answered_with_a_call_that_does_something(
    name: str, arguments: dict[str, Any], example: dict[str, Any]
) -> None:
    with pytest.raises(ToolError) as told:
        await build_server(offline_settings()).call_tool(name, arguments)
    assert str(told.value).endswith(f"A valid call: {json.dumps(example)}.")


@pytest.mark.parametrize("name", NAMES)
async def test_a_schema_is_an_object_without_unions_titles_references_or_null(name: str) -> None:
    tool = (await listed(toolsets=EVERY_TOOLSET))[name]
    schema = tool["inputSchema"]
    assert schema["type"] == "object"
    nodes = list(_schemas(schema))
    noise = {"title", "$ref", "$defs", "anyOf", "oneOf", "allOf", "additionalProperties"}
    assert [node for node in nodes if noise & set(node)] == []
    assert [node for node in nodes if node.get("default", "") is None] == []
    assert "outputSchema" not in tool


@pytest.mark.parametrize("name", NAMES)
async def test_every_hint_is_stated(name: str) -> None:
    hints = (await listed(toolsets=EVERY_TOOLSET))[name]["annotations"]
    assert set(hints) == {"readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint"}
    assert not (hints["readOnlyHint"] and hints["destructiveHint"])


@pytest.mark.parametrize("name", NAMES)
async def test_a_name_is_verb_noun_and_a_description_begins_with_a_sentence(name: str) -> None:
    assert re.fullmatch(r"[a-z]+(_[a-z]+)+", name)
    assert re.match(r"[A-Z][^.]+\.", (await listed(toolsets=EVERY_TOOLSET))[name]["description"])


async def test_reads_are_read_only_and_read_only_mode_lists_nothing_else() -> None:
    reads = {definition.name for definition in TOOLS if not definition.writes}
    assert set(await listed(read_only=True, toolsets=EVERY_TOOLSET)) == reads


async def test_toolsets_and_tools_narrow_the_list_and_unknown_ones_are_named() -> None:
    assert set(await listed(toolsets=("job",))) == {"get_job_context"}
    assert list(await listed(tools=("get_file", "get_issue"))) == ["get_issue", "get_file"]
    with pytest.raises(SettingsError, match=r"Unknown toolset isues; known: .*issues"):
        await listed(toolsets=("isues",))
    with pytest.raises(SettingsError, match=r"Unknown tool get_isue; known: .*get_issue"):
        await listed(tools=("get_isue",))


def tools_command(*arguments: str, **environ: str) -> str:
    """What `gitlab-mcp-server tools` prints, in an environment with nothing of GitLab's but what is given."""
    without: dict[str, str | None] = {name: None for name in os.environ if re.match(r"CI|GITLAB|AI_FLOW", name)}
    printed = CliRunner().invoke(main, ["tools", *arguments], env=without | environ)
    assert printed.exit_code == 0, printed.output
    return printed.output.strip()


def test_the_readme_has_the_table_of_tools_as_the_command_prints_it() -> None:
    readme = REPOSITORY / "README.md"
    before, _, second = readme.read_text().split("| tool | toolset | writes |")
    after = second.partition("\n\n")[2]
    text = f"{before}{tools_command()}\n\n{after}"
    if os.environ.get("GOLDEN") == "update":
        readme.write_text(text)
    assert text == readme.read_text(), f"the tools changed; if that is wanted: {UPDATE}"


def _schemas(schema: dict[str, Any]) -> list[dict[str, Any]]:
    """A schema and every schema inside it (the keys of "properties" are names, not keywords)."""
    inner = list(schema.get("properties", {}).values())
    if "items" in schema:
        inner.append(schema["items"])
    return [schema, *(found for each in inner for found in _schemas(each))]


@pytest.mark.parametrize("name", NAMES)
async def test_there_is_a_right_example_of_every_parameter(name: str) -> None:
    tool = (await listed(toolsets=EVERY_TOOLSET))[name]
    parameters = tool["inputSchema"]["properties"]
    assert set(parameters) <= set(EXAMPLES)
    shown = {key: schema.get("enum", [EXAMPLES[key]])[0] for key, schema in parameters.items()}
    jsonschema.validate(shown, tool["inputSchema"])


def test_every_example_is_of_a_parameter() -> None:
    used = {name for definition in TOOLS for name in inspect.signature(definition.function).parameters}
    assert set(EXAMPLES) <= used


def test_the_tools_command_prints_what_a_configuration_exposes() -> None:
    def names(printed: str) -> list[str]:
        return re.findall(r"^\| `(\w+)` ", printed, re.MULTILINE)

    everything = names(tools_command())
    assert sorted(everything) == sorted(NAMES)
    assert "list_projects" in everything
    assert names(tools_command("--tools", "get_issue,get_file")) == ["get_issue", "get_file"]
    assert "commit_files" not in names(tools_command("--read-only"))
    asked = tools_command("--toolsets", "default,project")
    assert "Opt-in" not in asked
    assert "get_project" in names(asked)
    job = {"GITLAB_CI": "true", "CI_PROJECT_PATH": "acme/app", "CI_JOB_TOKEN": "glcbt-64_not-a-real-token"}
    in_job = names(tools_command(**job))
    assert "get_issue" in in_job
    assert not {"list_projects", "create_note"} & set(in_job)


async def test_the_tools_command_says_in_json_what_each_tool_costs() -> None:
    said = json.loads(tools_command("--json"))
    sizes = {name: model_bytes(tool) for name, tool in (await listed()).items()}
    assert {tool["name"]: tool["bytes"] for tool in said["tools"]} == sizes
    assert said["total"] == {
        "tools": len(sizes),
        "bytes": sum(sizes.values()),
        "tokens": round(sum(sizes.values()) / 4),
    }
    opened = json.loads(tools_command("--json", "--tools", "get_commit"))
    [tool] = opened["tools"]
    assert (tool["name"], tool["toolset"], tool["writes"], tool["opt_in"]) == ("get_commit", "repository", False, True)
    assert tool["tokens"] == round(tool["bytes"] / 4)


def test_the_page_on_tools_has_the_sizes_that_the_code_gives() -> None:
    page = REPOSITORY / "docs" / "tools.md"
    table = catalog.size_table(catalog.sized(TOOLS, offline_settings()))
    before, after = re.split(r"\| toolset \| tool \|.*?\n(?!\|)", page.read_text() + "\n", maxsplit=1, flags=re.DOTALL)
    text = f"{before}{table}\n{after}".rstrip() + "\n"
    if os.environ.get("GOLDEN") == "update":
        page.write_text(text)
    assert text == page.read_text(), f"sizes changed; if that is wanted: {UPDATE}"
