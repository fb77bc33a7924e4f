"""Many commits at once, on both backends: each lands once, or its caller is told which path changed."""

import asyncio
import re
from contextlib import AsyncExitStack

import pytest

from gitlab_mcp.repository.git_backend.pushes import TIMES_REBUILT
from gitlab_mcp.sandbox import Sandbox
from tests.support.agent import Agent, connect
from tests.support.backends import BACKENDS, settings
from tests.support.ci_job import allow_job_pushes
from tests.support.gitlab_requests import get


async def commit(agent: Agent, branch: str, path: str, text: str, ref: str = "") -> tuple[bool, str]:
    """Whether the commit was said to be done, and what was said."""
    arguments = {"branch": branch, "ref": ref, "message": f"Commit {path} {text}"}
    actions = [{"path": path, "content": text}]
    result = await agent.client.call_tool("commit_files", {**arguments, "actions": actions})
    return not result.is_error, "".join(getattr(block, "text", "") for block in result.content)


def landed(sandbox: Sandbox, branch: str) -> list[str]:
    """The titles of the commits that the branch has and main lacks."""
    found = get(sandbox, f"/repository/commits?ref_name=main..{branch}&per_page=100")
    return sorted(each["title"] for each in found)


@pytest.mark.parametrize("backend", BACKENDS)
async def test_a_hundred_commits_to_different_branches_at_once_all_land(fresh_sandbox: Sandbox, backend: str) -> None:
    allow_job_pushes(fresh_sandbox)
    names = [f"branch-{number}" for number in range(100)]
    async with connect(settings(fresh_sandbox, backend)) as agent:
        said = await asyncio.gather(*(commit(agent, name, "same.txt", name, "main") for name in names))
    assert [text for done, text in said if not done] == []
    assert {name: landed(fresh_sandbox, name) for name in names} == {
        name: [f"Commit same.txt {name}"] for name in names
    }


@pytest.mark.parametrize("backend", BACKENDS)
async def test_twenty_commits_at_once_to_different_paths_of_one_branch_all_land(
    fresh_sandbox: Sandbox, backend: str
) -> None:
    said, titles = await twenty(fresh_sandbox, backend, servers=1)
    assert [text for done, text in said if not done] == []
    assert titles == sorted(f"Commit {number}.txt x" for number in range(20))


@pytest.mark.parametrize("backend", BACKENDS)
async def test_of_twenty_servers_that_commit_to_a_branch_each_lands_or_is_told_why_not(
    fresh_sandbox: Sandbox, backend: str
) -> None:
    said, titles = await twenty(fresh_sandbox, backend, servers=20)
    done = [number for number, (was_done, _) in enumerate(said) if was_done]
    assert titles == sorted(f"Commit {number}.txt x" for number in done)
    assert len(done) > TIMES_REBUILT
    # A commit is built anew five times; on a busy machine others may be faster each time.
    assert all(re.search(r"\(.*\.txt changed last\)", text) for was_done, text in said if not was_done)


async def twenty(sandbox: Sandbox, backend: str, servers: int) -> tuple[list[tuple[bool, str]], list[str]]:
    """What twenty commits of different files to one branch at once were told, and what landed."""
    allow_job_pushes(sandbox)
    async with AsyncExitStack() as stack:
        agents = [await stack.enter_async_context(connect(settings(sandbox, backend))) for _ in range(servers)]
        await agents[0].call("create_branch", branch="one")
        tasks = [commit(agents[number % servers], "one", f"{number}.txt", "x") for number in range(20)]
        said = await asyncio.gather(*tasks)
    return list(said), landed(sandbox, "one")


@pytest.mark.parametrize("backend", BACKENDS)
async def test_of_twenty_commits_at_once_to_one_file_each_lands_or_is_told_it_changed(
    fresh_sandbox: Sandbox, backend: str
) -> None:
    allow_job_pushes(fresh_sandbox)
    async with AsyncExitStack() as stack:
        agents = [await stack.enter_async_context(connect(settings(fresh_sandbox, backend))) for _ in range(20)]
        await agents[0].call("create_branch", branch="one")
        tasks = [commit(agent, "one", "README.md", str(number)) for number, agent in enumerate(agents)]
        said = await asyncio.gather(*tasks)
    done = [number for number, (was_done, _) in enumerate(said) if was_done]
    assert landed(fresh_sandbox, "one") == sorted(f"Commit README.md {number}" for number in done)
    assert 1 <= len(done) < 20
    assert all("README.md" in text for was_done, text in said if not was_done)


@pytest.mark.parametrize("backend", BACKENDS)
async def test_of_twenty_who_create_one_branch_at_once_one_does_and_the_others_are_told(
    fresh_sandbox: Sandbox, backend: str
) -> None:
    allow_job_pushes(fresh_sandbox)
    async with connect(settings(fresh_sandbox, backend)) as agent:
        said = await asyncio.gather(*(commit(agent, "new", f"{number}.txt", "x", "main") for number in range(20)))
    done = [number for number, (was_done, _) in enumerate(said) if was_done]
    assert len(done) == 1
    assert landed(fresh_sandbox, "new") == [f"Commit {done[0]}.txt x"]
    assert all("already" in text for was_done, text in said if not was_done)
