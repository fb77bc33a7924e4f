"""The CI/CD variables of a project in its pipelines: for the rules of jobs, and for the jobs."""

from __future__ import annotations

from typing import Any

import pytest

from gitlab_mcp.sandbox import Sandbox
from gitlab_mcp.sandbox.state.predefined_variables import job_variables
from tests.sandbox.conftest import Api

CONFIGURATION = """
variables: {COLOUR: of the file}
claude: {script: [x], rules: [{if: $ANTHROPIC_API_KEY}]}
other: {script: [x], rules: [{if: $ANTHROPIC_API_KEY == null}]}
"""


@pytest.fixture
def configured(maintainer: Api) -> Api:
    maintainer.put("/projects/:p", ci_pipeline_variables_minimum_override_role="maintainer")
    maintainer.commit("main", {"action": "update", "file_path": ".gitlab-ci.yml", "content": CONFIGURATION})
    maintainer.post("/projects/:p/repository/branches", branch="unprotected", ref="main")
    return maintainer


def job_of(api: Api, ref: str, **variables: str) -> tuple[str, dict[str, str]]:
    """The name of the job that a new pipeline of a ref has, and the variables with which a runner gets it."""
    given = [{"key": key, "value": value} for key, value in variables.items()]
    api.post("/projects/:p/pipeline", ref=ref, variables=given)
    taken = api.sandbox.take_job()
    assert taken is not None
    job, token = taken
    return job.name, job_variables(api.sandbox.world, job, token.value)


@pytest.mark.parametrize(
    ("variable", "ref", "job"),
    [
        pytest.param({"masked_and_hidden": True}, "unprotected", "claude", id="hidden"),
        pytest.param({"protected": True}, "main", "claude", id="protected, on a protected branch"),
        pytest.param({"protected": True}, "unprotected", "other", id="protected, on another branch"),
        pytest.param({"environment_scope": "production"}, "main", "other", id="of an environment"),
    ],
)
def test_jobs_have_the_variables_of_the_project(configured: Api, variable: dict[str, Any], ref: str, job: str) -> None:
    configured.post("/projects/:p/variables", key="ANTHROPIC_API_KEY", value="sk-ant-made-up-0", **variable)
    name, variables = job_of(configured, ref)
    assert name == job
    assert variables.get("ANTHROPIC_API_KEY") == ("sk-ant-made-up-0" if job == "claude" else None)


def test_a_projects_variable_outranks_the_file_and_a_pipelines_both(configured: Api, sandbox: Sandbox) -> None:
    assert job_of(configured, "main")[1]["COLOUR"] == "of the file"
    configured.post("/projects/:p/variables", key="COLOUR", value="of the project")
    assert job_of(configured, "main")[1]["COLOUR"] == "of the project"
    assert job_of(configured, "main", COLOUR="of the pipeline")[1]["COLOUR"] == "of the pipeline"
    assert sandbox.take_job() is None
