"""What a person at a desk has: their projects, their work in all of them, and help where no project was named."""

import re
from dataclasses import replace

from gitlab_mcp.sandbox import Sandbox
from gitlab_mcp.sandbox.ci import Pipeline
from gitlab_mcp.sandbox.seed.people import person
from tests.support import connect, job_settings, settings_for


async def test_projects_are_listed_with_the_latest_activity_first_and_found_by_name(sandbox: Sandbox) -> None:
    async with connect(settings_for(sandbox)) as agent:
        answer = await agent.call("list_projects")
        assert answer.startswith(
            "# Projects: 3 projects\nacme/app · public · 2026-11-21 · A small command line program.\nacme/empty · "
        )
        assert "acme/archive" not in answer
        assert "acme/private-notes" in answer
        assert "acme/empty" in await agent.call("list_projects", search="empt")
    async with connect(settings_for(sandbox, "stranger")) as agent:
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


def fail(sandbox: Sandbox, username: str, ref: str, status: str = "failed") -> int:
    """A pipeline that has ended."""
    project = sandbox.world.projects[sandbox.project_id]
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
        "## Merge requests that await your review: none\n\n"
        "## Your merge requests: 1\n"
        "acme/app!1 Add --verbose · @developer · feature/verbose-flag -> main · 2026-11-04\n\n"
        "## Issues assigned to you: 2\n"
        "acme/app#7 Crash when the config file is empty · labels: bug, p2 · 2026-11-21\n"
        "acme/app#3 Say what is read with --verbose · labels: feature, p2 · 2026-09-15\n\n"
        "## Your failed pipelines: 1\n"
        f"pipeline {failed} of feature/verbose-flag · acme/app · TODAY"
    )
    async with connect(settings_for(fresh_sandbox, "maintainer")) as agent:
        assert "await your review: 1\nacme/app!1 Add --verbose" in await agent.call("list_my_work")


async def test_each_list_of_ones_work_is_asked_for_once(sandbox: Sandbox) -> None:
    sandbox.knobs.clear()
    async with connect(settings_for(sandbox)) as agent:
        await agent.call("list_my_work")
    asked = [each["path"] for each in sandbox.knobs.requests()]
    sandbox.knobs.clear()
    assert sorted(asked) == [
        "/api/v4/issues",
        "/api/v4/merge_requests",
        "/api/v4/merge_requests",
        "/api/v4/projects/acme%2Fapp/pipelines",
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
    sandbox.knobs.clear()
    confined = settings_for(sandbox, project="", own_project=("acme/app",), allow_projects=("acme/empty",))
    async with connect(confined) as agent:
        assert "confined to acme/app, acme/empty" in await agent.refused("list_projects")
        assert "confined" in await agent.refused("list_my_work")
        told = await agent.refused("list_issues")
        assert told.endswith('no project of its own: give project, such as "group/app".')
    for settings in (job_settings(sandbox), settings_for(sandbox, in_ci=True, own_project=(sandbox.project, "1"))):
        async with connect(settings) as agent:
            told = await agent.refused("list_my_work")
            assert told == "list_my_work looks across projects, and a job has only its own."
    assert [each for each in sandbox.knobs.requests() if not each["path"].endswith("/user")] == []


async def test_with_trusted_only_the_titles_of_strangers_are_withheld_across_projects_too(
    fresh_sandbox: Sandbox,
) -> None:
    world = fresh_sandbox.world
    world.projects[fresh_sandbox.project_id].issues[6].assignees = [person(world, "maintainer")]
    async with connect(settings_for(fresh_sandbox, trusted_only=True)) as agent:
        assert "acme/app#6 (title withheld: @stranger" in await agent.call("list_my_work")
