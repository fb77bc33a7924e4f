"""What a person has in a local run: their projects, their work in all of them, and help where no project was named."""

import re
from dataclasses import replace

import pytest

from gitlab_mcp.sandbox import Sandbox
from gitlab_mcp.sandbox.seed.people import person
from gitlab_mcp.sandbox.state.model import Pipeline
from tests.support.agent import connect
from tests.support.seed import SEED
from tests.support.settings import job_settings, settings_for


async def test_projects_are_listed_with_the_latest_activity_first_and_found_by_name(sandbox: Sandbox) -> None:
    async with connect(settings_for(sandbox)) as agent:
        answer = await agent.call("list_projects")
        assert answer.startswith(
            "# Projects: 3 projects\nacme/app · public · 2026-11-21 · A small command line program.\nacme/empty · "
        )
        assert "acme/archive" not in answer
        assert "acme/private-notes" in answer
        assert "acme/empty" in await agent.call("list_projects", search="empt")
    async with connect(settings_for(sandbox, SEED.stranger)) as agent:
        assert await agent.call("list_projects") == "# Projects: none"
        all_ = await agent.call("list_projects", mine=False)
        assert "acme/app" in all_
        assert "private-notes" not in all_


async def test_the_next_page_of_all_projects_is_of_all_projects_too(fresh_sandbox: Sandbox) -> None:
    world = fresh_sandbox.world
    for number in range(100, 140):
        world.projects[number] = replace(world.projects[1], id=number, path=f"more-{number}", members={})
    async with connect(settings_for(fresh_sandbox)) as agent:
        first = await agent.call("list_projects", search="more", mine=False)
        assert first.endswith('next: list_projects {"search": "more", "mine": false, "page": 2}')
        assert (await agent.call("list_projects", search="more", mine=False, page=2)).count("acme/more-") == 10


def fail(sandbox: Sandbox, username: str, ref: str, status: str = "failed", project_id: int = 0) -> int:
    """A pipeline that has ended."""
    project = sandbox.world.projects[project_id or sandbox.project_id]
    number, now = sandbox.world.next_id("pipeline"), sandbox.world.now()
    user = person(sandbox.world, username)
    project.pipelines[number] = Pipeline(number, number, project, ref, "0" * 40, user, now, status)
    return number


async def test_ones_own_work_comes_from_all_projects_in_one_answer(fresh_sandbox: Sandbox) -> None:
    failed = fail(fresh_sandbox, "developer", "feature/verbose-flag")
    for status in ("failed", "success"):
        fail(fresh_sandbox, "developer", "mended", status)
    fail(fresh_sandbox, "maintainer", "of-another")
    async with connect(settings_for(fresh_sandbox, "developer", project="")) as agent:
        answer = await agent.call("list_my_work")
    today = re.compile(r"\d{4}-\d\d-\d\d$")
    assert today.sub("TODAY", answer) == (
        "# Open work of @developer\n\n"
        "## Merge requests with you as reviewer: none\n\n"
        "## Your merge requests: 1\n"
        "acme/app!1 Add --verbose · @developer · feature/verbose-flag -> main · 2026-11-04\n\n"
        "## Issues assigned to you: 2\n"
        "acme/app#7 Crash when the config file is empty · labels: bug, p2 · 2026-11-21\n"
        "acme/app#3 Say what is read with --verbose · labels: feature, p2 · 2026-09-15\n\n"
        "## Your failed pipelines in acme/app, acme/empty: 1\n"
        f"pipeline {failed} of feature/verbose-flag · acme/app · TODAY"
    )
    async with connect(settings_for(fresh_sandbox, "maintainer")) as agent:
        assert "with you as reviewer: 1\nacme/app!1 Add --verbose" in await agent.call("list_my_work")


async def test_each_list_of_ones_work_is_asked_for_once(sandbox: Sandbox) -> None:
    async with connect(settings_for(sandbox)) as agent:
        await agent.call("list_my_work")
    asked = [each["path"] for each in sandbox.faults.requests()]
    assert sorted(asked) == [
        "/api/v4/issues",
        "/api/v4/merge_requests",
        "/api/v4/merge_requests",
        "/api/v4/projects",
        "/api/v4/projects/1/pipelines",
        "/api/v4/projects/2/pipelines",
        "/api/v4/projects/4/pipelines",
        "/api/v4/user",
    ]


async def test_a_call_without_a_project_names_those_of_the_user(sandbox: Sandbox) -> None:
    async with connect(settings_for(sandbox, project="")) as agent:
        told = await agent.refused("list_issues")
    assert told == (
        'list_issues failed: This run has no project of its own: give project, such as "acme/app". Yours, the latest'
        " first: acme/app, acme/empty, acme/private-notes. list_projects finds others."
    )


async def test_nothing_is_listed_across_projects_where_a_run_is_confined_or_in_ci(sandbox: Sandbox) -> None:
    confined = settings_for(sandbox, project="", own_project=("acme/app",), allow_projects=("acme/empty",))
    async with connect(confined) as agent:
        assert not {"list_projects", "list_my_work"} & {each.name for each in (await agent.client.list_tools()).tools}
        assert "restricted to acme/app, acme/empty" in await agent.refused("list_projects")
        assert "restricted to acme/app, acme/empty" in await agent.refused("list_my_work")
        told = await agent.refused("list_issues")
        assert told.endswith('no project of its own: give project, such as "group/app".')
    for settings in (job_settings(sandbox), settings_for(sandbox, in_ci=True, own_project=(sandbox.project, "1"))):
        async with connect(settings) as agent:
            told = await agent.refused("list_my_work")
            assert told == "list_my_work looks across projects, and a job has only its own."
    assert [each for each in sandbox.faults.requests() if not each["path"].endswith("/user")] == []


async def test_with_trusted_only_the_titles_of_strangers_are_withheld_across_projects_too(
    fresh_sandbox: Sandbox,
) -> None:
    world = fresh_sandbox.world
    world.projects[fresh_sandbox.project_id].issues[6].assignees = [person(world, "maintainer")]
    async with connect(settings_for(fresh_sandbox, trusted_only=True)) as agent:
        assert "acme/app#6 (title withheld: @stranger" in await agent.call("list_my_work")


async def test_failed_pipelines_of_recent_projects_are_listed_with_their_projects(
    fresh_sandbox: Sandbox,
) -> None:
    world = fresh_sandbox.world
    elsewhere = next(project for project in world.projects.values() if project.path == "private-notes")
    failed = fail(fresh_sandbox, "maintainer", "main", project_id=elsewhere.id)
    fresh_sandbox.faults.fail("GET", "/projects/2/pipelines", status=403)
    async with connect(settings_for(fresh_sandbox, project="")) as agent:
        answer = await agent.call("list_my_work")
    assert "\n## Your failed pipelines in acme/app, acme/private-notes: 1\n" in answer
    assert f"\npipeline {failed} of main · acme/private-notes · " in answer


@pytest.mark.parametrize("name", ["acme/app", "ACME/App", "1", "acme/old", "acme/gone"])
async def test_no_project_is_asked_twice_however_it_is_named_and_at_most_twelve_are(
    fresh_sandbox: Sandbox, name: str
) -> None:
    world = fresh_sandbox.world
    for number in range(100, 140):
        world.projects[number] = replace(world.projects[1], id=number, path=f"more-{number}")
    world.projects[99] = replace(world.projects[2], id=99, path="old")
    async with connect(settings_for(fresh_sandbox, "developer", project=name)) as agent:
        answer = await agent.call("list_my_work")
    asked = [each["path"] for each in fresh_sandbox.faults.requests() if each["path"].endswith("/pipelines")]
    assert len(asked) == len(set(asked)) == 12
    assert {path.split("/")[4].isdecimal() for path in asked} == {True}
    assert "/api/v4/projects/1/pipelines" in asked
    if name == "acme/old":
        assert "/api/v4/projects/99/pipelines" in asked
    assert " pipelines in acme/" in answer or " pipelines in project " in answer


async def test_numbers_are_taken_for_what_is_searched(sandbox: Sandbox) -> None:
    async with connect(settings_for(sandbox)) as agent:
        assert await agent.call("list_projects", search=404) == "# Projects: none"
