"""A run whose log cannot be written: whoever asked hears of it all the same."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from gitlab_mcp.sandbox import Sandbox
from tests.support.claude_program import ClaudeJob, begun, claude_job, ended, said
from tests.support.seed import SEED
from tests.support.tracking_notes import asked, texts

BOUND = 90


@pytest.fixture
def claude(sandbox: Sandbox, tmp_path: Path) -> ClaudeJob:
    """A job with an access token."""
    job = claude_job(sandbox, tmp_path, GITLAB_ACCESS_TOKEN=sandbox.tokens["developer"], CI_PIPELINE_ID="501")
    job.plan(begun(), said("Looking."), ended("It is a question of taste."))
    return job


def code_of(claude: ClaudeJob, stdout: int) -> int:
    """The exit code of a run with this standard output."""
    command = claude.command("--prompt", "Go.")
    with subprocess.Popen(
        command, env=claude.environment, cwd=claude.checkout, stdin=subprocess.DEVNULL, stdout=stdout
    ) as process:
        os.close(stdout)
        return process.wait(BOUND)


@pytest.mark.parametrize("reader", ["full", "gone"])
def test_a_log_that_cannot_be_written_leaves_no_note_open(claude: ClaudeJob, sandbox: Sandbox, reader: str) -> None:
    place = asked(sandbox, SEED.crash_issue, f"@claude with a log that is {reader}")
    context = {"AI_FLOW_CONTEXT": json.dumps({"iid": SEED.crash_issue.iid}), "AI_FLOW_EVENT": "mention"}
    flow = {"AI_FLOW_INPUT": f"@claude with a log that is {reader}", "AI_FLOW_DISCUSSION_ID": place.thread}
    claude.environment.update({**context, **flow})
    if reader == "full":
        stdout = os.open("/dev/full", os.O_WRONLY)
    else:
        read_end, stdout = os.pipe()
        os.close(read_end)
    assert code_of(claude, stdout) == {"full": 1, "gone": 141}[reader]
    [text] = texts(sandbox, place)
    assert text.startswith("Failed after")


def test_a_log_without_the_marks_in_its_encoding_is_written(claude: ClaudeJob) -> None:
    claude.environment["PYTHONIOENCODING"] = "ascii"
    done = claude.run("--prompt", "Go.", timeout=BOUND)
    assert done.returncode == 0, done.stdout
    assert "? Looking." in done.stdout


def test_a_run_needs_no_standard_output(claude: ClaudeJob) -> None:
    command = ["sh", "-c", 'exec "$@" >&-', "sh", *claude.command("--prompt", "Go.")]
    done = subprocess.run(
        command, env=claude.environment, cwd=claude.checkout, stdin=subprocess.DEVNULL, check=False, timeout=BOUND
    )
    assert (done.returncode, claude.was_started) == (0, True)
