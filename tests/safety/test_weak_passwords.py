"""Weak passwords such as POSTGRES_PASSWORD=postgres: no secret where a file of the target branch says them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gitlab_mcp.config.job_context import JobContext
from gitlab_mcp.config.settings import Flags, Settings, SettingsError, read_settings
from gitlab_mcp.sandbox import Sandbox
from tests.support import backends
from tests.support.agent import connect
from tests.support.backends import BACKENDS
from tests.support.ci_job import allow_job_pushes
from tests.support.git_clones import clone
from tests.support.gitlab_requests import commit, writes
from tests.support.settings import checkout, settings_for

WEAK, STRONG, KEY, FORM = "postgres", "postgres-and-16-c", "sk-shortkey1", "glpat-short1"
LISTED = "\n".join(
    ("services: [db]", f"PASSWORD: {WEAK}", f"{STRONG}: x", f"key: {KEY}", f"token: {FORM}", "superuser1", "solitary")
)
PLACES = (".gitlab-ci.yml", "docker-compose.test.yaml", ".env.example", ".gitlab/ci/test.yml", "docker/compose.yml")


@pytest.fixture(scope="module")
def gitlab(sandbox: Sandbox) -> Sandbox:
    """A GitLab with a target branch for each place that lists values, and a source branch that lists guesses."""
    allow_job_pushes(sandbox)
    for number, place in enumerate(PLACES):
        action = "update" if place == ".gitlab-ci.yml" else "create"
        commit(sandbox, f"target-{number}", "main", {"action": action, "file_path": place, "content": LISTED})
    commit(sandbox, "guesses", "main", {"action": "create", "file_path": ".env.example", "content": LISTED})
    return sandbox


@pytest.fixture(autouse=True)
def no_requests_yet(gitlab: Sandbox) -> None:
    gitlab.faults.clear()


def with_variables(
    gitlab: Sandbox, backend: str, variables: dict[str, str], target: str = "target-0", flag: str = "", **more: Any
) -> Settings:
    """The settings of a run for a merge request into `target`, with secret variables."""
    environ = {"GITLAB_URL": gitlab.url, "GITLAB_ACCESS_TOKEN": gitlab.tokens["developer"], **variables}
    read = read_settings(Flags(not_secret=flag), environ, Path("/"))
    job = JobContext(noun="merge request", iid=1, branch="guesses", target_branch=target)
    found = {"secrets": read.secrets, "secret_variables": read.secret_variables, "job": job}
    return backends.settings(gitlab, backend, **found, **more)


def change(value: str, branch: str) -> dict[str, Any]:
    """A commit that has a value in its file, message and branch."""
    actions = [{"path": f"{value}.txt", "content": f"psql -U {value}\n"}]
    return {"branch": branch, "ref": "main", "message": f"Use {value}", "actions": actions}


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("place", PLACES)
async def test_a_weak_password_in_a_file_of_the_target_branch_is_no_secret(
    gitlab: Sandbox, backend: str, place: str
) -> None:
    number = PLACES.index(place)
    settings = with_variables(gitlab, backend, {"POSTGRES_PASSWORD": WEAK}, f"target-{number}")
    async with connect(settings) as agent:
        branch = f"{WEAK}-{backend}-{number}"
        answer = await agent.call("commit_files", **change(WEAK, branch))
        assert f"to {branch} (new branch" in answer
        assert f"psql -U {WEAK}" in await agent.call("get_file", path=f"{WEAK}.txt", ref=branch)


@pytest.mark.parametrize(
    ("variable", "value", "may_except"),
    [
        ("POSTGRES_PASSWORD", STRONG, True),
        ("POSTGRES_PASSWORD", "postgres-not-there"[:15], True),
        ("POSTGRES_PASSWORD", "superuse", True),
        ("ANTHROPIC_API_KEY", KEY, False),
        ("AWS_SECRET_ACCESS_KEY", WEAK, False),
        ("DEPLOY_TOKEN", FORM, True),
    ],
    ids=["16 characters", "in no file", "part of a word", "the model's key", "a cloud's key", "form of a token"],
)
@pytest.mark.parametrize("backend", BACKENDS)
async def test_what_stays_secret_is_refused_and_its_variable_named(
    gitlab: Sandbox, backend: str, variable: str, value: str, may_except: bool
) -> None:
    async with connect(with_variables(gitlab, backend, {variable: value})) as agent:
        told = await agent.refused("commit_files", **change(value, "stays-secret"))
    assert f"The text contains the value of a secret of this run, {variable}: nothing was sent." in told
    assert (f"--not-secret {variable}" in told) == may_except
    assert value not in told
    assert not [each for each in writes(gitlab) if "upload-pack" not in each]


@pytest.mark.parametrize("backend", BACKENDS)
async def test_guesses_in_the_source_branch_and_the_working_directory_do_not_count(
    gitlab: Sandbox, backend: str, tmp_path: Path
) -> None:
    work = clone(gitlab, "guesses", tmp_path / "work")
    settings = with_variables(gitlab, backend, {"POSTGRES_PASSWORD": WEAK}, "main", working_directory=checkout(work))
    async with connect(settings) as agent:
        assert "POSTGRES_PASSWORD" in await agent.refused("commit_files", **change(WEAK, "guessed"))
        assert WEAK not in await agent.call("get_file", path=".env.example", ref="guesses")


async def test_a_token_of_the_run_stays_secret_whatever_its_variable(gitlab: Sandbox) -> None:
    settings = settings_for(gitlab, secrets=(gitlab.tokens["maintainer"],), in_ci=False)
    async with connect(settings) as agent:
        told = await agent.refused("create_issue", title=f"x {gitlab.tokens['maintainer']}")
    assert "a secret of this run, GITLAB_ACCESS_TOKEN: nothing was sent" in told
    assert "--not-secret" not in told


async def test_where_the_target_branch_cannot_be_read_a_weak_password_stays_secret(gitlab: Sandbox) -> None:
    gitlab.faults.fail("GET", "/repository/tree", 403, times=100)
    async with connect(with_variables(gitlab, "rest", {"POSTGRES_PASSWORD": WEAK})) as agent:
        for _ in range(3):
            assert "POSTGRES_PASSWORD" in await agent.refused("create_issue", title=f"About {WEAK}")


@pytest.fixture
def quiet_gitlab() -> Iterator[Sandbox]:
    """A GitLab that no other test asks for anything, with a target branch that lists values."""
    with Sandbox(fault_injection=True) as one:
        commit(one, "target-0", "main", {"action": "update", "file_path": PLACES[0], "content": LISTED})
        one.faults.clear()
        yield one


async def test_the_files_are_read_once_and_only_where_a_weak_password_is_met(quiet_gitlab: Sandbox) -> None:
    gitlab = quiet_gitlab

    def read() -> list[str]:
        asked = gitlab.faults.requests()
        return [f"{each['path']}?{each['query']}" for each in asked if "/repository/" in each["path"]]

    async with connect(with_variables(gitlab, "rest", {"POSTGRES_PASSWORD": "solitary"})) as agent:
        await agent.call("create_issue", title="About something else")
        assert read() == []
        await agent.call("create_issue", title="About solitary")
        first = read()
        assert len(first) == len(set(first)) > 0
        await agent.call("create_issue", title="About solitary again")
        assert read() == first


async def test_a_flag_excepts_a_variable_and_no_credential(gitlab: Sandbox) -> None:
    variables = {"POSTGRES_PASSWORD": "not-in-a-file-at-all", "OTHER_PASSWORD": "another-one"}
    settings = with_variables(gitlab, "rest", variables, flag="POSTGRES_PASSWORD")
    async with connect(settings) as agent:
        await agent.call("create_issue", title="About not-in-a-file-at-all")
        assert "OTHER_PASSWORD" in await agent.refused("create_issue", title="About another-one")
    for name in ("ANTHROPIC_API_KEY", "GITLAB_ACCESS_TOKEN", "CI_JOB_TOKEN"):
        with pytest.raises(SettingsError, match=name):
            with_variables(gitlab, "rest", variables, flag=f"OTHER_PASSWORD,{name}")


def test_in_ci_only_the_flag_excepts_a_variable(tmp_path: Path) -> None:
    environ = {"CI_PROJECT_PATH": "acme/app", "CI_JOB_TOKEN": "x" * 20, "DB_PASSWORD": "password1"}
    environ["GITLAB_MCP_NOT_SECRET"] = "DB_PASSWORD"
    assert "password1" in read_settings(Flags(), {**environ, "GITLAB_CI": "true"}, tmp_path).secrets
    assert (
        "password1"
        not in read_settings(Flags(), {**environ, "GITLAB_TOKEN": "glpat-0aZ9kQ3tR7wB1nM5"}, tmp_path).secrets
    )
    flags = Flags(not_secret="DB_PASSWORD")
    assert "password1" not in read_settings(flags, {**environ, "GITLAB_CI": "true"}, tmp_path).secrets
