"""Failed pipelines with their logs and reports; creating, retrying and canceling pipelines and jobs."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from gitlab_mcp.sandbox import Sandbox
from tests.sandbox.conftest import Api
from tests.support.seed import SEED

BRANCH = "feature/verbose-flag"


def test_fault_injection_gives_a_branch_a_failed_pipeline_from_another_process(
    sandbox: Sandbox, developer: Api
) -> None:
    address = f"{sandbox.url}/_sandbox/failed_pipelines"
    made = requests.post(address, json={"project": sandbox.project, "branch": BRANCH}, timeout=30)
    refused = requests.post(address, json={"project": sandbox.project, "branch": "gone"}, timeout=30)
    assert (made.status_code, refused.status_code) == (201, 400)
    shown = developer.get(f"/projects/:p/pipelines/{made.json()['id']}")
    assert (shown["status"], shown["ref"]) == ("failed", BRANCH)
    head = developer.get(f"/projects/:p{SEED.merge_request.path}")["head_pipeline"]
    assert (head["id"], head["project_id"]) == (shown["id"], sandbox.project_id)


def test_retried_jobs_are_listed_only_with_include_retried(sandbox: Sandbox, developer: Api) -> None:
    path = f"/projects/:p/pipelines/{sandbox.fail_pipeline(BRANCH).id}/jobs"
    names = [job["name"] for job in developer.get(path)]
    assert names == ["unit", "release", "types", "lint", "compile"]
    assert [job["name"] for job in developer.get(path, include_retried=True)].count("unit") == 2
    reasons = {job["name"]: job.get("failure_reason") for job in developer.get(path)}
    assert reasons == {"unit": "script_failure", "lint": "script_failure"} | dict.fromkeys(
        ("release", "types", "compile")
    )


def test_a_log_is_served_whole_or_from_an_offset_but_not_by_range(sandbox: Sandbox, developer: Api) -> None:
    job = sandbox.fail_pipeline(BRANCH).jobs[-1]
    path = f"/projects/:p/jobs/{job.id}/trace"
    whole = developer.call("GET", path, headers={"Range": "bytes=0-9"})
    assert (whole.status_code, whole.content) == (200, job.log)
    assert whole.headers["content-type"].startswith("text/plain")
    part = developer.call("GET", path, params={"byte_offset": 10, "byte_limit": 20})
    assert part.content == job.log[10:30]
    assert developer.call("GET", path, params={"byte_offset": 10**9}).content == b""


@pytest.mark.parametrize(
    ("who", "body", "status", "message"),
    [
        ("reporter", {"ref": "main"}, 403, "403 Forbidden"),
        ("developer", {"ref": "gone"}, 400, {"base": ["Reference not found"]}),
        (
            "maintainer",
            {"ref": "main", "variables": [{"key": "A", "value": "b"}]},
            400,
            {"base": ["Insufficient permissions to set pipeline variables"]},
        ),
        (
            "developer",
            {"ref": "main"},
            400,
            {"base": ["You do not have sufficient permission to run a pipeline on this branch"]},
        ),
    ],
)
def test_a_pipeline_is_rejected_without_permission_or_configuration(
    sandbox: Sandbox, who: str, body: dict[str, Any], status: int, message: object
) -> None:
    assert Api(sandbox, who).refusal("POST", "/projects/:p/pipeline", **body) == (status, {"message": message})


def test_a_retried_or_unfinished_job_cannot_be_retried(sandbox: Sandbox, developer: Api) -> None:
    pipeline = sandbox.fail_pipeline(BRANCH)
    path = f"/projects/:p/jobs/{pipeline.jobs[-1].id}/retry"
    made = developer.post(path)
    assert (made["name"], made["status"]) == ("unit", "pending")
    assert developer.get(f"/projects/:p/pipelines/{pipeline.id}")["status"] == "running"
    for number in (pipeline.jobs[-2].id, made["id"]):
        response = developer.refusal("POST", f"/projects/:p/jobs/{number}/retry")
        assert response == (403, {"message": "403 Forbidden - Job is not retryable"})


@pytest.mark.parametrize(
    ("content", "errors"),
    [
        ("a: {script: x}\n", []),
        ("a: {stage: test}\n", ["jobs a config should implement the script:, run:, or trigger: keyword"]),
        ("stages: [one]\na:\n  stage: one\n  script: x\n.hidden:\n  x: y\n", []),
        ("stages:\n  - one\na:\n  stage: two\n  script: x\n", ["a job: chosen stage two does not exist; "]),
        ("variables:\n  A: b\n", ["jobs config should contain at least one visible job"]),
        ("a:\n\tscript: x\n", ["(<unknown>): found character that cannot start any token"]),
    ],
)
def test_a_configuration_is_linted(developer: Api, content: str, errors: list[str]) -> None:
    response = developer.call("POST", "/projects/:p/ci/lint", json={"content": content}).json()
    assert response["valid"] == (not errors)
    assert len(response["errors"]) == len(errors)
    assert all(found.startswith(error) for found, error in zip(response["errors"], errors, strict=True))
