"""Checks of the job token: whether it is valid, and whether it may push."""

from pathlib import Path
from typing import Any

import pytest

from gitlab_mcp.sandbox import Sandbox
from tests.network.certificates import private_ca
from tests.support.doctor import SWITCH, Place, only


def test_git_too_trusts_the_private_ca_that_is_configured(tmp_path: Path, place: Place) -> None:
    ca, certificate, key = private_ca(tmp_path)
    with Sandbox(ssl=(str(certificate), str(key))) as behind_tls:
        job = place.job(behind_tls, CI_SERVER_TLS_CA_FILE=str(ca))
        assert "Job token permissions" in only(place, job, "push")[1]


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
