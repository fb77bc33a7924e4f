"""list_branches and create_branch, called as an agent calls them."""

import pytest

from gitlab_mcp.sandbox import Sandbox
from tests.support.agent import connect
from tests.support.gitlab_requests import get
from tests.support.settings import settings_for


async def test_branches_are_listed_with_their_newest_commit(sandbox: Sandbox) -> None:
    async with connect(settings_for(sandbox)) as agent:
        answer = await agent.call("list_branches", search="verbose")
    commit = get(sandbox, "/repository/branches/feature%2Fverbose-flag")["commit"]["short_id"]
    assert answer == f"# Branches: 1 branch\nfeature/verbose-flag · {commit} Describe --verbose · 2026-11-03"


async def test_a_branch_begins_at_the_default_branch_or_at_a_ref(sandbox: Sandbox) -> None:
    async with connect(settings_for(sandbox)) as agent:
        assert (await agent.call("create_branch", branch="from-main")).startswith("Created branch from-main (")
        await agent.call("create_branch", branch="from-tag", ref="v1.2.0")
    assert (
        get(sandbox, "/repository/branches/from-main")["commit"] == get(sandbox, "/repository/branches/main")["commit"]
    )
    assert (
        get(sandbox, "/repository/branches/from-tag")["commit"]["id"]
        == get(sandbox, "/repository/commits/v1.2.0")["id"]
    )


async def test_a_branch_that_exists_is_success_at_the_same_commit_and_an_error_at_another(
    sandbox: Sandbox,
) -> None:
    async with connect(settings_for(sandbox)) as agent:
        await agent.call("create_branch", branch="twice")
        assert "already exists, at main; nothing was changed" in await agent.call("create_branch", branch="twice")
        told = await agent.refused("create_branch", branch="twice", ref="feature/verbose-flag")
    assert "that is not where feature/verbose-flag is" in told


@pytest.mark.parametrize("name", ["fix 7", "a..b", "-x", "x.lock", "a~1", "feature/", "x@{1}", "a:b", "what?"])
async def test_a_name_that_git_refuses_is_refused_before_gitlab_is_asked(sandbox: Sandbox, name: str) -> None:
    async with connect(settings_for(sandbox)) as agent:
        told = await agent.refused("create_branch", branch=name)
    assert "git refuses" in told
    assert sandbox.faults.requests() == []


async def test_a_name_with_a_blank_gets_a_suggestion(sandbox: Sandbox) -> None:
    async with connect(settings_for(sandbox)) as agent:
        assert "try 'fix-7'" in await agent.refused("create_branch", branch="fix 7")


async def test_a_ref_that_is_not_there_is_gitlabs_own_message(sandbox: Sandbox) -> None:
    async with connect(settings_for(sandbox)) as agent:
        assert "Invalid reference name: gone" in await agent.refused("create_branch", branch="x", ref="gone")


async def test_a_user_without_the_role_is_told_which_is_needed(sandbox: Sandbox) -> None:
    async with connect(settings_for(sandbox, "reporter")) as agent:
        assert "role Developer" in await agent.refused("create_branch", branch="not-mine")
