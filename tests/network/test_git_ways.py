"""Git goes the same ways to GitLab as the rest: a relative URL, a private CA, a proxy; and follows nobody elsewhere."""

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from gitlab_mcp.config.settings import Credential
from gitlab_mcp.sandbox import Sandbox
from tests.network.certificates import private_ca
from tests.network.servers import answering, json_answer, proxy
from tests.support.agent import connect
from tests.support.ci_job import allow_job_pushes
from tests.support.seed import SEED
from tests.support.settings import job_settings

COMMIT: dict[str, Any] = {
    "branch": "b",
    "ref": "main",
    "message": "m",
    "actions": [{"path": "x", "content": "x"}],
}


@pytest.fixture
def secure(tmp_path: Path) -> Iterator[tuple[Sandbox, Path]]:
    """A GitLab behind TLS of a private CA, and that CA."""
    ca, certificate, key = private_ca(tmp_path)
    with Sandbox(ssl=(str(certificate), str(key))) as gitlab:
        gitlab.world.projects[gitlab.project_id].settings["ci_push_repository_for_job_token_allowed"] = True
        yield gitlab, ca


async def test_a_job_pushes_to_a_gitlab_under_a_relative_url() -> None:
    with Sandbox(prefix="/gitlab") as gitlab:
        allow_job_pushes(gitlab)
        async with connect(job_settings(gitlab)) as agent:
            answer = await agent.call("commit_files", **COMMIT, merge_request={"title": "T"})
    assert f"Opened !2 (b -> main): {gitlab.url}/acme/app/-{SEED.next_merge_request.path}" in answer


async def test_git_trusts_a_private_ca_when_it_is_configured_and_only_then(secure: tuple[Sandbox, Path]) -> None:
    gitlab, ca = secure
    async with connect(job_settings(gitlab, ca_files=(ca,))) as agent:
        await agent.call("commit_files", **COMMIT)
    async with connect(job_settings(gitlab, ca_files=(ca.parent,))) as agent:
        assert "x" in await agent.call("get_file", path="x", ref="b")
    async with connect(job_settings(gitlab)) as agent:
        told = await agent.refused("list_files")
    assert "certificate" in told
    assert "GITLAB_CA_FILE" in told


async def test_git_trusts_the_ca_and_takes_the_proxy_of_the_users_own_git_configuration(
    secure: tuple[Sandbox, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gitlab, ca = secure
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    with proxy() as between:
        (home / ".gitconfig").write_text(
            f'[http "{gitlab.url}"]\n\tsslCAInfo = {ca}\n[http]\n\tproxy = {between.url}\n'
        )
        async with connect(job_settings(gitlab)) as agent:
            await agent.call("list_files")
    assert {asked.method for asked in between.asked} == {"CONNECT"}


async def test_git_goes_through_the_proxy_that_the_environment_names(
    secure: tuple[Sandbox, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    gitlab, ca = secure
    with proxy() as between:
        monkeypatch.setenv("HTTPS_PROXY", between.url)
        async with connect(job_settings(gitlab, ca_files=(ca,))) as agent:
            await agent.call("list_files")
    assert {asked.method for asked in between.asked} == {"CONNECT"}


async def test_git_follows_no_redirect_with_a_token() -> None:
    def away(handler: BaseHTTPRequestHandler) -> None:
        json_answer(handler, status=302, headers={"Location": f"{elsewhere.url}{handler.path}"})

    with answering(json_answer) as elsewhere, answering(away) as gitlab:
        job = Credential("job token", "CI_JOB_TOKEN", "glcbt-64_not-a-real-token")
        with Sandbox() as sandbox:
            settings = job_settings(sandbox, url=gitlab.url, credential=job)
        async with connect(settings) as agent:
            told = await agent.refused("list_files", ref="main")
    assert f"redirects to {elsewhere.url}, where the token is not sent" in told
    assert elsewhere.asked == []
    assert len(gitlab.asked) > 0
