"""Where jobs get the server from: the place that this installation came from, where that is on the same GitLab."""

import hashlib
import json
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from gitlab_mcp.sandbox import Sandbox
from gitlab_mcp.setup.ci_file import read_ci_file
from gitlab_mcp.setup.origin import SourceOnGitLab, WheelInRegistry, origin_of
from gitlab_mcp.setup.own_files import LOCK, WHEEL, packed_server
from gitlab_mcp.setup.steps.merge_request import SETUP_BRANCH
from tests.support.gitlab_requests import get
from tests.support.setup_command import Maintainer, file_at, things_of

SHA256, COMMIT = "0" * 64, "1" * 40
HOST = "https://gitlab.example.com"
PACKAGE = f"/api/v4/projects/tools%2Fserver/packages/generic/gitlab-mcp-server/0.2.0/{WHEEL}"
ARCHIVE = {"hashes": {"sha256": SHA256}}
GIT = {"vcs": "git", "commit_id": COMMIT}
WHEEL_PATH = f"/projects/tools%2Fserver/packages/generic/gitlab-mcp-server/0.2.0/{WHEEL}"


@pytest.mark.parametrize(
    ("direct", "origin"),
    [
        ({}, None),
        ({"url": "file:///home/you/server", "dir_info": {"editable": True}}, None),
        ({"url": f"file:///tmp/{WHEEL}", "archive_info": ARCHIVE}, None),
        (
            {"url": f"{HOST}{PACKAGE}", "archive_info": ARCHIVE},
            WheelInRegistry("tools/server", WHEEL_PATH, SHA256),
        ),
        ({"url": f"{HOST}{PACKAGE}", "archive_info": {}}, None),
        ({"url": f"https://other.example.com{PACKAGE}", "archive_info": ARCHIVE}, None),
        ({"url": f"{HOST}/tools/server.git", "vcs_info": GIT}, SourceOnGitLab("tools/server", COMMIT)),
        ({"url": "https://other.example.com/tools/server.git", "vcs_info": GIT}, None),
        ({"url": f"{HOST}/tools/server.git", "vcs_info": {"vcs": "hg", "commit_id": COMMIT}}, None),
        ({"url": f"{HOST}/tools/server.git", "vcs_info": {"vcs": "git", "commit_id": "main; rm"}}, None),
        ({"url": 7, "archive_info": ARCHIVE}, None),
    ],
    ids=[
        *("an index", "a checkout", "a wheel on disk", "a wheel in a registry", "without a checksum"),
        *("another host", "git", "git elsewhere", "not git", "not a commit", "not a URL"),
    ],
)
def test_an_origin_counts_where_it_is_on_this_gitlab(direct: dict[str, Any], origin: object) -> None:
    assert origin_of(direct, HOST) == origin


def installed(patch: pytest.MonkeyPatch, folder: Path, direct: dict[str, Any]) -> None:
    """Let this installation say where it came from: its metadata are found here first."""
    info = folder / "site" / "gitlab_mcp_server-0.2.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.4\nName: gitlab-mcp-server\nVersion: 0.2.0\n")
    (info / "direct_url.json").write_text(json.dumps(direct))
    patch.syspath_prepend(str(folder / "site"))


def registry(sandbox: Sandbox, project: str) -> str:
    """Put the wheel and its lock into the package registry of a project; the URL of the wheel."""
    url = f"{sandbox.url}/api/v4/projects/{project.replace('/', '%2F')}/packages/generic/gitlab-mcp-server/0.2.0"
    for name, content in packed_server().files.items():
        headers = {"PRIVATE-TOKEN": sandbox.tokens["maintainer"], "Content-Type": "application/octet-stream"}
        request = urllib.request.Request(f"{url}/{name}", content, headers, method="PUT")  # noqa: S310  # the sandbox's
        urllib.request.urlopen(request, timeout=30).close()  # noqa: S310  # the sandbox's
    return f"{url}/{WHEEL}"


def test_a_wheel_of_another_project_is_used_and_its_allow_list_extended(
    maintainer: Maintainer, monkeypatch: pytest.MonkeyPatch
) -> None:
    sandbox, server = maintainer.sandbox, "acme/private-notes"
    packed = packed_server()
    sha256 = hashlib.sha256(packed.wheel).hexdigest()
    direct = {"url": registry(sandbox, server), "archive_info": {"hashes": {"sha256": sha256}}}
    installed(monkeypatch, maintainer.root, direct)
    before = things_of(sandbox), get(sandbox, "/job_token_scope/allowlist", server)
    report = maintainer.sets_up()
    assert report.code == 0, report.output
    assert report.of("allow-list")[0] == "done"
    assert "package" not in report.statuses()
    listed = [row["path_with_namespace"] for row in get(sandbox, "/job_token_scope/allowlist", server)]
    assert "acme/app" in listed
    include = read_ci_file(file_at(sandbox, ".gitlab-ci.yml", SETUP_BRANCH)).include or {}
    folder = "/projects/acme%2Fprivate-notes/packages/generic/gitlab-mcp-server/0.2.0"
    assert include["server_wheel"] == f"$CI_API_V4_URL{folder}/{WHEEL}"
    sums = (include["server_wheel_sha256"], include["server_lock_sha256"])
    assert sums == (sha256, hashlib.sha256(packed.files[LOCK]).hexdigest())
    assert set(maintainer.sets_up().statuses().values()) == {"in place"}
    assert maintainer.sets_up("--undo").code == 0
    assert (things_of(sandbox), get(sandbox, "/job_token_scope/allowlist", server)) == before


def test_the_template_of_a_source_project_is_included_at_its_commit(
    maintainer: Maintainer, monkeypatch: pytest.MonkeyPatch
) -> None:
    sandbox = maintainer.sandbox
    direct = {"url": f"{sandbox.url}/tools/server.git", "vcs_info": GIT}
    installed(monkeypatch, maintainer.root, direct)
    assert maintainer.sets_up().code == 0
    text = file_at(sandbox, ".gitlab-ci.yml", SETUP_BRANCH)
    assert f"component: $CI_SERVER_FQDN/tools/server/claude@{COMMIT}\n" in text
    names = [row["path"] for row in get(sandbox, f"/repository/tree?ref={SETUP_BRANCH}&recursive=true")]
    assert not [name for name in names if name.startswith(".gitlab/claude")]
