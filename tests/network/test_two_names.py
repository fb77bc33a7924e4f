"""A GitLab whose pages have another name than GITLAB_URL: links of both are taken, answers have one of them."""

import re
from typing import Any

import pytest

from gitlab_mcp.sandbox import Sandbox
from tests.support.agent import connect
from tests.support.gitlab_requests import commit
from tests.support.seed import SEED
from tests.support.settings import EVERY_TOOLSET, settings_for

OUTSIDE = ("https://gitlab.example.com", "http://gitlab.example.com:8929/gitlab")


@pytest.fixture(params=OUTSIDE, ids=["another name", "another port and a folder"])
def outside(request: pytest.FixtureRequest, fresh_sandbox: Sandbox) -> str:
    """The external URL of the GitLab, which it gives its pages."""
    fresh_sandbox.world.url = request.param
    return str(request.param)


@pytest.mark.parametrize("project", ["acme/app", ""])
async def test_links_under_both_names_are_taken(fresh_sandbox: Sandbox, outside: str, project: str) -> None:
    if not project and outside.endswith("/gitlab"):
        pytest.skip("without a project of the run, nothing tells which part of the path is the project")
    for first, second in ((outside, fresh_sandbox.url), (fresh_sandbox.url, outside)):
        async with connect(settings_for(fresh_sandbox, project=project, toolsets=EVERY_TOOLSET)) as agent:
            for site in (first, second):
                issue = await agent.call("get_issue", iid=f"{site}/acme/app/-{SEED.crash_issue.path}")
                assert f"\n{outside}/acme/app/-/issues/7" in issue
            assert "# README.md" in await agent.call("get_file", path=f"{second}/acme/app/-/blob/main/README.md")
            assert "main" in await agent.call("list_branches", project=f"{first}/acme/app")
            other = "https://gitlab.example.org/acme/app/-/issues/7"
            assert "the only GitLab" in await agent.refused("get_issue", iid=other)


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("create_note", {"iid": SEED.crash_issue.reference, "body": "Seen"}),
        ("create_note", {"iid": SEED.crash_issue.reference, "reply_to": SEED.crash_notes.first, "body": "Seen"}),
        ("create_issue", {"title": "New"}),
        ("update_issue", {"iid": SEED.crash_issue.iid, "title": "New"}),
        ("get_issue", {"iid": SEED.crash_issue.iid}),
        ("get_merge_request", {"iid": SEED.merge_request.iid}),
        ("update_merge_request", {"iid": SEED.merge_request.iid, "title": "New"}),
        ("review_merge_request", {"iid": SEED.merge_request.iid, "summary": "Fine."}),
        ("resolve_discussion", {"thread": str(SEED.review_notes.stderr), "iid": SEED.merge_request.reference}),
        ("create_branch", {"branch": "named"}),
        ("get_pipeline", {"pipeline_id": SEED.pipeline}),
    ],
)
async def test_every_answer_has_the_name_that_gitlab_gives(
    fresh_sandbox: Sandbox, tool: str, arguments: dict[str, Any]
) -> None:
    fresh_sandbox.world.url = OUTSIDE[0]
    async with connect(settings_for(fresh_sandbox)) as agent:
        answer = await agent.call(tool, **arguments)
    assert set(re.findall(r"https?://[^/\s]+", answer)) == {OUTSIDE[0]}


async def test_no_request_goes_to_the_other_name(fresh_sandbox: Sandbox) -> None:
    with Sandbox(fault_injection=True) as other:
        fresh_sandbox.world.url = other.url
        async with connect(settings_for(fresh_sandbox)) as agent:
            await agent.call("get_issue", iid=f"{other.url}/acme/app/-{SEED.crash_issue.path}")
            commit(fresh_sandbox, "two-names", "main", {"action": "create", "file_path": "x", "content": "x"})
            await agent.call("create_merge_request", source_branch="two-names", title="Two names")
        assert other.faults.requests() == []
