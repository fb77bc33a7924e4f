"""The toolset merge: merging what was reviewed and nothing else, and rebasing; looked at through GitLab's own API."""

import pytest

from gitlab_mcp.config.settings import Settings
from gitlab_mcp.sandbox import Sandbox
from tests.support.agent import connect
from tests.support.gitlab_requests import commit, get, send, writes
from tests.support.merge_requests import NEW, OLD, open_for_review
from tests.support.seed import SEED
from tests.support.settings import settings_for


def opted(sandbox: Sandbox) -> Settings:
    return settings_for(sandbox, toolsets=("default", "merge"))


def head_of(sandbox: Sandbox, number: int) -> str:
    return str(get(sandbox, f"/merge_requests/{number}")["sha"])


async def test_the_head_that_was_reviewed_is_merged(sandbox: Sandbox) -> None:
    number = open_for_review(sandbox, "merged")
    async with connect(opted(sandbox)) as agent:
        sha = head_of(sandbox, number)[:12]
        answer = await agent.call("merge_merge_request", iid=number, sha=sha, remove_source_branch=True)
        found = get(sandbox, f"/merge_requests/{number}")
        assert answer == f"Merged !{number} into merged-base as {found['merge_commit_sha'][:12]}.\n{found['web_url']}"
        again = await agent.call("merge_merge_request", iid=number, sha=sha)
        other = await agent.refused("merge_merge_request", iid=number, sha="0" * 40)
    assert found["state"] == "merged"
    assert again == answer
    assert f"is merged, with the head {sha}" in other
    assert get(sandbox, "/repository/branches?search=^merged$") == []


async def test_another_head_than_the_one_reviewed_is_not_merged(sandbox: Sandbox) -> None:
    number = open_for_review(sandbox, "moved-on")
    seen = head_of(sandbox, number)
    commit(sandbox, "moved-on", "", {"action": "create", "file_path": "more.txt", "content": "x"})
    sandbox.faults.clear()
    async with connect(opted(sandbox)) as agent:
        assert "review what is new first" in await agent.refused("merge_merge_request", iid=number, sha=seen)
        assert "sha is empty" in await agent.refused("merge_merge_request", iid=number, sha="")
        assert "at least 7" in await agent.refused("merge_merge_request", iid=number, sha="abc")
    assert writes(sandbox) == []


async def test_what_cannot_be_merged_is_refused_with_what_to_do(sandbox: Sandbox) -> None:
    draft = open_for_review(sandbox, "a-draft")
    send(sandbox, "PUT", f"/merge_requests/{draft}", title="Draft: not yet")
    clash = open_for_review(sandbox, "clash")
    commit(sandbox, "clash-base", "", {"action": "update", "file_path": OLD, "content": "other\n"})
    closed = open_for_review(sandbox, "closed")
    send(sandbox, "PUT", f"/merge_requests/{closed}", state_event="close")
    sandbox.faults.clear()
    told = {draft: "It is a draft: update_merge_request", clash: "conflicts with its target", closed: "is closed"}
    async with connect(opted(sandbox)) as agent:
        for number, why in told.items():
            sha = head_of(sandbox, number)
            assert why in await agent.refused("merge_merge_request", iid=number, sha=sha)
            assert why in await agent.refused("merge_merge_request", iid=number, sha=sha, auto_merge=True)
    assert writes(sandbox) == []


async def test_a_refusal_of_gitlabs_is_explained_by_the_state_it_is_in(sandbox: Sandbox) -> None:
    number = open_for_review(sandbox, "refused")
    sandbox.faults.fail("PUT", "/merge$", status=405, body={"message": "405 Method Not Allowed"})
    async with connect(opted(sandbox)) as agent:
        told = await agent.refused("merge_merge_request", iid=number, sha=head_of(sandbox, number))
    assert f"GitLab does not merge !{number}: GitLab says mergeable." in told


@pytest.mark.parametrize("status", ["preparing", "unchecked", "checking"])
async def test_a_status_that_is_still_checked_is_asked_for_again(sandbox: Sandbox, status: str) -> None:
    number = open_for_review(sandbox, status)
    sha = head_of(sandbox, number)
    sandbox.faults.merge_status(status, path=f"/merge_requests/{number}$", times=2)
    async with connect(opted(sandbox)) as agent:
        shown = await agent.call("get_merge_request", iid=number)
        assert f"merge status: {status}" in shown
        assert "Merged" in await agent.call("merge_merge_request", iid=number, sha=sha)


async def test_a_check_that_does_not_end_is_told_within_the_deadline(sandbox: Sandbox) -> None:
    number = open_for_review(sandbox, "endless")
    sha = head_of(sandbox, number)
    sandbox.faults.clear()
    sandbox.faults.merge_status("checking", path=f"/merge_requests/{number}$", times=1000)
    async with connect(settings_for(sandbox, toolsets=("default", "merge"), deadline=2.0)) as agent:
        told = await agent.refused("merge_merge_request", iid=number, sha=sha)
    assert "GitLab still checks it: try again in a moment." in told
    assert writes(sandbox) == []


async def test_a_pipeline_that_must_succeed_is_told_with_what_to_do(fresh_sandbox: Sandbox) -> None:
    number = open_for_review(fresh_sandbox, "must-succeed")
    send(fresh_sandbox, "PUT", "", who="maintainer", only_allow_merge_if_pipeline_succeeds=True)
    async with connect(opted(fresh_sandbox)) as agent:
        sha = head_of(fresh_sandbox, number)
        assert "pipeline has not finished. auto_merge: true" in await agent.refused(
            "merge_merge_request", iid=number, sha=sha
        )
        assert "auto-merge" in await agent.call("merge_merge_request", iid=number, sha=sha, auto_merge=True)


async def test_auto_merge_with_nothing_to_wait_for_merges_at_once(fresh_sandbox: Sandbox) -> None:
    """GitLab refuses auto-merge where no pipeline is left to wait for (lib/api/merge_requests.rb)."""
    number = open_for_review(fresh_sandbox, "at-once")
    for pipeline in fresh_sandbox.world.projects[fresh_sandbox.project_id].pipelines.values():
        pipeline.status = "skipped"
    async with connect(opted(fresh_sandbox)) as agent:
        sha = head_of(fresh_sandbox, number)
        answer = await agent.call("merge_merge_request", iid=number, sha=sha, auto_merge=True)
    assert answer.startswith(f"Merged !{number} into at-once-base as ")


async def test_a_merge_request_whose_branch_was_deleted_is_closed(sandbox: Sandbox) -> None:
    number = open_for_review(sandbox, "deleted")
    sha = head_of(sandbox, number)
    send(sandbox, "DELETE", "/repository/branches/deleted")
    async with connect(opted(sandbox)) as agent:
        assert f"!{number} is closed, with the head {sha[:12]}" in await agent.refused(
            "merge_merge_request", iid=number, sha=sha
        )
        assert "(closed)" in await agent.call("get_merge_request", iid=number)
        system = await agent.call("get_merge_request", iid=number, detail="full")
    assert "deleted source branch `deleted`" in system


@pytest.mark.parametrize("kind", ["drop before", "drop after", "502"])
async def test_a_merge_whose_answer_is_lost_happens_once(sandbox: Sandbox, kind: str) -> None:
    number = open_for_review(sandbox, f"lost-{kind}".replace(" ", "-"))
    sandbox.faults.clear()
    if kind == "502":
        sandbox.faults.fail("PUT", "/merge$", status=502)
    else:
        sandbox.faults.drop("PUT", "/merge$", when=kind.removeprefix("drop "))
    async with connect(opted(sandbox)) as agent:
        answer = await agent.call("merge_merge_request", iid=number, sha=head_of(sandbox, number))
    assert ("a lookup confirmed it" in answer) == (kind == "drop after")
    assert get(sandbox, f"/merge_requests/{number}")["state"] == "merged"


async def test_with_auto_merge_gitlab_waits_for_the_pipeline(sandbox: Sandbox) -> None:
    number = open_for_review(sandbox, "waits")
    async with connect(opted(sandbox)) as agent:
        answer = await agent.call("merge_merge_request", iid=number, sha=head_of(sandbox, number), auto_merge=True)
    assert f"!{number} is set to auto-merge into waits-base" in answer
    found = get(sandbox, f"/merge_requests/{number}")
    assert (found["state"], found["merge_when_pipeline_succeeds"]) == ("opened", True)


async def test_a_rebase_is_waited_for_and_answered_with_the_new_head(sandbox: Sandbox) -> None:
    number = open_for_review(sandbox, "rebased")
    commit(sandbox, "rebased-base", "", {"action": "create", "file_path": "base.txt", "content": "x"})
    before = head_of(sandbox, number)
    sandbox.faults.clear()
    async with connect(opted(sandbox)) as agent:
        answer = await agent.call("rebase_merge_request", iid=number)
        after = head_of(sandbox, number)
        assert answer.startswith(f"Rebased !{number} onto rebased-base: its head is {after[:12]} now.")
        again = await agent.call("rebase_merge_request", iid=number)
    assert after != before
    assert again.startswith(f"!{number} is already on top of rebased-base: its head is still {after[:12]}.")
    assert len(writes(sandbox)) == 1
    polls = [each for each in sandbox.faults.requests() if "include_rebase_in_progress" in each["query"]]
    assert len(polls) > 2


@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_rebase_whose_answer_is_lost_is_looked_up(sandbox: Sandbox, when: str) -> None:
    number = open_for_review(sandbox, f"rebase-{when}")
    commit(sandbox, f"rebase-{when}-base", "", {"action": "create", "file_path": "base.txt", "content": "x"})
    sandbox.faults.clear()
    sandbox.faults.drop("PUT", "/rebase$", when=when)
    async with connect(opted(sandbox)) as agent:
        answer = await agent.call("rebase_merge_request", iid=number)
    assert ("a lookup confirmed it" in answer) == (when == "after")
    assert len(writes(sandbox)) == (1 if when == "after" else 2)


async def test_a_rebase_that_conflicts_says_so_and_leaves_the_branch(sandbox: Sandbox) -> None:
    number = open_for_review(sandbox, "conflicts")
    change = {"action": "update", "file_path": OLD, "content": "other\n"}
    commit(sandbox, "conflicts-base", "", change, {"action": "create", "file_path": NEW, "content": "mine\n"})
    before = head_of(sandbox, number)
    async with connect(opted(sandbox)) as agent:
        told = await agent.refused("rebase_merge_request", iid=number)
    assert "was not rebased: Rebase failed" in told
    assert head_of(sandbox, number) == before


async def test_a_rebase_that_does_not_end_in_time_says_how_to_look(sandbox: Sandbox) -> None:
    number = open_for_review(sandbox, "slow")
    commit(sandbox, "slow-base", "", {"action": "create", "file_path": "base.txt", "content": "x"})
    behind = {**get(sandbox, f"/merge_requests/{number}"), "diverged_commits_count": 1}
    going = {**behind, "rebase_in_progress": True}
    sandbox.faults.fail("GET", f"/merge_requests/{number}$", status=200, body=behind)
    sandbox.faults.fail("GET", f"/merge_requests/{number}$", status=200, body=going, times=1000)
    async with connect(settings_for(sandbox, toolsets=("default", "merge"), deadline=2.0)) as agent:
        told = await agent.refused("rebase_merge_request", iid=number)
    assert "still being rebased" in told
    assert "get_merge_request" in told


async def test_a_branch_that_is_gone_or_protected_is_not_rebased(sandbox: Sandbox) -> None:
    gone = open_for_review(sandbox, "gone")
    send(sandbox, "DELETE", "/repository/branches/gone")
    kept = open_for_review(sandbox, "kept")
    commit(sandbox, "kept-base", "", {"action": "create", "file_path": "ahead.txt", "content": "x"})
    sandbox.world.projects[sandbox.project_id].protected["kept"] = 30
    async with connect(opted(sandbox)) as agent:
        assert "is closed: only an open one" in await agent.refused("rebase_merge_request", iid=gone)
        assert "protected from force push" in await agent.refused("rebase_merge_request", iid=kept)


async def test_without_being_asked_for_neither_is_listed(sandbox: Sandbox) -> None:
    async with connect(settings_for(sandbox)) as agent:
        told = await agent.refused("merge_merge_request", iid=SEED.merge_request.iid, sha="a" * 40)
    assert "--toolsets default,merge adds it" in told
