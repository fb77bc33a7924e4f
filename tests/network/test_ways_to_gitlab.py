"""Under a relative URL, behind a private CA, through a proxy, and when nothing usable comes back."""

import asyncio
import gzip
import socket
import threading
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from gitlab_mcp.config.settings import DEFAULT_CONNECTIONS, Credential, Settings, SettingsError
from gitlab_mcp.sandbox import Sandbox
from tests.network.certificates import private_ca
from tests.network.servers import Respond, answering, json_answer, proxy
from tests.support.agent import connect
from tests.support.seed import SEED
from tests.support.settings import settings_for

CREDENTIAL = Credential("access token", "GITLAB_ACCESS_TOKEN", "glpat-this-is-not-a-real-token")


async def test_a_gitlab_under_a_relative_url_is_read_and_written() -> None:
    with Sandbox(prefix="/gitlab") as gitlab:
        async with connect(settings_for(gitlab)) as agent:
            assert "#7 Crash" in await agent.call("get_issue", iid=str(SEED.crash_issue.iid))
            assert "Commented on #7" in await agent.call(
                "create_note", iid=f"{gitlab.url}/acme/app/-{SEED.crash_issue.path}", body="x"
            )


async def test_a_private_ca_is_trusted_when_it_is_configured_and_only_then(tmp_path: Path) -> None:
    ca, certificate, key = private_ca(tmp_path)
    with Sandbox(ssl=(str(certificate), str(key))) as gitlab:
        async with connect(settings_for(gitlab, ca_files=(ca,))) as agent:
            assert "#7 Crash" in await agent.call("get_issue", iid=str(SEED.crash_issue.iid))
        async with connect(settings_for(gitlab)) as agent:
            told = await agent.refused("get_issue", iid=str(SEED.crash_issue.iid))
    assert "certificate" in told
    assert "GITLAB_CA_FILE" in told


async def test_a_ca_file_without_a_certificate_is_a_clear_error(tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    file.write_text("no certificate")
    with pytest.raises(SettingsError, match="contains no certificate"):
        async with connect(Settings(url="https://127.0.0.1:1", credential=CREDENTIAL, ca_files=(file,))):
            pass


async def test_tls_goes_through_a_connect_proxy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ca, certificate, key = private_ca(tmp_path)
    with Sandbox(ssl=(str(certificate), str(key))) as gitlab, proxy() as between:
        monkeypatch.setenv("HTTPS_PROXY", between.url)
        async with connect(settings_for(gitlab, ca_files=(ca,))) as agent:
            assert "#7 Crash" in await agent.call("get_issue", iid=str(SEED.crash_issue.iid))
    assert {asked.method for asked in between.asked} == {"CONNECT"}


async def test_plain_http_goes_through_a_proxy_but_not_to_hosts_in_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    with Sandbox() as gitlab, proxy() as between:
        monkeypatch.setenv("HTTP_PROXY", between.url)
        async with connect(settings_for(gitlab)) as agent:
            await agent.call("list_branches")
            through = len(between.asked)
            monkeypatch.setenv("NO_PROXY", "127.0.0.1")
            await agent.call("list_branches")
    assert through == 1
    assert len(between.asked) == 1


async def test_a_proxy_that_is_not_there_is_named_as_the_cause(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as deaf:  # bound and not listening: connections are refused, and nobody else can have the port
        deaf.bind(("127.0.0.1", 0))
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{deaf.getsockname()[1]}")
        async with connect(Settings(url="http://127.0.0.1:9", credential=CREDENTIAL, project="acme/app")) as agent:
            assert "The proxy on the way" in await agent.refused("list_issues")


async def test_the_server_starts_without_gitlab_and_recovers_when_it_is_there() -> None:
    port = _unused_port()
    settings = Settings(url=f"http://127.0.0.1:{port}", credential=CREDENTIAL, project="acme/app")
    async with connect(settings) as agent:
        told = await agent.refused("list_issues")
        assert "Connection refused" in told
        with Sandbox(port=port) as gitlab:
            async with connect(settings_for(gitlab)) as other:
                await other.call("list_issues")
            assert "401" in await agent.refused("list_issues")


async def test_an_answer_over_the_size_limit_is_not_read_to_its_end() -> None:
    def endless(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Connection", "close")
        handler.end_headers()
        while True:
            handler.wfile.write(b" " * 65536)

    await _unusable(endless, "larger than 12 MB")


async def test_a_compressed_answer_counts_with_its_full_size() -> None:
    bomb = gzip.compress(b" " * 200_000_000)
    await _unusable(
        lambda handler: json_answer(handler, bomb, headers={"Content-Encoding": "gzip"}), "larger than 12 MB"
    )


async def test_html_where_json_should_be_is_said() -> None:
    page = b"<html><body>Sign in</body></html>"
    await _unusable(
        lambda handler: json_answer(handler, page, headers={"Content-Type": "text/html"}),
        "has an unexpected form (text/html",
    )


async def test_truncated_json_is_said() -> None:
    await _unusable(lambda handler: json_answer(handler, b'[{"iid": 7'), "has an unexpected form")


async def test_an_answer_that_drips_ends_with_the_deadline_of_the_call() -> None:
    stop = threading.Event()

    def drip(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Connection", "close")
        handler.end_headers()
        while not stop.wait(0.05):
            handler.wfile.write(b" ")
            handler.wfile.flush()

    try:
        await _unusable(drip, "did not answer", deadline=1.0)
    finally:
        stop.set()


@pytest.mark.parametrize("connections", [DEFAULT_CONNECTIONS, 2])
async def test_64_calls_at_once_all_succeed_over_the_configured_connections(connections: int) -> None:
    with answering(lambda handler: json_answer(handler, b"[]")) as gitlab:
        settings = Settings(gitlab.url, CREDENTIAL, project="acme/app", connections=connections)
        async with connect(settings) as agent:
            answers = await asyncio.gather(*(agent.call("list_issues") for _ in range(64)))
    assert answers == ["# Issues: none"] * 64
    assert len(gitlab.asked) == 64
    assert 1 < len({asked.sender for asked in gitlab.asked}) <= connections


async def test_64_calls_of_a_tool_that_asks_for_four_things_at_once_all_succeed() -> None:
    with Sandbox() as gitlab:
        async with connect(settings_for(gitlab)) as agent:
            answers = await asyncio.gather(*(agent.call("get_issue", iid=SEED.crash_issue.iid) for _ in range(64)))
    assert len(set(answers)) == 1


async def test_calls_that_ask_for_many_pages_at_once_do_not_wait_for_each_other_for_ever() -> None:
    def respond(handler: BaseHTTPRequestHandler) -> None:
        page = {"x-total-pages": "3", "x-total": "300"}
        if "/discussions" in handler.path:
            body = b'[{"id": "d", "notes": [{"id": 1, "type": "DiscussionNote"}]}]'
            json_answer(handler, body, headers=page)
        elif "/notes" in handler.path:
            json_answer(handler, b'[{"id": 1, "type": "DiscussionNote", "body": "x", "author": {"id": 1}}]')
        elif handler.path.endswith(SEED.crash_issue.path):
            json_answer(handler, b'{"iid": 7, "title": "t"}')
        elif "/members/" in handler.path:
            json_answer(handler, b'{"access_level": 40}')
        else:
            json_answer(handler, b"[]", headers=page)

    with answering(respond) as gitlab:
        async with connect(Settings(url=gitlab.url, credential=CREDENTIAL, project="acme/app")) as agent:
            answers = await asyncio.gather(*(agent.call("get_issue", iid=SEED.crash_issue.iid) for _ in range(40)))
    assert len(set(answers)) == 1


@pytest.mark.parametrize("body", [b"{}", b"[]", b"null", b'"text"', b""])
async def test_an_unexpected_response_is_not_taken_for_an_empty_file_or_list(body: bytes) -> None:
    with answering(lambda handler: json_answer(handler, body)) as gitlab:
        async with connect(Settings(url=gitlab.url, credential=CREDENTIAL, project="acme/app")) as agent:
            told = await agent.refused("get_file", path="README.md", ref="main")
            assert "has an unexpected form" in told
            assert "has an unexpected form" in await agent.refused("get_issue", iid=SEED.crash_issue.iid)
            if body != b"[]":
                assert "has an unexpected form" in await agent.refused("list_issues")


async def _unusable(respond: Respond, expected: str, deadline: float = 60.0) -> None:
    with answering(respond) as gitlab:
        settings = Settings(url=gitlab.url, credential=CREDENTIAL, project="acme/app", deadline=deadline)
        async with connect(settings) as agent:
            told = await agent.refused("list_issues")
    assert expected in told
    assert len(gitlab.asked) == 1


def _unused_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
