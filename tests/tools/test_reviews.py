"""review_merge_request, called as an agent calls it, and looked at through GitLab's own API."""

import asyncio
import re
from typing import Any

import pytest

from gitlab_mcp.sandbox import Sandbox
from tests.support.agent import connect
from tests.support.gitlab_requests import commit, get, send, writes
from tests.support.merge_requests import ADDED, NEW, OLD, bodies, open_for_review, threads
from tests.support.settings import settings_for

CONFIRMING = ("drop before", "drop after", "502", "429")


async def test_comments_land_on_their_lines_with_a_summary_in_one_go(sandbox: Sandbox) -> None:
    number = open_for_review(sandbox, "whole")
    head = get(sandbox, f"/merge_requests/{number}")["sha"]
    sandbox.faults.clear()
    comments = [
        {"path": NEW, "line": 5, "start_line": 4, "body": "One line will do.", "suggestion": "line 4, both\n"},
        {"path": OLD, "line": 33, "side": "old", "body": "Why is it gone?"},
        {"path": NEW, "line": 37, "body": "A line that did not change."},
        {"path": NEW, "line": 36, "side": "old", "body": "The same, by its old number."},
        {"path": ADDED, "line": 1, "suggestion": "# Pages"},
    ]
    async with connect(settings_for(sandbox)) as agent:
        answer = await agent.call("review_merge_request", iid=number, summary="Nearly.", comments=comments)
    assert re.sub(r"\bn\d+", "n", answer) == (
        f"Reviewed !{number} at {head[:12]}: 6 comments.\n{sandbox.url}/acme/app/-/merge_requests/{number}\n"
        f"n {NEW}:4-5\nn {OLD}:33 (old)\nn {NEW}:37\nn {NEW}:36 (old)\nn {ADDED}:1\nn summary"
    )
    asked = writes(sandbox)
    assert [each.rsplit("/", 1)[1] for each in asked] == ["draft_notes"] * 6 + ["bulk_publish"]
    notes = threads(sandbox, number)
    assert {f"n{note['id']}" for note in notes} == set(re.findall(r"\bn\d+", answer))
    places = {note["body"].split("\n")[0]: note["position"] for note in notes if note["type"] == "DiffNote"}
    assert [
        (at["old_path"], at["new_path"], at["old_line"], at["new_line"])
        for at in (
            places["One line will do."],
            places["Why is it gone?"],
            places["A line that did not change."],
            places["The same, by its old number."],
            places["```suggestion:-0+0"],
        )
    ] == [
        (OLD, NEW, None, 5),
        (OLD, NEW, 33, None),
        (OLD, NEW, 37, 37),
        (OLD, NEW, 36, 36),
        (ADDED, ADDED, None, 1),
    ]
    assert places["One line will do."]["line_range"]["start"]["new_line"] == 4
    suggested = {note["body"][:3]: note["suggestions"] for note in notes if note.get("suggestions")}
    [wide], [narrow] = suggested["One"], suggested["```"]
    assert (wide["from_content"], wide["to_content"]) == ("line 4, new\nline 4, more\n", "line 4, both\n")
    assert (narrow["from_content"], narrow["to_content"]) == ("# Sheets\n", "# Pages\n")
    assert get(sandbox, f"/merge_requests/{number}/reviewers")[0]["state"] == "reviewed"


async def test_a_comment_without_a_line_in_the_diff_is_named_and_the_others_land(sandbox: Sandbox) -> None:
    number = open_for_review(sandbox, "misplaced")
    comments = [
        {"path": NEW, "line": 20, "body": "between the hunks"},
        {"path": NEW, "line": 4, "side": "old", "suggestion": "x"},
        {"path": "README.md", "line": 1, "body": "not changed"},
        {"path": NEW, "line": 4, "start_line": 7, "body": "backwards"},
        {"path": NEW, "line": 4, "body": " "},
        {"path": NEW, "line": 4, "body": "lands"},
    ]
    async with connect(settings_for(sandbox)) as agent:
        answer = await agent.call("review_merge_request", iid=number, comments=comments)
        none = await agent.refused("review_merge_request", iid=number, comments=comments[:3])
        nothing = await agent.refused("review_merge_request", iid=number)
    assert answer.split("Not posted:\n")[1] == (
        f"{NEW}:20: new line 20 is not in the diff, which has 1-8, 31-38\n"
        f"{NEW}:4 (old): a suggestion replaces lines of the new file, and this one is removed\n"
        "README.md:1: the merge request does not change this file\n"
        f"{NEW}:4: start_line 7 is after line 4\n"
        f"{NEW}:4: body is empty"
    )
    assert bodies(sandbox, number) == ["lands"]
    assert "nothing was posted" in none
    assert "Give comments, a summary or verdict" in nothing


async def test_the_same_review_again_or_twice_at_once_posts_nothing_twice(sandbox: Sandbox) -> None:
    number = open_for_review(sandbox, "again")
    comments = [{"path": NEW, "line": 4, "body": "once"}, {"path": NEW, "line": 4, "body": "once"}]
    async with connect(settings_for(sandbox)) as agent:
        whole = {"iid": number, "summary": "In all.", "comments": comments}
        answers = await asyncio.gather(*(agent.call("review_merge_request", **whole) for _ in range(3)))
        more = {**whole, "comments": [*comments, {"path": NEW, "line": 5, "body": "new"}]}
        last = await agent.call("review_merge_request", **more)
    assert sorted("2 of them already posted" in answer for answer in answers) == [False, True, True]
    assert "3 comments (2 of them already posted)" in last
    assert bodies(sandbox, number) == ["In all.", "new", "once"]


@pytest.mark.parametrize("path", ["/draft_notes$", "/bulk_publish$", "/approve$"])
@pytest.mark.parametrize("kind", CONFIRMING)
async def test_a_review_that_meets_a_fault_is_posted_once_and_whole(sandbox: Sandbox, kind: str, path: str) -> None:
    number = open_for_review(sandbox, f"fault-{kind}{path}".replace(" ", "-").replace("$", "").replace("/", "-"))
    sandbox.faults.clear()
    if kind.startswith("drop"):
        sandbox.faults.drop("POST", path, when=kind.removeprefix("drop "))
    elif kind == "429":
        sandbox.faults.rate_limit("POST", path)
    else:
        sandbox.faults.fail("POST", path, status=int(kind))
    comments = [{"path": NEW, "line": 4, "body": "one"}, {"path": NEW, "line": 5, "body": "two"}]
    async with connect(settings_for(sandbox)) as agent:
        whole = {"iid": number, "summary": "all", "comments": comments, "verdict": "approve"}
        assert "3 comments, approved." in await agent.call("review_merge_request", **whole)
    assert bodies(sandbox, number) == ["all", "one", "two"]
    assert get(sandbox, f"/merge_requests/{number}/approvals")["approved"] is True


async def test_a_review_whose_end_is_not_known_is_finished_by_the_same_call(sandbox: Sandbox) -> None:
    number = open_for_review(sandbox, "unknown")
    whole: dict[str, Any] = {"iid": number, "comments": [{"path": NEW, "line": 4, "body": "kept"}]}
    sandbox.faults.clear()
    sandbox.faults.fail("POST", "/bulk_publish$", status=500)
    async with connect(settings_for(sandbox)) as agent:
        assert "500" in await agent.refused("review_merge_request", **whole)
        assert bodies(sandbox, number) == []
        sandbox.faults.clear()
        await agent.call("review_merge_request", **whole)
    assert [each.rsplit("/", 1)[1] for each in writes(sandbox)] == ["bulk_publish"]
    assert bodies(sandbox, number) == ["kept"]


async def test_an_approval_is_of_the_head_that_was_read_by_one_who_may(sandbox: Sandbox) -> None:
    number = open_for_review(sandbox, "approval")
    whole: dict[str, Any] = {"iid": number, "comments": [{"path": NEW, "line": 4, "body": "x"}], "verdict": "approve"}
    async with connect(settings_for(sandbox, "reporter")) as agent:
        assert "cannot approve" in await agent.refused("review_merge_request", **whole)
    async with connect(settings_for(sandbox)) as agent:
        told = await agent.refused("review_merge_request", **whole, sha="0" * 12)
        assert "Its head is" in told
        assert bodies(sandbox, number) == []
        head = get(sandbox, f"/merge_requests/{number}")["sha"]
        assert "approved" in await agent.call("review_merge_request", iid=number, verdict="approve", sha=head[:10])
        assert "1 comment, approved" in await agent.call("review_merge_request", **whole)
        send(sandbox, "PUT", f"/merge_requests/{number}", state_event="close")
        assert "The merge request is closed" in await agent.refused("review_merge_request", **whole)
    assert get(sandbox, f"/merge_requests/{number}/reviewers")[0]["state"] == "approved"


async def test_a_merge_request_that_is_being_prepared_is_waited_for(sandbox: Sandbox) -> None:
    number = open_for_review(sandbox, "prepared")
    one: dict[str, Any] = {"iid": number, "comments": [{"path": NEW, "line": 4, "body": "Seen."}]}
    async with connect(settings_for(sandbox)) as agent:
        sandbox.faults.merge_status("preparing", path=f"/merge_requests/{number}$")
        shown = await agent.call("get_merge_request", iid=number)
        assert "diff not ready yet\nmerge status: preparing" in shown
        sandbox.faults.merge_status("preparing", path=f"/merge_requests/{number}$")
        assert "1 comment" in await agent.call("review_merge_request", **one)
    assert bodies(sandbox, number) == ["Seen."]


async def test_a_merge_request_that_is_never_prepared_is_told_as_such(sandbox: Sandbox) -> None:
    number = open_for_review(sandbox, "never-prepared")
    sandbox.faults.merge_status("preparing", path=f"/merge_requests/{number}$", times=1000)
    async with connect(settings_for(sandbox, deadline=2.0)) as agent:
        told = await agent.refused("get_merge_request_diff", iid=number)
    assert "no diff yet: try again in a moment" in told


async def test_an_approval_that_fails_after_the_comments_says_that_they_are_posted(sandbox: Sandbox) -> None:
    number = open_for_review(sandbox, "partial")
    sandbox.faults.clear()
    sandbox.faults.fail("POST", "/approve$", status=409, body={"message": "SHA does not match HEAD of source branch"})
    whole: dict[str, Any] = {"iid": number, "comments": [{"path": NEW, "line": 4, "body": "x"}], "verdict": "approve"}
    async with connect(settings_for(sandbox)) as agent:
        told = await agent.refused("review_merge_request", **whole)
    assert "the comments are posted, but" in told
    assert "SHA does not match" in told


async def test_changes_are_requested_by_the_reviewers_state_and_never_by_a_quick_action(sandbox: Sandbox) -> None:
    number = open_for_review(sandbox, "changes")
    async with connect(settings_for(sandbox)) as agent:
        whole = {"iid": number, "summary": "/approve\n/request_changes", "verdict": "request_changes"}
        assert "1 comment, changes requested." in await agent.call("review_merge_request", **whole)
        reviewers = get(sandbox, f"/merge_requests/{number}/reviewers")
        assert reviewers[0]["state"] == "requested_changes"
        await agent.call("review_merge_request", iid=number, comments=[{"path": NEW, "line": 4, "body": "and this"}])
    assert get(sandbox, f"/merge_requests/{number}/reviewers")[0]["state"] == "requested_changes"
    assert sandbox.executed_quick_actions == []


async def test_who_is_no_reviewer_is_told_that_changes_are_not_requested(sandbox: Sandbox) -> None:
    number = open_for_review(sandbox, "no-reviewer")
    send(sandbox, "PUT", f"/merge_requests/{number}", reviewer_ids=[])
    async with connect(settings_for(sandbox)) as agent:
        answer = await agent.call("review_merge_request", iid=number, summary="No.", verdict="request_changes")
    assert "Changes are not formally requested: only a reviewer can" in answer
    assert bodies(sandbox, number) == ["No."]


async def test_posted_text_is_neutralized_and_only_a_suggestion_that_cannot_be_is_refused(sandbox: Sandbox) -> None:
    number = open_for_review(sandbox, "inert")
    comments = [
        {"path": NEW, "line": 4, "body": "/close\n@all look", "suggestion": "@all stays\n```\nfence\n```"},
        {"path": NEW, "line": 5, "body": "x", "suggestion": "/merge now"},
    ]
    async with connect(settings_for(sandbox)) as agent:
        answer = await agent.call("review_merge_request", iid=number, comments=comments)
    assert f"{NEW}:5: the suggestion cannot be sent as it is" in answer
    [note] = threads(sandbox, number)
    assert note["body"] == " /close\n`@all` look\n\n````suggestion:-0+0\n@all stays\n```\nfence\n```\n````"
    assert note["suggestions"][0]["to_content"] == "@all stays\n```\nfence\n```\n"
    assert sandbox.executed_quick_actions == []


async def test_draft_comments_that_somebody_left_are_not_published_with_ours(sandbox: Sandbox) -> None:
    number = open_for_review(sandbox, "left")
    send(sandbox, "POST", f"/merge_requests/{number}/draft_notes", "maintainer", note="not finished")
    async with connect(settings_for(sandbox)) as agent:
        comments = [{"path": NEW, "line": 4, "body": "ours"}]
        answer = await agent.call("review_merge_request", iid=number, comments=comments)
    assert "This user has other draft notes here (1)" in answer
    assert bodies(sandbox, number) == ["ours"]


async def test_a_draft_whose_line_gitlab_does_not_find_is_taken_back_and_named(sandbox: Sandbox) -> None:
    number = open_for_review(sandbox, "moved")
    stale = get(sandbox, f"/merge_requests/{number}/diffs")
    changed = {"action": "update", "file_path": NEW, "content": "all new\n"}
    commit(sandbox, "moved", "", changed)
    sandbox.faults.clear()
    sandbox.faults.fail("GET", "/diffs$", status=200, body=stale)
    comments = [{"path": NEW, "line": 5, "body": "on what was"}, {"path": ADDED, "line": 1, "body": "still there"}]
    async with connect(settings_for(sandbox)) as agent:
        answer = await agent.call("review_merge_request", iid=number, comments=comments)
    assert f"{NEW}:5: GitLab does not find this line in the diff" in answer
    assert bodies(sandbox, number) == ["still there"]
    assert get(sandbox, f"/merge_requests/{number}/draft_notes") == []


async def test_a_review_that_is_posted_is_never_told_as_failed(sandbox: Sandbox) -> None:
    number = open_for_review(sandbox, "blind")
    comments = [{"path": NEW, "line": 4, "body": "one"}, {"path": NEW, "line": 4, "body": "two"}]
    sandbox.faults.clear()
    async with connect(settings_for(sandbox)) as agent:
        first = await agent.call("review_merge_request", iid=number, comments=comments)
        sandbox.faults.fail("GET", f"/merge_requests/{number}/reviewers$", status=500, times=50)
        whole = {"iid": number, "summary": "No.", "verdict": "request_changes"}
        blind = await agent.call("review_merge_request", **whole)
    sandbox.faults.clear()
    assert "2 comments." in first
    assert bodies(sandbox, number) == ["No.", "one", "two"]
    assert "Whether changes are formally requested could not be read" in blind
    assert "changes requested." not in blind
