"""Reading test reports, called as an agent calls it."""

import pytest

from gitlab_mcp.sandbox import Sandbox
from gitlab_mcp.sandbox.state.model import Job, Pipeline, ReportedTest
from tests.support.agent import connect
from tests.support.settings import settings_for

BRANCH = "feature/verbose-flag"


@pytest.fixture(scope="module")
def failed(sandbox: Sandbox) -> Pipeline:
    return sandbox.fail_pipeline(BRANCH)


async def test_a_test_report_has_the_failed_cases_with_what_they_said(sandbox: Sandbox, failed: Pipeline) -> None:
    async with connect(settings_for(sandbox)) as agent:
        answer = await agent.call("get_test_report", pipeline_id=failed.id)
        without = await agent.call("get_test_report")
        other = await agent.call("get_test_report", pipeline_id=failed.id, search="nowhere")
    head, _, output = answer.partition("### test_an_empty_file · tests/test_config.py · unit\n")
    assert head.splitlines() == [
        f"# Tests of pipeline {failed.id}: 4 cases",
        "unit: 1 failed, 2 success, 1 skipped",
        "",
        "## 1 failed case",
    ]
    assert output.splitlines()[3] == "> E       IndexError: list index out of range"
    assert "none of its jobs uploaded one" in without
    assert 'No failed case contains "nowhere".' in other


async def test_many_failed_cases_come_in_pages_that_all_can_be_got(fresh_sandbox: Sandbox) -> None:
    failed = fresh_sandbox.fail_pipeline(BRANCH)
    failed.jobs[-1].tests = [
        ReportedTest(f"test_{number:03}", f"suite{number % 3}", "failed", output="é" * 5_000) for number in range(150)
    ]
    seen = ""
    async with connect(settings_for(fresh_sandbox)) as agent:
        for page in range(1, 9):
            answer = await agent.call("get_test_report", pipeline_id=failed.id, page=page)
            assert len(answer.encode()) <= 40_000
            following = f'next: get_test_report {{"pipeline_id": {failed.id}, "page": {page + 1}}}'
            assert (following in answer) == (page < 8)
            seen += answer
        one = await agent.call("get_test_report", pipeline_id=failed.id, search="test_149")
    assert all(f"### test_{number:03} " in seen for number in range(150))
    assert "## 1 failed case" in one


async def test_a_report_too_large_to_read_is_counted(fresh_sandbox: Sandbox) -> None:
    failed = fresh_sandbox.fail_pipeline(BRANCH)
    failed.jobs[-1].tests = [ReportedTest(f"t{number}", "c") for number in range(60_000)]
    async with connect(settings_for(fresh_sandbox)) as agent:
        answer = await agent.call("get_test_report", pipeline_id=failed.id)
    assert answer.splitlines()[:2] == [
        f"# Tests of pipeline {failed.id}: 60,000 cases",
        "unit: 60000 success · 10 min 0 s",
    ]
    assert "too many cases to read: get_job_log" in answer


@pytest.mark.parametrize(
    ("name", "suites"),
    [("test_x[" + "p" * 250, 1), ("test_" + "\u6e2c" * 250, 1), ("\U0001f600" * 290, 3), ("short", 60)],
)
async def test_names_however_long_leave_no_case_that_is_on_no_page(
    fresh_sandbox: Sandbox, name: str, suites: int
) -> None:
    failed = fresh_sandbox.fail_pipeline(BRANCH)
    start = failed.created_at
    for number in range(suites):
        called = str(number) + "\u6e2c" * 200
        job = Job(fresh_sandbox.world.next_id("job"), called, "test", failed, start, start, "failed")
        cases = range(45 // suites or 1)
        job.tests = [
            ReportedTest(f"{number}.{case}. {name}", "c", "failed", output="boom\n" * 2_000, file=f"t/{name}")
            for case in cases
        ]
        failed.jobs.append(job)
    wanted = {f"### {number}.{case}. " for number in range(suites) for case in range(45 // suites or 1)}
    page, seen = 1, ""
    async with connect(settings_for(fresh_sandbox)) as agent:
        while page:
            answer = await agent.call("get_test_report", pipeline_id=failed.id, page=page)
            assert len(answer.encode()) <= 40_000
            seen += answer
            page = page + 1 if f'"page": {page + 1}' in answer else 0
    assert {each for each in wanted if each not in seen} == set()


async def test_a_page_after_the_last_says_which_that_is(sandbox: Sandbox, failed: Pipeline) -> None:
    async with connect(settings_for(sandbox)) as agent:
        answer = await agent.call("get_test_report", pipeline_id=failed.id, page=9)
    assert answer.endswith("There is no page 9 of 1 failed case: the last is 1.")


async def test_a_report_that_could_not_be_read_is_not_called_one_without_failures(fresh_sandbox: Sandbox) -> None:
    failed = fresh_sandbox.fail_pipeline(BRANCH)
    suite = {"name": "unit", "total_count": 0, "suite_error": "JUnit XML parsing failed", "test_cases": []}
    fresh_sandbox.faults.fail("GET", "/test_report$", 200, {"total_count": 0, "test_suites": [suite]})
    async with connect(settings_for(fresh_sandbox)) as agent:
        answer = await agent.call("get_test_report", pipeline_id=failed.id)
    assert answer.splitlines()[1:] == [
        "unit: no case · JUnit XML parsing failed",
        "No case is known to have failed, but not every report could be read.",
    ]


async def test_a_secret_in_the_output_of_a_case_is_removed_where_a_cut_would_split_it(
    fresh_sandbox: Sandbox,
) -> None:
    secret = "SUPERSECRETVALUE0123456789abcdef"
    failed = fresh_sandbox.fail_pipeline(BRANCH)
    async with connect(settings_for(fresh_sandbox, secrets=(secret,))) as agent:
        for length in range(3_880, 4_000, 10):
            failed.jobs[-1].tests = [ReportedTest("t", "c", "failed", output="p" * length + secret + "q" * 2_000)]
            assert "SUPERSECRET" not in await agent.call("get_test_report", pipeline_id=failed.id)
