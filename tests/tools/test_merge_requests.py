"""Tools for merge requests, called as an agent calls them, and looked at through GitLab's own API."""

import re

import pytest

from gitlab_mcp.sandbox import Sandbox
from tests.support.agent import Agent, connect
from tests.support.gitlab_requests import get, writes
from tests.support.merge_requests import open_for_review
from tests.support.seed import SEED
from tests.support.settings import settings_for


async def branch_with_a_commit(agent: Agent, branch: str) -> None:
    action = {"path": f"{branch}.txt", "content": "x\n"}
    await agent.call("commit_files", branch=branch, ref="main", message="Add a file", actions=[action])


def iid(answer: str) -> str:
    match = re.search(r"!(\d+)", answer)
    assert match, answer
    return match[1]


async def test_merge_requests_are_listed_and_filtered(sandbox: Sandbox) -> None:
    async with connect(settings_for(sandbox)) as agent:
        assert await agent.call("list_merge_requests", reviewer="maintainer", source_branch="feature/verbose-flag") == (
            "# Merge requests: 1 merge request\n"
            "!1 Add --verbose (open) · @developer · feature/verbose-flag -> main · labels: feature · 2026-11-04"
        )
        assert await agent.call("list_merge_requests", state="merged") == "# Merge requests: none"


async def test_a_merge_request_is_shown_whole(fresh_sandbox: Sandbox) -> None:
    sha = get(fresh_sandbox, SEED.merge_request.path)["sha"][:12]
    async with connect(settings_for(fresh_sandbox)) as agent:
        answer = await agent.call("get_merge_request", iid=SEED.merge_request.reference)
    assert answer == (
        "# !1 Add --verbose (open)\n"
        f"by @developer 2026-11-03 · feature/verbose-flag -> main · head: {sha} · 2 files changed\n"
        "merge status: mergeable · labels: feature · assigned: @developer · reviewers: @maintainer · milestone: 1.4"
        " · closes: #3\n"
        f"{fresh_sandbox.url}/acme/app/-/merge_requests/1\n"
        "\n"
        "> Says which file is read.\n"
        ">\n"
        "> Closes #3\n"
        "\n"
        "## Changed files\n"
        "docs/usage.md +1 -0\n"
        "src/app/cli.py +3 -0\n"
        "\n"
        "## 4 comments\n"
        "n152 @reporter 2026-11-03\n"
        "> Nice, I have been waiting for this.\n"
        "\n"
        "n153 @maintainer 2026-11-04 · src/app/cli.py:14 · unresolved\n"
        "> Please print this to stderr.\n"
        "\n"
        "n154 @developer 2026-11-04 · reply to n153 · src/app/cli.py:14\n"
        "> Will do.\n"
        "\n"
        "n155 @maintainer 2026-11-04 · docs/usage.md:6 · resolved\n"
        "> A full stop is missing."
    )


async def test_a_merge_request_is_opened_with_all_that_was_asked_for(sandbox: Sandbox) -> None:
    async with connect(settings_for(sandbox)) as agent:
        await branch_with_a_commit(agent, "whole")
        answer = await agent.call(
            "create_merge_request",
            source_branch="whole",
            title="Add a file",
            description="Closes #7",
            draft=True,
            labels=["bug", "new"],
            assignees=["@developer"],
            reviewers=["maintainer"],
            remove_source_branch=True,
            squash=True,
        )
    opened = get(sandbox, f"/merge_requests/{iid(answer)}")
    assert answer == f"Opened draft !{opened['iid']} (whole -> main): {opened['web_url']}"
    assert (opened["title"], opened["draft"], opened["description"]) == ("Draft: Add a file", True, "Closes #7")
    assert sorted(opened["labels"]) == ["bug", "new"]
    assert [user["username"] for user in (*opened["assignees"], *opened["reviewers"])] == ["developer", "maintainer"]
    assert (opened["force_remove_source_branch"], opened["squash"]) == (True, True)


async def test_an_open_one_for_the_same_branches_is_answered_with_unchanged(sandbox: Sandbox) -> None:
    async with connect(settings_for(sandbox)) as agent:
        await branch_with_a_commit(agent, "again")
        first = await agent.call("create_merge_request", source_branch="again", title="First")
        sandbox.faults.clear()
        second = await agent.call("create_merge_request", source_branch="again", title="Second")
    assert second.startswith(f"Already open, unchanged: !{iid(first)} ")
    assert get(sandbox, f"/merge_requests/{iid(first)}")["title"] == "First"
    assert writes(sandbox) == []


async def test_one_that_was_opened_since_the_look_up_is_found_after_gitlabs_409(sandbox: Sandbox) -> None:
    async with connect(settings_for(sandbox)) as agent:
        await branch_with_a_commit(agent, "raced")
        first = await agent.call("create_merge_request", source_branch="raced", title="First")
        # The look-up is answered as it would have been a moment before the other one was opened.
        sandbox.faults.fail("GET", "/merge_requests$", status=200, body="[]", content_type="application/json")
        second = await agent.call("create_merge_request", source_branch="raced", title="Second")
    assert second.startswith(f"Already open, unchanged: !{iid(first)} ")


async def test_a_branch_without_commits_of_its_own_is_refused(sandbox: Sandbox) -> None:
    async with connect(settings_for(sandbox)) as agent:
        told = await agent.refused("create_merge_request", source_branch="stale/no-commits", title="Nothing")
    assert "stale/no-commits has no commits that main lacks" in told
    assert writes(sandbox) == []


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"source_branch": "gone", "title": "x"}, 'Source branch "gone" does not exist'),
        ({"source_branch": "main", "title": "x"}, "are both main"),
        ({"source_branch": "feature/verbose-flag", "target_branch": "v", "title": " "}, "title is empty"),
        ({"source_branch": "feature/verbose-flag", "target_branch": "v", "title": "x" * 256}, "256 characters"),
    ],
)
async def test_what_cannot_be_opened_is_said(sandbox: Sandbox, arguments: dict[str, str], told: str) -> None:
    async with connect(settings_for(sandbox)) as agent:
        assert told in await agent.refused("create_merge_request", **arguments)


async def test_somebody_who_is_no_member_is_named_and_nothing_is_opened(sandbox: Sandbox) -> None:
    async with connect(settings_for(sandbox)) as agent:
        await branch_with_a_commit(agent, "members")
        sandbox.faults.clear()
        told = await agent.refused("create_merge_request", source_branch="members", title="x", reviewers=["stranger"])
    assert "no member @stranger" in told
    assert writes(sandbox) == []


async def test_people_and_labels_may_come_as_one_text_and_only_people_lose_their_sign(sandbox: Sandbox) -> None:
    async with connect(settings_for(sandbox)) as agent:
        await branch_with_a_commit(agent, "texts")
        people = {"assignees": "@developer, @maintainer", "reviewers": ["@reporter"], "labels": "@home, bug"}
        answer = await agent.call("create_merge_request", source_branch="texts", title="T", **people)
    opened = get(sandbox, f"/merge_requests/{iid(answer)}")
    assert [user["username"] for user in opened["assignees"]] == ["developer"]
    assert "GitLab did not take assignees (@maintainer): more than one assignee or reviewer needs Premium" in answer
    assert [user["username"] for user in opened["reviewers"]] == ["reporter"]
    assert sorted(opened["labels"]) == ["@home", "bug"]


async def test_people_whom_gitlab_drops_are_named(fresh_sandbox: Sandbox) -> None:
    """Without a licence GitLab keeps the first one, and drops who cannot read the project, without a word."""
    async with connect(settings_for(fresh_sandbox)) as agent:
        await branch_with_a_commit(agent, "people")
        answer = await agent.call(
            "create_merge_request", source_branch="people", title="P", reviewers=["reporter", "developer"]
        )
        assert "GitLab did not take reviewers (@developer): " in answer
        number = iid(answer)
        answer = await agent.call(
            "update_merge_request", iid=number, assignees=["reporter", "developer"], reviewers=["developer"]
        )
        assert "GitLab did not take assignees (@developer): " in answer
        assert "reviewers" not in answer
        answer = await agent.call("update_merge_request", iid=number, assignees=[], reviewers=["developer"])
        assert "did not take" not in answer
        issue = await agent.call("create_issue", title="Two", assignees=["reporter", "developer"])
        assert "GitLab did not take assignees" in issue


async def test_only_what_is_given_is_changed(sandbox: Sandbox) -> None:
    async with connect(settings_for(sandbox)) as agent:
        await branch_with_a_commit(agent, "changes")
        number = iid(
            await agent.call(
                "create_merge_request", source_branch="changes", title="Old", description="Kept", labels=["a", "b"]
            )
        )
        await agent.call("update_merge_request", iid=number, title="New", add_labels=["c"], remove_labels=["a"])
        changed = get(sandbox, f"/merge_requests/{number}")
        assert (changed["title"], changed["description"], sorted(changed["labels"])) == ("New", "Kept", ["b", "c"])
        assert "Updated draft" in await agent.call("update_merge_request", iid=number, draft=True)
        await agent.call("update_merge_request", iid=number, title="Newer")
        assert get(sandbox, f"/merge_requests/{number}")["title"] == "Draft: Newer"
        await agent.call("update_merge_request", iid=number, draft=False, assignees=["developer"])
        assert get(sandbox, f"/merge_requests/{number}")["title"] == "Newer"
        await agent.call("update_merge_request", iid=number, assignees=[], description="", state="close")
        closed = get(sandbox, f"/merge_requests/{number}")
        assert (closed["assignees"], closed["description"] or "", closed["state"]) == ([], "", "closed")
        await agent.call("update_merge_request", iid=number, state="reopen")
        assert get(sandbox, f"/merge_requests/{number}")["state"] == "opened"


async def test_an_update_of_nothing_is_refused(sandbox: Sandbox) -> None:
    async with connect(settings_for(sandbox)) as agent:
        assert "Nothing to change was given" in await agent.refused("update_merge_request", iid=SEED.merge_request.iid)


async def test_who_reviewed_and_approved_it_is_shown_and_only_some_of_a_thousand_files(sandbox: Sandbox) -> None:
    names = [f"a/long/enough/path/to/file-{number:04}.txt" for number in range(1_000)]
    files = ({"action": "create", "file_path": name, "content": "x\n"} for name in names)
    number = open_for_review(sandbox, "shown", *files)
    async with connect(settings_for(sandbox)) as agent:
        await agent.call("review_merge_request", iid=number, summary="No.", verdict="request_changes")
        asked = await agent.call("get_merge_request", iid=number)
        await agent.call("review_merge_request", iid=number, verdict="approve")
        approved = await agent.call("get_merge_request", iid=number)
    assert "reviewers: @maintainer (requested changes)" in asked
    assert "reviewers: @maintainer · approved by: @maintainer" in approved
    assert "1000+ files changed" in asked
    assert "## Changed files (the first 30; get_merge_request_diff with names_only lists all)\n" in asked
    assert asked.count(" +1 -0 (new)") == 30


async def test_what_gitlab_does_not_tell_of_a_merge_request_is_left_out(sandbox: Sandbox) -> None:
    for part in ("approvals", "reviewers", "diffs", "closes_issues"):
        sandbox.faults.fail("GET", f"{SEED.merge_request.path}/{part}$", status=403)
    async with connect(settings_for(sandbox)) as agent:
        answer = await agent.call("get_merge_request", iid=SEED.merge_request.iid)
    assert "reviewers: @maintainer" in answer
    assert "## Changed files" not in answer
