"""Errors name other tools that would help, and only those that the run lists."""

import re
from typing import Any

import pytest

from gitlab_mcp.errors import NOT_KNOWN
from gitlab_mcp.sandbox import Sandbox
from gitlab_mcp.tools import TOOLS
from tests.support.agent import connect
from tests.support.settings import settings_for

TOOL_NAMES = {definition.name for definition in TOOLS}
LISTED = ("get_issue", "create_note", "get_job_log", "list_files", "commit_files", "update_issue")
Call = tuple[str, dict[str, Any]]
# Each fails with a hint at another tool, which the run may not have.
FAILING: list[Call] = [
    ("get_file", {"path": "src"}),
    ("get_file", {"path": "nowhere.txt"}),
    ("list_files", {"path": "README.md"}),
    ("list_files", {"path": "nowhere", "ref": "no-such-branch"}),
    ("get_job_log", {"ref": "main"}),
    ("merge_merge_request", {"iid": 1, "sha": ""}),
    ("create_note", {"iid": "#7", "body": "lost"}),
    ("update_issue", {"iid": 7, "title": "lost"}),
    ("commit_files", {"branch": "lost", "ref": "main", "message": "lost", "actions": [{"path": "x", "content": "x"}]}),
    ("create_branch", {"branch": "lost"}),
    ("create_issue", {"title": "lost"}),
    ("run_pipeline", {}),
    ("retry_job", {"job_id": 1}),
    ("create_merge_request", {"source_branch": "feature/verbose-flag", "target_branch": "v", "title": "lost"}),
    ("review_merge_request", {"iid": 1, "summary": "lost"}),
]


def lose_writes(sandbox: Sandbox) -> None:
    """Lose the responses of all writes; what looks them up fails too."""
    for method in ("POST", "PUT"):
        sandbox.faults.drop(method, when="after", times=50)
    sandbox.faults.fail("GET", "/(notes|issues|issues/7|commits|branches/.*|pipelines|jobs)$", status=500, times=500)


@pytest.mark.parametrize(("tool", "arguments"), FAILING, ids=lambda value: value if isinstance(value, str) else "")
async def test_an_error_names_only_tools_that_the_run_lists(
    sandbox: Sandbox, tool: str, arguments: dict[str, Any]
) -> None:
    listed = {*LISTED, tool}
    lose_writes(sandbox)
    settings = settings_for(sandbox, tools=tuple(listed), allow_opt_in_tools=True, deadline=5.0)
    async with connect(settings) as agent:
        message = await agent.refused(tool, **arguments)
    assert set(re.findall(r"\w+", message)) & TOOL_NAMES <= listed
    assert not re.search(r"\{|\}|  | \.|with whether", message)
    assert message.count(NOT_KNOWN) <= 1


@pytest.mark.parametrize(
    ("tools", "hint"),
    [
        (("get_issue", "get_merge_request"), "Look with get_issue or get_merge_request whether it exists before"),
        (("get_merge_request",), "Look with get_merge_request whether it exists before posting it again."),
        ((), "Look whether it exists before posting it again."),
    ],
)
async def test_a_hint_names_those_of_its_tools_that_are_listed(
    sandbox: Sandbox, tools: tuple[str, ...], hint: str
) -> None:
    lose_writes(sandbox)
    async with connect(settings_for(sandbox, tools=("create_note", *tools))) as agent:
        message = await agent.refused("create_note", iid="#7", body="lost")
    assert hint in message
    assert message.count(NOT_KNOWN) == 1
