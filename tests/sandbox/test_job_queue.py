"""The jobs of requested pipelines: stages, resource groups, and what taking, ending, canceling and deleting do."""

from __future__ import annotations

from typing import Any

import pytest

from gitlab_mcp.sandbox import Sandbox
from gitlab_mcp.sandbox.state.model import Job
from tests.sandbox.conftest import Api

PIPELINES = "/projects/:p/pipelines"
STAGES = """
stages: [one, two, three]
a: {stage: one, script: [x]}
b: {stage: two, script: [x]}
later: {stage: two, script: [x], when: on_failure}
hand: {stage: two, script: [x], when: manual}
last: {stage: three, script: [x], when: always}
"""
QUEUE = """
claude: {script: [x], resource_group: "issue$ISSUE"}
free: {script: [x]}
"""


def configured(maintainer: Api, text: str) -> None:
    """Make a text the .gitlab-ci.yml of main, and let maintainers set variables."""
    maintainer.put("/projects/:p", ci_pipeline_variables_minimum_override_role="maintainer")
    maintainer.commit("main", {"action": "update", "file_path": ".gitlab-ci.yml", "content": text})


def run(maintainer: Api, **variables: str) -> int:
    """Start a pipeline of main; returns its id."""
    given = [{"key": key, "value": value} for key, value in variables.items()]
    return int(maintainer.post("/projects/:p/pipeline", ref="main", variables=given)["id"])


def statuses(maintainer: Api, pipeline: int) -> dict[str, str]:
    """The statuses of the jobs, by name."""
    return {job["name"]: job["status"] for job in maintainer.get(f"{PIPELINES}/{pipeline}/jobs")}


def taken(sandbox: Sandbox) -> Job:
    """The next job that waits for a runner."""
    found = sandbox.take_job()
    assert found is not None
    return found[0]


@pytest.mark.parametrize(
    ("end", "jobs", "status"),
    [
        ("success", {"b": "pending", "later": "skipped", "hand": "manual", "last": "created"}, "running"),
        ("failed", {"b": "skipped", "later": "pending", "hand": "skipped", "last": "created"}, "running"),
    ],
)
def test_a_stage_starts_when_the_one_before_has_ended(
    sandbox: Sandbox, maintainer: Api, end: str, jobs: dict[str, str], status: str
) -> None:
    configured(maintainer, STAGES)
    pipeline = run(maintainer)
    assert statuses(maintainer, pipeline) == {"a": "pending", **dict.fromkeys(jobs, "created")}
    job = taken(sandbox)
    assert (job.name, statuses(maintainer, pipeline)["a"]) == ("a", "running")
    assert sandbox.take_job() is None
    sandbox.finish_job(job, end, b"log", {"out.txt": b"out"})
    assert statuses(maintainer, pipeline) == {"a": end, **jobs}
    assert maintainer.get(f"{PIPELINES}/{pipeline}")["status"] == status
    path = f"/projects/:p/jobs/{job.id}"
    assert maintainer.call("GET", f"{path}/trace").text == "log"
    assert maintainer.call("GET", f"{path}/artifacts/out.txt").text == "out"
    sandbox.finish_job(taken(sandbox), "success")
    assert statuses(maintainer, pipeline)["last"] == "pending"
    sandbox.finish_job(taken(sandbox), "success")
    ended = maintainer.get(f"{PIPELINES}/{pipeline}")
    assert (ended["status"], ended["finished_at"] is None) == (end, False)


def test_one_job_of_a_resource_group_runs_at_a_time(sandbox: Sandbox, maintainer: Api) -> None:
    configured(maintainer, QUEUE)
    first, second, other = run(maintainer, ISSUE="7"), run(maintainer, ISSUE="7"), run(maintainer, ISSUE="8")
    assert statuses(maintainer, first) == {"claude": "pending", "free": "pending"}
    assert statuses(maintainer, second) == {"claude": "waiting_for_resource", "free": "pending"}
    assert statuses(maintainer, other)["claude"] == "pending"
    job = taken(sandbox)
    assert (job.name, job.pipeline.id) == ("claude", first)
    assert statuses(maintainer, second)["claude"] == "waiting_for_resource"
    sandbox.finish_job(job, "failed")
    assert statuses(maintainer, second)["claude"] == "pending"


@pytest.mark.parametrize("how", ["cancel", "delete"])
def test_a_queue_goes_on_behind_a_pipeline_that_is_canceled_or_deleted(
    sandbox: Sandbox, maintainer: Api, how: str
) -> None:
    configured(maintainer, "claude: {script: [x], resource_group: one}\n")
    first, second = run(maintainer), run(maintainer)
    if how == "cancel":
        assert maintainer.call("POST", f"{PIPELINES}/{first}/cancel").json()["status"] == "canceled"
    else:
        assert maintainer.call("DELETE", f"{PIPELINES}/{first}").status_code == 204
    assert statuses(maintainer, second) == {"claude": "pending"}
    assert taken(sandbox).pipeline.id == second


def test_a_running_job_is_canceling_until_its_runner_has_ended_it(sandbox: Sandbox, maintainer: Api) -> None:
    configured(maintainer, "claude: {script: [x], resource_group: one}\n")
    first, second = run(maintainer), run(maintainer)
    found = sandbox.take_job()
    assert found is not None
    job, token = found
    headers: dict[str, Any] = {"JOB-TOKEN": token.value, "PRIVATE-TOKEN": ""}
    canceled = maintainer.call("POST", f"{PIPELINES}/{first}/cancel").json()
    assert (canceled["status"], statuses(maintainer, first)) == ("canceling", {"claude": "canceling"})
    assert maintainer.call("GET", "/job", headers=headers).json()["id"] == job.id  # its after_script may use it
    assert statuses(maintainer, second) == {"claude": "waiting_for_resource"}
    sandbox.finish_job(job, "success")
    assert maintainer.get(f"{PIPELINES}/{first}")["status"] == "canceled"
    assert statuses(maintainer, second) == {"claude": "pending"}
    assert maintainer.call("GET", "/job", headers=headers).status_code == 401


def test_a_retried_job_waits_in_the_queue_again(sandbox: Sandbox, maintainer: Api) -> None:
    configured(maintainer, "claude: {script: [x], resource_group: one}\n")
    first = run(maintainer)
    job = taken(sandbox)
    sandbox.finish_job(job, "failed")
    second = run(maintainer)
    again = maintainer.post(f"/projects/:p/jobs/{job.id}/retry")
    assert statuses(maintainer, first) == {"claude": "waiting_for_resource"}
    sandbox.finish_job(taken(sandbox), "success")
    assert statuses(maintainer, second) == {"claude": "success"}
    assert taken(sandbox).id == again["id"]
