"""The merge status: pipelines that must succeed, auto-merge, the merge ref, and a check that has not ended."""

from __future__ import annotations

from pathlib import Path

import pytest
import requests

from gitlab_mcp.sandbox import Sandbox
from tests.sandbox.conftest import Api, clone_url, git
from tests.support.seed import SEED

ONE = f"/projects/:p{SEED.merge_request.path}"
BRANCH = "feature/verbose-flag"
NOT_ALLOWED = (405, {"message": "405 Method Not Allowed"})


@pytest.fixture
def with_pipeline(maintainer: Api) -> int:
    """The id of a pipeline that runs for the head of the merge request, in a project where it must succeed."""
    maintainer.put("/projects/:p", only_allow_merge_if_pipeline_succeeds=True)
    return int(maintainer.post("/projects/:p/pipeline", ref=BRANCH)["id"])


def detailed(api: Api) -> str:
    return str(api.get(ONE)["detailed_merge_status"])


def finish(sandbox: Sandbox, number: int, status: str) -> None:
    sandbox.world.projects[sandbox.project_id].pipelines[number].status = status


def test_a_pipeline_that_must_succeed_holds_the_merge_up(sandbox: Sandbox, maintainer: Api, with_pipeline: int) -> None:
    """Mergeability::DetailedMergeStatusService#ci_check_failed_check."""
    assert detailed(maintainer) == "ci_still_running"
    assert maintainer.refusal("PUT", f"{ONE}/merge") == NOT_ALLOWED
    finish(sandbox, with_pipeline, "failed")
    assert detailed(maintainer) == "ci_must_pass"
    assert maintainer.refusal("PUT", f"{ONE}/merge") == NOT_ALLOWED
    finish(sandbox, with_pipeline, "success")
    assert detailed(maintainer) == "mergeable"
    assert maintainer.put(f"{ONE}/merge")["state"] == "merged"


def test_without_a_pipeline_ci_must_pass_all_the_same(maintainer: Api) -> None:
    action = {"action": "create", "file_path": "n.txt", "content": "x\n"}
    delete = {"action": "delete", "file_path": ".gitlab-ci.yml"}
    maintainer.commit("no-ci", action, delete, start_branch="main")
    body = {"title": "No CI", "source_branch": "no-ci", "target_branch": "main"}
    made = maintainer.post("/projects/:p/merge_requests", **body)
    assert made["detailed_merge_status"] == "mergeable"
    maintainer.put("/projects/:p", only_allow_merge_if_pipeline_succeeds=True)
    path = f"/projects/:p/merge_requests/{made['iid']}"
    assert maintainer.get(path)["detailed_merge_status"] == "ci_must_pass"
    assert maintainer.refusal("PUT", f"{path}/merge") == NOT_ALLOWED


@pytest.mark.parametrize("parameter", ["auto_merge", "merge_when_pipeline_succeeds"])
def test_auto_merge_waits_for_a_pipeline_and_can_be_canceled(
    maintainer: Api, with_pipeline: int, parameter: str
) -> None:
    assert with_pipeline
    waiting = maintainer.put(f"{ONE}/merge", **{parameter: True})
    assert (waiting["state"], waiting["merge_when_pipeline_succeeds"]) == ("opened", True)
    assert waiting["merge_user"]["username"] == "maintainer"
    assert maintainer.post(f"{ONE}/cancel_merge_when_pipeline_succeeds") == {"status": "success"}
    again = maintainer.post(f"{ONE}/cancel_merge_when_pipeline_succeeds")
    assert (again["status"], again["http_status"]) == ("error", 406)
    assert maintainer.get(ONE)["merge_when_pipeline_succeeds"] is False
    told = [note["body"] for note in maintainer.get(f"{ONE}/notes", sort="asc") if note["system"]]
    assert told == [
        f"enabled an automatic merge when all merge checks for {waiting['sha']} pass",
        "canceled the automatic merge",
    ]


def test_a_push_ends_auto_merge(developer: Api, maintainer: Api, with_pipeline: int) -> None:
    assert with_pipeline
    maintainer.put(f"{ONE}/merge", auto_merge=True)
    developer.commit(BRANCH, {"action": "create", "file_path": "more.txt", "content": "x\n"})
    assert developer.get(ONE)["merge_when_pipeline_succeeds"] is False
    told = [note["body"] for note in developer.get(f"{ONE}/notes") if note["system"]]
    assert "aborted the automatic merge because the source branch was updated" in told


def test_auto_merge_without_anything_to_wait_for_is_not_allowed(sandbox: Sandbox, maintainer: Api) -> None:
    """lib/api/merge_requests.rb, immediately_mergeable? and automatically_mergeable?"""
    for pipeline in sandbox.world.projects[sandbox.project_id].pipelines.values():
        pipeline.status = "failed"
    assert detailed(maintainer) == "mergeable"
    assert maintainer.refusal("PUT", f"{ONE}/merge", auto_merge=True) == NOT_ALLOWED
    assert maintainer.put(f"{ONE}/merge")["state"] == "merged"


def test_auto_merge_that_waits_for_threads_is_not_implemented(maintainer: Api) -> None:
    maintainer.put(ONE, title="Draft: later")
    assert maintainer.refusal("PUT", f"{ONE}/merge", auto_merge=True)[0] == 501


@pytest.mark.parametrize("option", ["auto_merge", "merge_when_pipeline_succeeds"])
def test_a_push_option_sets_auto_merge(sandbox: Sandbox, developer: Api, tmp_path: Path, option: str) -> None:
    """MergeRequests::PushOptionsHandlerService#merge_params."""
    git(tmp_path, "clone", "-q", clone_url(sandbox, "developer"), "clone")
    clone = tmp_path / "clone"
    git(clone, "checkout", "-q", "-b", "auto")
    git(clone, "commit", "-q", "--allow-empty", "-m", "Auto")
    git(clone, "push", "-q", "-o", "merge_request.create", "-o", f"merge_request.{option}", "origin", "auto")
    (made,) = developer.get("/projects/:p/merge_requests", source_branch="auto")
    assert (made["merge_when_pipeline_succeeds"], made["merge_user"]["username"]) == (True, "developer")


def test_the_merge_ref_is_the_commit_that_a_merge_would_make(maintainer: Api) -> None:
    shown = maintainer.get(f"{ONE}/merge_ref")
    commit = maintainer.get(f"/projects/:p/repository/commits/{shown['commit_id']}")
    main = maintainer.get("/projects/:p/repository/branches/main")["commit"]["id"]
    assert commit["parent_ids"] == [main, maintainer.get(ONE)["sha"]]
    assert maintainer.get(f"{ONE}/merge_ref") == shown
    maintainer.put(ONE, state_event="close")
    assert maintainer.refusal("GET", f"{ONE}/merge_ref")[0] == 400


@pytest.mark.parametrize("status", ["preparing", "unchecked", "checking"])
def test_a_check_that_has_not_ended_is_a_fault_for_a_count_of_reads(
    sandbox: Sandbox, maintainer: Api, status: str
) -> None:
    sandbox.faults.merge_status(status, times=2)
    for _ in range(2):
        found = maintainer.get(ONE)
        assert (found["detailed_merge_status"], found["merge_status"]) == (status, status)
        assert (found["diff_refs"] is None, found["prepared_at"] is None) == (status == "preparing",) * 2
    assert detailed(maintainer) == "mergeable"


def test_that_fault_can_be_set_over_http_and_for_the_creation(sandbox: Sandbox, developer: Api) -> None:
    fault = {"kind": "merge_status", "status": "preparing", "method": "*", "path": "/merge_requests$"}
    assert requests.post(f"{sandbox.url}/_sandbox/faults", json=fault, timeout=30).status_code == 201
    body = {"title": "New", "source_branch": "stale/no-commits", "target_branch": "main"}
    assert developer.post("/projects/:p/merge_requests", **body)["detailed_merge_status"] == "preparing"
    wrong = {"kind": "merge_status", "status": "mergeable"}
    assert requests.post(f"{sandbox.url}/_sandbox/faults", json=wrong, timeout=30).status_code == 400
