"""The fix that docs/fix.md shows, done through an MCP client: the page is what happened, word for word."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from gitlab_mcp.sandbox import Sandbox
from gitlab_mcp.sandbox.state.model import Pipeline
from tests.support.agent import connect
from tests.support.ci_job import allow_job_pushes
from tests.support.git_clones import changes, clone
from tests.support.journeys import fix
from tests.support.settings import checkout, job_settings, settings_for
from tests.support.transcript import Transcript


@pytest.fixture
def failed(fresh_sandbox: Sandbox) -> tuple[int, Pipeline]:
    """The merge request, and its pipeline that failed."""
    return fix.to_fix(fresh_sandbox)


@pytest.fixture
def work(fresh_sandbox: Sandbox, failed: tuple[int, Pipeline], tmp_path: Path) -> Path:
    """The agent's clone of the branch."""
    assert failed[1].ref == fix.BRANCH
    return clone(fresh_sandbox, fix.BRANCH, tmp_path / "work")


@pytest.fixture
async def transcript(fresh_sandbox: Sandbox, failed: tuple[int, Pipeline], work: Path) -> Transcript:
    """The whole fix."""
    made = Transcript(fresh_sandbox, work)
    async with connect(settings_for(fresh_sandbox, "developer", working_directory=checkout(work))) as agent:
        await made.play(agent, fix.fix(failed[0], work))
    return made


def printed(work: Path) -> str:
    """What the tests in the clone print."""
    command = [sys.executable, "-B", "-m", "pytest", "-p", "no:cacheprovider", f"--basetemp={work.parent / 'cases'}"]
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": "src", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    return subprocess.run(command, cwd=work, env=environ, capture_output=True, text=True, check=False).stdout


def places(output: str) -> list[str]:
    """The lines of code, the errors and the places that a test runner names, in a log or as it prints them."""
    return [line.rstrip() for line in re.findall(r"(?m)^(?:\d+\t)?(> .*|E .*|[\w/]+\.py:\d+:.*)$", output)]


async def test_what_was_edited_on_disk_is_the_commit_and_the_merge_request_is_told_of_it(
    fresh_sandbox: Sandbox, failed: tuple[int, Pipeline], work: Path, transcript: Transcript, tmp_path: Path
) -> None:
    number, pipeline = failed
    assert len(transcript.calls) == 9
    made = fix.assert_committed(fresh_sandbox, pipeline)
    assert fix.notes(fresh_sandbox, number) == [f"{fix.SAID[0]} {made} {fix.SAID[1]}"]
    landed = clone(fresh_sandbox, fix.BRANCH, tmp_path / "landed")
    assert changes(landed, pipeline.sha) == {fix.CONFIG: "M"}
    assert (landed / fix.CONFIG).read_bytes() == (work / fix.CONFIG).read_bytes()


async def test_the_log_is_that_of_the_code_whose_tests_pass_once_it_is_fixed(
    fresh_sandbox: Sandbox, failed: tuple[int, Pipeline], work: Path
) -> None:
    async with connect(settings_for(fresh_sandbox)) as agent:
        log = await agent.call("get_job_log", job_id=failed[1].jobs[-1].id)
    assert "src/app/config.py:11: IndexError" in log
    assert places(printed(work)) == places(log)
    (work / fix.CONFIG).write_text(fix.AFTER)
    assert " 3 passed, 1 skipped in " in printed(work)


async def test_the_page_on_fixes_shows_what_happened(transcript: Transcript) -> None:
    transcript.assert_shown("fix.md", "test_worked_fix.py")


async def test_with_the_job_token_alone_the_fix_is_committed_and_what_needs_more_says_so(
    fresh_sandbox: Sandbox, failed: tuple[int, Pipeline], work: Path
) -> None:
    allow_job_pushes(fresh_sandbox)
    number, pipeline = failed
    settings = job_settings(fresh_sandbox, working_directory=checkout(work))
    async with connect(settings) as agent:
        await Transcript(fresh_sandbox, work).play(agent, fix.fix_by_job(number, work))
        for tool in ("get_job_log", "get_test_report"):
            assert "needs GITLAB_ACCESS_TOKEN" in await agent.refused(tool)
        assert "needs GITLAB_ACCESS_TOKEN" in await agent.refused("create_note", iid=f"!{number}", body="It is done.")
        assert "of an older commit: no pipeline ran for" in await agent.call("get_pipeline", iid=f"!{number}")
    fix.assert_committed(fresh_sandbox, pipeline)
