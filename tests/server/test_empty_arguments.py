"""Empty values of clients that fill in every argument: "not given", or said in the answer where they clear a field."""

import inspect
from typing import Any

import pytest

from gitlab_mcp.config.settings import Settings
from gitlab_mcp.sandbox import Sandbox
from gitlab_mcp.server.server import build_server
from gitlab_mcp.tools import TOOLS
from gitlab_mcp.tools.definition import ToolDefinition
from tests.support.agent import connect
from tests.support.gitlab_requests import get, send
from tests.support.seed import SEED
from tests.support.settings import EVERY_TOOLSET, offline_settings, settings_for

EMPTIES: tuple[Any, ...] = ("", " ", 0, None, [], {})
# What a tool cannot do without; everything else of a call is left out, or filled in with an empty value.
NEEDED: dict[str, dict[str, Any]] = {
    "get_issue": {"iid": SEED.crash_issue.iid},
    "get_merge_request": {"iid": SEED.merge_request.iid},
    "get_merge_request_diff": {"iid": SEED.merge_request.iid},
    "list_discussions": {"iid": SEED.crash_issue.reference},
    "get_file": {"path": "README.md"},
    "compare_refs": {"base": "main", "head": "feature/verbose-flag"},
    "get_commit": {"ref": "main"},
    "search_code": {"search": "config"},
    "get_wiki_page": {"slug": "home"},
    "get_job_log": {"job_id": SEED.ended_job},
    "update_issue": {"iid": SEED.crash_issue.iid, "add_labels": ["filled"]},
    "update_merge_request": {"iid": SEED.merge_request.iid, "add_labels": ["filled"]},
}
READS = [definition for definition in TOOLS if not definition.writes]
UPDATES = [definition for definition in TOOLS if definition.name in ("update_issue", "update_merge_request")]
# The empty values that clear a field, each of which its schema names.
CLEARING = {
    ("update_issue", "description"): "",
    ("update_issue", "assignees"): [],
    ("update_issue", "milestone"): "",
    ("update_issue", "due_date"): "",
    ("update_merge_request", "description"): "",
    ("update_merge_request", "assignees"): [],
    ("update_merge_request", "reviewers"): [],
}


def settings(sandbox: Sandbox) -> Settings:
    return settings_for(sandbox, toolsets=EVERY_TOOLSET, allow_opt_in_tools=True)


def optional(definition: ToolDefinition) -> list[str]:
    """The parameters of a tool that may be left out, without those that the call of NEEDED gives."""
    parameters = list(inspect.signature(definition.function).parameters.values())[1:]
    given = NEEDED.get(definition.name, {})
    return [each.name for each in parameters if each.default is not each.empty and each.name not in given]


def is_empty(parameter: str, value: object) -> bool:
    """Whether `value` is empty for a parameter: a text of blanks may be searched for."""
    return value != " " or parameter in ("state", "status", "detail", "on", "page", "labels", "paths", "job_id")


@pytest.mark.parametrize("definition", READS, ids=lambda definition: definition.name)
async def test_an_empty_value_of_a_read_stands_for_not_given(sandbox: Sandbox, definition: ToolDefinition) -> None:
    needed = NEEDED.get(definition.name, {})
    names = optional(definition)
    fillings: list[dict[str, Any]] = [{name: value} for name in names for value in EMPTIES if is_empty(name, value)]
    async with connect(settings(sandbox)) as agent:
        plain = await agent.client.call_tool(definition.name, needed)
        for filling in [*fillings, dict.fromkeys(names, ""), dict.fromkeys(names)]:
            assert (await agent.client.call_tool(definition.name, needed | filling)).content == plain.content, filling


@pytest.mark.parametrize(
    ("name", "parameter"),
    [(each.name, parameter) for each in UPDATES for parameter in optional(each)],
)
async def test_an_empty_value_of_an_update_clears_only_where_its_schema_says_so(
    fresh_sandbox: Sandbox, name: str, parameter: str
) -> None:
    noun = SEED.crash_issue if name == "update_issue" else SEED.merge_request
    async with connect(settings(fresh_sandbox)) as agent:
        await agent.call(name, **NEEDED[name], description="To keep.", assignees=["developer"])
        before = get(fresh_sandbox, noun.path)
        empties: list[Any] = ["", [], 0, {}, None]
        for value in empties:
            if CLEARING.get((name, parameter), "none") == value or (parameter == "milestone" and value == 0):
                continue
            await agent.client.call_tool(name, {**NEEDED[name], parameter: value})
            after = get(fresh_sandbox, noun.path)
            assert {**after, "updated_at": ""} == {**before, "updated_at": ""}, value


@pytest.mark.parametrize(("name", "parameter"), list(CLEARING), ids=lambda value: value)
async def test_the_schema_names_the_empty_value_that_clears(name: str, parameter: str) -> None:
    tools = {tool.name: tool for tool in await build_server(offline_settings()).list_tools()}
    schema = tools[name].input_schema["properties"][parameter]
    empty = '""' if CLEARING[name, parameter] == "" else "[]"
    assert f"{empty} clears" in schema["description"]


async def test_the_answer_says_what_an_issue_lost(fresh_sandbox: Sandbox) -> None:
    send(fresh_sandbox, "PUT", SEED.crash_issue.path, due_date="2027-01-15", description="Long ago.")
    filled = {"description": "", "assignees": [], "milestone": "", "due_date": "", "confidential": False}
    async with connect(settings(fresh_sandbox)) as agent:
        answer = await agent.call("update_issue", iid=SEED.crash_issue.iid, add_labels=["one"], **filled)
        again = await agent.call("update_issue", iid=SEED.crash_issue.iid, add_labels=["two"], **filled)
    assert answer.endswith(
        "\nCleared: description (9 characters), assignees (@developer), milestone (1.4), due_date (2027-01-15)."
    )
    assert again == f"Updated #7: {fresh_sandbox.url}/acme/app/-/issues/7"


async def test_the_answer_says_what_a_merge_request_lost(fresh_sandbox: Sandbox) -> None:
    everything = {"description": "Why", "assignees": ["developer"], "reviewers": ["maintainer"], "draft": True}
    async with connect(settings(fresh_sandbox)) as agent:
        await agent.call("update_merge_request", iid=SEED.merge_request.iid, squash=True, **everything)
        filled = {"description": "", "assignees": [], "reviewers": [], "draft": False, "squash": False}
        answer = await agent.call("update_merge_request", iid=SEED.merge_request.iid, **filled)
    assert answer.endswith(
        "\nCleared: description (3 characters), assignees (@developer), reviewers (@maintainer)."
        "\nIt is marked as ready: it was a draft."
        "\nIts commits will not be squashed any more."
    )


async def test_a_confidential_issue_becomes_public_only_if_asked_for_twice(fresh_sandbox: Sandbox) -> None:
    iid, path = SEED.confidential_issue.iid, SEED.confidential_issue.path
    async with connect(settings(fresh_sandbox)) as agent:
        tries: list[dict[str, Any]] = [{}, {"make_public": False}, {"add_labels": ["x"]}]
        for more in tries:
            told = await agent.refused("update_issue", iid=iid, confidential=False, **more)
            assert "give make_public: true beside it. Nothing was changed." in told
        assert get(fresh_sandbox, path)["confidential"]
        assert "goes with confidential: false" in await agent.refused("update_issue", iid=iid, make_public=True)
        answer = await agent.call("update_issue", iid=iid, confidential=False, make_public=True)
    assert answer.endswith("\nIt is public now: whoever can see the project's issues can read it.")
    assert not get(fresh_sandbox, path)["confidential"]


async def test_a_file_that_a_commit_made_empty_is_named(sandbox: Sandbox) -> None:
    actions = [{"path": "README.md", "content": "", "encoding": "", "action": "", "previous_path": ""}]
    async with connect(settings(sandbox)) as agent:
        answer = await agent.call(
            "commit_files", branch="emptied", ref="main", message="Empty", actions=actions, merge_request={"title": ""}
        )
    assert answer.endswith("\nEmpty now, as content said: README.md")
