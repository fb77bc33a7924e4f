"""Starting, repeating and ending pipelines, and checking what configures them: the tools that are asked for by name."""

from pathlib import Path
from typing import Any

import anyio
import pytest

from gitlab_mcp.config.settings import Settings
from gitlab_mcp.sandbox import Sandbox
from tests.support.agent import connect
from tests.support.ci_job import declare_inputs
from tests.support.git_clones import clone
from tests.support.gitlab_requests import get, writes
from tests.support.settings import checkout, settings_for
from tests.support.write_faults import CONFIRMED, FAULTS, fault

BRANCH = "feature/verbose-flag"


def opened(sandbox: Sandbox, **more: Any) -> Settings:
    """The settings of a run that was given the toolset."""
    return settings_for(sandbox, toolsets=("default", "pipelines"), **more)


async def test_they_are_not_listed_unasked(sandbox: Sandbox) -> None:
    async with connect(settings_for(sandbox)) as agent:
        listed = {tool.name for tool in (await agent.client.list_tools()).tools}
        assert {"get_pipeline", "get_job_log", "get_test_report"} <= listed
        assert not {"list_pipelines", "lint_ci_config", "run_pipeline", "retry_job", "cancel_pipeline"} & listed
        assert "--toolsets default,pipelines adds it" in await agent.refused("retry_job", job_id=1)


async def test_pipelines_are_listed_and_chosen_by_branch_status_and_author(sandbox: Sandbox) -> None:
    made = sandbox.fail_pipeline(BRANCH)
    async with connect(opened(sandbox)) as agent:
        answer = await agent.call("list_pipelines", ref=BRANCH, status="failed", author="@developer")
        none = await agent.call("list_pipelines", ref=BRANCH, status="running")
    assert answer == f"# Pipelines: 1 pipeline\n{made.id} failed {BRANCH} · {made.sha[:8]} · push · 2026-11-23"
    assert none == "# Pipelines: none"


async def test_a_pipeline_is_started_for_a_branch(fresh_sandbox: Sandbox) -> None:
    async with connect(opened(fresh_sandbox)) as agent:
        answer = await agent.call("run_pipeline", ref=BRANCH)
        assert "Reference not found" in await agent.refused("run_pipeline", ref="nowhere")
    (made,) = get(fresh_sandbox, f"/pipelines?ref={BRANCH}")
    assert answer == f"Started pipeline {made['id']} of {BRANCH} (created): {made['web_url']}"
    assert made["source"] == "api"
    assert [job["name"] for job in get(fresh_sandbox, f"/pipelines/{made['id']}/jobs")] == ["test"]


async def test_variables_are_given_where_the_project_lets_them_be(fresh_sandbox: Sandbox) -> None:
    project = fresh_sandbox.world.projects[fresh_sandbox.project_id]
    declare_inputs(fresh_sandbox, level="number")
    given: dict[str, Any] = {"variables": {"RELEASE": "1.4"}, "inputs": {"level": 3}}
    async with connect(opened(fresh_sandbox)) as agent:
        told = await agent.refused("run_pipeline", **given)
        assert "Insufficient permissions to set pipeline variables" in told
        assert "inputs need no such permission" in told
        project.settings["ci_pipeline_variables_minimum_override_role"] = "developer"
        fresh_sandbox.faults.clear()
        await agent.call("run_pipeline", **given)
    (sent,) = (each["body"] for each in fresh_sandbox.faults.requests() if each["method"] == "POST")
    assert sent == {"ref": "main", "variables": [{"key": "RELEASE", "value": "1.4"}], "inputs": {"level": 3}}


async def test_a_job_runs_again_once(fresh_sandbox: Sandbox) -> None:
    unit = fresh_sandbox.fail_pipeline(BRANCH).jobs[-1]
    async with connect(opened(fresh_sandbox)) as agent:
        answer = await agent.call("retry_job", job_id=unit.id)
        told = await agent.refused("retry_job", job_id=unit.id)
    newest = unit.pipeline.jobs[-1]
    url = f"{fresh_sandbox.url}/acme/app/-/jobs/{newest.id}"
    assert answer == f"Retried job {unit.id} as {newest.id} (unit, pending): {url}"
    assert "was retried already" in told


async def test_a_pipeline_is_canceled_and_one_that_ended_stays_as_it_is(fresh_sandbox: Sandbox) -> None:
    failed = fresh_sandbox.fail_pipeline(BRANCH)
    async with connect(opened(fresh_sandbox)) as agent:
        made = await agent.call("run_pipeline", ref=BRANCH)
        number = int(made.split()[2])
        assert (await agent.call("cancel_pipeline", pipeline_id=number)).startswith(f"Pipeline {number} is canceled: ")
        assert (await agent.call("cancel_pipeline", pipeline_id=failed.id)).startswith(
            f"Pipeline {failed.id} is failed: "
        )


@pytest.mark.parametrize("kind", FAULTS)
async def test_what_loses_its_answer_happens_once(fresh_sandbox: Sandbox, kind: str) -> None:
    unit = fresh_sandbox.fail_pipeline(BRANCH).jobs[-1]
    async with connect(opened(fresh_sandbox)) as agent:
        fault(fresh_sandbox, kind, "POST", "/pipeline$")
        started = await agent.call("run_pipeline", ref="main")
        fault(fresh_sandbox, kind, "POST", "/retry$")
        retried = await agent.call("retry_job", job_id=unit.id)
        fault(fresh_sandbox, kind, "POST", "/cancel$")
        canceled = await agent.call("cancel_pipeline", pipeline_id=int(started.split()[2]))
    assert len(get(fresh_sandbox, "/pipelines?source=api")) == 1
    assert [job.name for job in unit.pipeline.jobs].count("unit") == 3
    happened = kind == "drop after"
    assert [CONFIRMED in answer for answer in (started, retried, canceled)] == [happened] * 3


async def test_a_run_that_another_call_began_is_not_taken_for_the_own_one(fresh_sandbox: Sandbox) -> None:
    async with connect(opened(fresh_sandbox)) as agent:
        first = await agent.call("run_pipeline", ref="main")
        fault(fresh_sandbox, "drop before", "POST", "/pipeline$")
        second = await agent.call("run_pipeline", ref="main")
    started = [each["id"] for each in get(fresh_sandbox, "/pipelines?source=api")]
    assert sorted(int(answer.split()[2]) for answer in (first, second)) == sorted(started)
    assert CONFIRMED not in second


async def test_two_runs_at_once_with_other_variables_are_two_pipelines(fresh_sandbox: Sandbox) -> None:
    project = fresh_sandbox.world.projects[fresh_sandbox.project_id]
    project.settings["ci_pipeline_variables_minimum_override_role"] = "developer"
    fault(fresh_sandbox, "drop before", "POST", "/pipeline$")
    answers: dict[str, str] = {}
    async with connect(opened(fresh_sandbox)) as agent, anyio.create_task_group() as group:

        async def run(named: str, target: str) -> None:
            answers[target] = await agent.call("run_pipeline", variables={"TARGET": target}, project=named)

        for named, target in (("acme/app", "staging"), (str(fresh_sandbox.project_id), "production")):
            group.start_soon(run, named, target)
    posted = [each for each in fresh_sandbox.faults.requests() if each["method"] == "POST"]
    given = [each["body"]["variables"][0]["value"] for each in posted if each["status"]]
    started = [each["id"] for each in get(fresh_sandbox, "/pipelines?source=api&sort=asc")]
    assert {target: int(answer.split()[2]) for target, answer in answers.items()} == dict(
        zip(given, started, strict=True)
    )


@pytest.mark.parametrize("given", [{"variables": {"A": "b"}}, {"inputs": {"a": 1}}])
async def test_where_it_is_not_known_what_a_pipeline_was_given_none_is_called_the_own_one(
    fresh_sandbox: Sandbox, given: dict[str, Any]
) -> None:
    project = fresh_sandbox.world.projects[fresh_sandbox.project_id]
    project.settings["ci_pipeline_variables_minimum_override_role"] = "developer"
    if "inputs" in given:
        declare_inputs(fresh_sandbox, a="number")
    fault(fresh_sandbox, "drop after", "POST", "/pipeline$")
    async with connect(opened(fresh_sandbox)) as agent:
        told = await agent.refused("run_pipeline", ref="main", **given)
    assert "Whether it took effect is not known. Look with list_pipelines before starting it again." in told
    assert "GitLab does not show there which variables and inputs a pipeline has" in told
    assert len(get(fresh_sandbox, "/pipelines?source=api")) == 1


async def test_a_configuration_is_checked_as_given_as_edited_on_disk_and_at_a_ref(
    fresh_sandbox: Sandbox, tmp_path: Path
) -> None:
    work = clone(fresh_sandbox, "main", tmp_path / "work")
    (work / ".gitlab-ci.yml").write_text("unit:\n  stage: nowhere\n  script: [pytest]\n")
    async with connect(opened(fresh_sandbox, working_directory=checkout(work), read_only=True)) as agent:
        on_disk = await agent.call("lint_ci_config")
        at_ref = await agent.call("lint_ci_config", ref="main")
        given = await agent.call("lint_ci_config", content="a:\n  script: x\n")
        assert "exclude each other" in await agent.refused("lint_ci_config", content="a", ref="main")
        assert "404" in await agent.refused("lint_ci_config", ref="gone")
    assert on_disk.splitlines() == [
        "# .gitlab-ci.yml in the working directory: not valid, 1 error",
        "error: unit job: chosen stage nowhere does not exist; available stages are .pre, build, test, deploy, .post",
    ]
    assert at_ref == "# .gitlab-ci.yml at main: valid\ntest: jobs test"
    assert given == "# content: valid\ntest: jobs a"
    sent = [each for each in writes(fresh_sandbox) if "/api/" in each]  # git fetches by POST
    assert sent == ["POST /api/v4/projects/acme%2Fapp/ci/lint"] * 2


async def test_a_secret_of_the_run_is_not_sent_to_be_checked(sandbox: Sandbox) -> None:
    async with connect(opened(sandbox, secrets=("s3cret-value-of-this-run",))) as agent:
        assert "contains the value of a secret" in await agent.refused(
            "lint_ci_config", content="variables: {A: s3cret-value-of-this-run}"
        )
