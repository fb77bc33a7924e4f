"""`doctor --project`: the wheel that the project's job downloads, as its configuration names it."""

import hashlib
from collections.abc import Iterator

import pytest

from gitlab_mcp.sandbox import Sandbox
from tests.sandbox.conftest import Api
from tests.support.doctor import Place

CONTENT = b"PK\x03\x04 a wheel"
SHA256 = hashlib.sha256(CONTENT).hexdigest()
FILE = "gitlab_mcp_server-0.2.0-py3-none-any.whl"
TOOLS = "acme%2Fempty"


@pytest.fixture
def maintainer(fresh_sandbox: Sandbox) -> Iterator[Api]:
    api = Api(fresh_sandbox, "maintainer")
    with api.session:
        yield api


def included(api: Api, project: str, sha256: str = SHA256) -> None:
    """Let the project's job download the wheel from the registry of a project."""
    wheel = f"$CI_API_V4_URL/projects/{project}/packages/generic/gitlab-mcp-server/0.2.0/{FILE}"
    text = f"include:\n  - local: /claude.yml\n    inputs:\n      server_wheel: {wheel}\n"
    text += f"      server_wheel_sha256: '{sha256}'\n" if sha256 else ""
    job = "spec:\n  inputs:\n    server_wheel:\n    server_wheel_sha256: {default: ''}\n---\nx:\n  script: [claude]\n"
    api.commit("main", {"action": "create", "file_path": "claude.yml", "content": job})
    api.commit("main", {"action": "update", "file_path": ".gitlab-ci.yml", "content": text})


def upload(api: Api, project: str, content: bytes = CONTENT) -> None:
    path = f"/projects/{project}/packages/generic/gitlab-mcp-server/0.2.0/{FILE}"
    assert api.call("PUT", path, data=content).status_code == 201


def examined(place: Place, sandbox: Sandbox, who: str = "maintainer") -> tuple[str, str]:
    """The status of the check, and its words with the remedy."""
    environ = place.local(sandbox.url, sandbox.tokens[who])
    return place.examine(environ, "--project", "acme/app", "--check", "wheel").of("wheel")


@pytest.mark.parametrize("project", ["1", "acme%2Fapp", "$CI_PROJECT_ID"])
def test_a_wheel_in_the_own_registry_is_read_by_the_job(
    fresh_sandbox: Sandbox, place: Place, maintainer: Api, project: str
) -> None:
    upload(maintainer, "1", b"an older one")
    upload(maintainer, "1")
    included(maintainer, project)
    status, told = examined(place, fresh_sandbox)
    assert status == "pass"
    assert "jobs may read it" in told


def test_a_wheel_of_another_project_needs_that_projects_consent(
    fresh_sandbox: Sandbox, place: Place, maintainer: Api
) -> None:
    upload(maintainer, TOOLS)
    included(maintainer, TOOLS)
    status, told = examined(place, fresh_sandbox)
    assert status == "fail"
    assert "Authorized groups and projects" in told
    assert "only a job can tell" in examined(place, fresh_sandbox, "developer")[1]
    tools = maintainer.get(f"/projects/{TOOLS}")["id"]
    maintainer.post(f"/projects/{tools}/job_token_scope/allowlist", target_project_id=1)
    assert examined(place, fresh_sandbox)[0] == "pass"


@pytest.mark.parametrize(
    ("sha256", "status", "words"),
    [
        pytest.param("", "warn", "is not pinned by its SHA-256", id="no checksum"),
        pytest.param("0" * 64, "fail", "has another SHA-256", id="another checksum"),
    ],
)
def test_a_wheel_with_another_checksum(
    fresh_sandbox: Sandbox, place: Place, maintainer: Api, sha256: str, status: str, words: str
) -> None:
    upload(maintainer, "1")
    included(maintainer, "1", sha256)
    found, told = examined(place, fresh_sandbox)
    assert (found, words in told, SHA256 in told) == (status, True, True)


def test_a_wheel_that_is_not_there_fails(fresh_sandbox: Sandbox, place: Place, maintainer: Api) -> None:
    included(maintainer, TOOLS)
    status, told = examined(place, fresh_sandbox)
    assert status == "fail"
    assert 'is not in the package registry of project "acme/empty"' in told


def test_without_a_wheel_there_is_nothing_to_report(fresh_sandbox: Sandbox, place: Place) -> None:
    environ = place.local(fresh_sandbox.url, fresh_sandbox.tokens["maintainer"])
    assert place.examine(environ, "--project", "acme/app", "--check", "wheel").checks == {}
