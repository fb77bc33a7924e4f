"""How a run ends: by Claude Code itself, by a limit, by a signal, or before it begins."""

import json
import os
import signal
import time
from pathlib import Path

import pytest

from gitlab_mcp.sandbox import Sandbox
from tests.support.claude_program import HANG, ClaudeJob, Step, begun, ended, retried, said

# Five times what the slowest of these takes here: it means "does not hang".
BOUND = 90

ENDINGS: dict[str, tuple[list[Step], int, str, str]] = {
    "done": ([begun(), said("Looking."), ended()], 0, "done", ""),
    "failed": ([begun(), ended("It broke.", is_error=True, terminal_reason="error"), {"exit": 1}], 1, "failed", ""),
    "turns": (
        [begun(), ended(subtype="error_max_turns", is_error=True, terminal_reason="max_turns"), {"exit": 1}],
        3,
        "out_of_turns",
        "max_turns",
    ),
    "budget": (
        [begun(), ended(subtype="error_max_budget_usd", is_error=True, terminal_reason="budget_exhausted")],
        3,
        "out_of_budget",
        "max_budget",
    ),
    "wrong-key": ([begun(), *(retried(401, one) for one in (1, 2, 3)), HANG], 2, "sign_in_failed", "ANTHROPIC_API_KEY"),
    "no-key": (
        [begun(), ended("Not logged in \u00b7 Please run /login", is_error=True, terminal_reason="api_error")],
        2,
        "sign_in_failed",
        "ANTHROPIC_API_KEY",
    ),
    "overloaded": (
        [
            begun(),
            retried(529, 1),
            ended("Overloaded", is_error=True, terminal_reason="api_error", api_error_status=529),
        ],
        1,
        "model_unreachable",
        "retry the job",
    ),
    "no-tools": ([begun("failed"), HANG], 2, "no_tools", "gitlab-mcp-server doctor"),
    "killed": ([begun(), {"die": 9}], 1, "killed", "signal 9"),
    "older-version": (
        [{"complain": "error: unknown option '--strict-mcp-config'"}, {"exit": 1}],
        2,
        "not_started",
        "its version is 9.8.7",
    ),
}


def result(job: ClaudeJob) -> dict[str, object]:
    """The content of claude-result.json."""
    content: dict[str, object] = json.loads((job.checkout / "claude-result.json").read_text())
    return content


@pytest.mark.parametrize(("plan", "code", "word", "remedy"), ENDINGS.values(), ids=ENDINGS)
def test_each_ending_has_its_exit_code_its_word_and_a_remedy(
    claude: ClaudeJob, plan: list[Step], code: int, word: str, remedy: str
) -> None:
    claude.plan(*plan)
    done = claude.run("--prompt", "Go.", timeout=BOUND)
    assert done.returncode == code, done.stdout
    assert word in json.dumps(result(claude))
    assert remedy in done.stdout
    assert claude.left == []


def test_keys_refused_now_and_then_do_not_end_a_run(claude: ClaudeJob) -> None:
    refused = [retried(401, 1), retried(401, 2), said("Again."), retried(401, 1), retried(529, 2), retried(401, 3)]
    claude.plan(begun(), *refused, ended())
    assert claude.run("--prompt", "Go.", timeout=BOUND).returncode == 0


@pytest.mark.parametrize("given", [("--claude", "/nowhere/claude"), ()], ids=["named", "on-path"])
def test_where_claude_is_missing_the_log_says_how_to_install_it(claude: ClaudeJob, given: tuple[str, ...]) -> None:
    (claude.folder / "bin" / "claude").unlink()
    done = claude.run("--prompt", "Go.", *given, timeout=BOUND)
    assert done.returncode == 2
    assert "@anthropic-ai/claude-code" in done.stdout
    assert "not_started" in json.dumps(result(claude))


def is_running(pid: int) -> bool:
    """Whether a process exists and is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize("stubborn", [False, True], ids=["obeys", "ignores-sigterm"])
def test_at_the_timeout_claude_and_its_children_are_ended(claude: ClaudeJob, stubborn: bool) -> None:
    edit = {"write": str(claude.checkout / "README.md")}
    claude.plan(begun(), {"child": True}, edit, *([{"ignore_sigterm": True}] if stubborn else []), HANG)
    done = claude.run("--prompt", "Go.", "--timeout", "0.1", timeout=BOUND)
    assert done.returncode == 3, done.stdout
    assert "out_of_time" in json.dumps(result(claude))
    assert [pid for pid in (claude.record["pid"], claude.record["child"]) if is_running(pid)] == []
    assert (claude.checkout / "README.md").read_text() == "edited\n"


def test_a_job_about_to_reach_its_timeout_stops_claude_before_it(claude: ClaudeJob) -> None:
    # The job of ten minutes began eight and a half minutes ago.
    began = time.time() - 510
    claude.environment.update(
        {"CI_JOB_TIMEOUT": "600", "CI_JOB_STARTED_AT": time.strftime("%FT%TZ", time.gmtime(began))}
    )
    claude.plan(begun(), HANG)
    done = claude.run("--prompt", "Go.", timeout=BOUND)
    assert done.returncode == 3
    assert "out_of_time" in json.dumps(result(claude))


@pytest.mark.parametrize(
    "number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP], ids=lambda one: signal.Signals(one).name
)
def test_a_signal_ends_claude_and_the_run_reports_that(claude: ClaudeJob, number: signal.Signals) -> None:
    claude.plan(begun(), {"child": True}, HANG)
    with claude.start("--prompt", "Go.") as process:
        assert process.stdout is not None
        log = ""
        while not (claude.folder / "hanging").exists() and process.poll() is None:
            log += process.stdout.readline()
        os.kill(process.pid, number)
        log += process.communicate(timeout=BOUND)[0]
    assert process.returncode == 143, log
    assert "canceled" in json.dumps(result(claude))
    assert [pid for pid in (claude.record["pid"], claude.record["child"]) if is_running(pid)] == []
    assert claude.left == []


def test_what_a_killed_run_left_open_is_closed_by_finish(claude: ClaudeJob) -> None:
    claude.plan(begun(), HANG)
    with claude.start("--prompt", "Go.") as process:
        assert process.stdout is not None
        while not (claude.folder / "hanging").exists() and process.poll() is None:
            process.stdout.readline()
        process.kill()
        process.communicate(timeout=BOUND)
    os.kill(claude.record["pid"], signal.SIGKILL)
    claude.environment["CI_JOB_STATUS"] = "canceled"
    done = claude.run("--finish", timeout=BOUND)
    assert done.returncode == 0, done.stdout
    assert "canceled" in json.dumps(result(claude))
    assert "canceled" in done.stdout
    # There is nothing left to do, and the second says nothing.
    assert claude.run("--finish", timeout=BOUND).stdout == ""


def test_after_a_run_that_ended_finish_changes_nothing(claude: ClaudeJob) -> None:
    assert claude.run("--prompt", "Go.", timeout=BOUND).returncode == 0
    before = (claude.checkout / "claude-result.json").read_bytes()
    done = claude.run("--finish", timeout=BOUND)
    assert (done.returncode, done.stdout) == (0, "")
    assert (claude.checkout / "claude-result.json").read_bytes() == before


RECORDS = {
    "list": [],
    "other-types": {"run": 5, "began": "yesterday", "place": None},
    "other-path": {"run": "602", "began": 0, "place": {"noteable": "/projects/acme%2Fapp/issues/7/award_emoji?x="}},
    "other-thread": {"run": "602", "began": 0, "place": {"noteable": "/projects/1/issues/7", "thread": "../../8"}},
}


@pytest.mark.parametrize("record", RECORDS.values(), ids=RECORDS)
def test_a_record_that_no_run_wrote_is_not_acted_on(claude: ClaudeJob, sandbox: Sandbox, record: object) -> None:
    claude.environment["GITLAB_ACCESS_TOKEN"] = sandbox.tokens["developer"]
    (claude.folder / "tmp" / "gitlab-mcp-run-602.json").write_text(json.dumps(record))
    sandbox.faults.clear_requests()
    done = claude.run("--finish", timeout=BOUND)
    assert (done.returncode, done.stdout) == (0, "")
    assert sandbox.faults.requests() == []
