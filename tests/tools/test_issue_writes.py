"""Creating and changing issues, called as an agent calls the tools."""

import asyncio

import pytest

from gitlab_mcp.sandbox import Sandbox
from tests.support.agent import connect
from tests.support.gitlab_requests import get, writes
from tests.support.seed import SEED
from tests.support.settings import job_settings, settings_for


async def test_an_issue_is_created_with_all_that_was_given_and_the_answer_has_its_url(fresh_sandbox: Sandbox) -> None:
    async with connect(settings_for(fresh_sandbox)) as agent:
        answer = await agent.call(
            "create_issue",
            title="Say which option is unknown",
            description="`app --colour` says nothing.",
            labels=["bug", "brand new"],
            assignees=["@developer"],
            milestone="1.4",
            due_date="2027-01-15",
            confidential=True,
        )
    made = get(fresh_sandbox, SEED.next_issue.path)
    assert answer == f"Created #9: {made['web_url']}"
    assert (made["title"], made["description"]) == ("Say which option is unknown", "`app --colour` says nothing.")
    assert made["labels"] == ["brand new", "bug"]
    assert [user["username"] for user in made["assignees"]] == ["developer"]
    assert (made["milestone"]["title"], made["due_date"], made["confidential"]) == ("1.4", "2027-01-15", True)


async def test_the_same_issue_again_is_answered_with_the_first_even_at_once(
    fresh_sandbox: Sandbox,
) -> None:
    async with connect(settings_for(fresh_sandbox)) as agent:
        same = {"title": "Twice", "description": "Once is enough."}
        answers = await asyncio.gather(*(agent.call("create_issue", **same) for _ in range(3)))
        other = await agent.call("create_issue", title="Twice", description="Another one.")
    assert sorted(answer.split("#")[0] for answer in answers) == ["Already created minutes ago: "] * 2 + ["Created "]
    assert "Created #10:" in other
    assert [issue["title"] for issue in get(fresh_sandbox, "/issues?per_page=2")] == ["Twice", "Twice"]


@pytest.mark.parametrize("when", ["before", "after"])
async def test_after_a_lost_answer_an_issue_is_looked_up_and_there_is_one(fresh_sandbox: Sandbox, when: str) -> None:
    async with connect(settings_for(fresh_sandbox)) as agent:
        fresh_sandbox.faults.drop("POST", "/issues", when=when)
        answer = await agent.call("create_issue", title="Vanished", description="and found\n/close")
    assert ("a lookup confirmed it" in answer) == (when == "after")
    [made] = get(fresh_sandbox, "/issues?search=Vanished")
    assert made["state"] == "opened"


async def test_only_what_is_given_is_changed_and_empty_values_remove(fresh_sandbox: Sandbox) -> None:
    async with connect(settings_for(fresh_sandbox)) as agent:
        answer = await agent.call(
            "update_issue",
            iid=SEED.crash_issue.iid,
            title="Crash on empty configuration",
            add_labels=["p1"],
            remove_labels="p2",
            assignees=["maintainer"],
            due_date="2027-01-15",
            state="close",
        )
        changed = get(fresh_sandbox, SEED.crash_issue.path)
        assert answer == f"Updated #7: {changed['web_url']}"
        assert (changed["title"], changed["labels"]) == ("Crash on empty configuration", ["bug", "p1"])
        assert [user["username"] for user in changed["assignees"]] == ["maintainer"]
        assert (changed["state"], changed["due_date"], changed["milestone"]["title"]) == ("closed", "2027-01-15", "1.4")
        assert changed["description"].startswith("`app --config empty.yml` ends")
        await agent.call(
            "update_issue",
            iid=SEED.crash_issue.iid,
            description="",
            assignees=[],
            milestone="",
            due_date="",
            state="reopen",
        )
        emptied = get(fresh_sandbox, SEED.crash_issue.path)
        assert (emptied["description"], emptied["assignees"], emptied["milestone"], emptied["due_date"]) == (
            "",
            [],
            None,
            None,
        )
        assert emptied["state"] == "opened"


async def test_a_change_whose_answer_is_lost_is_confirmed_by_a_look_up(fresh_sandbox: Sandbox) -> None:
    async with connect(settings_for(fresh_sandbox)) as agent:
        fresh_sandbox.faults.drop("PUT", SEED.crash_issue.path, when="after")
        answer = await agent.call(
            "update_issue", iid=SEED.crash_issue.iid, add_labels=["urgent"], milestone="", confidential=True
        )
    assert "a lookup confirmed it" in answer
    assert writes(fresh_sandbox) == [f"PUT /api/v4/projects/acme%2Fapp{SEED.crash_issue.path}"]


async def test_what_gitlab_drops_in_silence_is_said(fresh_sandbox: Sandbox) -> None:
    async with connect(settings_for(fresh_sandbox, SEED.stranger)) as agent:
        answer = await agent.call("create_issue", title="From outside", labels=["bug"], milestone="1.4")
    assert answer.endswith("\nGitLab did not take labels (bug), milestone: role Planner is needed.")


async def test_a_wrong_milestone_member_or_day_and_no_change_are_refused_before_a_write(
    sandbox: Sandbox,
) -> None:
    async with connect(settings_for(sandbox)) as agent:
        told = await agent.refused("create_issue", title="x", milestone="9.9")
        assert 'There is no milestone "9.9" here. Open ones: 1.4.' in told
        assert "no member @stranger" in await agent.refused("create_issue", title="x", assignees=["stranger"])
        assert "due_date" in await agent.refused("create_issue", title="x", due_date="tomorrow")
        assert "title is empty" in await agent.refused("create_issue", title=" ")
        assert "takes 255" in await agent.refused("update_issue", iid=SEED.crash_issue.iid, title="x" * 256)
        assert "Nothing to change" in await agent.refused("update_issue", iid=SEED.crash_issue.iid)
    assert writes(sandbox) == []


async def test_a_job_that_has_nothing_but_its_token_is_told_what_is_needed(sandbox: Sandbox) -> None:
    async with connect(job_settings(sandbox)) as agent:
        for tool in ("create_issue", "update_issue"):
            assert "needs GITLAB_ACCESS_TOKEN with scope api" in await agent.refused(tool, iid=7, title="x")


async def test_the_same_issue_again_with_other_fields_says_which_of_them_it_does_not_have(
    fresh_sandbox: Sandbox,
) -> None:
    more = {"confidential": True, "labels": ["bug"], "assignees": ["developer"], "milestone": "1.4"}
    async with connect(settings_for(fresh_sandbox)) as agent:
        await agent.call("create_issue", title="A", description="d")
        again = await agent.call("create_issue", title="A", description="d", **more)
        assert again.startswith("Already created minutes ago: #9: ")
        assert again.endswith(
            "\nIt was not changed and differs from this call in labels, assignees, milestone, confidential:"
            " use update_issue."
        )
        await agent.call(
            "update_issue", iid=SEED.next_issue.iid, add_labels=["bug"], assignees=["developer"], confidential=True
        )
        later = await agent.call("create_issue", title="A", description="d", **more)
        assert later.endswith("differs from this call in milestone: use update_issue.")
        await agent.call("update_issue", iid=SEED.next_issue.iid, milestone="1.4")
        assert "differs from this call" not in await agent.call("create_issue", title="A", description="d", **more)
    assert get(fresh_sandbox, "/issues?search=A&in=title&per_page=100")[0]["iid"] == 9


async def test_the_same_issue_is_made_once_however_its_project_is_named(fresh_sandbox: Sandbox) -> None:
    names = ("", "acme/app", "1", 1, "Acme/App", f"{fresh_sandbox.url}/acme/app")
    async with connect(settings_for(fresh_sandbox)) as agent:
        answers = [await agent.call("create_issue", title="Q", description="1", project=name) for name in names]
    assert ["#9: " in answer for answer in answers] == [True] * len(names)


async def test_labels_that_cannot_all_be_had_are_refused_with_the_reason(sandbox: Sandbox) -> None:
    async with connect(settings_for(sandbox)) as agent:
        told = await agent.refused(
            "update_issue", iid=SEED.crash_issue.iid, add_labels=["x1", "p1"], remove_labels="X1"
        )
        assert '"x1" is in add_labels and in remove_labels' in told
        told = await agent.refused("create_issue", title="x", labels=["size::s", "size::L"])
        assert '"size::s" and "size::L" have the same scope, so an issue can have only one of them.' in told
        told = await agent.refused("update_issue", iid=SEED.crash_issue.iid, add_labels=["a,b"])
        assert 'a comma separates labels, and "a,b" contains one: give each label by itself' in told
        assert writes(sandbox) == []
        await agent.call("update_issue", iid=SEED.legacy_issue.iid, add_labels="a, size::s,b, team::s")
    assert get(sandbox, SEED.legacy_issue.path)["labels"] == ["a", "b", "size::s", "team::s"]


async def test_numbers_are_taken_for_titles_and_milestones_where_they_say_which(fresh_sandbox: Sandbox) -> None:
    milestones = fresh_sandbox.world.projects[fresh_sandbox.project_id].milestones
    async with connect(settings_for(fresh_sandbox)) as agent:
        await agent.call("create_issue", title=404, milestone=" 1.4 ")
        assert (made := get(fresh_sandbox, SEED.next_issue.path))["title"] == "404"
        assert made["milestone"]["title"] == "1.4"
        assert "#9 404 (open)" in await agent.call("list_issues", search=404, milestone=" 1.4 ")
        milestones[0].title = "2"
        await agent.call("update_issue", iid=SEED.legacy_issue.iid, milestone=2)
        assert get(fresh_sandbox, SEED.legacy_issue.path)["milestone"]["title"] == "2"
        told = await agent.refused("update_issue", iid=SEED.crash_issue.iid, milestone=1.4)
        assert 'milestone is 1.4: write it as text, such as "1.4": as numbers 1.1 and 1.10 are the same' in told
        assert "title is empty" in await agent.refused(
            "update_issue", iid=SEED.crash_issue.iid, title=" ", state="close"
        )
        assert 'There is no milestone ""' in await agent.refused(
            "update_issue", iid=SEED.crash_issue.iid, milestone=" "
        )


async def test_of_milestones_with_one_title_the_projects_own_is_meant_and_else_none(fresh_sandbox: Sandbox) -> None:
    own = {**get(fresh_sandbox, "/milestones")[0]}
    above = [{**own, "id": number, "project_id": None, "group_id": number} for number in (901, 902)]
    async with connect(settings_for(fresh_sandbox)) as agent:
        fresh_sandbox.faults.fail("GET", "/milestones", status=200, body=above)
        told = await agent.refused("update_issue", iid=SEED.legacy_issue.iid, milestone="1.4")
        assert '2 groups above the project have a milestone "1.4"' in told
        fresh_sandbox.faults.fail("GET", "/milestones", status=200, body=[*above, own])
        await agent.call("update_issue", iid=SEED.legacy_issue.iid, milestone="1.4")
    assert get(fresh_sandbox, SEED.legacy_issue.path)["milestone"]["id"] == own["id"]
