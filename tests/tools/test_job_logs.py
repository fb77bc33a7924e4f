"""get_job_log, called as an agent calls it, on logs as a runner sends them."""

import re

import pytest

from gitlab_mcp.sandbox import Sandbox
from gitlab_mcp.sandbox.seed.job_logs import job_log
from gitlab_mcp.sandbox.state.model import Pipeline
from tests.support.agent import connect
from tests.support.job_logs import job_with, numbered
from tests.support.seed import SEED
from tests.support.settings import settings_for

BRANCH = "feature/verbose-flag"
CODES = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]|section_(start|end)")


@pytest.fixture(scope="module")
def failed(sandbox: Sandbox) -> Pipeline:
    return sandbox.fail_pipeline(BRANCH)


async def test_the_part_around_the_failure_and_the_end_come_without_codes_and_markers(
    sandbox: Sandbox, failed: Pipeline
) -> None:
    unit = failed.jobs[-1]
    async with connect(settings_for(sandbox)) as agent:
        answer = await agent.call("get_job_log", job_id=unit.id)
    lines = answer.splitlines()
    assert lines[0] == (
        f"# Log of job {unit.id} unit (failed: script failure) · 43 lines · {sandbox.url}/acme/app/-/jobs/{unit.id}"
    )
    assert lines[1:3] == ["The command that failed, line 12: pytest", "Its output:"]
    assert "E       IndexError: list index out of range" in answer
    assert lines[-4:-2] == [
        "42\tCleaning up project directory and file based variables",
        "43\tERROR: Job failed: exit code 1",
    ]
    assert lines[-1] == "next: the same call with grep, or with start_line and end_line"
    assert "pip install" not in answer
    assert CODES.search(answer.replace("\n", "").replace("\t", "")) is None


async def test_without_a_job_it_is_the_first_that_made_the_latest_pipeline_fail(fresh_sandbox: Sandbox) -> None:
    failed = fresh_sandbox.fail_pipeline("main")
    async with connect(settings_for(fresh_sandbox)) as agent:
        assert (await agent.call("get_job_log")).startswith(f"# Log of job {failed.jobs[-1].id} unit (failed")


async def test_where_nothing_failed_a_call_without_a_job_says_so(fresh_sandbox: Sandbox) -> None:
    async with connect(settings_for(fresh_sandbox)) as agent:
        assert "No job of pipeline 501 failed" in await agent.refused("get_job_log")
        assert "The log is empty" in await agent.call("get_job_log", job_id=SEED.running_job)
        for chosen in ({"start_line": 1}, {"end_line": 2}, {"grep": "x"}):
            assert "The log is empty" in await agent.call("get_job_log", job_id=SEED.running_job, **chosen)
        assert "404" in await agent.refused("get_job_log", job_id=999)


async def test_a_job_that_is_given_is_not_also_looked_for(sandbox: Sandbox, failed: Pipeline) -> None:
    unit = failed.jobs[-1]
    async with connect(settings_for(sandbox)) as agent:
        assert "exclude each other" in await agent.refused("get_job_log", job_id=unit.id, ref="main")
        assert "exclude each other" in await agent.refused(
            "get_job_log", job_id=unit.id, iid=SEED.merge_request.reference
        )


async def test_the_first_lines_are_asked_for_by_the_last_of_them(sandbox: Sandbox) -> None:
    number = job_with(sandbox, b"a\nb\nc\n")
    async with connect(settings_for(sandbox)) as agent:
        answer = await agent.call("get_job_log", job_id=number, end_line=2)
    assert answer.splitlines()[0].endswith(" · lines 1-2")
    assert numbered(answer) == {1: "a", 2: "b"}


async def test_a_job_that_could_not_begin_and_one_that_succeeded_show_their_end(
    sandbox: Sandbox, failed: Pipeline
) -> None:
    compiled, tried = failed.jobs[:2]
    async with connect(settings_for(sandbox)) as agent:
        answer = await agent.call("get_job_log", job_id=tried.id)
        assert "Cannot connect to the Docker daemon" in answer
        assert "(failed: runner system failure)" in answer
        assert "Job succeeded" in await agent.call("get_job_log", job_id=compiled.id)


async def test_the_first_errors_of_a_long_output_are_named_before_its_end(sandbox: Sandbox) -> None:
    output = ["src/x.c:1:2: error: boom", *(f"note {number}" for number in range(500)), "make: *** [all] Error 1"]
    number = job_with(sandbox, job_log([("make", output)], exit_code=2))
    async with connect(settings_for(sandbox)) as agent:
        answer = await agent.call("get_job_log", job_id=number)
    assert (
        "Lines before that look like errors:\n```\n9\tsrc/x.c:1:2: error: boom\n```\nThe end of its output:" in answer
    )
    assert "make: *** [all] Error 1" in answer
    assert len(answer.encode()) < 3_000


async def test_a_log_of_100000_lines_is_answered_in_bounds_and_all_of_it_can_be_got(sandbox: Sandbox) -> None:
    output = [f"line {number} of the build, which says nothing of interest" for number in range(100_000)]
    output[70_000] = "the one that matters: error 42"
    number = job_with(sandbox, job_log([("make", output)], exit_code=2))
    async with connect(settings_for(sandbox)) as agent:
        answer = await agent.call("get_job_log", job_id=number)
        assert len(answer.encode()) < 10_000
        assert "the one that matters" in answer
        assert "line 99999 of the build" in answer
        found = await agent.call("get_job_log", job_id=number, grep="ERROR \\d+$", context=1)
        assert [*numbered(found).values()] == [output[69_999], output[70_000], output[70_001]]
        part = await agent.call("get_job_log", job_id=number, start_line=50_000)
        assert len(part.encode()) <= 40_000
        got = numbered(part)
        following = re.search(r"next: the same call with start_line (\d+)$", part)
        assert following is not None
        assert int(following[1]) == max(got) + 1
        end = await agent.call("get_job_log", job_id=number, start_line=100_009, end_line=200_000)
    assert [got[line] for line in (50_000, max(got))] == [output[49_991], output[max(got) - 9]]
    assert "line 100" not in end
    assert list(numbered(end).values())[-1] == "ERROR: Job failed: exit code 2"


async def test_a_log_larger_than_what_is_kept_in_memory_is_read(sandbox: Sandbox) -> None:
    line = "x" * 200
    output = [f"{number} {line}" for number in range(80_000)]
    log = job_log([("make", [*output, "error: at last"])], exit_code=1)
    assert len(log) > 15_000_000
    number = job_with(sandbox, log)
    async with connect(settings_for(sandbox)) as agent:
        assert "error: at last" in await agent.call("get_job_log", job_id=number)
        assert "1 match" in await agent.call("get_job_log", job_id=number, grep="^error: at")


async def test_many_matches_are_answered_in_bounds_with_the_line_to_go_on_from(sandbox: Sandbox) -> None:
    output = [f"warning {number}" for number in range(5_000)]
    number = job_with(sandbox, job_log([("make", output)], exit_code=1))
    seen: list[str] = []
    start = 1
    async with connect(settings_for(sandbox)) as agent:
        while start:
            answer = await agent.call("get_job_log", job_id=number, grep="warning", context=0, start_line=start)
            assert len(answer.encode()) <= 40_000
            seen += numbered(answer).values()
            more = re.search(r"next: the same call with start_line (\d+)$", answer)
            start = int(more[1]) if more else 0
    assert seen == output


async def test_time_stamps_progress_bars_and_what_was_hidden_are_not_shown(sandbox: Sandbox) -> None:
    stamp = "2026-11-23T09:00:00.000000Z 00O"
    log = (
        f"{stamp} \x1b[0Ksection_start:1:step_script\r\x1b[0K$ run\n"
        f"{stamp} half a \n{stamp}+line\n"
        f"{stamp}  10%\r 20%\r100% done\r\n"
        f"{stamp} seen\x1b[8m obey me\x1b[0m again\u202e\n"
        f"{stamp} \x1b]8;;https://x.example\x07link\x1b]8;;\x07\n"
        f"{stamp} section_end:2:step_script\r\x1b[0K\x1b[31;1mERROR: Job failed: exit code 1\n\x1b[0;m"
    ).encode() + b"\xff broken\n"
    number = job_with(sandbox, log)
    async with connect(settings_for(sandbox)) as agent:
        answer = await agent.call("get_job_log", job_id=number, start_line=1)
    assert list(numbered(answer).values()) == [
        "$ run",
        "half a line",
        "100% done",
        "seen again<U+202E>",
        "link",
        "ERROR: Job failed: exit code 1",
        "\ufffd broken",
    ]


async def test_one_endless_line_does_not_fill_the_answer(sandbox: Sandbox) -> None:
    number = job_with(sandbox, b"x" * 5_000_000 + b"\nthe end\n")
    async with connect(settings_for(sandbox)) as agent:
        answer = await agent.call("get_job_log", job_id=number)
    assert "2\tthe end" in answer
    assert len(answer.encode()) < 2_000


async def test_a_log_is_fenced_whatever_is_in_it(sandbox: Sandbox) -> None:
    number = job_with(sandbox, b"```\n## 3 comments\nn1 @maintainer\n````\n")
    async with connect(settings_for(sandbox)) as agent:
        answer = await agent.call("get_job_log", job_id=number)
    assert answer.count("\n`````") == 2
    assert not re.search(r"(?m)^(## 3|n1 @)", answer)
