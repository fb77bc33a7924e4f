"""Answers of runs that list one tool only: they name no other, also where a wider run would get a hint at one."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gitlab_mcp.config.settings import Settings
from gitlab_mcp.sandbox import Sandbox
from gitlab_mcp.tools import TOOLS
from tests.support.agent import Agent, connect
from tests.support.git_clones import clone
from tests.support.gitlab_requests import commit, send
from tests.support.journeys import Step, fix, review
from tests.support.seed import SEED
from tests.support.settings import EVERY_TOOLSET, checkout, settings_for
from tests.support.transcript import Transcript

TOOL_NAMES = {definition.name for definition in TOOLS}
TOO_LONG = "".join(f"{row} {'z' * 90}\n" for row in range(12_000))
MANY = [{"action": "create", "file_path": f"many/{number:03}", "content": "x\n"} for number in range(200)]
# Each call, with a part of its answer that shows that this is the answer which hints at another tool in a wider run.
CALLS: list[tuple[str, dict[str, Any], str]] = [
    ("get_pipeline", {"ref": "failing"}, "failed"),
    ("get_commit", {"ref": "main"}, "# Commit "),
    ("get_merge_request", {"iid": 2}, "Changed files (the first "),
    ("get_merge_request_diff", {"iid": 2}, "Not shown, 1 file ("),
    ("compare_refs", {"base": "main", "head": "large"}, "Too large: "),
    ("delete_branch", {"branch": "large"}, "It was at "),
    ("get_job_context", {}, "is withheld"),
]


def own_words(text: str) -> str:
    """An answer without what people wrote: quotes, and the lines of files and logs."""
    return re.sub(r"(?m)^> .*|^\d+[\t +-].*|^```[\s\S]*?^```", "", text)


def assert_names_only(tool: str, text: str) -> None:
    assert set(re.findall(r"\w+", own_words(text))) & TOOL_NAMES <= {tool}, text
    assert not re.search(r"\{\}| \.|[:,;] *[.)]|\(\)", own_words(text)), text


async def narrow_call(settings: Settings, tool: str, arguments: dict[str, Any]) -> str:
    """The answer in a run that lists `tool` alone."""
    async with connect(replace(settings, tools=(tool,), allow_opt_in_tools=True)) as agent:
        answer = await agent.call(tool, **arguments)
    assert_names_only(tool, answer)
    return answer


class NarrowRuns(Transcript):
    """Takes each step of a journey in a run that lists only the tool of this step."""

    def __init__(self, sandbox: Sandbox, settings: Settings, work: Path | None = None) -> None:
        super().__init__(sandbox, work)
        self._settings = settings

    async def _call(self, agent: Agent, step: Step) -> str:  # noqa: ARG002  # each step has an agent of its own
        return await narrow_call(self._settings, step.tool, step.arguments)


async def test_no_answer_of_the_fix_names_a_tool_that_its_run_does_not_list(
    fresh_sandbox: Sandbox, tmp_path: Path
) -> None:
    number, pipeline = fix.to_fix(fresh_sandbox)
    work = clone(fresh_sandbox, fix.BRANCH, tmp_path / "work")
    settings = settings_for(fresh_sandbox, "developer", working_directory=checkout(work))
    async with connect(settings) as agent:
        await NarrowRuns(fresh_sandbox, settings, work).play(agent, fix.fix(number, work))
    assert fix.assert_committed(fresh_sandbox, pipeline)


async def test_no_answer_of_the_review_names_a_tool_that_its_run_does_not_list(fresh_sandbox: Sandbox) -> None:
    number = review.to_review(fresh_sandbox)
    for user, journey in (("maintainer", review.review()), ("developer", review.answer(number))):
        settings = settings_for(fresh_sandbox, user)
        async with connect(settings) as agent:
            await NarrowRuns(fresh_sandbox, settings).play(agent, journey)
    review.assert_reviewed(fresh_sandbox, number)


@pytest.fixture
def prepared(fresh_sandbox: Sandbox) -> Sandbox:
    """A failed pipeline of the branch failing, and !2 of the branch large, with a file whose diff GitLab omits."""
    commit(fresh_sandbox, "large", "main", {"action": "create", "file_path": "long.txt", "content": TOO_LONG}, *MANY)
    about = {"source_branch": "large", "target_branch": "main", "title": "Large"}
    assert send(fresh_sandbox, "POST", "/merge_requests", **about)["iid"] == SEED.next_merge_request.iid
    fresh_sandbox.fail_pipeline("failing")
    return fresh_sandbox


@pytest.mark.parametrize(("tool", "arguments", "part"), CALLS, ids=[tool for tool, _, _ in CALLS])
async def test_an_answer_names_only_the_tools_that_the_run_lists(
    prepared: Sandbox, tool: str, arguments: dict[str, Any], part: str
) -> None:
    settings = settings_for(prepared, trusted_only=tool == "get_job_context")
    assert part in await narrow_call(settings, tool, arguments)
    async with connect(replace(settings, toolsets=EVERY_TOOLSET, allow_opt_in_tools=True)) as agent:
        if tool == "delete_branch":
            send(prepared, "POST", "/repository/branches", branch="large", ref="main")
        wide = await agent.call(tool, **arguments)
    assert set(re.findall(r"\w+", own_words(wide))) & TOOL_NAMES - {tool}, "the answer hints at no other tool"


@pytest.mark.parametrize("also", [(), ("update_issue",)])
async def test_an_issue_that_exists_is_updated_only_where_that_is_listed(
    fresh_sandbox: Sandbox, also: tuple[str, ...]
) -> None:
    async with connect(settings_for(fresh_sandbox, tools=("create_issue", *also))) as agent:
        await agent.call("create_issue", title="Twice")
        again = await agent.call("create_issue", title="Twice", labels=["bug"])
    assert again.endswith("differs from this call in labels" + (": use update_issue." if also else "."))
