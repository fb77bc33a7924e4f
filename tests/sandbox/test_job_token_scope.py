"""Which projects' job tokens a project accepts, and which runners its jobs may run on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gitlab
import pytest
import requests

from gitlab_mcp.sandbox import Sandbox
from tests.sandbox.conftest import Api, People, clone_url, git

NOTES = 4  # the number of acme/private-notes
SCOPE = f"/projects/{NOTES}/job_token_scope"
APP = {"target_project_id": 1}


def by_job(sandbox: Sandbox) -> int:
    """The status that a job of the project gets for the issues of acme/private-notes."""
    job = Api(sandbox)
    with job.session:
        headers = {"JOB-TOKEN": sandbox.tokens["job"]}
        return job.call("GET", f"/projects/{NOTES}/issues", headers=headers).status_code


def test_a_job_reads_another_project_that_has_its_own_on_the_list(sandbox: Sandbox, maintainer: Api) -> None:
    maintainer.post(f"/projects/{NOTES}/members", username="developer", access_level=30)
    assert by_job(sandbox) == 403
    assert maintainer.get(SCOPE) == {"inbound_enabled": True, "outbound_enabled": False}
    link = maintainer.post(f"{SCOPE}/allowlist", **APP)
    assert link == {"source_project_id": NOTES, "target_project_id": 1}
    assert [one["id"] for one in maintainer.get(f"{SCOPE}/allowlist")] == [NOTES, 1]
    assert by_job(sandbox) == 200
    assert maintainer.call("DELETE", f"{SCOPE}/allowlist/1").status_code == 204
    assert by_job(sandbox) == 403
    assert maintainer.call("PATCH", SCOPE, json={"enabled": False}).status_code == 204
    assert by_job(sandbox) == 200


def test_the_role_of_the_user_still_decides_in_the_other_project(sandbox: Sandbox, maintainer: Api) -> None:
    maintainer.post(f"{SCOPE}/allowlist", **APP)
    assert by_job(sandbox) == 404


def test_a_push_to_another_project_needs_the_setting_of_both(sandbox: Sandbox, maintainer: Api, tmp_path: Path) -> None:
    maintainer.post(f"/projects/{NOTES}/members", username="developer", access_level=30)
    maintainer.post(f"{SCOPE}/allowlist", **APP)
    address = clone_url(sandbox, "job", "acme/private-notes").replace("anyone:", "gitlab-ci-token:")
    git(tmp_path, "clone", "--quiet", address, "notes")
    work, push = tmp_path / "notes", ("push", "--quiet", "origin", "HEAD:refs/heads/job")
    for project in (NOTES, 1):
        assert "not allowed to push code" in git(work, *push, check=False).stderr
        maintainer.put(f"/projects/{project}", ci_push_repository_for_job_token_allowed=True)
    git(work, *push)


@pytest.mark.parametrize(
    ("path", "body", "status", "answer"),
    [
        pytest.param(
            SCOPE.replace(str(NOTES), "acme%2Fprivate-notes"),
            APP,
            400,
            {"error": "id is invalid"},
            id="path of a project",
        ),
        pytest.param(
            SCOPE, {"target_project_id": "acme/app"}, 400, {"error": "target_project_id is invalid"}, id="text"
        ),
        pytest.param(SCOPE, {}, 400, {"error": "target_project_id is missing"}, id="nothing"),
        pytest.param(
            SCOPE,
            {"target_project_id": 99},
            404,
            {"message": "404 target_project_id not found Not Found"},
            id="no such project",
        ),
        pytest.param(
            SCOPE,
            {"target_project_id": 2},
            400,
            {"message": "400 Bad request - This project is already in the job token allowlist."},
            id="on the list",
        ),
    ],
)
def test_what_the_list_refuses(maintainer: Api, path: str, body: dict[str, Any], status: int, answer: Any) -> None:
    maintainer.post(f"{SCOPE}/allowlist", target_project_id=2)
    refused = maintainer.call("POST", f"{path}/allowlist", json=body)
    assert (refused.status_code, refused.json()) == (status, answer)


def test_only_a_maintainer_sees_and_changes_the_list(developer: Api) -> None:
    forbidden = (403, {"message": "403 Forbidden"})
    for method, path in (("GET", ""), ("PATCH", ""), ("GET", "/allowlist"), ("POST", "/allowlist")):
        body = {**APP, "enabled": True}
        assert developer.refusal(method, f"/projects/1/job_token_scope{path}", **body) == forbidden
    text = "403 Forbidden - Insufficient permissions to modify the job token scope"
    assert developer.refusal("DELETE", "/projects/1/job_token_scope/allowlist/2") == (403, {"message": text})


def test_python_gitlab_manages_the_list(sandbox: Sandbox) -> None:
    with gitlab.Gitlab(sandbox.url, private_token=sandbox.tokens["maintainer"]) as client:
        scope = client.projects.get(NOTES).job_token_scope.get()
        scope.allowlist.create({"target_project_id": 1})
        assert [one.get_id() for one in scope.allowlist.list(get_all=True)] == [NOTES, 1]
        scope.allowlist.delete(1)
        scope.enabled = False
        scope.save()
        scope.refresh()
        assert scope.inbound_enabled is False


def test_the_runners_of_a_project(people: People) -> None:
    runners = "/projects/:p/runners"
    [one] = people["maintainer"].get(runners, status="online", type="instance_type")
    assert (one["online"], one["runner_type"], one["paused"]) == (True, "instance_type", False)
    assert people["maintainer"].get(runners, tag_list="gpu") == []
    assert people["developer"].refusal("GET", runners) == (403, {"message": "403 Forbidden"})
    people.sandbox.world.runner_status = "offline"
    assert people["maintainer"].get(runners, status="online") == []
    assert [one["online"] for one in people["maintainer"].get(runners)] == [False]
    people["maintainer"].put("/projects/:p", shared_runners_enabled=False)
    assert people["maintainer"].get(runners) == []


@pytest.mark.parametrize(("version", "code"), [("18.3.5", 403), ("18.4.0", 200)])
def test_before_18_4_the_setting_lets_no_job_push(version: str, code: int) -> None:
    with Sandbox(version=version) as sandbox:
        sandbox.world.projects[1].settings["ci_push_repository_for_job_token_allowed"] = True
        address = f"{sandbox.url}/acme/app.git/info/refs?service=git-receive-pack"
        answer = requests.get(address, auth=("gitlab-ci-token", sandbox.tokens["job"]), timeout=30)
        assert answer.status_code == code
