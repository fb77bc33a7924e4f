"""Tools for issues, called as an agent calls them."""

import re

import pytest

from gitlab_mcp.sandbox import Sandbox
from gitlab_mcp.sandbox.state.users import User
from tests.support.agent import connect
from tests.support.seed import SEED
from tests.support.settings import settings_for


async def test_a_list_has_a_row_for_each_issue_and_filters_narrow_it(sandbox: Sandbox) -> None:
    async with connect(settings_for(sandbox)) as agent:
        assert await agent.call("list_issues", labels=["bug", "p2"]) == (
            "# Issues: 1 issue\n"
            "#7 Crash when the config file is empty (open) · @maintainer · labels: bug, p2 · assigned: @developer"
            " · 2026-11-21"
        )
        assert "#2 Document" in await agent.call("list_issues", state="closed")
        assert "#3 Say" in await agent.call("list_issues", author="@developer")
        assert "#8 Remove" in await agent.call("list_issues", assignee="reporter")
        assert "#7 Crash" in await agent.call("list_issues", milestone="1.4", search="empty")
        assert await agent.call("list_issues", search="no such words") == "# Issues: none"


async def test_labels_may_come_as_one_text(sandbox: Sandbox) -> None:
    async with connect(settings_for(sandbox)) as agent:
        assert "#7 Crash" in await agent.call("list_issues", labels="bug, p2")


async def test_an_issue_is_shown_whole(sandbox: Sandbox) -> None:
    async with connect(settings_for(sandbox)) as agent:
        answer = await agent.call("get_issue", iid=SEED.crash_issue.iid)
    assert answer == (
        "# #7 Crash when the config file is empty (open)\n"
        "by @maintainer 2026-11-20 · labels: bug, p2 · assigned: @developer · milestone: 1.4\n"
        f"{sandbox.url}/acme/app/-/issues/7\n"
        "\n"
        "> `app --config empty.yml` ends with a traceback:\n"
        ">\n"
        "> ```\n"
        '>   File "src/app/config.py", line 11, in load_config\n'
        '>     if lines[0].startswith("#!"):\n'
        "> IndexError: list index out of range\n"
        "> ```\n"
        ">\n"
        "> Expected: a message that says the file is empty.\n"
        ">\n"
        "> - [ ] a test\n"
        "> - [ ] the message\n"
        "\n"
        "## 3 comments\n"
        "n149 @maintainer 2026-11-20 · unresolved\n"
        "> Happens since 1.3.0. `load_config` takes the first line unseen.\n"
        "\n"
        "n150 @developer 2026-11-20 · reply to n149\n"
        "> I can look at it. Should an empty file be an error?\n"
        "\n"
        "n151 @stranger 2026-11-21 (not a member)\n"
        "> Same here, with a file that holds only a comment I get no error at all."
    )


@pytest.mark.parametrize("iid", [7, "7", "#7", " #7 ", 7.0])
async def test_an_issue_is_named_by_number_or_text(sandbox: Sandbox, iid: object) -> None:
    async with connect(settings_for(sandbox)) as agent:
        assert (await agent.call("get_issue", iid=iid)).startswith("# #7 ")


@pytest.mark.parametrize("path", ["issues/7", "work_items/7", "issues/7#note_149", "issues/7/"])
async def test_an_issue_is_named_by_its_web_url_which_also_names_the_project(sandbox: Sandbox, path: str) -> None:
    async with connect(settings_for(sandbox, project="acme/empty")) as agent:
        url = f"{sandbox.url}/acme/app/-/{path}"
        assert (await agent.call("get_issue", iid=url)).startswith("# #7 ")


async def test_a_url_of_another_gitlab_another_kind_or_another_project_is_refused(sandbox: Sandbox) -> None:
    async with connect(settings_for(sandbox)) as agent:
        assert "the only GitLab" in await agent.refused(
            "get_issue", iid=f"https://gitlab.com/acme/app/-{SEED.crash_issue.path}"
        )
        merge_request = f"{sandbox.url}/acme/app/-{SEED.merge_request.path}"
        assert "URL of a merge request" in await agent.refused("get_issue", iid=merge_request)
        assert "this tool expects an issue" in await agent.refused("get_issue", iid="!7")
        issue = f"{sandbox.url}/acme/app/-{SEED.crash_issue.path}"
        assert 'project "acme/app"' in await agent.refused("get_issue", iid=issue, project="acme/empty")
        for same in ("1", "Acme/App", "acme/app"):
            assert "# #7 " in await agent.call("get_issue", iid=issue, project=same)


async def test_the_newest_20_comments_come_in_order_of_time_and_page_2_goes_back(sandbox: Sandbox) -> None:
    async with connect(settings_for(sandbox)) as agent:
        newest = await agent.call("get_issue", iid=SEED.long_issue.iid)
        older = await agent.call("get_issue", iid=SEED.long_issue.iid, page=2)
        oldest = await agent.call("get_issue", iid=SEED.long_issue.iid, page=3)
    assert "## Comments (newest 20 of 45; page 2: older ones)" in newest
    assert "## Comments (page 2, 20 of 45; page 3: older ones)" in older
    pages = [[int(note) for note in re.findall(r"^n(\d+) ", page, re.MULTILINE)] for page in (newest, older, oldest)]
    assert [len(page) for page in pages] == [20, 20, 5]
    assert [note for page in reversed(pages) for note in page] == sorted(note for page in pages for note in page)


async def test_system_notes_are_shown_only_with_detail_full(fresh_sandbox: Sandbox) -> None:
    async with connect(settings_for(fresh_sandbox)) as agent:
        await agent.call("update_merge_request", iid=SEED.merge_request.iid, title="Urgent")
        assert "· system" not in await agent.call("get_merge_request", iid=SEED.merge_request.iid)
        assert "· system" in await agent.call("get_merge_request", iid=SEED.merge_request.iid, detail="full")


async def test_the_merge_requests_of_an_issue_are_named_and_the_closing_one_is_told_apart(sandbox: Sandbox) -> None:
    async with connect(settings_for(sandbox)) as agent:
        assert "merge requests: !1 (open, closes this)" in await agent.call("get_issue", iid=SEED.verbose_issue.iid)


async def test_what_a_stranger_hides_in_text_is_gone_and_cannot_leave_its_quote(sandbox: Sandbox) -> None:
    async with connect(settings_for(sandbox)) as agent:
        answer = await agent.call("get_issue", iid=SEED.hostile_issue.iid)
    assert not re.search("[\u200b-\u200f\u202a-\u202e\u2066-\u2069\u00ad\U000e0000-\U000e007f\x00-\x08\x1b]", answer)
    assert "glpat-" not in answer
    assert "<!--" not in answer
    ours = [line for line in answer.splitlines() if not line.startswith(">")]
    assert [line for line in ours if "maintainer" in line or line.startswith("/")] == []


async def test_an_issue_that_is_not_there_is_an_error_that_says_so(sandbox: Sandbox) -> None:
    async with connect(settings_for(sandbox)) as agent:
        assert "404 Issue Not Found" in await agent.refused("get_issue", iid=999)


async def test_a_confidential_issue_is_marked_and_hidden_from_a_stranger(sandbox: Sandbox) -> None:
    async with connect(settings_for(sandbox)) as agent:
        assert "· confidential" in await agent.call("get_issue", iid=SEED.confidential_issue.iid)
    async with connect(settings_for(sandbox, SEED.stranger)) as agent:
        assert "404" in await agent.refused("get_issue", iid=SEED.confidential_issue.iid)


async def test_with_trusted_only_the_words_of_who_is_no_developer_are_withheld_and_named(sandbox: Sandbox) -> None:
    async with connect(settings_for(sandbox, trusted_only=True)) as agent:
        shown = await agent.call("get_issue", iid=SEED.crash_issue.iid)
        hostile = await agent.call("get_issue", iid=SEED.hostile_issue.iid)
        listed = await agent.call("list_issues")
    assert "I can look at it." in shown
    assert "Same here" not in shown
    assert "(text withheld: @stranger is not known to be Developer or more)" in shown
    assert hostile.startswith("# #6 (title withheld: @stranger is not known to be Developer or more) (open)")
    assert "The app is slow" not in hostile
    assert "#6 (title withheld: @stranger" in listed
    assert "#8 (title withheld: @reporter" in listed
    assert "#7 Crash" in listed


async def test_members_beyond_the_first_page_are_looked_up_once_a_run(
    fresh_sandbox: Sandbox,
) -> None:
    world = fresh_sandbox.world
    members = world.projects[1].members
    own = dict(members)
    members.clear()
    for number in range(1_000, 1_120):
        members[User(number, f"member-{number}", "Member", world.now())] = 30
    members.update(own)
    async with connect(settings_for(fresh_sandbox)) as agent:
        answer = await agent.call("get_issue", iid=SEED.crash_issue.iid)
        assert await agent.call("get_issue", iid=SEED.crash_issue.iid) == answer
        asked = [each["path"] for each in fresh_sandbox.faults.requests() if "/members/all" in each["path"]]
    assert "by @maintainer 20" in answer
    assert "n151 @stranger 2026-11-21 (not a member)" in answer
    assert len(asked) == len(set(asked)) == 4


async def test_an_authors_role_is_requested_once_a_run_and_unknown_where_that_fails(
    sandbox: Sandbox,
) -> None:
    async with connect(settings_for(sandbox)) as agent:
        await agent.call("get_issue", iid=SEED.crash_issue.iid)
        await agent.call("get_issue", iid=SEED.crash_issue.iid)
        asked = [each["path"] for each in sandbox.faults.requests() if "/members/all" in each["path"]]
    assert [path.rpartition("/")[2] for path in asked] == ["all"]
    sandbox.faults.fail("GET", "/members/all", status=403, times=20)
    async with connect(settings_for(sandbox)) as agent:
        assert "n151 @stranger 2026-11-21 (role unknown)" in await agent.call("get_issue", iid=SEED.crash_issue.iid)
