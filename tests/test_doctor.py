"""The command `doctor`: each point of a run that can be wrong, and what is said of it."""

import json
import os
import pwd
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import chdir
from dataclasses import dataclass
from datetime import date, timedelta
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner

from gitlab_mcp import claude_code
from gitlab_mcp.claude_code import Registration, Scope
from gitlab_mcp.cli.doctor import doctor
from gitlab_mcp.config.settings import Flags
from gitlab_mcp.doctor.check import Check
from gitlab_mcp.doctor.context import DoctorContext
from gitlab_mcp.doctor.result import CheckResult
from gitlab_mcp.doctor.runner import run
from gitlab_mcp.sandbox import Sandbox
from tests.network.certificates import private_ca
from tests.network.servers import answering, json_answer
from tests.support.ci_job import allow_job_pushes, job_environment
from tests.support.gitlab_requests import get, writes
from tests.support.paths import REPOSITORY

TOKEN = "glpat-this-is-not-a-real-token"
SWITCH = "Settings > CI/CD > Job token permissions > Allow Git push requests to the repository"
CONFIGURATION = """\
claude:
  script:
    - /bin/gitlab-mcp-server || true
    - >
      claude
      -p "hi"
      --allowedTools "Bash(*) Read(*) mcp__gitlab"
      --debug
"""


@dataclass(frozen=True)
class Report:
    """What the command printed as JSON, by check."""

    checks: dict[str, dict[str, str]]
    code: int
    text: str

    def of(self, check: str) -> tuple[str, str]:
        """The status of a check, and its words with the remedy."""
        found = self.checks[check]
        assert bool(found["remedy"]) is (found["status"] != "pass"), "a remedy where it is not well, and only there"
        return found["status"], f"{found['what']} | {found['remedy']}"

    def ids(self, status: str) -> list[str]:
        return [name for name, check in self.checks.items() if check["status"] == status]


class Place:
    """A home, a working directory and programs, and nothing else of where the tests run."""

    def __init__(self, root: Path) -> None:
        self.home, self.directory, self.programs = root / "home", root / "work", root / "bin"
        for folder in (self.home, self.directory, self.programs):
            folder.mkdir()
        (self.programs / "git").symlink_to(str(shutil.which("git")))

    @property
    def own(self) -> dict[str, str]:
        return {"HOME": str(self.home), "PATH": str(self.programs)}

    def local(self, url: str, token: str = TOKEN, **more: str) -> dict[str, str]:
        """An environment outside CI."""
        given = {"GITLAB_URL": url, "GITLAB_ACCESS_TOKEN": token, "GITLAB_PROJECT": "acme/app"}
        return {**given, **self.own, **more}

    def job(self, sandbox: Sandbox, **more: str) -> dict[str, str]:
        """The environment of a job on a protected ref."""
        usual = {"CI_SERVER_VERSION": "19.2.0-ee", "CI_DEFAULT_BRANCH": "main", "CI_COMMIT_REF_PROTECTED": "true"}
        return {**job_environment(sandbox, self.directory), **usual, **self.own, **more}

    def has_claude(self, script: str = "echo '2.1.330 (Claude Code)'", folder: Path | None = None) -> None:
        """A stand-in for claude on PATH, or in `folder`."""
        path = (folder or self.programs) / "claude"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    def registers(self, folder: Path | None = None, **changes: Any) -> None:
        """The entry of this server in Claude Code's configuration, with changes; None leaves a key out."""
        entry = {"type": "stdio", "command": sys.executable, "args": ["-m", "gitlab_mcp", "serve"], "alwaysLoad": True}
        entry = {key: value for key, value in {**entry, **changes}.items() if value is not None}
        text = json.dumps({"numStartups": 3, "mcpServers": {"gitlab": entry}})
        ((folder or self.home) / ".claude.json").write_text(text)

    def enters(self, scope: Scope, directory: Path | None = None, command: str = sys.executable) -> None:
        """The entry that `register` writes."""
        claude_code.register(Registration(command), scope, self.own, directory or self.directory)

    def is_complete(self) -> None:
        """Everything on this side is well."""
        self.has_claude()
        self.registers()
        (self.directory / ".gitlab-ci.yml").write_text(CONFIGURATION)

    def examine(self, environ: dict[str, str], *arguments: str, flags: Flags | None = None) -> Report:
        """Run the command here, with nothing but `environ`; that no token is printed is held each time."""
        output, code = self.prints(environ, "--json", *arguments, flags=flags)
        told = json.loads(output)
        checks = {check["id"]: check for check in told["checks"]}
        assert len(checks) == len(told["checks"])
        assert all(check.keys() == {"id", "status", "what", "remedy"} for check in checks.values())
        report = Report(checks, code, output)
        assert told["failed"] == len(report.ids("fail"))
        assert code == (1 if told["failed"] else 0)
        assert "Traceback" not in output
        return report

    def prints(
        self, environ: dict[str, str], *arguments: str, flags: Flags | None = None, color: bool = False
    ) -> tuple[str, int]:
        with pytest.MonkeyPatch.context() as patch, chdir(self.directory):
            for name in list(os.environ):
                patch.delenv(name)
            for name, value in environ.items():
                patch.setenv(name, value)
            done = CliRunner().invoke(doctor, arguments, obj=flags, color=color)
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
        secrets = [value for name, value in environ.items() if name.endswith(("_TOKEN", "_KEY"))]
        assert not [secret for secret in secrets if secret and secret in done.output]
        return done.output, done.exit_code


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


@pytest.fixture
def nowhere() -> Iterator[str]:
    """An address at which nobody listens, and nobody else can."""
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{deaf.getsockname()[1]}"


def only(place: Place, environ: dict[str, str], check: str) -> tuple[str, str]:
    return place.examine(environ).of(check)


# All well


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


def test_without_json_each_check_is_a_line_with_its_remedy_below_and_a_sum_at_the_end(
    sandbox: Sandbox, place: Place
) -> None:
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


def test_the_command_runs_as_a_process_of_its_own_with_a_working_directory_that_is_gone(
    sandbox: Sandbox, place: Place
) -> None:
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


# The configuration


def test_without_a_credential_the_rest_is_checked_all_the_same(sandbox: Sandbox, place: Place) -> None:
    report = place.examine({**place.own, "GITLAB_URL": sandbox.url})
    status, told = report.of("configuration")
    assert status == "fail"
    assert "GITLAB_ACCESS_TOKEN" in told
    assert "scope api" in told
    assert next(iter(report.checks)) == "configuration"
    assert report.of("reachable")[0] == "pass"
    assert report.of("version")[0] == "skipped"
    assert report.of("git")[0] == "pass"


@pytest.mark.parametrize(
    ("variables", "named"),
    [
        ({"GITLAB_URL": "nowhere"}, "is not the URL of a GitLab"),
        ({"GITLAB_CA_FILE": "/not/there.pem"}, "GITLAB_CA_FILE"),
        ({"GITLAB_MCP_TOOLS": "get_isue"}, "Unknown tool get_isue"),
        ({"GITLAB_ACCESS_TOKEN": "", "GITLAB_ACCESS_TOKEN_FILE": "/not/there"}, "GITLAB_ACCESS_TOKEN_FILE"),
    ],
)
def test_a_configuration_that_cannot_be_used_is_a_failed_check_and_not_another_exit_code(
    place: Place, nowhere: str, variables: dict[str, str], named: str
) -> None:
    report = place.examine({**place.local(nowhere), **variables})
    assert report.code == 1
    assert report.ids("fail") == ["configuration"]
    assert named in report.of("configuration")[1]
    assert "configuration" in report.of("reachable")[1]


def test_flags_count_also_where_they_stand_before_the_command(sandbox: Sandbox, place: Place) -> None:
    environ = place.local(sandbox.url, sandbox.tokens["developer"])
    del environ["GITLAB_PROJECT"]
    assert place.examine(environ).of("project")[0] == "skipped"
    assert place.examine(environ, "--project", "acme/app").of("project")[0] == "pass"
    assert place.examine(environ, flags=Flags(project="acme/app")).of("project")[0] == "pass"


def test_tokens_that_are_set_and_not_used_are_named(sandbox: Sandbox, place: Place) -> None:
    status, told = only(place, place.job(sandbox, GITLAB_TOKEN="glpat-somebody-elses-token"), "ignored-tokens")
    assert status == "warn"
    assert "GITLAB_TOKEN is set, and not used" in told
    local = place.local(sandbox.url, sandbox.tokens["developer"], GITLAB_TOKEN="glpat-somebody-elses-token")
    assert only(place, local, "ignored-tokens")[0] == "pass"
    assert "ignored-tokens" not in place.examine(place.job(sandbox)).checks


def test_a_job_token_in_the_access_tokens_variable_is_pointed_out(sandbox: Sandbox, place: Place) -> None:
    status, told = only(place, place.job(sandbox, GITLAB_ACCESS_TOKEN=sandbox.tokens["job"]), "credential")
    assert status == "warn"
    assert "GITLAB_ACCESS_TOKEN holds a job token" in told


def test_what_an_unprotected_ref_may_lack_is_said_only_where_it_lacks_it(sandbox: Sandbox, place: Place) -> None:
    unprotected = place.job(sandbox, CI_COMMIT_REF_PROTECTED="false")
    status, told = only(place, unprotected, "protected-variables")
    assert status == "warn"
    assert "GITLAB_ACCESS_TOKEN and the model's key (ANTHROPIC_API_KEY) are not set" in told
    assert "merge requests from forks" in told
    complete = {**unprotected, "GITLAB_ACCESS_TOKEN": sandbox.tokens["developer"], "ANTHROPIC_API_KEY": "sk-ant-x-0000"}
    assert "protected-variables" not in place.examine(complete).checks
    assert "protected-variables" not in place.examine(place.job(sandbox)).checks


# The way to GitLab


def test_where_no_gitlab_answers_that_is_the_failure_and_the_rest_cannot_be_told(place: Place, nowhere: str) -> None:
    report = place.examine(place.local(nowhere))
    status, told = report.of("reachable")
    assert status == "fail"
    assert "Connection refused" in told
    assert "NO_PROXY" in told
    assert report.ids("fail") == ["reachable"]
    for check in ("version", "clock", "token", "scopes", "role", "default-branch"):
        assert report.of(check)[0] == "skipped"
        assert "GitLab was not reached" in report.of(check)[1]


def test_a_proxy_that_does_not_answer_is_named(place: Place, nowhere: str) -> None:
    status, told = only(place, place.local("http://gitlab.invalid", HTTP_PROXY=nowhere), "reachable")
    assert status == "fail"
    assert "proxy" in told
    assert "HTTPS_PROXY" in told


def test_a_private_ca_that_is_not_configured_is_named_with_the_variable(tmp_path: Path, place: Place) -> None:
    ca, certificate, key = private_ca(tmp_path)
    with Sandbox(ssl=(str(certificate), str(key))) as behind_tls:
        environ = place.local(behind_tls.url, behind_tls.tokens["developer"])
        status, told = only(place, environ, "reachable")
        trusted = place.examine({**environ, "GITLAB_CA_FILE": str(ca)})
    assert status == "fail"
    assert "TLS certificate" in told
    assert "GITLAB_CA_FILE" in told
    assert trusted.of("reachable")[0] == trusted.of("token")[0] == "pass"


def test_git_too_trusts_the_private_ca_that_is_configured(tmp_path: Path, place: Place) -> None:
    ca, certificate, key = private_ca(tmp_path)
    with Sandbox(ssl=(str(certificate), str(key))) as behind_tls:
        job = place.job(behind_tls, CI_SERVER_TLS_CA_FILE=str(ca))
        assert "Job token permissions" in only(place, job, "push")[1]


@pytest.mark.parametrize(
    ("status", "kind", "told"),
    [(200, "text/html", "text/html"), (404, "application/json", "404"), (502, "text/html", "answers 502")],
)
def test_what_answers_and_is_not_gitlabs_api_fails(place: Place, status: int, kind: str, told: str) -> None:
    def respond(handler: BaseHTTPRequestHandler) -> None:
        json_answer(handler, b"<html>Sign in</html>", status, {"Content-Type": kind})

    with answering(respond) as other:
        found = only(place, place.local(other.url), "reachable")
    assert found[0] == "fail"
    assert told in found[1]


@pytest.mark.parametrize(
    ("seconds", "status"), [(5, "pass"), (100, "warn"), (-100, "warn"), (400, "fail"), (-86400, "fail")]
)
def test_the_clock_is_held_against_gitlabs(place: Place, seconds: int, status: str) -> None:
    def respond(handler: BaseHTTPRequestHandler) -> None:
        shown = handler.date_time_string(int(time.time()) - seconds)
        handler.date_time_string = lambda timestamp=None: shown  # type: ignore[method-assign]  # noqa: ARG005
        json_answer(handler, b"{}", 401)

    with answering(respond) as other:
        found = only(place, place.local(other.url), "clock")
    assert found[0] == status
    if status != "pass":
        assert ("ahead of" if seconds > 0 else "behind") in found[1]
        assert "NTP" in found[1]


@pytest.mark.parametrize(("version", "status"), [("18.3.5", "fail"), ("18.4.0-ee", "warn"), ("18.5.0", "pass")])
def test_a_gitlab_that_is_too_old_for_job_tokens_is_named(
    sandbox: Sandbox, place: Place, version: str, status: str
) -> None:
    found = only(place, place.job(sandbox, CI_SERVER_VERSION=version), "version")
    assert found[0] == status
    if status != "pass":
        assert "GITLAB_ACCESS_TOKEN" in found[1]


def test_for_an_access_token_an_older_gitlab_does(sandbox: Sandbox, place: Place) -> None:
    job = place.job(sandbox, CI_SERVER_VERSION="17.0.0", GITLAB_ACCESS_TOKEN=sandbox.tokens["developer"])
    assert only(place, job, "version")[0] == "pass"


# The access token


@pytest.mark.parametrize("name", ["expired", "revoked"])
def test_a_token_that_is_spent_fails_and_says_so(sandbox: Sandbox, place: Place, name: str) -> None:
    report = place.examine(place.local(sandbox.url, sandbox.tokens[name]))
    status, told = report.of("token")
    assert status == "fail"
    assert f"GITLAB_ACCESS_TOKEN is {name}" in told
    assert report.ids("fail") == ["token"]
    assert report.of("scopes")[0] == report.of("role")[0] == "skipped"


def test_a_token_that_gitlab_does_not_know_fails(sandbox: Sandbox, place: Place) -> None:
    status, told = only(place, place.local(sandbox.url), "token")
    assert status == "fail"
    assert "does not know the token in GITLAB_ACCESS_TOKEN" in told


def test_a_token_that_can_only_read_fails_unless_the_run_only_reads_or_a_job_token_pushes(
    fresh_sandbox: Sandbox, place: Place
) -> None:
    allow_job_pushes(fresh_sandbox)
    token = fresh_sandbox.tokens["read_api"]
    local = place.local(fresh_sandbox.url, token)
    status, told = only(place, local, "scopes")
    assert status == "fail"
    assert "read_api: it can read, but not write" in told
    assert "scope api" in told
    assert place.examine(local, "--read-only").of("scopes")[0] == "pass"
    job = place.examine(place.job(fresh_sandbox, GITLAB_ACCESS_TOKEN=token))
    assert job.of("scopes")[0] == job.of("push")[0] == job.of("job-token")[0] == "pass"


def test_a_token_with_neither_api_nor_read_api_fails(sandbox: Sandbox, place: Place) -> None:
    status, told = only(place, place.local(sandbox.url, sandbox.tokens["write_repository"]), "scopes")
    assert status == "fail"
    assert "neither reading nor writing" in told


def test_a_token_that_ends_within_two_weeks_is_pointed_out(fresh_sandbox: Sandbox, place: Place) -> None:
    user = fresh_sandbox.world.user_by_name("developer")
    assert user is not None
    for days, status in ((3, "warn"), (30, "pass")):
        ends = date.today() + timedelta(days=days)  # noqa: DTZ011  # near enough to UTC's
        token = f"glpat-ends-in-{days}-days-0000"
        fresh_sandbox.world.add_token(token, "soon", user, ("api",), expires_at=ends)
        found = only(place, place.local(fresh_sandbox.url, token), "expiry")
        assert found[0] == status
        assert ends.isoformat() in found[1]


@pytest.mark.parametrize(("user", "told"), [("reporter", "role Reporter"), ("stranger", "no role")])
def test_a_role_below_developer_fails(sandbox: Sandbox, place: Place, user: str, told: str) -> None:
    found = only(place, place.local(sandbox.url, sandbox.tokens[user]), "role")
    assert found[0] == "fail"
    assert told in found[1]
    assert "need Developer" in found[1]


def test_a_reporter_may_run_what_only_reads(sandbox: Sandbox, place: Place) -> None:
    report = place.examine(place.local(sandbox.url, sandbox.tokens["reporter"]), "--read-only")
    assert report.of("role")[0] == "pass"


def test_a_project_that_is_not_there_or_archived_fails(sandbox: Sandbox, place: Place) -> None:
    environ = place.local(sandbox.url, sandbox.tokens["maintainer"])
    assert place.examine(environ, "--project", "acme/none").of("project")[0] == "fail"
    archived = place.examine(environ, "--project", "acme/archive").of("project")
    assert archived[0] == "fail"
    assert "Unarchive project" in archived[1]


def test_the_token_of_a_flow_is_good_and_has_no_scopes_to_show(sandbox: Sandbox, place: Place) -> None:
    flow = {**place.own, "GITLAB_URL": sandbox.url, "GITLAB_PROJECT": "acme/app"}
    report = place.examine({**flow, "AI_FLOW_GITLAB_TOKEN": sandbox.tokens["flow"]})
    assert report.of("token")[0] == report.of("role")[0] == "pass"
    assert "scopes" not in report.checks


# The job token and the branches


def test_a_project_that_lets_no_job_push_is_told_with_the_exact_switch(sandbox: Sandbox, place: Place) -> None:
    status, told = only(place, place.job(sandbox), "push")
    assert status == "fail"
    assert SWITCH in told
    assert '"You are not allowed to push code to this project"' in told


def test_a_job_that_has_ended_is_told(sandbox: Sandbox, place: Place) -> None:
    report = place.examine(place.job(sandbox, CI_JOB_TOKEN=sandbox.tokens["job_ended"]))
    assert report.of("job-token")[0] == report.of("push")[0] == "fail"
    assert "the job has ended" in report.of("job-token")[1]


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_gitlab_that_is_busy_leaves_open_whether_the_job_may_push(
    fresh_sandbox: Sandbox, place: Place, status: int
) -> None:
    fresh_sandbox.faults.fail(path="/info/refs", status=status, times=9)
    checks = place.examine(place.job(fresh_sandbox)).checks
    assert checks["push"]["status"] == "skipped"
    assert checks["push"]["what"].startswith("whether the job may push: GitLab did not answer git")
    assert f"error: {status})" in checks["push"]["what"]
    assert checks["push"]["remedy"] == "Run it again in a few minutes."


def test_a_connection_of_git_that_breaks_leaves_open_whether_the_job_may_push(
    fresh_sandbox: Sandbox, place: Place
) -> None:
    fresh_sandbox.faults.drop(path="/info/refs", times=9)
    checks = place.examine(place.job(fresh_sandbox)).checks
    assert checks["push"]["status"] == "skipped"
    assert checks["push"]["remedy"] == "Run it again in a few minutes."


@pytest.mark.parametrize(
    ("fault", "status", "remedy"),
    [
        ({"status": 200, "body": "<html>Sign in</html>"}, "skipped", "Run it again in a few minutes."),
        ({"status": 404}, "fail", "Check the project: GITLAB_PROJECT, or --project."),
        ({"status": 302, "headers": {"Location": "http://127.0.0.1:9/"}}, "fail", "Check GITLAB_URL."),
    ],
)
def test_no_piece_of_an_address_is_taken_for_a_remedy(
    fresh_sandbox: Sandbox, place: Place, fault: dict[str, Any], status: str, remedy: str
) -> None:
    fresh_sandbox.faults.fail(path="/info/refs", times=9, **fault)
    check = place.examine(place.job(fresh_sandbox)).checks["push"]
    assert check["status"] == status, check
    assert check["remedy"].startswith(remedy)
    assert fresh_sandbox.url in check["what"]


def test_a_job_with_an_access_token_or_that_only_reads_is_not_asked_for_pushes(sandbox: Sandbox, place: Place) -> None:
    assert "push" not in place.examine(place.job(sandbox), "--read-only").checks
    report = place.examine(place.job(sandbox, GITLAB_ACCESS_TOKEN=sandbox.tokens["developer"]))
    assert "push" not in report.checks
    assert "job-token" not in report.checks


def test_a_default_branch_that_is_not_protected_is_pointed_out(fresh_sandbox: Sandbox, place: Place) -> None:
    project = fresh_sandbox.world.projects[fresh_sandbox.project_id]
    project.protected.clear()
    status, told = only(place, place.job(fresh_sandbox), "default-branch")
    assert status == "warn"
    assert "Settings > Repository > Protected branches" in told


def test_a_branch_of_the_run_that_cannot_be_pushed_to_is_pointed_out(fresh_sandbox: Sandbox, place: Place) -> None:
    project = fresh_sandbox.world.projects[fresh_sandbox.project_id]
    names = [branch["name"] for branch in get(fresh_sandbox, "/repository/branches")]
    name = next(name for name in names if name != "main")
    job = place.job(fresh_sandbox, CI_COMMIT_BRANCH=name)
    assert "branch" not in place.examine(job).checks
    project.protected[name] = 40
    status, told = only(place, job, "branch")
    assert status == "warn"
    assert "Allowed to push and merge" in told


# What the run is about


def test_a_run_that_is_about_nothing_is_pointed_out_in_a_job_only(sandbox: Sandbox, place: Place) -> None:
    status, told = only(place, place.job(sandbox), "context")
    assert status == "warn"
    assert "AI_FLOW_CONTEXT" in told
    assert "merge_request_event" in told
    assert "context" not in place.examine(place.local(sandbox.url)).checks


def test_the_words_of_a_flow_are_never_printed(sandbox: Sandbox, place: Place) -> None:
    context = json.dumps({"iid": 7, "title": "HOSTILE title", "issue_comments": "HOSTILE comment"})
    flow = {"AI_FLOW_INPUT": "HOSTILE input", "AI_FLOW_EVENT": "HOSTILE", "AI_FLOW_CONTEXT": context}
    job = place.job(sandbox, **flow, TRIGGER_PAYLOAD="HOSTILE payload", CI_COMMIT_BRANCH="HOSTILE branch")
    report = place.examine(job)
    status, told = report.of("context")
    assert status == "pass"
    assert "issue #7" in told
    assert "AI_FLOW_INPUT, AI_FLOW_CONTEXT" in told
    assert "HOSTILE" not in report.text
    assert "HOSTILE" not in place.prints(job)[0]


def test_a_merge_request_from_a_fork_is_pointed_out(sandbox: Sandbox, place: Place) -> None:
    fork = {"CI_MERGE_REQUEST_IID": "12", "CI_MERGE_REQUEST_SOURCE_PROJECT_ID": "999"}
    status, told = only(place, place.job(sandbox, **fork), "context")
    assert status == "warn"
    assert "forks" in told


def test_an_input_that_claude_would_take_for_options_is_pointed_out(sandbox: Sandbox, place: Place) -> None:
    status, told = only(place, place.job(sandbox, AI_FLOW_INPUT="--settings={}"), "flow-input")
    assert status == "warn"
    assert "standard input" in told
    assert "--settings" not in told
    assert "flow-input" not in place.examine(place.job(sandbox, AI_FLOW_INPUT="fix it")).checks


# Programs


def test_without_git_a_job_with_nothing_but_its_token_fails(sandbox: Sandbox, place: Place) -> None:
    (place.programs / "git").unlink()
    status, told = only(place, place.job(sandbox), "git")
    assert status == "fail"
    assert "Install git" in told
    assert only(place, place.local(sandbox.url, sandbox.tokens["developer"]), "git")[0] == "warn"


def test_claude_is_looked_for_on_path_and_where_its_installer_puts_it(place: Place, nowhere: str) -> None:
    environ = place.local(nowhere)
    report = place.examine(environ)
    assert report.of("claude")[0] == "warn"
    assert "https://claude.ai/install.sh" in report.of("claude")[1]
    assert "claude-version" not in report.checks
    place.has_claude(folder=place.home / ".local" / "bin")
    report = place.examine(environ)
    assert report.of("claude")[0] == "warn"
    assert 'export PATH="$HOME/.local/bin:$PATH"' in report.of("claude")[1]
    assert report.of("claude-version")[0] == "pass"
    place.has_claude()
    assert place.examine(environ).of("claude")[0] == "pass"


def test_in_a_job_claude_must_be_there(sandbox: Sandbox, place: Place) -> None:
    assert only(place, place.job(sandbox), "claude")[0] == "fail"


@pytest.mark.parametrize(
    ("script", "status"),
    [
        ("echo '2.0.76 (Claude Code)'", "warn"),
        ("echo '2.1.0 (Claude Code)'", "pass"),
        ("echo broken; exit 1", "skipped"),
        ('echo "$GITLAB_ACCESS_TOKEN 1.2.3"', "warn"),
    ],
)
def test_the_version_of_claude_is_asked(place: Place, nowhere: str, script: str, status: str) -> None:
    place.has_claude(script)
    assert only(place, place.local(nowhere), "claude-version")[0] == status


# The registration


def test_a_server_that_is_not_registered_fails_in_a_job(sandbox: Sandbox, place: Place) -> None:
    report = place.examine(place.job(sandbox))
    assert report.of("registered")[0] == "fail"
    assert "/bin/gitlab-mcp-server || true" in report.of("registered")[1]
    assert "connected" not in report.checks
    assert only(place, place.local(sandbox.url), "registered")[0] == "warn"


@pytest.mark.parametrize(
    ("changes", "status", "told"),
    [
        ({"command": "/not/there"}, "fail", "cannot be run"),
        ({"command": "/etc/passwd"}, "fail", "cannot be run"),
        ({"command": None}, "fail", "cannot be run"),
        ({"args": ["-c", "raise SystemExit(3)"]}, "warn", 'lack "serve"'),
        ({"alwaysLoad": None}, "warn", "alwaysLoad"),
        ({"url": "https://mcp.example.com"}, "skipped", "by URL"),
        ({}, "pass", "is registered"),
    ],
)
def test_the_registered_entry_is_held_against_what_works(
    sandbox: Sandbox, place: Place, changes: dict[str, Any], status: str, told: str
) -> None:
    place.registers(**changes)
    found = only(place, place.local(sandbox.url), "registered")
    assert found[0] == status
    assert told in found[1]


@pytest.mark.parametrize("text", ["{", "", "[" * 100_000])
def test_a_configuration_of_claude_that_is_no_json_fails(place: Place, nowhere: str, text: str) -> None:
    (place.home / ".claude.json").write_text(text)
    report = place.examine(place.local(nowhere))
    assert report.of("registered")[0] == "fail"
    assert "is not valid JSON" in report.of("registered")[1]
    assert "connected" not in report.checks


@pytest.mark.parametrize("text", ["[]", "null", '{"mcpServers": 3}', '{"mcpServers": {"gitlab": "x"}}'])
def test_a_configuration_of_claude_in_another_form_has_no_server(place: Place, nowhere: str, text: str) -> None:
    (place.home / ".claude.json").write_text(text)
    assert only(place, place.local(nowhere), "registered")[0] == "warn"


def test_the_entry_for_this_directory_comes_before_the_users(place: Place, nowhere: str) -> None:
    entry = {"command": "/not/there", "args": ["serve"]}
    written = {"projects": {str(place.directory): {"mcpServers": {"gitlab": entry}}}}
    (place.home / ".claude.json").write_text(json.dumps(written))
    assert only(place, place.local(nowhere), "registered")[0] == "fail"


def test_a_folder_of_claudes_own_is_where_the_entry_is_looked_for(sandbox: Sandbox, place: Place) -> None:
    place.registers(folder=place.programs)
    environ = place.local(sandbox.url, CLAUDE_CONFIG_DIR=str(place.programs))
    assert only(place, environ, "registered")[0] == "pass"


def test_without_home_the_entry_is_looked_for_where_a_bare_start_writes_it(
    sandbox: Sandbox, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pwd, "getpwuid", lambda _: SimpleNamespace(pw_dir=str(place.home)))
    job = place.job(sandbox)
    del job["HOME"]
    assert f"{place.home}/.claude.json has no server gitlab" in only(place, job, "registered")[1]
    place.registers()
    status, told = only(place, job, "registered")
    assert status == "pass"
    assert f"{place.home}/.claude.json" in told


def test_a_user_who_has_no_home_at_all_is_told_to_set_one(
    sandbox: Sandbox, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nobody(_: int) -> None:
        raise KeyError

    monkeypatch.setattr(pwd, "getpwuid", nobody)
    job = place.job(sandbox)
    del job["HOME"]
    report = place.examine(job)
    status, told = report.of("registered")
    assert status == "fail"
    assert "set HOME to a folder that it owns" in told
    assert "connected" not in report.checks


def test_a_file_of_claudes_old_name_is_looked_into_as_long_as_it_is_in_use(sandbox: Sandbox, place: Place) -> None:
    legacy = place.home / ".claude" / ".config.json"
    legacy.parent.mkdir()
    legacy.write_text("{}")
    local = place.local(sandbox.url)
    assert "~/.claude/.config.json has no server gitlab" in only(place, local, "registered")[1]
    place.enters("user")
    assert "gitlab" in legacy.read_text()
    report = place.examine(local)
    assert report.of("registered") == ("pass", "gitlab is registered in ~/.claude/.config.json | ")
    assert "connected" in report.checks


def test_an_entry_for_the_checkout_is_found_from_a_folder_inside_it(sandbox: Sandbox, place: Place) -> None:
    inside = place.directory / "packages" / "one"
    inside.mkdir(parents=True)
    subprocess.run(["git", "init", "-q", str(place.directory)], check=True)
    place.enters("local", inside)
    local = place.local(sandbox.url)
    assert only(place, local, "registered")[0] == "pass"
    place.directory = inside
    assert only(place, local, "registered")[0] == "pass"


def test_a_local_remedy_names_the_scope_of_the_entry_that_is_wrong(sandbox: Sandbox, place: Place) -> None:
    local = place.local(sandbox.url)
    for scope in ("project", "local"):
        place.enters(scope, command="/not/there")
        status, told = only(place, local, "registered")
        assert status == "fail"
        assert f"gitlab-mcp-server register --scope {scope}" in told


def test_an_entry_in_the_projects_mcp_json_passes_locally_with_a_remark(sandbox: Sandbox, place: Place) -> None:
    place.enters("project", command=claude_code.own_command())
    local = place.local(sandbox.url)
    report = place.examine(local)
    status, told = report.of("registered")
    assert status == "pass"
    assert "gitlab is registered in the project's .mcp.json: claude -p takes it" in told
    assert " tools" in report.of("connected")[1]
    inside = place.directory / "packages"
    inside.mkdir()
    place.directory = inside
    assert only(place, local, "registered")[0] == "pass"


def test_an_entry_in_the_projects_mcp_json_is_pointed_out_in_a_job_until_the_server_registers_itself(
    sandbox: Sandbox, place: Place
) -> None:
    place.enters("project")
    job = place.job(sandbox)
    status, told = only(place, job, "registered")
    assert status == "warn"
    assert "disables the servers of the checkout's .mcp.json" in told
    assert "/bin/gitlab-mcp-server || true" in told
    place.enters("user")
    assert only(place, job, "registered")[0] == "warn", "the checkout's comes first"
    claude_code.disable_project_servers(["gitlab"], job)
    assert only(place, job, "registered") == ("pass", "gitlab is registered in ~/.claude.json | ")


@pytest.mark.parametrize("settings", [".claude/settings.json", ".claude/settings.local.json"])
def test_a_server_of_the_project_that_was_declined_does_not_count(
    sandbox: Sandbox, place: Place, settings: str
) -> None:
    place.enters("project")
    (place.directory / ".claude").mkdir()
    (place.directory / settings).write_text(json.dumps({"disabledMcpjsonServers": ["gitlab"]}))
    assert only(place, place.local(sandbox.url), "registered")[0] == "warn"


def test_what_somebody_else_wrote_into_the_projects_mcp_json_is_not_started(sandbox: Sandbox, place: Place) -> None:
    mark = place.home / "started"
    entry = {"command": "/bin/sh", "args": ["-c", f"touch {mark}", "serve"], "alwaysLoad": True}
    own = Registration(claude_code.own_command()).entry()
    for stranger in (entry, {**own, "args": [*own["args"], "--url=http://127.0.0.1:9"]}):
        (place.directory / ".mcp.json").write_text(json.dumps({"mcpServers": {"gitlab": stranger}}))
        for environ in (place.local(sandbox.url), place.job(sandbox)):
            status, told = only(place, environ, "connected")
            assert status == "skipped"
            assert "is not started here" in told
    assert not mark.exists()


@pytest.mark.parametrize("text", ["{", "[" * 100_000, "[]", '{"mcpServers": {"gitlab": 3}}'])
def test_a_projects_mcp_json_that_names_no_server_is_passed_over(sandbox: Sandbox, place: Place, text: str) -> None:
    (place.directory / ".mcp.json").write_text(text)
    place.enters("user")
    assert only(place, place.job(sandbox), "registered")[0] == "pass"


def test_variables_in_the_entry_are_put_in_as_claude_does(sandbox: Sandbox, place: Place) -> None:
    arguments = ["-m", "${PACKAGE:-gitlab_mcp}", "serve"]
    place.registers(command="${PYTHON}", args=arguments, env={"GITLAB_ACCESS_TOKEN": "${ELSEWHERE_TOKEN}"})
    environ = place.local(sandbox.url, PYTHON=sys.executable, ELSEWHERE_TOKEN=sandbox.tokens["developer"])
    assert only(place, environ, "connected")[0] == "pass"


def test_a_registered_server_that_does_not_start_is_told_with_its_last_words_but_no_secret(
    sandbox: Sandbox, place: Place
) -> None:
    script = "import os, sys; print('no', os.environ['GITLAB_ACCESS_TOKEN'], file=sys.stderr); sys.exit(3)"
    place.registers(args=["-c", script, "serve"])
    status, told = only(place, place.local(sandbox.url), "connected")
    assert status == "fail"
    assert '("no [token removed]")' in told


@pytest.mark.parametrize(
    "script",
    [
        "print('hello')",
        'input(); print(\'{"id": 1, "error": {}}\')',
        'input(); print(\'{"id": 1, "result": {}}\'); input(); input(); print(\'{"id": 2, "result": {"tools": 3}}\')',
    ],
)
def test_a_registered_program_that_is_no_mcp_server_fails(sandbox: Sandbox, place: Place, script: str) -> None:
    place.registers(args=["-c", script, "serve"])
    assert only(place, place.local(sandbox.url), "connected")[0] == "fail"


# The checkout


LACKS, UNTOLD = "warn", "skipped"
SCRIPTS = [
    # Which line runs claude.
    (CONFIGURATION, "pass"),
    (CONFIGURATION.replace("mcp__gitlab", "") + "other:\n  script: echo --allowedTools mcp__gitlab\n", LACKS),
    ("x:\n  script: echo claude -p hi --allowedTools mcp__gitlab", UNTOLD),
    ("x:\n  # --allowedTools mcp__gitlab\n  script: printf hi | claude -p", LACKS),
    ("x:\n  script:\n    - |\n      # claude -p --allowedTools mcp__gitlab\n      claude -p hi", LACKS),
    ("x:\n  variables: {A: claude}\n  environment: claude -p --allowedTools mcp__gitlab", UNTOLD),
    ("claude:\n  stage: claude\n  script:\n    - npm install @anthropic-ai/claude-code", UNTOLD),
    ("x:\n  script:\n    - claude --version\n    - claude mcp list", UNTOLD),
    ("x:\n  script: bash -c 'claude -p hi --allowedTools mcp__gitlab'", UNTOLD),
    ("x:\n  script: A=b ~/.local/bin/claude -p hi --allowedTools mcp__gitlab", "pass"),
    ("x:\n  script: timeout 9m npx -y @anthropic-ai/claude-code -p hi --allowedTools mcp__gitlab", "pass"),
    ("x:\n  script:\n  - if ! out=$(claude -p hi --allowedTools mcp__gitlab 2>&1); then exit 1; fi", "pass"),
    ("x:\n  script: cat in | claude -p > out --allowedTools mcp__gitlab", "pass"),
    ("x:\n  script:\n  - |\n    cat <<'E' | claude -p\n    it's claude -p --allowedTools mcp__gitlab\n    E", LACKS),
    ("x:\n  script:\n  - |\n    cat >in <<E\n    it's\n    E\n    claude -p --allowedTools mcp__gitlab <in", "pass"),
    # How its words are written in YAML.
    (".run: &run\n  - claude -p hi --allowedTools mcp__gitlab\nx:\n  script: *run", "pass"),
    ('x:\n  script: ["claude -p hi", "claude -p --allowedTools mcp__gitlab"]', UNTOLD),
    ('x:\n  script: [\n    "claude -p hi, you --allowedTools mcp__gitlab",\n  ]', UNTOLD),
    ("x:\n  script:\n    - claude -p hi\n      --allowedTools mcp__gitlab", "pass"),
    ("x:\n  script:\n    - 'claude -p ''hi''\n      --allowedTools mcp__gitlab'", UNTOLD),
    ('x:\n  script:\n    - "claude -p \\"hi: you\\"\n      --allowedTools mcp__gitlab"', UNTOLD),
    ("x:\n  script:\n    - |\n      claude -p hi \\\n        --allowedTools mcp__gitlab", "pass"),
    ("x:\n  script:\n    - |\n      claude -p hi\n      --allowedTools mcp__gitlab", LACKS),
    ('x:\n  script:\n    - |\n      claude -p "hi\n\n      you" --allowedTools mcp__gitlab 2>&1 | tee log', "pass"),
    ("x:\n  script:\n    - echo\n  environment: |\n    claude -p hi\n    - claude -p hi", UNTOLD),
    ("x:\n  script:\n    - !reference [.x, script]\n    - claude -p --allowedTools mcp__gitlab", "pass"),
    ("x:\n  script: claude -p 'hi", UNTOLD),
    # What it is given.
    ('x:\n  script: claude -p hi --allowedTools "Bash(*)" mcp__gitlab__get_issue', "pass"),
    ("x:\n  script: claude -p hi --allowed-tools=Bash,mcp__gitlab", "pass"),
    ("x:\n  script: claude -p hi --allowedTools Bash --allowedTools mcp__gitlab", "pass"),
    ('x:\n  script: claude -p hi --allowedTools "Bash(*)"', LACKS),
    ('x:\n  script: claude -p hi --allowedTools "Bash(*)" # mcp__gitlab', LACKS),
    ('x:\n  script:\n    - >\n      claude -p hi --allowedTools "Bash"  # mcp__gitlab later', LACKS),
    ("x:\n  script: claude -p hi --allowedTools mcp__gitlabfoo", LACKS),
    ('x:\n  script: claude -p hi --allowedTools "Bash(echo mcp__gitlab)"', LACKS),
    ('x:\n  script: claude -p hi --disallowedTools "mcp__gitlab" --allowedTools "Bash"', LACKS),
    ('x:\n  script: claude -p hi --allowedTools "Bash(*)" --model mcp__gitlab', LACKS),
    ('x:\n  script: claude -p "$AI_FLOW_INPUT" --allowedTools "Bash"', LACKS),
    ('x:\n  script: claude -p hi --allowedTools "Bash(git commit -m *)" 2>&1 | tee log', LACKS),
    ('x:\n  script: claude -p hi --allowedTools "Bash(git commit -m *) mcp__gitlab"', "pass"),
    ('x:\n  script: claude -p "${A:-\'be kind\'}" --allowedTools "$TOOLS"', UNTOLD),
    ('x:\n  script:\n    - set -- -p --allowedTools mcp__gitlab\n    - claude "$@"', UNTOLD),
]


@pytest.mark.parametrize(("text", "status"), SCRIPTS)
def test_the_job_in_the_checkout_is_read_for_the_tools_that_it_allows(
    place: Place, nowhere: str, text: str, status: str
) -> None:
    (place.directory / ".gitlab-ci.yml").write_text(text)
    found = only(place, place.local(nowhere), "allowed-tools")
    assert found[0] == status, found
    if status != "pass":
        assert "mcp__gitlab" in found[1]


def test_tools_that_are_allowed_by_name_are_some_of_them(place: Place, nowhere: str) -> None:
    (place.directory / ".gitlab-ci.yml").write_text(
        "x:\n  script: claude -p hi --allowedTools mcp__gitlab__get_issue\n"
    )
    status, told = only(place, place.local(nowhere), "allowed-tools")
    assert status == "pass"
    assert "some of them, by name" in told


def test_lines_of_several_jobs_that_differ_in_the_tools_are_counted(place: Place, nowhere: str) -> None:
    text = "x:\n  script: claude -p hi --allowedTools mcp__gitlab\ny:\n  script:\n    - claude -p other\n"
    (place.directory / ".gitlab-ci.yml").write_text(text)
    status, told = only(place, place.local(nowhere), "allowed-tools")
    assert status == "skipped"
    assert "1 of the 2 lines that run it" in told


PAGE_JOBS = sorted((REPOSITORY / "examples" / "page").glob("*.yml"))


@pytest.mark.parametrize("job", PAGE_JOBS, ids=lambda path: path.name)
def test_the_jobs_of_the_page_and_their_examples_allow_the_tools(place: Place, nowhere: str, job: Path) -> None:
    for path in (job, REPOSITORY / "examples" / job.name):
        text = path.read_text()
        (place.directory / ".gitlab-ci.yml").write_text(text)
        assert only(place, place.local(nowhere), "allowed-tools")[0] == "pass"
        (place.directory / ".gitlab-ci.yml").write_text(text.replace("mcp__gitlab", ""))
        assert only(place, place.local(nowhere), "allowed-tools")[0] == LACKS


@pytest.mark.parametrize("name", ["claude", "claude-bedrock", "claude-vertex"])
def test_the_templates_take_the_tools_from_an_input(place: Place, nowhere: str, name: str) -> None:
    (place.directory / ".gitlab-ci.yml").write_text((REPOSITORY / "templates" / f"{name}.yml").read_text())
    assert only(place, place.local(nowhere), "allowed-tools")[0] == UNTOLD


@pytest.mark.parametrize(
    "piece",
    [
        "a: [",
        "- '",
        '- "',
        "x: |\n",
        "- <<A\n",
        "- ${",
        "- \\",
        "  " * 99,
        "a:",
        "- - ",
        "&a !b ",
        "#",
        "(",
        "'\"",
        ">",
        "claude -p\n",
    ],
)
def test_a_large_configuration_that_is_none_is_read_in_no_time(place: Place, nowhere: str, piece: str) -> None:
    for before in ("script:\n", "script: |\n  claude -p "):
        (place.directory / ".gitlab-ci.yml").write_text(before + piece * (1_000_000 // len(piece)))
        began = time.process_time()
        assert only(place, place.local(nowhere), "allowed-tools")[0] in (LACKS, UNTOLD)
        assert time.process_time() - began < 15


def test_files_that_claude_obeys_are_named(place: Place, nowhere: str) -> None:
    assert "obeyed-files" not in place.examine(place.local(nowhere)).checks
    (place.directory / ".claude").mkdir()
    (place.directory / ".claude" / "settings.json").write_text("{}")
    (place.directory / ".mcp.json").write_text("{}")
    status, told = only(place, place.local(nowhere), "obeyed-files")
    assert status == "warn"
    assert ".mcp.json, .claude/settings.json" in told
    assert "--setting-sources user" in told


# The model's credentials


@pytest.mark.parametrize(
    ("variables", "status", "told"),
    [
        ({}, "fail", "ANTHROPIC_API_KEY"),
        ({"ANTHROPIC_API_KEY": "${ANTHROPIC_API_KEY}"}, "fail", "ANTHROPIC_API_KEY"),
        ({"ANTHROPIC_API_KEY": "sk-ant-made-up-0"}, "pass", "ANTHROPIC_API_KEY is set"),
        ({"ANTHROPIC_AUTH_TOKEN": "made-up-0"}, "pass", "ANTHROPIC_AUTH_TOKEN is set"),
        ({"CLAUDE_CODE_OAUTH_TOKEN": "made-up-0"}, "pass", "CLAUDE_CODE_OAUTH_TOKEN is set"),
        ({"AWS_ROLE_TO_ASSUME": "arn"}, "fail", "CLAUDE_CODE_USE_BEDROCK=1"),
        ({"CLAUDE_CODE_USE_BEDROCK": "1"}, "fail", "AWS_REGION"),
        ({"CLAUDE_CODE_USE_BEDROCK": "1", "AWS_REGION": "us-west-2", "AWS_PROFILE": "x"}, "pass", "Bedrock"),
        (
            {"CLAUDE_CODE_USE_BEDROCK": "1", "AWS_REGION": "x", "AWS_ROLE_TO_ASSUME": "arn"},
            "fail",
            "AWS_ROLE_TO_ASSUME is exchanged for",
        ),
        (
            {
                "CLAUDE_CODE_USE_BEDROCK": "1",
                "AWS_REGION": "x",
                "AWS_ROLE_ARN": "arn",
                "AWS_WEB_IDENTITY_TOKEN_FILE": "/not/there",
            },
            "fail",
            "the file that AWS_WEB_IDENTITY_TOKEN_FILE names",
        ),
        ({"GCP_WORKLOAD_IDENTITY_PROVIDER": "x"}, "fail", "CLAUDE_CODE_USE_VERTEX=1"),
        ({"CLAUDE_CODE_USE_VERTEX": "1", "CLOUD_ML_REGION": "x"}, "fail", "ANTHROPIC_VERTEX_PROJECT_ID"),
        (
            {
                "CLAUDE_CODE_USE_VERTEX": "1",
                "CLOUD_ML_REGION": "x",
                "ANTHROPIC_VERTEX_PROJECT_ID": "x",
                "GOOGLE_APPLICATION_CREDENTIALS": __file__,
            },
            "pass",
            "Vertex",
        ),
    ],
)
def test_the_models_credentials_are_looked_for(
    sandbox: Sandbox, place: Place, variables: dict[str, str], status: str, told: str
) -> None:
    found = only(place, place.job(sandbox, **variables), "model")
    assert found[0] == status
    assert told in found[1]


def test_locally_claude_may_be_logged_in(place: Place, nowhere: str) -> None:
    assert only(place, place.local(nowhere), "model")[0] == "skipped"


# Whatever happens


@pytest.mark.parametrize("path", ["", "(?<!/version)$"])
def test_everything_ends_in_time_whatever_hangs(fresh_sandbox: Sandbox, place: Place, path: str) -> None:
    hangs = f"{shutil.which('sleep')} 60 & wait"
    place.has_claude(hangs)
    place.registers(command="/bin/sh", args=["-c", hangs, "serve"])
    fresh_sandbox.faults.delay(path=path, seconds=60, times=100)
    began = time.monotonic()
    report = place.examine(place.job(fresh_sandbox))
    assert time.monotonic() - began < 22
    assert report.of("reachable")[0] == ("pass" if path else "fail")
    assert report.of("push")[0] == report.of("default-branch")[0] == "skipped"
    assert report.of("claude-version")[0] == "skipped"
    assert report.of("connected")[0] == "fail"


def test_a_check_that_breaks_is_one_sentence_and_hides_no_other(place: Place) -> None:
    def breaks(context: DoctorContext) -> CheckResult:
        raise KeyError(context.environ["GITLAB_URL"])

    context = DoctorContext(Flags(), place.local("http://127.0.0.1:9"), place.directory)
    other = Check("other", "whether others go on", lambda _: CheckResult("pass", "They do"))
    [(_, broken), (_, well)] = run([Check("broken", "whether it works", breaks), other], context)
    assert broken.status == "skipped"
    assert broken.what.startswith("whether it works: the check failed with an internal error (KeyError)")
    assert broken.remedy
    assert well.status == "pass"


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


def test_no_thread_of_a_check_is_left_over_when_all_went_well(sandbox: Sandbox, place: Place) -> None:
    before = set(threading.enumerate())
    place.examine(place.local(sandbox.url, sandbox.tokens["developer"]))
    for thread in set(threading.enumerate()) - before:
        thread.join(5)
    assert set(threading.enumerate()) - before == set()
