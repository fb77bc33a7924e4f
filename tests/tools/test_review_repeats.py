"""review_merge_request called again, or beside another run: nothing is posted twice, and nothing is left behind."""

from typing import Any

from gitlab_mcp.config.settings import MergeRequestElsewhere
from gitlab_mcp.sandbox import Sandbox
from tests.support.agent import connect
from tests.support.gitlab_requests import get, send, writes
from tests.support.merge_requests import NEW, OLD, bodies, open_for_review, threads
from tests.support.settings import settings_for

ONCE: list[dict[str, Any]] = [{"path": NEW, "line": 4, "body": "once"}]


def position(sandbox: Sandbox, number: int, line: int) -> dict[str, Any]:
    refs = get(sandbox, f"/merge_requests/{number}")["diff_refs"]
    return {**refs, "position_type": "text", "old_path": OLD, "new_path": NEW, "new_line": line}


def notes_asked(sandbox: Sandbox) -> int:
    return sum(each["path"].endswith("/notes") for each in sandbox.faults.requests())


async def test_the_same_review_again_is_found_behind_a_hundred_newer_notes(sandbox: Sandbox) -> None:
    number = open_for_review(sandbox, "long")
    whole = {"iid": number, "comments": ONCE, "summary": "In all."}
    async with connect(settings_for(sandbox)) as agent:
        await agent.call("review_merge_request", **whole)
    for count in range(101):
        send(sandbox, "POST", f"/merge_requests/{number}/notes", body=f"talk {count}")
    async with connect(settings_for(sandbox)) as agent:
        again = await agent.call("review_merge_request", **whole)
    assert "2 comments (2 of them already posted)" in again
    assert [body for body in bodies(sandbox, number) if not body.startswith("talk")] == ["In all.", "once"]


async def test_older_notes_are_not_asked_for_once_all_is_found(sandbox: Sandbox) -> None:
    number = open_for_review(sandbox, "short")
    for count in range(101):
        send(sandbox, "POST", f"/merge_requests/{number}/notes", body=f"talk {count}")
    async with connect(settings_for(sandbox)) as agent:
        await agent.call("review_merge_request", iid=number, comments=ONCE)
        sandbox.faults.clear()
        assert "1 of them already posted" in await agent.call("review_merge_request", iid=number, comments=ONCE)
    assert notes_asked(sandbox) == 1


async def test_the_same_words_on_a_line_and_on_lines_that_end_there_are_two_comments(sandbox: Sandbox) -> None:
    number = open_for_review(sandbox, "ends-there")
    comments = [
        {"path": NEW, "line": 8, "body": "same"},
        {"path": NEW, "line": 8, "start_line": 7, "body": "same"},
        {"path": NEW, "line": 8, "start_line": 6, "body": "same"},
        {"path": NEW, "line": 8, "start_line": 8, "body": "same"},
    ]
    async with connect(settings_for(sandbox)) as agent:
        assert "3 comments." in await agent.call("review_merge_request", iid=number, comments=comments)
        again = await agent.call("review_merge_request", iid=number, comments=comments)
    assert "3 comments (3 of them already posted)" in again
    assert bodies(sandbox, number) == ["same"] * 3


async def test_what_another_run_made_meanwhile_is_not_published_beside_ours(sandbox: Sandbox) -> None:
    number = open_for_review(sandbox, "beside")
    notes, drafts = f"/merge_requests/{number}/discussions", f"/merge_requests/{number}/draft_notes"
    send(sandbox, "POST", notes, "maintainer", body="published", position=position(sandbox, number, 4))
    send(sandbox, "POST", drafts, "maintainer", note="drafted", position=position(sandbox, number, 5))
    sandbox.faults.clear()
    # What this run sees when it begins is from before the other one.
    sandbox.faults.fail("GET", "/draft_notes$", status=200, body=[])
    sandbox.faults.fail("GET", "/notes$", status=200, body=[])
    texts = {"published": 4, "drafted": 5, "ours": 6}
    comments = [{"path": NEW, "line": line, "body": body} for body, line in texts.items()]
    async with connect(settings_for(sandbox)) as agent:
        answer = await agent.call("review_merge_request", iid=number, comments=comments)
    assert "3 comments." in answer
    assert "Not posted" not in answer
    assert bodies(sandbox, number) == ["drafted", "ours", "published"]
    assert get(sandbox, drafts) == []


async def test_changes_that_are_requested_already_are_not_requested_again(sandbox: Sandbox) -> None:
    number = open_for_review(sandbox, "already")
    whole = {"iid": number, "comments": ONCE, "verdict": "request_changes"}
    async with connect(settings_for(sandbox)) as agent:
        await agent.call("review_merge_request", **whole)
        sandbox.faults.clear()
        again = await agent.call("review_merge_request", **whole)
    assert "1 comment (1 of them already posted), changes requested." in again
    assert writes(sandbox) == []


async def test_a_verdict_that_waits_for_other_drafts_says_so_and_blames_no_version(sandbox: Sandbox) -> None:
    number = open_for_review(sandbox, "waits")
    send(sandbox, "POST", f"/merge_requests/{number}/draft_notes", "maintainer", note="not finished")
    async with connect(settings_for(sandbox)) as agent:
        answer = await agent.call("review_merge_request", iid=number, comments=ONCE, verdict="request_changes")
    assert "This user has other draft notes here (1)" in answer
    assert "Changes are not formally requested: publish or delete those drafts, and submit the review again." in answer
    assert "19.2" not in answer
    assert "changes requested." not in answer


async def test_a_review_with_a_secret_is_refused_whole_and_leaves_no_draft(sandbox: Sandbox) -> None:
    number = open_for_review(sandbox, "secret")
    secret = "a-secret-of-this-review-42"
    comments = [{"path": NEW, "line": line, "body": body} for line, body in ((4, "first"), (5, f"look: {secret}"))]
    sandbox.faults.clear()
    async with connect(settings_for(sandbox, secrets=(secret,))) as agent:
        told = await agent.refused("review_merge_request", iid=number, comments=comments)
        summary = await agent.refused("review_merge_request", iid=number, comments=comments[:1], summary=secret)
    assert f"{NEW}:5: The text contains the value of a secret of this run: nothing was sent." in told
    assert "summary: The text contains the value of a secret of this run: nothing was sent." in summary
    assert writes(sandbox) == []


async def test_an_approval_that_this_run_may_not_give_is_refused_before_any_posting(sandbox: Sandbox) -> None:
    number = open_for_review(sandbox, "fork")
    fork = settings_for(
        sandbox,
        in_ci=True,
        own_project=("someone/fork", "999"),
        project="someone/fork",
        merge_request=MergeRequestElsewhere(str(sandbox.project_id), str(number)),
    )
    whole = {"iid": number, "comments": ONCE, "project": str(sandbox.project_id)}
    async with connect(fork) as agent:
        told = await agent.refused("review_merge_request", **whole, verdict="approve")
        assert "--allow-project" in told
        assert 'Nothing was posted; verdict "comment" posts the comments.' in told
        assert bodies(sandbox, number) == []
        assert "1 comment." in await agent.call("review_merge_request", **whole)
    assert [each["body"] for each in threads(sandbox, number)] == ["once"]


async def test_what_is_refused_is_told_once_whatever_its_path_looks_like(sandbox: Sandbox) -> None:
    strange = "a: b.py"
    more = {"action": "create", "file_path": strange, "content": "1\n2\n3\n"}
    number = open_for_review(sandbox, "strange", more)
    comments = [
        {"path": strange, "line": 1, "body": "x" * 1_000_001},
        {"path": strange, "line": 2, "body": "fine"},
        {"path": "tab\tx", "line": 4, "body": "x"},
        {"path": "/src/app.py", "line": 4, "body": "x"},
        {"path": f"./{NEW}", "line": 4, "body": "lands"},
    ]
    async with connect(settings_for(sandbox)) as agent:
        answer = await agent.call("review_merge_request", iid=number, comments=comments)
    [_, not_posted] = answer.split("Not posted:\n")
    assert [line.rpartition(": ")[2] for line in not_posted.split("\n")] == [
        "a path cannot hold control characters",
        'give a path from the root of the repository, such as "src/app.py", not an absolute one',
        "note is too long (maximum is 1000000 characters).",
    ]
    assert not_posted.count("a: b.py:1: ") == 1
    assert bodies(sandbox, number) == ["fine", "lands"]
