"""Generic packages: what a set-up uploads, and what a job downloads."""

from __future__ import annotations

import hashlib
from typing import Any

import gitlab
import pytest
import requests

from gitlab_mcp.sandbox import Sandbox
from tests.sandbox.conftest import Api, People

PACKAGES = "/projects/:p/packages"
WHEEL = f"{PACKAGES}/generic/gitlab-mcp-server/0.9.0/gitlab_mcp_server-0.9.0-py3-none-any.whl"
CONTENT = b"PK\x03\x04 a wheel"
MISSING = (404, {"message": "404 Not found"})


def upload(api: Api, path: str = WHEEL, content: bytes = CONTENT, **params: str) -> requests.Response:
    """Upload a file, as curl --upload-file does."""
    return api.call("PUT", path, data=content, params=params)


def test_an_uploaded_file_is_downloaded_as_it_was(developer: Api, maintainer: Api) -> None:
    answer = upload(developer)
    assert (answer.status_code, answer.json()) == (201, {"message": "201 Created"})
    sha256 = hashlib.sha256(CONTENT).hexdigest()
    got = developer.call("GET", WHEEL)
    assert (got.content, got.headers["x-checksum-sha256"]) == (CONTENT, sha256)
    [package] = maintainer.get(PACKAGES, package_name="mcp-server", package_type="generic")
    assert (package["name"], package["version"], package["package_type"]) == ("gitlab-mcp-server", "0.9.0", "generic")
    assert package["_links"]["delete_api_path"].endswith(f"/projects/1/packages/{package['id']}")
    assert "delete_api_path" not in developer.get(PACKAGES)[0]["_links"]
    [file] = developer.get(f"{PACKAGES}/{package['id']}/package_files")
    assert (file["file_name"], file["size"], file["file_sha256"]) == (WHEEL.rpartition("/")[2], len(CONTENT), sha256)


def test_the_record_of_the_file_is_returned_where_it_is_asked_for(developer: Api) -> None:
    answer = upload(developer, select="package_file")
    assert answer.status_code == 200
    assert answer.json()["file_sha256"] == hashlib.sha256(CONTENT).hexdigest()
    assert upload(developer, select="all").json() == {"error": "select does not have a valid value"}


def test_the_newest_of_two_files_of_one_name_is_served(developer: Api) -> None:
    upload(developer)
    upload(developer, content=b"newer")
    assert developer.call("GET", WHEEL).content == b"newer"
    [package] = developer.get(PACKAGES)
    assert [one["size"] for one in developer.get(f"{PACKAGES}/{package['id']}/package_files")] == [len(CONTENT), 5]


def test_a_group_may_forbid_two_files_of_one_name(sandbox: Sandbox, developer: Api) -> None:
    sandbox.world.generic_duplicates_allowed = False
    assert upload(developer).status_code == upload(developer, WHEEL.replace(".whl", ".txt")).status_code == 201
    again = upload(developer)
    assert (again.status_code, again.json()) == (
        400,
        {"message": "400 Bad request - Duplicate package is not allowed"},
    )


@pytest.mark.parametrize(
    ("path", "error"),
    [
        ("a%20b/1.0/file", "package_name is invalid"),
        ("a/1..0/file", "package_version is invalid"),
        ("a/1.0/~file", "file_name is invalid"),
        ("a/1.0/a%2Fb", "file_name is invalid"),
        ("..%2Fa/1.0/file", "package_name is invalid"),
        ("a/1.0/%2e%2e", "file_name should be a valid file path"),
    ],
)
def test_names_that_gitlab_refuses(developer: Api, path: str, error: str) -> None:
    url = f"{developer.sandbox.url}/api/v4/projects/1/packages/generic/{path}"
    # Prepared by hand, since a client resolves the dots in a path.
    prepared = developer.session.prepare_request(requests.Request("PUT", url, data=b"x"))
    prepared.url = url
    answer = developer.session.send(prepared, timeout=30)
    assert (answer.status_code, answer.json()) == (400, {"error": error})


def test_a_folder_in_a_package_is_not_implemented(developer: Api) -> None:
    assert upload(developer, f"{PACKAGES}/generic/a/1.0/folder/file").status_code == 501


def test_a_hidden_package_is_served_and_not_listed(developer: Api) -> None:
    upload(developer, status="hidden")
    assert developer.get(PACKAGES) == []
    assert [one["status"] for one in developer.get(PACKAGES, status="hidden")] == ["hidden"]
    assert developer.call("GET", WHEEL).content == CONTENT


def test_a_job_reads_the_packages_of_its_own_project_only(sandbox: Sandbox, maintainer: Api) -> None:
    maintainer.put("/projects/:p", visibility="private")
    other = WHEEL.replace(":p", "acme%2Fprivate-notes")
    upload(maintainer)
    upload(maintainer, other)
    job = Api(sandbox)
    with job.session:
        token = {"headers": {"JOB-TOKEN": sandbox.tokens["job"]}}
        assert job.call("GET", WHEEL, **token).content == CONTENT
        assert job.call("GET", WHEEL, auth=("gitlab-ci-token", sandbox.tokens["job"])).content == CONTENT
        assert job.call("GET", WHEEL, auth=("gitlab-ci-token", sandbox.tokens["job_ended"])).status_code == 401
        assert job.call("GET", WHEEL, auth=("anyone", sandbox.tokens["developer"])).content == CONTENT
        assert job.call("GET", WHEEL).status_code == 404
        refused = job.call("GET", other, **token)
        text = "403 Forbidden - Authentication by CI/CD job token not allowed from app to private-notes."
        assert (refused.status_code, refused.json()) == (403, {"message": text})
        assert job.call("PUT", WHEEL, data=b"of a job", **token).status_code == 201
        [package] = job.call("GET", PACKAGES, **token).json()
        assert package["pipeline"]["id"] == sandbox.job.pipeline.id


def test_who_may_upload_read_and_delete(people: People) -> None:
    forbidden = {"message": "403 Forbidden"}
    for who, method, path in (
        ("reporter", "PUT", WHEEL),
        ("stranger", "PUT", WHEEL),
        ("developer", "DELETE", f"{PACKAGES}/1"),
        ("developer", "DELETE", f"{PACKAGES}/1/package_files/1"),
    ):
        upload(people["developer"])
        assert people[who].call(method, path, data=b"x" if method == "PUT" else None).json() == forbidden
    anonymous = Api(people.sandbox)
    with anonymous.session:
        assert anonymous.call("GET", WHEEL).content == CONTENT
        assert anonymous.call("PUT", WHEEL, data=b"x").status_code == 401
    people["maintainer"].put("/projects/:p", package_registry_access_level="disabled")
    assert people["maintainer"].call("GET", WHEEL).json() == forbidden
    assert upload(people["maintainer"]).json() == forbidden


def test_a_package_and_its_files_are_deleted(maintainer: Api) -> None:
    upload(maintainer)
    upload(maintainer, WHEEL.replace(".whl", ".txt"))
    [package] = maintainer.get(PACKAGES)
    files = maintainer.get(f"{PACKAGES}/{package['id']}/package_files")
    assert maintainer.call("DELETE", f"{PACKAGES}/{package['id']}/package_files/{files[0]['id']}").status_code == 204
    assert maintainer.refusal("GET", WHEEL) == MISSING
    assert maintainer.call("DELETE", f"{PACKAGES}/{package['id']}").status_code == 204
    assert maintainer.refusal("GET", f"{PACKAGES}/{package['id']}") == MISSING


def parsed(value: Any) -> Any:
    """The result of a method whose annotation also allows a raw response."""
    return value


def test_python_gitlab_uploads_lists_and_downloads(sandbox: Sandbox) -> None:
    with gitlab.Gitlab(sandbox.url, private_token=sandbox.tokens["maintainer"]) as client:
        project = client.projects.get(sandbox.project)
        made = project.generic_packages.upload("server", "1.0", "a.whl", data=CONTENT, select="package_file")
        assert made.file_sha256 == hashlib.sha256(CONTENT).hexdigest()
        assert project.generic_packages.download("server", "1.0", "a.whl") == CONTENT
        package = project.packages.list(package_name="server", get_all=True)[0]
        assert [one.file_sha256 for one in parsed(package.package_files.list(get_all=True))] == [made.file_sha256]
        package.delete()
        assert project.packages.list(get_all=True) == []
