"""The command `doctor`: its options, its output and its exit code."""

import json
import re
import subprocess
import sys
from http.server import BaseHTTPRequestHandler
from typing import Any

from gitlab_mcp.config.settings import Flags
from gitlab_mcp.sandbox import Sandbox
from tests.network.servers import answering, json_answer
from tests.support.ci_job import allow_job_pushes
from tests.support.doctor import SWITCH, Place
from tests.support.gitlab_requests import get, writes
from tests.support.paths import REPOSITORY


def test_with_an_access_token_and_everything_in_place_all_checks_pass(sandbox: Sandbox, place: Place) -> None:
    place.is_complete()
    report = place.examine(place.local(sandbox.url, sandbox.tokens["developer"], ANTHROPIC_API_KEY="sk-ant-made-up-0"))
    assert report.ids("pass") == list(report.checks), report.text
    assert report.code == 0
    assert "GITLAB_ACCESS_TOKEN" in report.of("credential")[1]
    assert "19.2.0" in report.of("version")[1]
    assert "scope api" in report.of("scopes")[1]
    assert "role Developer" in report.of("role")[1]
    assert "2.1.330" in report.of("claude-version")[1]
    assert " tools" in report.of("connected")[1]


def test_in_a_job_that_may_push_all_checks_pass_and_nothing_is_written(fresh_sandbox: Sandbox, place: Place) -> None:
    allow_job_pushes(fresh_sandbox)
    fresh_sandbox.faults.clear()
    before = get(fresh_sandbox, "/repository/branches")
    place.is_complete()
    merge_request = {"CI_MERGE_REQUEST_IID": "12", "CI_PIPELINE_SOURCE": "merge_request_event"}
    report = place.examine(place.job(fresh_sandbox, ANTHROPIC_API_KEY="sk-ant-made-up-0", **merge_request))
    assert report.ids("pass") == list(report.checks), report.text
    assert "job 602" in report.of("job-token")[1]
    assert "without pushing" in report.of("push")[1]
    assert "merge request !12 (pipeline source merge_request_event)" in report.of("context")[1]
    assert get(fresh_sandbox, "/repository/branches") == before
    assert writes(fresh_sandbox) == []
    asked = [each for each in fresh_sandbox.faults.requests() if each["path"].endswith("/info/refs")]
    assert [each["query"] for each in asked] == ["service=git-receive-pack"]


def test_without_json_each_check_is_a_line_with_its_remedy_below_and_a_sum_last(sandbox: Sandbox, place: Place) -> None:
    output, code = place.prints(place.job(sandbox))
    assert code == 1
    lines = output.splitlines()
    assert lines[0].startswith("pass  The configuration can be used")
    [remedy] = [number for number, line in enumerate(lines) if SWITCH in line]
    assert lines[remedy].startswith("      ")
    assert lines[remedy - 1].startswith("fail  GitLab does not let this job push")
    assert " failed, " in lines[-1]
    assert "\x1b[" not in output
    assert "\x1b[" in place.prints(place.job(sandbox), color=True)[0]


def test_checks_that_are_skipped_for_one_reason_are_one_line_and_the_counts_add_up(place: Place, nowhere: str) -> None:
    output, _ = place.prints(place.local(nowhere))
    report = place.examine(place.local(nowhere))
    assert output.count("GitLab was not reached") == 1
    waiting = [check["what"] for check in report.checks.values() if "GitLab was not reached" in check["what"]]
    [line] = [line for line in output.splitlines() if "GitLab was not reached" in line]
    assert line.startswith(f"skipped  {len(waiting)} checks, because GitLab was not reached: whether the clock")
    assert all(what.removesuffix(": GitLab was not reached") in line for what in waiting)
    counts = [int(number) for number in re.findall(r"\d+", output.splitlines()[-1])]
    assert counts == [*(len(report.ids(status)) for status in ("fail", "warn", "pass", "skipped")), *counts[4:]]
    assert sum(counts[:-1]) == counts[-1]


def test_outside_a_job_nothing_speaks_of_a_job(place: Place, nowhere: str) -> None:
    (place.directory / ".mcp.json").write_text("{}")
    for environ in (place.local(nowhere), {**place.own}, place.local(nowhere, GITLAB_CA_FILE="/not/there")):
        output, _ = place.prints(environ)
        about_jobs = [line for line in output.splitlines() if re.search(r"\bjobs?\b", line)]
        assert [line for line in about_jobs if "CI_JOB_TOKEN by itself" not in line] == []


def test_the_command_runs_as_a_process_in_a_working_directory_that_is_gone(sandbox: Sandbox, place: Place) -> None:
    script = (
        "import os, sys; sys.path.insert(0, sys.argv.pop(1)); os.rmdir(os.getcwd())\n"
        "from gitlab_mcp.cli.doctor import doctor; doctor()"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(REPOSITORY), "--json"],
        env={**place.own, "GITLAB_URL": sandbox.url, "PYTHONIOENCODING": "ascii"},
        cwd=place.directory,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr == ""
    assert json.loads(done.stdout)["checks"][0]["status"] == "fail"


def test_help_imports_nothing_heavy() -> None:
    script = (
        "import sys\nfrom gitlab_mcp.cli.doctor import doctor\n"
        "try: doctor(['--help'])\n"
        "except SystemExit: print([name for name in ('mcp', 'gitlab', 'requests', 'pydantic') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert "--read-only" in done.stdout
    assert done.stdout.strip().endswith("[]")


def test_flags_count_also_where_they_stand_before_the_command(sandbox: Sandbox, place: Place) -> None:
    environ = place.local(sandbox.url, sandbox.tokens["developer"])
    del environ["GITLAB_PROJECT"]
    assert place.examine(environ).of("project")[0] == "skipped"
    assert place.examine(environ, "--project", "acme/app").of("project")[0] == "pass"
    assert place.examine(environ, flags=Flags(project="acme/app")).of("project")[0] == "pass"


def test_what_gitlab_and_variables_say_is_shown_without_what_cannot_be_seen(place: Place) -> None:
    def respond(handler: BaseHTTPRequestHandler) -> None:
        bodies: dict[str, Any] = {
            "/api/v4/user": {"id": 1, "username": "evil\u202e\x1b[31m\nfail  forged line"},
            "/api/v4/version": {"version": "19.2.0\nfail  forged line"},
            "/api/v4/personal_access_tokens/self": {"scopes": ["api", "x\nfail  forged line"], "active": True},
        }
        json_answer(handler, json.dumps(bodies.get(handler.path, {"default_branch": "\u202emain"})).encode())

    with answering(respond) as other:
        output, _ = place.prints(place.local(other.url, GITLAB_PROJECT="acme/app\nfail  forged line"))
    assert not [line for line in output.splitlines() if line.startswith("fail  forged")]
    assert "\u202e" not in output
    assert "\x1b" not in output


def test_only_the_checks_that_are_named_are_run(sandbox: Sandbox, place: Place) -> None:
    place.registers()
    report = place.examine(place.job(sandbox), "--check", "registered,connected")
    assert (list(report.checks), report.code) == (["registered", "connected"], 0)
    command = [sys.executable, "-m", "gitlab_mcp", "doctor", "--check", "registerd"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 2
    assert "Unknown check registerd; known: " in done.stderr
