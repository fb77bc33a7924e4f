"""How many requests the usual work of a job takes, and what a run asks of GitLab only once."""

import re
from dataclasses import replace
from typing import Any

from gitlab_mcp.config.settings import Settings
from gitlab_mcp.sandbox import Sandbox
from tests.support.agent import Agent, connect
from tests.support.gitlab_requests import commit
from tests.support.seed import SEED
from tests.support.settings import settings_for

FILES = ("README.md", "docs/guide.md", "docs/usage.md")


def ci_settings(sandbox: Sandbox) -> Settings:
    """The settings of a job of the sandbox's project that has an access token."""
    return settings_for(sandbox, in_ci=True, own_project=(sandbox.project, str(sandbox.project_id)))


def asked(sandbox: Sandbox) -> list[str]:
    """The method of each request since the last call of this function, and its path below the project."""
    found = [f"{each['method']} {each['path'].partition('acme%2Fapp')[2]}" for each in sandbox.faults.requests()]
    sandbox.faults.clear()
    return found


async def committed(agent: Agent, branch: str, ref: str, **more: Any) -> str:
    """Commit three files in two folders."""
    actions = [{"path": path, "content": f"{branch}: {path}\n"} for path in FILES]
    return await agent.call("commit_files", branch=branch, ref=ref, message="Describe it", actions=actions, **more)


async def test_the_journey_from_an_issue_to_a_commented_merge_request_takes_18(fresh_sandbox: Sandbox) -> None:
    issue = SEED.crash_issue
    fresh_sandbox.faults.clear()
    async with connect(ci_settings(fresh_sandbox)) as agent:
        await agent.call("get_issue", iid=issue.iid)
        await agent.call("list_files")
        await agent.call("get_file", path="README.md")
        answer = await committed(agent, "describe-it", "main", merge_request={"title": "Describe it"})
        opened = re.search(r"/merge_requests/(\d+)", answer)
        assert opened
        await agent.call("create_note", iid=issue.reference, body="A merge request is open.")
        await agent.call("get_merge_request_diff", iid=opened[1])
        await agent.call("create_note", iid=f"!{opened[1]}", body="It describes all three parts.")
    requests = asked(fresh_sandbox)
    assert len(requests) == 18
    assert [request for request in requests if not request.startswith("GET")] == [
        "POST /repository/commits",
        "POST /merge_requests",
        f"POST /issues/{issue.iid}/notes",
        f"POST /merge_requests/{opened[1]}/notes",
    ]


async def test_a_job_asks_for_the_default_branch_once_however_often_it_writes(sandbox: Sandbox) -> None:
    async with connect(replace(ci_settings(sandbox), toolsets=("repository",))) as agent:
        await agent.call("list_files")
        await agent.call("create_branch", branch="written-often", ref="main")
        for number in range(3):
            await agent.call(
                "commit_files",
                branch="written-often",
                message=f"Part {number}",
                actions=[{"path": f"part-{number}.md", "content": "A part.\n"}],
            )
        assert "the default branch" in await agent.refused(
            "commit_files", branch="main", message="Too far", actions=[{"path": "part.md", "content": "A part.\n"}]
        )
        await agent.call("delete_branch", branch="written-often")
    assert asked(sandbox).count("GET ") == 1


async def test_a_commit_to_an_old_branch_asks_only_for_its_open_merge_request(sandbox: Sandbox) -> None:
    commit(sandbox, "grown-old", "main", {"action": "create", "file_path": "old.md", "content": "Old.\n"})
    async with connect(ci_settings(sandbox)) as agent:
        await agent.call("list_files")
        asked(sandbox)
        answer = await committed(agent, "grown-old", "", merge_request={"title": "Describe it"})
        first = asked(sandbox)
        again = await committed_again(agent)
    assert "/merge_requests/" in answer
    assert "Already open" in again
    assert first[-3:] == ["POST /repository/commits", "GET /merge_requests", "POST /merge_requests"]
    assert asked(sandbox)[-2:] == ["POST /repository/commits", "GET /merge_requests"]


async def committed_again(agent: Agent) -> str:
    """Commit to the same branch again, with the same merge request."""
    actions = [{"path": "docs/more.md", "content": "More.\n"}]
    return await agent.call(
        "commit_files", branch="grown-old", message="More", actions=actions, merge_request={"title": "Describe it"}
    )
