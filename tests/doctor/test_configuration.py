"""Checks of the configuration and of which token is used."""

import pytest

from gitlab_mcp.sandbox import Sandbox
from tests.support.doctor import Place, only


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
def test_a_configuration_error_is_a_failed_check_and_not_another_exit_code(
    place: Place, nowhere: str, variables: dict[str, str], named: str
) -> None:
    report = place.examine({**place.local(nowhere), **variables})
    assert report.code == 1
    assert report.ids("fail") == ["configuration"]
    assert named in report.of("configuration")[1]
    assert "configuration" in report.of("reachable")[1]


def test_tokens_that_are_set_and_not_used_are_named(sandbox: Sandbox, place: Place) -> None:
    status, told = only(place, place.job(sandbox, GITLAB_TOKEN="glpat-somebody-elses-token"), "ignored-tokens")
    assert status == "warn"
    assert "GITLAB_TOKEN is set, and not used" in told
    local = place.local(sandbox.url, sandbox.tokens["developer"], GITLAB_TOKEN="glpat-somebody-elses-token")
    assert only(place, local, "ignored-tokens")[0] == "pass"
    assert "ignored-tokens" not in place.examine(place.job(sandbox)).checks


@pytest.mark.parametrize(
    "variables", [{"GITLAB_MCP_TOOLS": "nope"}, {"GITLAB_CA_FILE": "/not/there"}, {"GITLAB_MCP_TOOLSETS": "nope"}]
)
def test_a_good_token_is_not_accused_of_what_else_is_wrong(
    sandbox: Sandbox, place: Place, variables: dict[str, str]
) -> None:
    report = place.examine(place.job(sandbox, GITLAB_ACCESS_TOKEN=sandbox.tokens["developer"], **variables))
    assert report.of("configuration")[0] == "fail"
    assert "GITLAB_ACCESS_TOKEN" not in report.text


def test_a_project_that_cannot_be_read_is_not_a_role_that_is_missing(sandbox: Sandbox, place: Place) -> None:
    token = sandbox.tokens["developer"]
    report = place.examine(place.local(sandbox.url, token, GITLAB_PROJECT="acme/not-there"))
    assert report.of("project")[0] == "fail"
    assert report.checks["role"]["status"] == "skipped"


def test_a_project_that_is_not_the_jobs_is_a_failed_check(sandbox: Sandbox, place: Place) -> None:
    status, told = only(place, place.job(sandbox, GITLAB_PROJECT="acme/other"), "configuration")
    assert status == "fail"
    assert '"acme/other", and this run is restricted to acme/app' in told
    own = place.job(sandbox, GITLAB_PROJECT=str(sandbox.project_id))
    assert only(place, own, "configuration")[0] == "pass"


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
