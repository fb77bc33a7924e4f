"""CI_JOB_TOKEN: the routes that accept it, how it is sent, and what GitLab answers on all other routes."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import requests

from gitlab_mcp.sandbox import Sandbox
from gitlab_mcp.sandbox.http.routing import all_routes
from tests.sandbox.conftest import Api, clone_url, git
from tests.support.seed import SEED

UNAUTHORIZED = (401, {"message": "401 Unauthorized"})
ISSUE = f"/projects/:p{SEED.crash_issue.path}"
REQUEST = f"/projects/:p{SEED.merge_request.path}"
REPOSITORY = "/projects/:p/repository"
COMMIT: dict[str, Any] = {"branch": "x", "start_branch": "main", "commit_message": "m", "actions": []}


def ask(
    sandbox: Sandbox, method: str, path: str, headers: dict[str, str] | None = None, **options: Any
) -> requests.Response:
    """Call a path after /api/v4 with only these headers; `:p` in it stands for the project."""
    url = f"{sandbox.url}/api/v4{path.replace(':p', quote(sandbox.project, safe=''), 1)}"
    return requests.request(method, url, headers=headers, timeout=10, allow_redirects=False, **options)


def by_job(sandbox: Sandbox, method: str, path: str, who: str = "job", **options: Any) -> tuple[int, Any]:
    """The status and JSON of a call with a job token in the JOB-TOKEN header."""
    response = ask(sandbox, method, path, {"JOB-TOKEN": sandbox.tokens[who]}, **options)
    return response.status_code, response.json()


@pytest.fixture
def private(sandbox: Sandbox, maintainer: Api) -> Sandbox:
    maintainer.put("/projects/:p", visibility="private")
    return sandbox


def test_the_job_route_returns_the_job_and_its_user(sandbox: Sandbox) -> None:
    status, job = by_job(sandbox, "GET", "/job")
    assert status == 200
    assert (job["id"], job["status"], job["user"]["username"]) == (sandbox.job.id, "running", "developer")
    assert job["pipeline"]["id"] == sandbox.job.pipeline.id
    assert job["commit"]["id"] == job["pipeline"]["sha"]
    assert sandbox.tokens["job"].startswith("glcbt-")


def test_only_the_documented_routes_accept_a_job_token() -> None:
    project = "/projects/:id"
    assert {(route.method, route.template) for route in all_routes() if route.job_token} == {
        ("GET", "/job"),
        ("GET", f"{project}/issues"),
        ("GET", f"{project}/issues/:issue_iid"),
        ("GET", f"{project}/merge_requests"),
        ("GET", f"{project}/merge_requests/:merge_request_iid"),
        ("GET", f"{project}/merge_requests/:noteable_id/notes"),
        ("GET", f"{project}/merge_requests/:noteable_id/notes/:note_id"),
        ("GET", f"{project}/repository/branches"),
        ("GET", f"{project}/repository/commits/:sha"),
        ("GET", f"{project}/repository/commits/:sha/merge_requests"),
        ("GET", f"{project}/repository/files/:file_path/raw"),
        ("GET", f"{project}/repository/tags"),
        ("GET", f"{project}/repository/tags/:tag_name"),
        ("GET", f"{project}/pipelines"),
        ("GET", f"{project}/pipelines/:pipeline_id"),
        ("GET", f"{project}/pipelines/:pipeline_id/jobs"),
        ("GET", f"{project}/jobs"),
        ("GET", f"{project}/jobs/:job_id/artifacts"),
        ("GET", f"{project}/jobs/:job_id/artifacts/*artifact_path"),
        ("GET", f"{project}/jobs/:job_id/artifacts/tree"),
        ("GET", f"{project}/jobs/artifacts/:ref_name/download"),
        ("GET", f"{project}/jobs/artifacts/:ref_name/raw/*artifact_path"),
        ("GET", f"{project}/releases"),
        ("GET", f"{project}/releases/:tag_name"),
        ("GET", f"{project}/packages"),
        ("GET", f"{project}/packages/:package_id"),
        ("DELETE", f"{project}/packages/:package_id"),
        ("GET", f"{project}/packages/:package_id/package_files"),
        ("DELETE", f"{project}/packages/:package_id/package_files/:package_file_id"),
        ("GET", f"{project}/packages/generic/:package_name/:package_version/:file_name"),
        ("PUT", f"{project}/packages/generic/:package_name/:package_version/:file_name"),
    }


@pytest.mark.parametrize(
    "path",
    [
        "/projects/:p/issues",
        ISSUE,
        f"/projects/:p{SEED.confidential_issue.path}",  # a confidential one, as the developer sees it
        "/projects/:p/merge_requests",
        REQUEST,
        f"{REQUEST}/notes",
        f"{REPOSITORY}/branches",
        f"{REPOSITORY}/commits/main",
        f"{REPOSITORY}/commits/main/merge_requests",
        f"{REPOSITORY}/tags",
        f"{REPOSITORY}/tags/v1.2.0",
        "/projects/:p/pipelines",
        f"/projects/:p/pipelines/{SEED.pipeline}",
        f"/projects/:p/pipelines/{SEED.pipeline}/jobs",
        "/projects/:p/jobs",
    ],
)
def test_a_job_reads_the_documented_routes_of_its_private_project(private: Sandbox, path: str) -> None:
    assert by_job(private, "GET", path)[0] == 200
    assert by_job(private, "GET", path, "job_ended") == UNAUTHORIZED
    assert ask(private, "GET", path, {"JOB-TOKEN": "glcbt-64_no-such-job"}).status_code == 401


def test_a_job_reads_files_raw(private: Sandbox) -> None:
    response = ask(private, "GET", f"{REPOSITORY}/files/README.md/raw", {"JOB-TOKEN": private.tokens["job"]})
    assert (response.status_code, response.text[:1]) == (200, "#")


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", f"{ISSUE}/notes", None),
        ("POST", f"{ISSUE}/notes", {"body": "x"}),
        ("GET", f"{ISSUE}/discussions", None),
        ("POST", f"{REQUEST}/notes", {"body": "x"}),
        ("GET", f"{REQUEST}/discussions", None),
        ("GET", f"{REQUEST}/draft_notes", None),
        ("POST", "/projects/:p/issues", {"title": "x"}),
        ("PUT", ISSUE, {"title": "x"}),
        ("POST", "/projects/:p/merge_requests", {"title": "x", "source_branch": "a", "target_branch": "main"}),
        ("PUT", REQUEST, {"title": "x"}),
        ("GET", "/user", None),
        ("GET", "/personal_access_tokens/self", None),
        ("GET", "/version", None),
        ("GET", f"/projects/:p/jobs/{SEED.running_job}", None),
    ],
)
def test_an_ignored_job_token_is_401_where_a_user_is_needed(
    sandbox: Sandbox, method: str, path: str, body: dict[str, Any] | None
) -> None:
    assert by_job(sandbox, method, path, json=body) == UNAUTHORIZED


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/projects/:p", None),
        ("GET", f"{REPOSITORY}/tree", None),
        ("GET", f"{REPOSITORY}/commits", None),
        ("GET", f"{REPOSITORY}/branches/main", None),
        ("GET", f"{REPOSITORY}/files/README.md?ref=main", None),
        ("GET", f"{REPOSITORY}/compare?from=main&to=main", None),
        ("GET", f"{REQUEST}/diffs", None),
        ("GET", "/projects/:p/labels", None),
        ("POST", f"{REPOSITORY}/branches", {"branch": "x", "ref": "main"}),
        ("POST", f"{REPOSITORY}/commits", COMMIT),
        ("POST", f"{REPOSITORY}/files/x", {"branch": "x", "commit_message": "m", "content": ""}),
    ],
)
def test_any_other_route_treats_a_job_token_as_anonymous(
    sandbox: Sandbox, maintainer: Api, method: str, path: str, body: dict[str, Any] | None
) -> None:
    public = by_job(sandbox, method, path, json=body)
    assert public[0] == (200 if method == "GET" else 403)
    if method == "POST":
        assert public[1] == {"message": "403 Forbidden"}
    maintainer.put("/projects/:p", visibility="private")
    assert by_job(sandbox, method, path, json=body) == (404, {"message": "404 Project Not Found"})


@pytest.mark.parametrize(
    ("where", "name", "value"),
    [
        ("headers", "JOB-TOKEN", "{token}"),
        ("headers", "Authorization", "Bearer {token}"),
        ("params", "job_token", "{token}"),
        ("params", "token", "{token}"),
        ("data", "job_token", "{token}"),
    ],
)
def test_the_token_may_be_sent_in_every_way_that_gitlab_accepts(
    private: Sandbox, where: str, name: str, value: str
) -> None:
    sent = {where: {name: value.format(token=private.tokens["job"])}}
    assert ask(private, "GET", ISSUE, **sent).status_code == 200


def test_a_job_token_and_an_access_token_are_not_taken_for_each_other(private: Sandbox) -> None:
    token = private.tokens["job"]
    # In the header of access tokens a job token is ignored, so this call is anonymous.
    assert ask(private, "GET", ISSUE, {"PRIVATE-TOKEN": token}).status_code == 404
    assert ask(private, "GET", f"{ISSUE}/notes", {"Authorization": f"Bearer {token}"}).status_code == 401
    # An access token is not a job token.
    assert ask(private, "GET", ISSUE, {"JOB-TOKEN": private.tokens["developer"]}).status_code == 401


def test_no_link_in_a_response_repeats_the_token(sandbox: Sandbox) -> None:
    token = sandbox.tokens["job"]
    response = ask(sandbox, "GET", "/projects/:p/issues", params={"job_token": token, "per_page": 2})
    assert response.links["next"]["url"].endswith("/issues?page=2&per_page=2")


def test_another_project_is_rejected_by_name(sandbox: Sandbox) -> None:
    text = "403 Forbidden - Authentication by CI/CD job token not allowed from app to private-notes."
    assert by_job(sandbox, "GET", "/projects/acme%2Fprivate-notes/issues") == (403, {"message": text})
    assert by_job(sandbox, "GET", "/projects/acme%2Fnone/issues") == (404, {"message": "404 Project Not Found"})


def test_an_access_token_has_no_job(developer: Api) -> None:
    assert developer.refusal("GET", "/job") == (404, {"message": "404 Job Not Found"})


def test_a_job_clones_but_pushes_only_if_the_project_allows_it(
    private: Sandbox, maintainer: Api, tmp_path: Path
) -> None:
    address = clone_url(private, "job").replace("anyone:", "gitlab-ci-token:")
    git(tmp_path, "clone", "--quiet", address, "work")
    work = tmp_path / "work"
    git(work, "commit", "--quiet", "--allow-empty", "-m", "By a job")
    refused = git(work, "push", "origin", "HEAD:refs/heads/job", check=False)
    assert "remote: You are not allowed to push code to this project." in refused.stderr
    assert "403" in refused.stderr
    maintainer.put("/projects/:p", ci_push_repository_for_job_token_allowed=True)
    git(work, "push", "--quiet", "origin", "HEAD:refs/heads/job")
    assert maintainer.get(f"{REPOSITORY}/branches/job")["commit"]["title"] == "By a job"
    protected = git(work, "push", "origin", "HEAD:main", check=False)
    assert "You are not allowed to push code to protected branches on this project." in protected.stderr
    form = {"ci_push_repository_for_job_token_allowed": "false"}
    assert maintainer.call("PUT", "/projects/:p", data=form).status_code == 200
    assert git(work, "push", "origin", "HEAD:refs/heads/again", check=False).returncode != 0


def test_git_accepts_a_job_token_only_with_its_username_and_while_it_runs(private: Sandbox, tmp_path: Path) -> None:
    for who, user, project in (("job", "anyone", ""), ("job_ended", "gitlab-ci-token", "")):
        address = clone_url(private, who, project).replace("anyone:", f"{user}:")
        assert "Authentication failed" in git(tmp_path, "clone", address, "x", check=False).stderr
    other = clone_url(private, "job", "acme/private-notes").replace("anyone:", "gitlab-ci-token:")
    text = "Authentication by CI/CD job token not allowed from app to private-notes."
    assert text in git(tmp_path, "clone", other, "x", check=False).stderr


def test_a_developer_may_not_allow_jobs_to_push(developer: Api) -> None:
    refused = developer.refusal("PUT", "/projects/:p", ci_push_repository_for_job_token_allowed=True)
    assert refused == (403, {"message": "403 Forbidden"})


def test_a_copied_project_has_the_job(tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet", "--initial-branch=trunk")
    with Sandbox(repo=tmp_path) as empty:
        status, job = by_job(empty, "GET", "/job")
        assert (status, job["ref"], job["commit"]) == (200, "trunk", None)
