"""What a project keeps beside code, issues and merge requests."""

from gitlab_mcp.sandbox import Sandbox
from tests.support.agent import connect
from tests.support.seed import SEED
from tests.support.settings import job_settings, settings_for

ASKED = ("default", "project")


async def test_a_project_is_shown_with_how_it_merges_and_ones_role(sandbox: Sandbox) -> None:
    async with connect(settings_for(sandbox, toolsets=ASKED)) as agent:
        answer = await agent.call("get_project")
    assert answer == (
        "# acme/app (public)\n"
        "id 1 · default branch: main · your role: Owner · open issues: 7\n"
        "merge method: merge · squash: default off\n"
        f"{sandbox.url}/acme/app\n"
        "\n"
        "> A small command line program."
    )
    async with connect(settings_for(sandbox, SEED.stranger, toolsets=ASKED)) as agent:
        assert "your role: none" in await agent.call("get_project")


async def test_labels_milestones_and_members_come_in_rows(sandbox: Sandbox) -> None:
    async with connect(settings_for(sandbox, toolsets=ASKED)) as agent:
        assert "\nbug · Something is wrong\n" in await agent.call("list_labels")
        assert await agent.call("list_labels", search="doc") == "# Labels: 1 label\ndocs · Words, not code"
        assert await agent.call("list_milestones") == (
            "# Milestones: 1 milestone\n1.4 (active) · due: 2027-01-31 · The next release"
        )
        assert await agent.call("list_milestones", state="closed") == "# Milestones: none"
        assert await agent.call("search_members", search="DEVEL") == (
            "# Members: 1 member\n@developer · Developer · Developer"
        )
        assert "# Members: 3 members" in await agent.call("search_members")


async def test_releases_come_newest_first_with_their_notes_also_for_a_job(sandbox: Sandbox) -> None:
    for settings in (settings_for(sandbox, toolsets=ASKED), job_settings(sandbox, toolsets=ASKED)):
        async with connect(settings) as agent:
            assert await agent.call("list_releases") == (
                "# Releases: 2 releases\n\n"
                "## v1.3.0 · Version 1.3.0 · by @maintainer 2026-09-02\n"
                "> - comments in configuration files\n"
                "> - `--help` in German is next\n\n"
                "## v1.2.0 · Version 1.2.0 · by @maintainer 2026-07-01\n"
                "> - the option `--config`"
            )


async def test_the_wiki_is_read_by_the_slugs_that_its_list_names(sandbox: Sandbox) -> None:
    async with connect(settings_for(sandbox, toolsets=ASKED)) as agent:
        assert await agent.call("list_wiki_pages") == (
            "# Wiki pages: 3 pages\nRelease-process · Release process\nadr/0001-yaml-only · 0001 yaml only\nhome"
        )
        assert "1 page\nhome" in await agent.call("list_wiki_pages", search="HOME")
        assert await agent.call("get_wiki_page", slug="adr/0001-yaml-only") == (
            "# Wiki: 0001 yaml only (markdown)\n> We read YAML only. Decided by @maintainer."
        )
        assert "404 Wiki Page Not Found" in await agent.refused("get_wiki_page", slug="gone")
        assert "403" in await agent.refused("list_wiki_pages", project="acme/empty")


async def test_they_are_listed_only_where_they_are_asked_for(sandbox: Sandbox) -> None:
    async with connect(settings_for(sandbox)) as agent:
        told = await agent.refused("get_project")
        assert told == "get_project is not listed in this run: --toolsets default,project adds it."
    async with connect(job_settings(sandbox, toolsets=ASKED)) as agent:
        assert "needs GITLAB_ACCESS_TOKEN" in await agent.refused("get_project")
        listed = {tool.name for tool in (await agent.client.list_tools()).tools}
    assert "list_releases" in listed
    assert "list_labels" not in listed


async def test_a_long_wiki_page_is_read_page_by_page_and_every_line_stays_quoted(fresh_sandbox: Sandbox) -> None:
    wiki = fresh_sandbox.world.projects[fresh_sandbox.project_id].wiki
    wiki["big"] = "\n".join([*(f"line {number} of the text" for number in range(4_000)), "w" * 20_000, "the end"])
    wiki["huge"] = "words\n" * 40_000
    async with connect(settings_for(fresh_sandbox, toolsets=ASKED)) as agent:
        shown, number = "", 1
        while True:
            answer = await agent.call("get_wiki_page", slug="big", page=number)
            assert len(answer.encode()) <= 40_000
            head, _, rest = answer.partition("\n")
            assert head == f"# Wiki: big (markdown) · page {number} of 4"
            text, _, following = rest.partition("\nnext: ")
            assert [line for line in text.split("\n") if not line.startswith("> ")] == []
            shown += text.replace("> ", "").replace("\n", "")
            if not following:
                break
            number += 1
            assert following == f'get_wiki_page {{"slug": "big", "page": {number}}}'
        assert shown == wiki["big"].replace("\n", "")
        assert "There is no page 5: the last is 4" in await agent.call("get_wiki_page", slug=" big ", page=5)
        assert "first 200,000 characters are shown" in await agent.call("get_wiki_page", slug="huge")


async def test_a_member_is_found_by_a_username_with_its_sign_too(sandbox: Sandbox) -> None:
    async with connect(settings_for(sandbox, toolsets=ASKED)) as agent:
        assert "# Members: 1 member\n@developer" in await agent.call("search_members", search="@dev")
        assert await agent.call("list_labels", search=404) == "# Labels: none"


async def test_a_tool_that_its_toolset_would_not_bring_is_not_promised(sandbox: Sandbox) -> None:
    async with connect(job_settings(sandbox)) as agent:
        assert "needs GITLAB_ACCESS_TOKEN" in await agent.refused("list_labels")
        told = await agent.refused("list_releases")
        assert told == "list_releases is not listed in this run: --toolsets default,project adds it."
    async with connect(settings_for(sandbox, read_only=True)) as agent:
        assert "switched off in this run (--read-only" in await agent.refused("delete_branch")
        assert "--toolsets default,project adds it" in await agent.refused("list_labels")
