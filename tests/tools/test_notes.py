"""create_note, called as an agent calls it, and looked at through GitLab's own API."""

import re

import pytest

from gitlab_mcp.sandbox import Sandbox
from tests.support.agent import connect
from tests.support.gitlab_requests import get, writes
from tests.support.seed import SEED
from tests.support.settings import settings_for

FIRST = SEED.crash_notes.first


def note_id(answer: str) -> int:
    match = re.search(r"n(\d+)", answer)
    assert match, answer
    return int(match[1])


async def test_a_note_is_posted_and_answered_with_its_id_and_url(sandbox: Sandbox) -> None:
    async with connect(settings_for(sandbox)) as agent:
        answer = await agent.call("create_note", on="issue", iid=7, body="Looking at it.")
    number = note_id(answer)
    assert answer == f"Commented on #7: n{number}\n{sandbox.url}/acme/app/-{SEED.crash_issue.path}#note_{number}"
    note = get(sandbox, f"{SEED.crash_issue.path}/notes/{number}")
    assert (note["body"], note["author"]["username"]) == ("Looking at it.", "maintainer")


@pytest.mark.parametrize("iid", ["!1", "URL"])
async def test_a_merge_request_is_known_by_its_sign_or_url(sandbox: Sandbox, iid: str) -> None:
    target = f"{sandbox.url}/acme/app/-{SEED.merge_request.path}" if iid == "URL" else iid
    async with connect(settings_for(sandbox)) as agent:
        answer = await agent.call("create_note", iid=target, body="Thanks.")
    assert get(sandbox, f"{SEED.merge_request.path}/notes/{note_id(answer)}")["body"] == "Thanks."


async def test_a_bare_number_needs_on_and_a_contradiction_is_refused(sandbox: Sandbox) -> None:
    async with connect(settings_for(sandbox)) as agent:
        assert 'Give on: "issue"' in await agent.refused("create_note", iid=7, body="x")
        assert "this tool expects an issue" in await agent.refused(
            "create_note", iid=SEED.merge_request.reference, on="issue", body="x"
        )


@pytest.mark.parametrize("form", [str(FIRST), f"n{FIRST}", FIRST, f" #note_{FIRST} ", "discussion", "URL"])
async def test_a_reply_lands_in_the_thread_that_a_note_discussion_or_url_names(sandbox: Sandbox, form: object) -> None:
    [thread] = [
        each for each in get(sandbox, f"{SEED.crash_issue.path}/discussions") if each["notes"][0]["id"] == FIRST
    ]
    names = {
        "discussion": thread["id"],
        "URL": f"{sandbox.url}/acme/app/-{SEED.crash_issue.path}#note_{FIRST}",
    }
    async with connect(settings_for(sandbox)) as agent:
        answer = await agent.call(
            "create_note", iid=SEED.crash_issue.reference, body="Yes.", reply_to=names.get(str(form), form)
        )
    assert answer.startswith("Replied on #7: n")
    notes = get(sandbox, f"{SEED.crash_issue.path}/discussions/{thread['id']}")["notes"]
    assert notes[-1]["id"] == note_id(answer)


async def test_a_reply_to_a_note_far_back_finds_its_thread(sandbox: Sandbox) -> None:
    oldest = get(sandbox, f"{SEED.long_issue.path}/notes?sort=asc&per_page=1&activity_filter=only_comments")[0]["id"]
    async with connect(settings_for(sandbox)) as agent:
        answer = await agent.call("create_note", iid=SEED.long_issue.reference, body="Late.", reply_to=oldest)
        shown = await agent.call("get_issue", iid=SEED.long_issue.iid)
    assert f"n{note_id(answer)} @maintainer" in shown
    assert f"reply to n{oldest}" in shown


async def test_a_reply_to_what_is_not_there_is_refused_before_anything_is_posted(sandbox: Sandbox) -> None:
    async with connect(settings_for(sandbox)) as agent:
        assert "no note 99999" in await agent.refused(
            "create_note", iid=SEED.crash_issue.reference, body="x", reply_to="99999"
        )
        assert "is not the id of a comment" in await agent.refused(
            "create_note", iid=SEED.crash_issue.reference, body="x", reply_to="that one"
        )
        other = f"{sandbox.url}/acme/app/-{SEED.merge_request.path}#note_{SEED.review_notes.praise}"
        assert "URL of a merge request" in await agent.refused(
            "create_note", iid=SEED.crash_issue.reference, body="x", reply_to=other
        )
        elsewhere = f"{sandbox.url}/acme/app/-{SEED.long_issue.path}#note_{FIRST}"
        assert "not the URL of a comment on #7" in await agent.refused(
            "create_note", iid=SEED.crash_issue.reference, body="x", reply_to=elsewhere
        )
        foreign = f"http://other.example/acme/app/-{SEED.crash_issue.path}#note_{FIRST}"
        assert "the only GitLab" in await agent.refused(
            "create_note", iid=SEED.crash_issue.reference, body="x", reply_to=foreign
        )
    assert writes(sandbox) == []


async def test_an_internal_note_is_internal(sandbox: Sandbox) -> None:
    async with connect(settings_for(sandbox)) as agent:
        answer = await agent.call("create_note", iid=SEED.crash_issue.reference, body="For us.", internal=True)
    assert "(internal)" in answer
    assert get(sandbox, f"{SEED.crash_issue.path}/notes/{note_id(answer)}")["internal"] is True


async def test_an_empty_note_and_one_over_gitlabs_limit_are_refused(sandbox: Sandbox) -> None:
    async with connect(settings_for(sandbox)) as agent:
        assert "body is empty" in await agent.refused("create_note", iid=SEED.crash_issue.reference, body=" \n")
        assert "1,000,000" in await agent.refused("create_note", iid=SEED.crash_issue.reference, body="x" * 1_000_001)


async def test_a_user_who_may_not_see_the_issue_gets_an_error(sandbox: Sandbox) -> None:
    async with connect(settings_for(sandbox, SEED.stranger)) as agent:
        assert "404" in await agent.refused("create_note", iid=SEED.confidential_issue.reference, body="x")
