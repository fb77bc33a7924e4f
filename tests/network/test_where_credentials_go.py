"""A credential goes to its own GitLab's origin, and nowhere else."""

from http.server import BaseHTTPRequestHandler

import pytest

from gitlab_mcp.config.settings import Credential, CredentialKind, Settings
from tests.network.servers import answering, json_answer
from tests.support.agent import connect
from tests.support.seed import SEED

TOKEN = "glpat-this-is-not-a-real-token"
KINDS: list[tuple[CredentialKind, str]] = [
    ("access token", "GITLAB_ACCESS_TOKEN"),
    ("flow token", "AI_FLOW_GITLAB_TOKEN"),
    ("job token", "CI_JOB_TOKEN"),
]


def settings(url: str, kind: CredentialKind = "access token", variable: str = "GITLAB_ACCESS_TOKEN") -> Settings:
    return Settings(url=url, credential=Credential(kind, variable, TOKEN), project="acme/app")


@pytest.mark.parametrize(("kind", "variable"), KINDS)
async def test_every_kind_of_token_is_a_bearer_and_goes_to_no_other_origin(kind: CredentialKind, variable: str) -> None:
    with answering(lambda handler: json_answer(handler, b"[]")) as elsewhere:

        def redirect(handler: BaseHTTPRequestHandler) -> None:
            json_answer(handler, status=302, headers={"Location": f"{elsewhere.url}{handler.path}"})

        with answering(redirect) as gitlab:
            async with connect(settings(gitlab.url, kind, variable)) as agent:
                assert f"redirects to {elsewhere.url}" in await agent.refused("list_issues")
    assert gitlab.asked[0].headers["authorization"] == f"Bearer {TOKEN}"
    assert elsewhere.asked == []


async def test_a_redirected_download_is_followed_without_the_token() -> None:
    with answering(lambda handler: json_answer(handler, b"line\n")) as storage:

        def redirect(handler: BaseHTTPRequestHandler) -> None:
            json_answer(handler, b"{}", 302, {"Location": f"{storage.url}/bucket/file?signature=1"})

        with answering(redirect) as gitlab:
            async with connect(settings(gitlab.url)) as agent:
                await agent.client.call_tool("get_job_log", {"job_id": 1})
    arrived = [asked for asked in storage.asked if asked.path == "/bucket/file?signature=1"]
    assert arrived
    assert not any(TOKEN in str(asked.headers) for asked in storage.asked)


async def test_a_token_is_kept_on_a_redirect_within_its_origin() -> None:
    def redirect_once(handler: BaseHTTPRequestHandler) -> None:
        if handler.path.startswith("/api/v4/projects/1/"):
            json_answer(handler, b"[]")
        else:
            json_answer(handler, status=301, headers={"Location": "/api/v4/projects/1/issues"})

    with answering(redirect_once) as gitlab:
        async with connect(settings(gitlab.url)) as agent:
            await agent.call("list_issues")
    assert [asked.headers["authorization"] for asked in gitlab.asked] == [f"Bearer {TOKEN}"] * 2


async def test_a_redirected_write_is_not_sent_again_anywhere() -> None:
    with answering(json_answer) as elsewhere:

        def redirect(handler: BaseHTTPRequestHandler) -> None:
            json_answer(handler, status=307, headers={"Location": f"{elsewhere.url}{handler.path}"})

        with answering(redirect) as gitlab:
            async with connect(settings(gitlab.url)) as agent:
                told = await agent.refused("create_note", iid=SEED.crash_issue.reference, body="hello")
    assert f"redirects to {elsewhere.url}" in told
    assert [asked.method for asked in gitlab.asked].count("POST") == 1
    assert "POST" not in [asked.method for asked in elsewhere.asked]


async def test_cookies_are_neither_kept_nor_sent() -> None:
    with answering(lambda handler: json_answer(handler, b"[]", headers={"Set-Cookie": "_gitlab_session=x"})) as gitlab:
        async with connect(settings(gitlab.url)) as agent:
            await agent.call("list_issues")
            await agent.call("list_issues")
    assert ["cookie" in asked.headers for asked in gitlab.asked] == [False, False]


async def test_a_netrc_is_not_read(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    netrc = tmp_path_factory.mktemp("home") / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password else\n")
    monkeypatch.setenv("NETRC", str(netrc))
    with answering(lambda handler: json_answer(handler, b"[]")) as gitlab:
        async with connect(settings(gitlab.url)) as agent:
            await agent.call("list_issues")
    assert gitlab.asked[0].headers["authorization"] == f"Bearer {TOKEN}"
