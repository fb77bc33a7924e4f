"""`doctor --project`: a project's set-up, examined from outside its jobs."""

from typing import Any

import pytest

from gitlab_mcp.sandbox import Sandbox
from tests.sandbox.conftest import Api
from tests.support.ci_job import allow_job_pushes
from tests.support.doctor import SWITCH, Place, Report

VARIABLES = "/projects/:p/variables"
KEY: dict[str, Any] = {"key": "ANTHROPIC_API_KEY", "value": "sk-ant-made-up-0", "masked_and_hidden": True}
TOKEN: dict[str, Any] = {"key": "GITLAB_ACCESS_TOKEN", "value": "glpat-made-up-0", "masked_and_hidden": True}
INCLUDE = "include:\n  - component: $CI_SERVER_FQDN/tools/gitlab-mcp-server/claude@main\n"


def outside(place: Place, sandbox: Sandbox, who: str = "maintainer") -> Report:
    """The report on the project, with the token of one of its users."""
    environ = place.local(sandbox.url, sandbox.tokens[who])
    return place.examine(environ, "--project", environ.pop("GITLAB_PROJECT"))


@pytest.fixture
def maintainer(fresh_sandbox: Sandbox) -> Api:
    return Api(fresh_sandbox, "maintainer")


def set_up(maintainer: Api) -> None:
    """Do what docs/setup.md says, by hand."""
    allow_job_pushes(maintainer.sandbox)
    maintainer.post(VARIABLES, **KEY)
    maintainer.post(VARIABLES, **TOKEN)
    maintainer.post("/projects/:p/access_tokens", name="claude", scopes=["api"], access_level=30)
    maintainer.commit("main", {"action": "update", "file_path": ".gitlab-ci.yml", "content": INCLUDE})


def test_a_project_that_is_set_up_passes(fresh_sandbox: Sandbox, place: Place, maintainer: Api) -> None:
    with maintainer.session:
        set_up(maintainer)
    report = outside(place, fresh_sandbox)
    assert report.code == 0
    assert report.ids("warn") == report.ids("fail") == [], report.text
    for check in ("role", "version", "push", "runner", "job", "model", "comments", "expiry", "default-branch"):
        assert report.of(check)[0] == "pass", report.text


def test_what_only_a_job_can_tell_is_one_line(fresh_sandbox: Sandbox, place: Place, maintainer: Api) -> None:
    with maintainer.session:
        set_up(maintainer)
    environ = place.local(fresh_sandbox.url, fresh_sandbox.tokens["maintainer"])
    output, _ = place.prints(environ, "--project", "acme/app")
    [line] = [line for line in output.splitlines() if "only a job can tell:" in line]
    assert line.startswith("skipped  ")
    for about in ("whether CI_JOB_TOKEN is valid", "whether claude is installed", "whether the server is registered"):
        assert about in line
    assert "Run gitlab-mcp-server doctor in a job." in output
    assert "sk-ant" not in output


def test_a_project_with_nothing_says_what_is_missing(fresh_sandbox: Sandbox, place: Place) -> None:
    report = outside(place, fresh_sandbox)
    assert report.code == 1
    assert report.of("push")[0] == "fail"
    assert SWITCH in report.of("push")[1]
    assert report.of("comments")[0] == "warn"
    assert "scope api" in report.of("comments")[1]
    assert report.of("model")[0] == "skipped"
    assert "ANTHROPIC_API_KEY" in report.of("model")[1]
    assert report.of("job")[0] == "warn"
    assert "expiry" not in report.checks


@pytest.mark.parametrize(
    ("variable", "check", "words"),
    [
        pytest.param({**KEY, "masked_and_hidden": False}, "model", "is not masked", id="a key that is visible"),
        pytest.param({**TOKEN, "masked_and_hidden": False}, "comments", "is not masked", id="a token that is visible"),
        pytest.param({**KEY, "protected": True}, "protected-variables", "is protected", id="a protected key"),
    ],
)
def test_a_variable_that_is_not_as_it_should_be(
    fresh_sandbox: Sandbox, place: Place, maintainer: Api, variable: dict[str, Any], check: str, words: str
) -> None:
    with maintainer.session:
        maintainer.post(VARIABLES, **variable)
    status, told = outside(place, fresh_sandbox).of(check)
    assert status == "warn"
    assert f"{variable['key']} {words}" in told


def test_the_token_of_a_project_that_expires_soon(fresh_sandbox: Sandbox, place: Place, maintainer: Api) -> None:
    with maintainer.session:
        set_up(maintainer)
        [token] = maintainer.get("/projects/:p/access_tokens")
        maintainer.call("POST", f"/projects/:p/access_tokens/{token['id']}/rotate")
    status, told = outside(place, fresh_sandbox).of("expiry")
    assert status == "warn"
    assert "only a job can tell" in told


@pytest.mark.parametrize("status", ["", "offline"])
def test_without_a_runner_online_its_jobs_wait(fresh_sandbox: Sandbox, place: Place, status: str) -> None:
    fresh_sandbox.world.runner_status = status
    found, told = outside(place, fresh_sandbox).of("runner")
    assert found == "fail"
    assert "Settings > CI/CD > Runners" in told


@pytest.mark.parametrize(
    ("role", "status"), [("no_one_allowed", "pass"), ("maintainer", "pass"), ("developer", "warn")]
)
def test_who_may_start_a_pipeline_with_variables(
    fresh_sandbox: Sandbox, place: Place, maintainer: Api, role: str, status: str
) -> None:
    with maintainer.session:
        maintainer.put("/projects/:p", ci_pipeline_variables_minimum_override_role=role)
    assert outside(place, fresh_sandbox).of("pipeline-variables")[0] == status


def test_a_configuration_that_is_not_valid_fails(fresh_sandbox: Sandbox, place: Place, maintainer: Api) -> None:
    with maintainer.session:
        broken = {"action": "update", "file_path": ".gitlab-ci.yml", "content": "test: {stage: nowhere, script: x}"}
        maintainer.commit("main", broken)
    status, told = outside(place, fresh_sandbox).of("job")
    assert status == "fail"
    assert "nowhere" in told


@pytest.mark.parametrize(
    ("version", "has_token", "status"),
    [("17.11.4-ee", False, "fail"), ("17.11.4-ee", True, "warn"), ("18.4.0", False, "warn"), ("18.5.1", False, "pass")],
)
def test_what_jobs_can_do_depends_on_the_version(place: Place, version: str, has_token: bool, status: str) -> None:
    with Sandbox(version=version) as sandbox:
        maintainer = Api(sandbox, "maintainer")
        with maintainer.session:
            if has_token:
                maintainer.post(VARIABLES, **TOKEN)
        assert outside(place, sandbox).of("version")[0] == status


def test_a_developer_is_told_what_only_a_maintainer_sees(fresh_sandbox: Sandbox, place: Place) -> None:
    report = outside(place, fresh_sandbox, "developer")
    assert report.of("role")[0] == "warn"
    for check in ("push", "runner", "model", "comments", "pipeline-variables"):
        status, told = report.of(check)
        assert status == "skipped"
        assert "only a Maintainer of the project can see it" in told
    assert report.of("job")[0] == "warn"


def test_a_job_that_names_its_project_is_checked_as_a_job(fresh_sandbox: Sandbox, place: Place) -> None:
    report = place.examine(place.job(fresh_sandbox), "--project", "acme/app")
    assert "job-token" in report.ids("pass")
    assert "runner" not in report.checks


def test_the_project_is_only_read(fresh_sandbox: Sandbox, place: Place) -> None:
    outside(place, fresh_sandbox)
    assert {each["method"] for each in fresh_sandbox.faults.requests()} == {"GET"}
