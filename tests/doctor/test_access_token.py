"""Checks of the access token: its validity, scopes and expiry, the project, and the role of its user."""

from datetime import date, timedelta

import pytest

from gitlab_mcp.sandbox import Sandbox
from tests.support.ci_job import allow_job_pushes
from tests.support.doctor import Place, only


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


def test_a_read_only_token_fails_unless_the_run_only_reads_or_a_job_token_pushes(
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
