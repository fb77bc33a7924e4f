"""Merge requests by push when several are at it, when time runs out, and when what is sent must not leave."""

import asyncio
from contextlib import AsyncExitStack
from typing import Any

import pytest

from gitlab_mcp.api import deadline
from gitlab_mcp.sandbox import Sandbox
from tests.support.agent import Agent, connect
from tests.support.ci_job import allow_job_pushes
from tests.support.gitlab_requests import get
from tests.support.settings import job_settings

SECRET = "s3cr3t-value-1234567"


def one(name: str) -> list[dict[str, str]]:
    return [{"path": f"{name}.txt", "content": name}]


@pytest.fixture
def gitlab(fresh_sandbox: Sandbox) -> Sandbox:
    """A sandbox that lets jobs push."""
    allow_job_pushes(fresh_sandbox)
    return fresh_sandbox


async def opened(agent: Agent, branch: str) -> int:
    """The iid of a merge request that is opened for a new branch."""
    wanted = {"title": "Before", "description": "Before"}
    arguments: dict[str, Any] = {"branch": branch, "ref": "main", "message": "m", "actions": one(branch)}
    answer = await agent.call("commit_files", **arguments, merge_request=wanted)
    return int(answer.partition("Opened !")[2].split(" ")[0])


@pytest.mark.parametrize("servers", [1, 3], ids=["one server", "a server each"])
async def test_changes_of_one_merge_request_at_once_all_land(gitlab: Sandbox, servers: int) -> None:
    changes: list[dict[str, Any]] = [{"title": "New title"}, {"add_labels": ["bug"]}, {"description": "New words"}]
    async with AsyncExitStack() as stack:
        agents = [await stack.enter_async_context(connect(job_settings(gitlab))) for _ in range(servers)]
        iid = await opened(agents[0], "u")
        calls = (
            agents[index % servers].call("update_merge_request", iid=iid, **change)
            for index, change in enumerate(changes)
        )
        answers = await asyncio.gather(*calls)
    now = get(gitlab, f"/merge_requests/{iid}")
    assert (now["title"], now["labels"], now["description"]) == ("New title", ["bug"], "New words")
    assert all("confirmed" not in answer for answer in answers)


async def test_of_two_servers_that_open_a_merge_request_the_second_leaves_it_as_it_is(
    gitlab: Sandbox,
) -> None:
    async with connect(job_settings(gitlab)) as first, connect(job_settings(gitlab)) as second:
        await first.call("commit_files", branch="b", ref="main", message="m", actions=one("b"))
        answers = await asyncio.gather(
            *(
                agent.call("create_merge_request", source_branch="b", title=title)
                for agent, title in ((first, "First"), (second, "Second"))
            )
        )
    [found] = get(gitlab, "/merge_requests?source_branch=b")
    assert sum(answer.startswith("Opened !2") for answer in answers) == 1
    assert sum(answer.startswith("Already open, unchanged: !2") for answer in answers) == 1
    assert found["title"] == ("First" if answers[0].startswith("Opened") else "Second")


async def test_a_push_that_takes_longer_than_a_transfer_may_is_looked_up(
    gitlab: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deadline, "TRANSFER_SECONDS", 3.0)
    async with connect(job_settings(gitlab)) as agent:
        await agent.call("create_branch", branch="slow")
        gitlab.faults.delay("POST", "/git-receive-pack$", seconds=6)
        answer = await agent.call("commit_files", branch="slow", message="m", actions=one("slow"))
    assert answer.startswith("Committed ")
    assert len(get(gitlab, "/repository/commits?ref_name=main..slow")) == 1


async def test_a_secret_of_this_run_leaves_in_no_name_either(gitlab: Sandbox) -> None:
    async with connect(job_settings(gitlab, secrets=(SECRET,))) as agent:
        iid = await opened(agent, "u")
        gitlab.faults.clear()
        new = {"ref": "main", "message": "m"}
        labelled = {"title": "T", "labels": [SECRET]}
        told = [
            await agent.refused("commit_files", branch="a", **new, actions=one(SECRET)),
            await agent.refused("commit_files", branch=SECRET, **new, actions=one("a")),
            await agent.refused("create_branch", branch=SECRET),
            await agent.refused("commit_files", branch="a", **new, actions=one("a"), merge_request=labelled),
            await agent.refused("update_merge_request", iid=iid, add_labels=[SECRET]),
        ]
    assert all("secret of this run" in text for text in told)
    assert [each for each in gitlab.faults.requests() if each["path"].endswith("git-receive-pack")] == []


async def test_what_cannot_be_is_said_before_anything_is_pushed(gitlab: Sandbox) -> None:
    async with connect(job_settings(gitlab)) as agent:
        iid = await opened(agent, "u")
        assert "no branch nope to merge into" in await agent.refused(
            "update_merge_request", iid=iid, target_branch="nope"
        )
        both = {"add_labels": ["bug"], "remove_labels": ["BUG"]}
        assert "both name bug" in await agent.refused("update_merge_request", iid=iid, **both)
    assert len(get(gitlab, "/repository/commits?ref_name=main..u")) == 1


async def test_who_is_no_member_is_named_as_not_assigned(gitlab: Sandbox) -> None:
    async with connect(job_settings(gitlab)) as agent:
        await agent.call("commit_files", branch="b", ref="main", message="m", actions=one("b"))
        wanted = {"source_branch": "b", "title": "T", "assignees": ["Maintainer", "nobody-here"]}
        answer = await agent.call("create_merge_request", **wanted)
    assert "GitLab did not take assignees (@nobody-here): " in answer
