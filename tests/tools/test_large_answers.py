"""What is too large for one answer, read as an agent reads it: bounded, and the rest is where the answer says it is."""

import json
import re
from typing import Any

import pytest

from gitlab_mcp.config.settings import Settings
from gitlab_mcp.sandbox import Sandbox
from gitlab_mcp.sandbox.seed.job_logs import job_log
from gitlab_mcp.sandbox.state import activity
from tests.support.agent import connect
from tests.support.continuations import fenced, followed, next_call
from tests.support.gitlab_requests import commit, send
from tests.support.job_logs import job_with, numbered
from tests.support.settings import job_settings, settings_for

BACKENDS = {"REST": settings_for, "git": job_settings}
LINE = 2_500_000


@pytest.fixture
def settings(sandbox: Sandbox, backend: str) -> Settings:
    return BACKENDS[backend](sandbox)


@pytest.fixture(scope="module")
def large(sandbox: Sandbox) -> str:
    """A file of 5 MB at the branch large: lines, one that is long, and lines again."""
    lines = [f"line {number} of many, Zeile für Zeile" for number in range(60_000)]
    long = "".join(f"{number}é\u202e\t" for number in range(LINE // 11))
    content = "\n".join([*lines, long, "the line before the last", "the last line"])
    assert len(content.encode()) > 4_800_000
    wide = "".join(f"{number:09}," for number in range(500_000))
    files = {"large.txt": f"{content}\n", "wide.txt": wide}
    commit(sandbox, "large", "main", *({"action": "create", "file_path": p, "content": c} for p, c in files.items()))
    return content


async def test_a_file_of_5_mb_is_read_whole_by_the_calls_that_its_answers_name(sandbox: Sandbox, large: str) -> None:
    given: dict[str, Any] = {"path": "large.txt", "ref": "large", "start_line": 1, "end_line": 60_003}
    answers: dict[str, str] = {}
    read, call = "", given
    async with connect(job_settings(sandbox)) as over_git, connect(settings_for(sandbox)) as over_rest:
        for agent in (over_git, over_rest):
            told = await agent.call("get_file", path="large.txt", ref="large")
            assert told.endswith("60,003 lines, too large to show whole: give start_line and end_line.")
        async for answer in followed(over_git, "get_file", **given):
            [code] = fenced(answer)
            read += code if call.get("start_column", 1) > 1 or not read else f"\n{code}"
            answers[json.dumps(call)] = answer
            _, call = next_call(answer, "get_file", call) or ("", {})
        asked = [*answers]
        for each in (asked[0], asked[1], asked[len(asked) // 2], asked[-2], asked[-1]):
            answer = await over_rest.call("get_file", **json.loads(each))
            assert answer.partition(" · lines ")[2] == answers[each].partition(" · lines ")[2] != ""
    assert read == large.replace("\u202e", "<U+202E>")
    assert len(asked) > 100


@pytest.mark.parametrize("backend", ["REST", "git"])
async def test_a_line_of_5_mb_goes_on_where_the_answer_says_so_on_either_backend(
    settings: Settings, large: str
) -> None:
    assert large
    async with connect(settings) as agent:
        given = {"path": "wide.txt", "ref": "large", "start_line": 1, "end_line": 1}
        answer = await agent.call("get_file", **given)
        read = ""
        for _ in range(5):
            assert len(answer.encode()) <= 40_000
            read += fenced(answer)[0]
            call = next_call(answer, "get_file", given)
            assert call is not None
            answer = await agent.call("get_file", **call[1])
        [code] = fenced(await agent.call("get_file", **{**given, "start_column": 4_990_001}))
        told = await agent.call("get_file", **{**given, "start_column": 5_000_001})
        marked = await agent.call("get_file", **{**given, "start_column": 31}, line_numbers=True, detail="full")
    assert read == "".join(f"{number:09}," for number in range(len(read) // 10 + 1))[: len(read)]
    assert len(read) > 150_000
    assert code == "".join(f"{number:09}," for number in range(499_000, 500_000))
    assert "Line 1 has 5,000,000 characters; start_column 5000001 is after its end." in told
    assert re.search(r"\n[0-9a-f]{8} .* \d{4}-\d\d-\d\d\t1\t000000003,", marked)


@pytest.mark.parametrize("backend", ["REST", "git"])
async def test_what_follows_a_long_line_is_got_on_either_backend(settings: Settings, large: str) -> None:
    length = len(large.split("\n")[60_000])
    async with connect(settings) as agent:
        given = {"path": "large.txt", "ref": "large", "start_line": 60_001, "start_column": length - 50_000}
        answers = [answer async for answer in followed(agent, "get_file", **given)]
    read = "".join(fenced(answer)[0] for answer in answers)
    assert read == large.replace("\u202e", "<U+202E>")[-len(read) :]
    assert read.endswith("\nthe line before the last\nthe last line")
    assert len(answers) > 1


async def test_5000_comments_are_all_on_the_pages_that_answers_count(sandbox: Sandbox) -> None:
    number = send(sandbox, "POST", "/issues", title="Much was said")["iid"]
    world = sandbox.world
    issue, people = world.projects[sandbox.project_id].issues[number], [*world.users.values()][:2]
    notes = [activity.comment(world, issue, people[each % 2], f"comment {each}") for each in range(5_000)]
    seen: list[str] = []
    async with connect(settings_for(sandbox)) as agent:
        for page in (1, 2, 125, 249, 250):
            answer = await agent.call("get_issue", iid=number, page=page)
            assert len(answer.encode()) <= 40_000
            assert f"of 5,000{'' if page == 250 else f'; page {page + 1}: older ones'})" in answer
            found = re.findall(r"(?m)^> comment (\d+)$", answer)
            assert found == [str(5_000 - page * 20 + each) for each in range(20)]
            seen += found
        beyond = await agent.call("get_issue", iid=number, page=251)
        threads = [await agent.call("list_discussions", iid=f"#{number}", page=page) for page in (1, 2, 250, 499, 500)]
    assert len(set(seen)) == 100
    assert "## No comments on page 251" in beyond
    for page, answer in zip((1, 2, 250, 499, 500), threads, strict=True):
        assert answer.startswith(f"# #{number}: 5,000 threads, newest first · page {page}\n")
        assert len(answer.encode()) <= 40_000
        assert (
            re.findall(r"(?m)^n(\d+) @", answer) == [str(note.id) for note in notes[::-1]][page * 10 - 10 : page * 10]
        )
        call = next_call(answer, "list_discussions", {})
        assert call == (("list_discussions", {"iid": f"#{number}", "page": page + 1}) if page < 500 else None)


async def test_5000_comments_in_a_thread_are_cut_there_and_complete_on_comment_pages(sandbox: Sandbox) -> None:
    number = send(sandbox, "POST", "/issues", title="A long thread")["iid"]
    world = sandbox.world
    issue, author = world.projects[sandbox.project_id].issues[number], world.user_by_name("developer")
    assert author is not None
    first = activity.comment(world, issue, author, "comment 0", type="DiscussionNote")
    for each in range(1, 5_000):
        activity.comment(world, issue, author, f"comment {each}", type="DiscussionNote", thread=first.discussion_id)
    async with connect(settings_for(sandbox)) as agent:
        answer = await agent.call("list_discussions", iid=f"#{number}")
        pages = [await agent.call("get_issue", iid=number, page=page) for page in (1, 2, 250)]
    assert "(4990 more here: the pages of comments have them)" in answer
    for page, found in zip((1, 2, 250), pages, strict=True):
        shown = [str(5_000 - page * 20 + each) for each in range(20)]
        assert re.findall(r"(?m)^> comment (\d+)$", found) == shown
        assert "reply to" in found


async def test_any_line_of_a_log_of_4_mb_is_reached_by_number_and_by_what_it_says(sandbox: Sandbox) -> None:
    output = [f"{number} {'compiled ' * 4}" for number in range(100_000)]
    output[777] = "fatal: the first trouble"
    log = job_log([("make", output)], exit_code=2)
    assert len(log) > 4_000_000
    number = job_with(sandbox, log)
    async with connect(settings_for(sandbox)) as agent:
        answer = await agent.call("get_job_log", job_id=number)
        assert len(answer.encode()) <= 40_000
        assert "fatal: the first trouble" in answer
        assert "ERROR: Job failed: exit code 2" in answer
        assert answer.endswith("\nnext: the same call with grep, or with start_line and end_line")
        first = min(line for line, text in numbered(answer).items() if text == "fatal: the first trouble") - 777
        for wanted in (0, 1, 50_000, 99_999):
            given = {"job_id": number, "start_line": first + wanted, "end_line": first + wanted}
            assert numbered(await agent.call("get_job_log", **given)) == {first + wanted: output[wanted].rstrip()}
        got: dict[int, str] = {}
        start, end = first + 60_000, first + 64_999
        async for part in followed(agent, "get_job_log", job_id=number, start_line=start, end_line=end):
            assert not got.keys() & numbered(part).keys()
            got |= numbered(part)
        assert got == {first + each: output[each].rstrip() for each in range(60_000, 65_000)}
        found: list[int] = []
        async for part in followed(agent, "get_job_log", job_id=number, grep="^[0-9]*99 comp", context=0):
            found += numbered(part)
    assert found == [first + each for each in range(99, 100_000, 100)]


async def test_what_a_short_log_of_long_lines_leaves_out_is_said_to_be_there(sandbox: Sandbox) -> None:
    lines = [f"{number} {'x' * 390}" for number in range(50)]
    number = job_with(sandbox, "\n".join(lines).encode(), status="success")
    async with connect(settings_for(sandbox)) as agent:
        answer = await agent.call("get_job_log", job_id=number)
        assert len(numbered(answer)) < 50
        assert answer.endswith("\nnext: the same call with grep, or with start_line and end_line")
        whole = await agent.call("get_job_log", job_id=number, start_line=1)
    assert list(numbered(whole).values()) == lines


async def test_the_lines_around_a_match_are_not_lost_between_two_answers(sandbox: Sandbox) -> None:
    lines = [f"{number} {'y' * 300}{' match' if number % 10 == 5 else ''}" for number in range(1_000)]
    number = job_with(sandbox, "\n".join(lines).encode())
    got: list[int] = []
    async with connect(settings_for(sandbox)) as agent:
        async for answer in followed(agent, "get_job_log", job_id=number, grep="match$", context=3):
            got += numbered(answer)
    assert set(got) == {number + 1 for number in range(1_000) if 2 <= number % 10 <= 8}


async def test_a_line_of_a_log_that_is_cut_is_marked_with_where_the_whole_is(sandbox: Sandbox) -> None:
    number = job_with(sandbox, b"short\n" + b"z" * 1_500 + b"\n" + b"w" * 6_000 + b"\nend\n")
    async with connect(settings_for(sandbox)) as agent:
        first = await agent.call("get_job_log", job_id=number)
        part = await agent.call("get_job_log", job_id=number, start_line=1)
    assert "Lines that end in … are cut: start_line shows 2,000 characters, the job's page all" in first
    assert numbered(part)[2] == "z" * 1_500
    assert numbered(part)[3] == f"{'w' * 1_999}…"
    assert "Lines that end in … are cut: start_line shows 2,000 characters, the job's page all" in part
