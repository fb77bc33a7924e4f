"""Pipelines as clients read them: the latest, its variables, retries, the statuses of commits and job artifacts."""

from __future__ import annotations

import io
import zipfile
from typing import Any

from gitlab_mcp.sandbox import Sandbox
from tests.sandbox.conftest import Api, People
from tests.support.seed import SEED

PIPELINES = "/projects/:p/pipelines"
JOBS = "/projects/:p/jobs"
COMMITS = "/projects/:p/repository/commits"


def test_the_latest_pipeline_is_that_of_the_newest_commit_of_a_branch(developer: Api) -> None:
    """Project#latest_pipeline; without one the route's authorize! is given nil, which is forbidden."""
    assert developer.get(f"{PIPELINES}/latest")["id"] == SEED.pipeline
    developer.commit("one", {"action": "create", "file_path": "x", "content": "x"}, start_branch="main")
    made = developer.post("/projects/:p/pipeline", ref="one")
    assert developer.get(f"{PIPELINES}/latest", ref="one")["id"] == made["id"]
    for ref in ("stale/no-commits", "nowhere"):
        assert developer.refusal("GET", f"{PIPELINES}/latest?ref={ref}") == (403, {"message": "403 Forbidden"})


def test_a_pipeline_is_filtered_by_what_it_is(developer: Api) -> None:
    developer.commit("bad", {"action": "update", "file_path": ".gitlab-ci.yml", "content": "x"}, start_branch="main")
    (failed,) = developer.get(PIPELINES, yaml_errors=True)
    assert (failed["ref"], failed["status"]) == ("bad", "failed")
    assert [one["id"] for one in developer.get(PIPELINES, created_after=failed["created_at"])] == []
    assert [one["id"] for one in developer.get(PIPELINES, order_by="ref", sort="asc")] == [failed["id"], SEED.pipeline]
    assert developer.get(PIPELINES, scope="branches")[0]["id"] == failed["id"]


def test_a_commit_has_the_status_of_its_last_pipeline(developer: Api) -> None:
    head = developer.get(f"{COMMITS}/main")
    assert (head["status"], head["last_pipeline"]["id"]) == ("running", SEED.pipeline)
    other = developer.get(f"{COMMITS}/{head['parent_ids'][0]}")
    assert (other["status"], other["last_pipeline"]) == (None, None)


def test_the_detailed_status_of_a_pipeline_says_how_its_page_shows_it(developer: Api) -> None:
    status = developer.get(f"{PIPELINES}/{SEED.pipeline}")["detailed_status"]
    assert (status["text"], status["label"], status["group"]) == ("Running", "running", "running")
    assert status["details_path"] == f"/acme/app/-/pipelines/{SEED.pipeline}"


def test_a_retry_runs_the_failed_and_canceled_jobs_again(sandbox: Sandbox, developer: Api) -> None:
    failed = sandbox.fail_pipeline("stale/no-commits")
    assert developer.post(f"{PIPELINES}/{failed.id}/retry")["status"] == "running"
    jobs = developer.get(f"{PIPELINES}/{failed.id}/jobs")
    assert {(job["name"], job["status"]) for job in jobs} == {
        ("compile", "success"),
        ("types", "success"),
        ("unit", "pending"),
        ("lint", "pending"),
        ("release", "created"),
    }


def test_the_variables_of_a_pipeline_are_read_by_developers(people: People) -> None:
    people["maintainer"].put("/projects/:p", ci_pipeline_variables_minimum_override_role="developer")
    variables = [{"key": "DEPLOY", "value": "yes"}, {"key": "F", "value": "x", "variable_type": "file"}]
    made = people["developer"].post("/projects/:p/pipeline", ref="feature/verbose-flag", variables=variables)
    found = people["developer"].get(f"{PIPELINES}/{made['id']}/variables")
    assert [(one["key"], one["value"], one["variable_type"]) for one in found] == [
        ("DEPLOY", "yes", "env_var"),
        ("F", "x", "file"),
    ]
    assert people["reporter"].refusal("GET", f"{PIPELINES}/{made['id']}/variables")[0] == 403


def test_statuses_from_outside_make_an_external_pipeline(developer: Api) -> None:
    """lib/api/commit_statuses.rb."""
    sha = developer.get(f"{COMMITS}/stale%2Fno-commits")["id"]
    ref = "stale/no-commits"

    def report(state: str, **more: Any) -> dict[str, Any]:
        return dict(developer.post(f"/projects/:p/statuses/{sha}", state=state, ref=ref, **more))

    first = report("running", name="lab", target_url="https://lab.example.com/1")
    status, refused = developer.refusal("POST", f"/projects/:p/statuses/{sha}", state="running", ref=ref, name="lab")
    assert (status, "Cannot transition status via :run from :running" in refused["message"]["state"][0]) == (400, True)
    assert report("success", name="lab")["id"] == first["id"]
    assert report("failed", context="audit", description="2 findings")["name"] == "audit"
    listed = developer.get(f"{COMMITS}/{sha}/statuses", ref=ref)
    assert [(one["name"], one["status"]) for one in listed] == [("lab", "success"), ("audit", "failed")]
    pipeline = developer.get(f"{PIPELINES}/{first['pipeline_id']}")
    assert (pipeline["source"], pipeline["status"]) == ("external", "failed")
    again = report("success", name="audit")
    assert developer.get(f"{PIPELINES}/{first['pipeline_id']}")["status"] == "success"
    every = developer.get(f"{COMMITS}/{sha}/statuses", ref=ref, all=True)
    assert [one["id"] for one in every] == [first["id"], listed[1]["id"], again["id"]]


def test_the_statuses_of_a_commit_hold_those_of_its_jobs(developer: Api) -> None:
    listed = developer.get(f"{COMMITS}/main/statuses")
    assert [(one["name"], one["status"]) for one in listed] == [("prepare", "success"), ("claude", "running")]


def test_artifacts_are_read_as_an_archive_and_file_by_file(sandbox: Sandbox, developer: Api) -> None:
    """lib/api/ci/job_artifacts.rb."""
    failed = sandbox.fail_pipeline("stale/no-commits")
    job = developer.get(f"{PIPELINES}/{failed.id}/jobs")[0]
    assert [(one["file_type"], one["file_format"]) for one in job["artifacts"]] == [
        ("archive", "zip"),
        ("trace", "raw"),
    ]
    archive = developer.call("GET", f"{JOBS}/{job['id']}/artifacts")
    assert job["artifacts_file"] == {"filename": "artifacts.zip", "size": len(archive.content)}
    with zipfile.ZipFile(io.BytesIO(archive.content)) as opened:
        assert opened.namelist() == ["coverage/index.html", "report.txt"]
    page = developer.call("GET", f"{JOBS}/{job['id']}/artifacts/coverage/index.html")
    assert (page.text, page.headers["content-type"]) == ("<p>87%</p>\n", "text/html")
    assert developer.refusal("GET", f"{JOBS}/{job['id']}/artifacts/none.txt")[0] == 404
    assert developer.refusal("GET", f"{JOBS}/{job['id']}/artifacts/..%2Fx") == (400, {"message": "400 Bad request"})
    assert developer.refusal("GET", f"{JOBS}/{SEED.ended_job}/artifacts") == (404, {"message": "404 Not Found"})


def test_the_files_of_an_archive_are_listed_by_folder(sandbox: Sandbox, developer: Api) -> None:
    """lib/api/ci/job_artifacts.rb and lib/api/entities/ci/job_artifact_entry.rb."""
    unit = sandbox.fail_pipeline("main").jobs[-1]
    tree = f"{JOBS}/{unit.id}/artifacts/tree"
    report = {"name": "report.txt", "path": "report.txt", "type": "file", "size": 19, "mode": "100644"}
    folder = {"name": "coverage", "path": "coverage/", "type": "directory", "mode": "040755"}
    page = {"name": "index.html", "path": "coverage/index.html", "type": "file", "size": 11, "mode": "100644"}
    assert developer.get(tree) == [folder, report]
    assert developer.get(f"{tree}?recursive=true") == [folder, page, report]
    assert developer.get(f"{tree}?path=coverage/") == [page]
    assert developer.refusal("GET", f"{tree}?path=none") == (404, {"message": "404 Path Not Found"})
    ended = f"{JOBS}/{SEED.ended_job}/artifacts/tree"
    assert developer.refusal("GET", ended) == (404, {"message": "404 Artifacts Not Found"})


def test_a_job_reads_artifacts_with_its_token(sandbox: Sandbox, people: People) -> None:
    failed = sandbox.fail_pipeline("stale/no-commits")
    unit = failed.jobs[-1].id
    headers = {"PRIVATE-TOKEN": "", "JOB-TOKEN": sandbox.tokens["job"]}
    report = people["developer"].call("GET", f"{JOBS}/{unit}/artifacts/report.txt", headers=headers)
    assert report.text == "1 failed, 2 passed\n"
