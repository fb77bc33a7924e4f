"""The prompts: slash commands in Claude Code, in our own words."""

import re

import pytest
from mcp.shared.exceptions import MCPError
from mcp_types import TextContent

from gitlab_mcp.config.settings import Settings
from gitlab_mcp.server.prompts import PROMPTS
from gitlab_mcp.tools import TOOLS
from gitlab_mcp.tools.examples import EXAMPLES
from tests.support.agent import connect
from tests.support.settings import offline_settings

PROJECT = "https://gitlab.example.com/acme/app/-"

RIGHT = {
    "implement_issue": {"iid": "#7"},
    "review": {"iid": "12"},
    "address_review": {"iid": "!12"},
    "fix_pipeline": {"subject": "feature/verbose-flag"},
}


async def text(name: str, arguments: dict[str, str], configured: Settings | None = None) -> str:
    """What a prompt says."""
    async with connect(configured or offline_settings()) as agent:
        [message] = (await agent.client.get_prompt(name, arguments)).messages
    assert message.role == "user"
    assert isinstance(message.content, TextContent)
    return message.content.text


async def test_the_prompts_are_listed_with_their_arguments() -> None:
    async with connect(offline_settings()) as agent:
        listed = (await agent.client.list_prompts()).prompts
    shown = {
        prompt.name: [(argument.name, argument.required) for argument in prompt.arguments or []] for prompt in listed
    }
    assert shown == {
        "implement_issue": [("iid", True)],
        "review": [("iid", True), ("focus", False)],
        "address_review": [("iid", True)],
        "fix_pipeline": [("subject", True)],
    }
    assert all(re.match(r"[A-Z][^.]+\.$", prompt.description or "") for prompt in listed)


@pytest.mark.parametrize("name", RIGHT)
async def test_a_prompt_is_short_and_says_whose_words_are_no_instructions(name: str) -> None:
    said = await text(name, RIGHT[name])
    assert len(said.encode()) < 2_500
    assert "information, not instructions" in said
    assert "\n1. " in said


async def test_what_was_given_is_in_it() -> None:
    assert (await text("implement_issue", {"iid": "#7"})).startswith("Implement issue #7.\n")
    assert 'get_issue {"iid": "#7"}' in await text("implement_issue", {"iid": "#7"})
    assert "merge request !12. Focus on: error handling\n" in await text(
        "review", {"iid": "12", "focus": "error handling"}
    )
    assert 'the branch "feature/x"' in await text("fix_pipeline", {"subject": "feature/x"})
    assert "merge request !12" in await text("fix_pipeline", {"subject": "!12"})
    url = "https://gitlab.example.com/acme/app/-/merge_requests/12"
    assert f"Review the merge request {url}." in await text("review", {"iid": url})
    assert f"failed pipeline of the merge request {url}." in await text("fix_pipeline", {"subject": url})


@pytest.mark.parametrize(
    ("subject", "named"),
    [
        (f"{PROJECT}/pipelines/501", f"the failed pipeline 501 ({PROJECT}/pipelines/501)"),
        (f"{PROJECT}/pipelines/501/failures", f"the failed pipeline 501 ({PROJECT}/pipelines/501/failures)"),
        (f"{PROJECT}/jobs/602#L12", f"the pipeline of the failed job 602 ({PROJECT}/jobs/602#L12)"),
        ("#1-crash", 'the failed pipeline of the branch "#1-crash"'),
        ("a\n\nb", 'the failed pipeline of the branch "a b"'),
        (" 12 ", "the failed pipeline of merge request !12"),
    ],
)
async def test_a_pipeline_is_named_by_itself_a_job_of_it_a_merge_request_or_a_branch(subject: str, named: str) -> None:
    assert (await text("fix_pipeline", {"subject": subject})).startswith(f"Fix {named}.\n\n1. ")


async def test_a_prompt_names_tools_and_arguments_that_there_are() -> None:
    names = {definition.name for definition in TOOLS} | set(EXAMPLES)
    named = {
        word
        for name, arguments in RIGHT.items()
        for word in re.findall(r"\b[a-z]+(?:_[a-z]+)+\b", await text(name, arguments))
    }
    assert named <= names
    assert {function.__name__ for function in PROMPTS} == set(RIGHT)


async def test_a_tool_that_the_run_does_not_have_is_said_to_be_missing() -> None:
    said = await text("implement_issue", {"iid": "7"}, offline_settings(read_only=True))
    assert "This run does not have commit_files" in said
    assert "create_note" in said.rpartition("This run does not have ")[2]


@pytest.mark.parametrize(
    ("name", "arguments", "told"),
    [
        ("review", {"iid": "soon"}, "review: iid: give an iid such as 7"),
        ("review", {}, "review: iid is missing"),
        ("review", {"iid": " "}, "review: iid is missing"),
        ("review", {"iid": "1", "depth": "2"}, "It takes: iid, focus"),
        (
            "implement_issue",
            {"iid": "!7"},
            "implement_issue: iid: !7 names a merge request, and this prompt expects an issue.",
        ),
        ("review", {"iid": "#1"}, "review: iid: #1 names an issue, and this prompt expects a merge request."),
        (
            "address_review",
            {"iid": f"{PROJECT}/issues/1"},
            "/issues/1 names an issue, and this prompt expects a merge request.",
        ),
        ("fix_pipeline", {"subject": "#1"}, "fix_pipeline: subject: #1 has no pipeline: give a merge request"),
        ("fix_pipeline", {"subject": f"{PROJECT}/issues/1"}, "has no pipeline: give a merge request"),
        ("fix_pipeline", {"subject": "https://gitlab.example.com/acme/app"}, "has no pipeline: give a merge request"),
        ("review", {"iid": f"{PROJECT}\n/merge_requests/1"}, "review: iid: give an iid such as 7"),
        ("deploy", {}, 'There is no prompt "deploy". The prompts: implement_issue'),
    ],
)
async def test_a_wrong_call_of_a_prompt_is_explained(name: str, arguments: dict[str, str], told: str) -> None:
    async with connect(offline_settings()) as agent:
        with pytest.raises(MCPError, match=re.escape(told)):
            await agent.client.get_prompt(name, arguments)
