"""review_merge_request with submit: false: drafts that a person publishes, each once, and where they are."""

from typing import Any

import pytest

from gitlab_mcp.sandbox import Sandbox
from tests.support.agent import connect
from tests.support.gitlab_requests import get, send, writes
from tests.support.merge_requests import NEW, OLD, bodies, open_for_review
from tests.support.settings import settings_for
from tests.support.write_faults import FAULTS, fault

COMMENTS: list[dict[str, Any]] = [
    {"path": NEW, "line": 5, "start_line": 4, "body": "One line will do."},
    {"path": OLD, "line": 33, "side": "old", "body": "Why is it gone?"},
]


def drafts(sandbox: Sandbox, number: int) -> list[str]:
    return [draft["note"] for draft in get(sandbox, f"/merge_requests/{number}/draft_notes")]


async def test_comments_and_summary_are_left_as_drafts_and_the_answer_says_where(sandbox: Sandbox) -> None:
    number = open_for_review(sandbox, "drafted")
    head = get(sandbox, f"/merge_requests/{number}")["sha"]
    sandbox.faults.clear()
    review = {"iid": number, "comments": COMMENTS, "summary": "Nearly."}
    async with connect(settings_for(sandbox)) as agent:
        answer = await agent.call("review_merge_request", **review, submit=False)
        assert answer == (
            f"Not submitted: 3 drafts on !{number} at {head[:12]}."
            " Only @maintainer sees them, and publishes them there with Finish review:\n"
            f"{sandbox.url}/acme/app/-/merge_requests/{number}\n{NEW}:4-5\n{OLD}:33 (old)\nsummary"
        )
        assert [each.rsplit("/", 1)[1] for each in writes(sandbox)] == ["draft_notes"] * 3
        assert drafts(sandbox, number) == ["One line will do.", "Why is it gone?", "Nearly."]
        assert bodies(sandbox, number) == []
        assert await agent.call("review_merge_request", **review, submit=False) == answer
        assert len(writes(sandbox)) == 3
        assert "3 comments." in await agent.call("review_merge_request", **review)
    assert (drafts(sandbox, number), len(bodies(sandbox, number))) == ([], 3)


async def test_what_is_posted_already_is_not_drafted_again(sandbox: Sandbox) -> None:
    number = open_for_review(sandbox, "drafted-after")
    async with connect(settings_for(sandbox)) as agent:
        await agent.call("review_merge_request", iid=number, comments=COMMENTS[:1])
        answer = await agent.call("review_merge_request", iid=number, comments=COMMENTS, submit=False)
    assert answer.startswith(f"Not submitted: 1 draft on !{number} at ")
    assert ", 1 more posted already. Only @maintainer" in answer
    assert drafts(sandbox, number) == ["Why is it gone?"]


async def test_the_drafts_of_the_person_are_left_alone(sandbox: Sandbox) -> None:
    number = open_for_review(sandbox, "drafted-beside")
    send(sandbox, "POST", f"/merge_requests/{number}/draft_notes", "maintainer", note="a person's own")
    async with connect(settings_for(sandbox)) as agent:
        answer = await agent.call("review_merge_request", iid=number, comments=COMMENTS, submit=False)
    assert answer.endswith("This user has other draft notes here too (1).")
    assert drafts(sandbox, number) == ["a person's own", "One line will do.", "Why is it gone?"]


async def test_a_comment_off_the_diff_is_named_and_the_others_are_drafted(sandbox: Sandbox) -> None:
    number = open_for_review(sandbox, "drafted-off")
    comments = [*COMMENTS, {"path": "README.md", "line": 1, "body": "not changed"}]
    async with connect(settings_for(sandbox)) as agent:
        answer = await agent.call("review_merge_request", iid=number, comments=comments, submit=False)
    assert "Not posted:\nREADME.md:1" in answer
    assert len(drafts(sandbox, number)) == 2


@pytest.mark.parametrize("kind", FAULTS[:3])
async def test_a_draft_is_created_once_whatever_happens(sandbox: Sandbox, kind: str) -> None:
    number = open_for_review(sandbox, f"drafted-{FAULTS.index(kind)}")
    fault(sandbox, kind, "POST", "/draft_notes$")
    async with connect(settings_for(sandbox, deadline=10.0)) as agent:
        await agent.call("review_merge_request", iid=number, comments=COMMENTS, submit=False)
    assert drafts(sandbox, number) == ["One line will do.", "Why is it gone?"]


@pytest.mark.parametrize("verdict", ["approve", "request_changes"])
async def test_a_verdict_cannot_be_a_draft(sandbox: Sandbox, verdict: str) -> None:
    number = open_for_review(sandbox, f"drafted-{verdict}")
    sandbox.faults.clear()
    async with connect(settings_for(sandbox)) as agent:
        told = await agent.refused("review_merge_request", iid=number, summary="x", verdict=verdict, submit=False)
    assert "A verdict cannot be a draft" in told
    assert writes(sandbox) == []


async def test_a_bot_leaves_no_drafts_since_nobody_would_see_them(sandbox: Sandbox) -> None:
    number = open_for_review(sandbox, "drafted-by-bot")
    sandbox.faults.clear()
    sandbox.faults.fail("GET", "/user$", 200, {"id": 2, "username": "project_1_bot_5f0f", "bot": True}, times=9)
    async with connect(settings_for(sandbox)) as agent:
        told = await agent.refused("review_merge_request", iid=number, comments=COMMENTS, submit=False)
    assert "here @project_1_bot_5f0f, the bot of an access token, as which no person can sign in" in told
    assert writes(sandbox) == []
