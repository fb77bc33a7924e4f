"""Threads: listing them with their code, resolving them, changing one's own comment; looked at through GitLab's API."""

import re
from typing import Any

import pytest

from gitlab_mcp.sandbox import Sandbox
from gitlab_mcp.sandbox.state.notes import Note, discussion_id
from tests.support.agent import Agent, connect
from tests.support.gitlab_requests import commit, get, send, writes
from tests.support.merge_requests import AFTER, NEW, OLD, open_for_review, text
from tests.support.seed import SEED
from tests.support.settings import settings_for

OPTED = ("default", "discussions")
MERGE_REQUEST = SEED.merge_request
STDERR, FULL_STOP = SEED.review_notes.stderr, SEED.review_notes.full_stop
SEEDED = """# !1: 3 threads, 1 unresolved, newest first

## docs/usage.md:6 · resolved
```
6 | `--verbose` | say what is read |
```
n155 @maintainer 2026-11-04
> A full stop is missing.

## src/app/cli.py:14 · unresolved
```
14     if options.verbose:
```
n153 @maintainer 2026-11-04
> Please print this to stderr.
n154 @developer 2026-11-04
> Will do.

## Comment
n152 @reporter 2026-11-03
> Nice, I have been waiting for this."""


def pages_of(answer: str) -> int:
    match = re.search(r"\nnext: list_discussions .*\"page\": (\d+)}\Z", answer)
    return int(match[1]) if match else 0


async def every_page(agent: Agent, **arguments: Any) -> list[str]:
    """All pages, each got by the call that the one before ends with."""
    found = [await agent.call("list_discussions", **arguments)]
    while page := pages_of(found[-1]):
        found.append(await agent.call("list_discussions", **arguments, page=page))
    return found


async def test_threads_are_listed_with_the_lines_that_they_hang_on(fresh_sandbox: Sandbox) -> None:
    async with connect(settings_for(fresh_sandbox)) as agent:
        assert await agent.call("list_discussions", iid=MERGE_REQUEST.reference) == SEEDED
        still_open = await agent.call("list_discussions", iid=MERGE_REQUEST.reference, unresolved=True)
    assert still_open.startswith("# !1: 1 unresolved thread, newest first\n\n## src/app/cli.py:14")
    assert "n155" not in still_open


async def test_the_threads_of_an_issue_are_comments_and_answers(fresh_sandbox: Sandbox) -> None:
    async with connect(settings_for(fresh_sandbox)) as agent:
        answer = await agent.call("list_discussions", iid=7, on="issue")
        assert await agent.call("list_discussions", iid=SEED.plan_issue.reference) == "# #1: 0 threads"
    assert answer.startswith("# #7: 2 threads")
    assert "n149 @maintainer" in answer.split("## Thread")[1]


async def test_comments_on_ranges_removed_lines_and_older_versions_show_their_code(sandbox: Sandbox) -> None:
    number = open_for_review(sandbox, "code")
    comments = [
        {"path": NEW, "line": 5, "start_line": 4, "body": "both"},
        {"path": NEW, "line": 33, "side": "old", "body": "gone"},
    ]
    async with connect(settings_for(sandbox)) as agent:
        await agent.call("review_merge_request", iid=number, comments=comments)
        answer = await agent.call("list_discussions", iid=f"!{number}")
        commit(sandbox, "code", "", {"action": "update", "file_path": NEW, "content": "all new\n"})
        later = await agent.call("list_discussions", iid=f"!{number}")
    assert f"## {NEW}:5 · unresolved\n```\n4 line 4, new\n5 line 4, more\n```\n" in answer
    assert f"## {OLD}:33 (old) · unresolved\n```\n33 line 33\n```\n" in answer
    assert f"## {NEW}:5 · on an older version · unresolved\n```\n4 line 4, new\n" in later


@pytest.mark.parametrize("form", [str(STDERR), f"n{STDERR}", SEED.review_notes.stderr_reply, "discussion", "URL"])
async def test_a_thread_is_resolved_and_reopened_by_any_of_its_names(sandbox: Sandbox, form: object) -> None:
    [thread] = [each for each in get(sandbox, f"{MERGE_REQUEST.path}/discussions") if each["notes"][0]["id"] == STDERR]
    url = f"{sandbox.url}/acme/app/-{MERGE_REQUEST.path}#note_{STDERR}"
    name = {"discussion": thread["id"], "URL": url}.get(str(form), form)
    arguments = {"thread": name, **({} if form == "URL" else {"iid": MERGE_REQUEST.reference})}
    async with connect(settings_for(sandbox)) as agent:
        assert await agent.call("resolve_discussion", **arguments) == f"Resolved the thread of n153 on !1.\n{url}"
        assert get(sandbox, f"{MERGE_REQUEST.path}/discussions/{thread['id']}")["resolved"] is True
        reopened = await agent.call("resolve_discussion", **arguments, resolved=False)
    assert reopened.startswith("Reopened the thread of n153")
    assert get(sandbox, f"{MERGE_REQUEST.path}/discussions/{thread['id']}")["resolved"] is False


@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_thread_whose_resolving_lost_its_answer_is_looked_up(sandbox: Sandbox, when: str) -> None:
    sandbox.faults.drop("PUT", "/discussions/", when=when)
    async with connect(settings_for(sandbox)) as agent:
        answer = await agent.call("resolve_discussion", iid=MERGE_REQUEST.reference, thread=STDERR)
        await agent.call("resolve_discussion", iid=MERGE_REQUEST.reference, thread=STDERR, resolved=False)
    assert ("a lookup confirmed it" in answer) == (when == "after")
    assert len(writes(sandbox)) == (2 if when == "after" else 3)


async def test_what_is_no_thread_is_refused(sandbox: Sandbox) -> None:
    async with connect(settings_for(sandbox)) as agent:
        assert "no note 99999" in await agent.refused("resolve_discussion", iid=MERGE_REQUEST.reference, thread="99999")
        assert "thread is empty" in await agent.refused("resolve_discussion", iid=MERGE_REQUEST.reference, thread=" ")
        assert "iid is missing" in await agent.refused("resolve_discussion", thread=str(STDERR))
    assert writes(sandbox) == []


async def test_ones_own_comment_is_changed_and_nobody_elses(sandbox: Sandbox) -> None:
    async with connect(settings_for(sandbox, toolsets=OPTED)) as agent:
        answer = await agent.call(
            "update_note",
            iid=MERGE_REQUEST.reference,
            note=f"n{FULL_STOP}",
            body="A comma is missing.\n/close",
        )
        url = f"{sandbox.url}/acme/app/-{MERGE_REQUEST.path}"
        assert answer == f"Updated n{FULL_STOP} on !1.\n{url}#note_{FULL_STOP}"
        assert get(sandbox, f"{MERGE_REQUEST.path}/notes/{FULL_STOP}")["body"] == "A comma is missing.\n /close"
        await agent.call("update_note", note=f"{url}#note_{FULL_STOP}", body="By its URL.")
        assert "only its author" in await agent.refused(
            "update_note", iid=MERGE_REQUEST.reference, note=SEED.review_notes.stderr_reply, body="Not mine."
        )
        assert "give the id" in await agent.refused("update_note", iid=MERGE_REQUEST.reference, note="that", body="x")
        assert "1 to 1,000,000" in await agent.refused(
            "update_note", iid=MERGE_REQUEST.reference, note=FULL_STOP, body=" "
        )
    assert get(sandbox, f"{MERGE_REQUEST.path}/notes/{FULL_STOP}")["body"] == "By its URL."
    async with connect(settings_for(sandbox)) as agent:
        assert "--toolsets default,discussions" in await agent.refused(
            "update_note", iid=MERGE_REQUEST.reference, note=FULL_STOP, body="x"
        )


@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_change_whose_answer_is_lost_is_looked_up(sandbox: Sandbox, when: str) -> None:
    sandbox.faults.drop("PUT", f"/notes/{FULL_STOP}$", when=when)
    async with connect(settings_for(sandbox, toolsets=OPTED)) as agent:
        answer = await agent.call("update_note", iid=MERGE_REQUEST.reference, note=FULL_STOP, body=f"lost {when}")
    assert ("a lookup confirmed it" in answer) == (when == "after")
    assert get(sandbox, f"{MERGE_REQUEST.path}/notes/{FULL_STOP}")["body"] == f"lost {when}"


async def test_five_thousand_comments_come_in_pages_and_a_long_thread_is_shortened(fresh_sandbox: Sandbox) -> None:
    number = open_for_review(fresh_sandbox, "full")
    one = fresh_sandbox.world.projects[fresh_sandbox.project_id].merge_requests[number]
    for index in range(4_950):
        # One thread of fifty, then threads of two.
        thread = discussion_id(10_000_000 + (0 if index < 50 else index // 2))
        author, when = one.author, one.created_at
        one.notes.append(Note(200_000 + index, author, f"words {index} " * 20, when, when, thread, "DiscussionNote"))
    async with connect(settings_for(fresh_sandbox)) as agent:
        first = await agent.call("list_discussions", iid=f"!{number}")
        pages = [await agent.call("list_discussions", iid=f"!{number}", page=page) for page in (2, 100)]
        last = await agent.call("list_discussions", iid=f"!{number}", page=246)
        beyond = await agent.call("list_discussions", iid=f"!{number}", page=300)
    assert first.startswith(f"# !{number}: 2,451 threads, 2,451 unresolved, newest first · page 1")
    assert [pages_of(page) for page in (first, *pages, last)] == [2, 3, 101, 0]
    assert max(len(page.encode()) for page in (first, last, *pages)) <= 40_000
    assert "(40 more here: the pages of comments have them)" in last
    assert "none on page 300" in beyond


async def test_a_resolved_thread_is_found_by_its_note_among_many(sandbox: Sandbox) -> None:
    number = open_for_review(sandbox, "many-threads")
    ids = [
        send(sandbox, "POST", f"/merge_requests/{number}/discussions", body=f"thread {index}")["notes"][0]["id"]
        for index in range(25)
    ]
    async with connect(settings_for(sandbox)) as agent:
        for note in ids[:3]:
            await agent.call("resolve_discussion", iid=f"!{number}", thread=note)
        pages = await every_page(agent, iid=f"!{number}", unresolved=True)
    assert [int(found) for page in pages for found in re.findall(r"^n(\d+) ", page, re.MULTILINE)] == ids[:2:-1]


async def test_a_thread_follows_its_line_through_a_push_or_is_told_as_older(sandbox: Sandbox) -> None:
    number = open_for_review(sandbox, "followed")
    refs = get(sandbox, f"/merge_requests/{number}")["diff_refs"]
    for line, body in ((4, "Stays"), (5, "Goes")):
        position = {**refs, "position_type": "text", "old_path": OLD, "new_path": NEW, "new_line": line}
        send(sandbox, "POST", f"/merge_requests/{number}/discussions", body=body, position=position)
    both = [{"path": NEW, "line": 4, "start_line": 3, "body": "Both"}]
    async with connect(settings_for(sandbox)) as agent:
        await agent.call("review_merge_request", iid=number, comments=both)
    lines = ["new first", *AFTER[:4], *AFTER[5:]]
    commit(sandbox, "followed", "", {"action": "update", "file_path": NEW, "content": text(lines)})
    async with connect(settings_for(sandbox)) as agent:
        answer = await agent.call("list_discussions", iid=f"!{number}")
    assert f"## {NEW}:5 · unresolved\n```\n5 line 4, new\n```" in answer
    assert f"## {NEW}:5 · unresolved\n```\n4 line 3\n5 line 4, new\n```" in answer
    assert f"## {NEW}:5 · on an older version · unresolved\n```\n5 line 4, more\n```" in answer
    assert "changed this line" not in answer
