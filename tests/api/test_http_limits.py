"""The HTTP session under load and on odd answers: sizes, connections, headers, certificates and proxies."""

import socket
import ssl
import threading
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
from urllib3 import exceptions

from gitlab_mcp.api.error_mapping import unreachable
from gitlab_mcp.api.http import BodyTooLarge, GitLabSession
from gitlab_mcp.api.python_gitlab import SessionBackend
from gitlab_mcp.api.response_body import pieces
from gitlab_mcp.config.settings import DEFAULT_CONNECTIONS
from gitlab_mcp.errors import AnswerLost
from gitlab_mcp.sandbox import Sandbox
from tests.network.certificates import private_ca
from tests.network.servers import answering, json_answer, proxy

LARGEST = 12 * 1024 * 1024


@pytest.fixture
def session() -> GitLabSession:
    return GitLabSession([], lambda _method, _url: None)


@pytest.mark.parametrize(
    ("status", "stream", "read"), [(200, True, True), (200, False, False), (404, True, False), (500, False, False)]
)
def test_only_a_streamed_success_may_be_larger(session: GitLabSession, status: int, stream: bool, read: bool) -> None:
    with answering(lambda handler: json_answer(handler, b"x" * (LARGEST + 1), status)) as gitlab:
        if read:
            answer = session.get(gitlab.url, timeout=60, stream=stream)
            assert sum(map(len, pieces(answer))) == LARGEST + 1
        else:
            with pytest.raises(BodyTooLarge):
                session.get(gitlab.url, timeout=60, stream=stream)


def test_a_connection_is_free_again_after_a_request_however_it_ended(session: GitLabSession) -> None:
    def broken(handler: BaseHTTPRequestHandler) -> None:
        if handler.path == "/broken":
            handler.close_connection = True
            handler.connection.shutdown(socket.SHUT_RDWR)
        else:
            json_answer(handler, status=500 if handler.path == "/error" else 200)

    with answering(broken) as gitlab:
        for _ in range(DEFAULT_CONNECTIONS + 1):
            with pytest.raises(exceptions.ProtocolError):
                session.get(f"{gitlab.url}/broken", timeout=20)
            assert session.get(f"{gitlab.url}/error", timeout=20).status_code == 500
        assert session.get(gitlab.url, timeout=20).status_code == 200


def test_a_connection_is_free_again_after_a_response_that_was_not_read() -> None:
    stop = threading.Event()

    def respond(handler: BaseHTTPRequestHandler) -> None:
        if handler.path == "/large":
            json_answer(handler, b"x" * (LARGEST + 1))
        elif handler.path == "/slow":
            json_answer(handler, headers={"Content-Length": "100"})
            stop.wait(20)
        else:
            json_answer(handler)

    only = GitLabSession([], lambda _method, _url: None, connections=1)
    with answering(respond) as gitlab:
        try:
            for _ in range(2):
                with pytest.raises(BodyTooLarge):
                    only.get(f"{gitlab.url}/large", timeout=20)
                with pytest.raises(exceptions.TimeoutError):
                    only.get(f"{gitlab.url}/slow", timeout=0.2)
            assert only.get(gitlab.url, timeout=20).status_code == 200
        finally:
            stop.set()


def test_connections_are_kept_for_the_next_request(session: GitLabSession) -> None:
    with answering(json_answer) as gitlab:
        for _ in range(5):
            session.get(gitlab.url, timeout=20)
    assert len({asked.sender for asked in gitlab.asked}) == 1


def test_an_answer_that_stops_in_the_middle_is_lost(session: GitLabSession) -> None:
    stop = threading.Event()

    def stalls(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(201)
        handler.send_header("Content-Length", "100")
        handler.end_headers()
        handler.wfile.write(b'{"id": ')
        stop.wait(20)

    with answering(stalls) as gitlab:
        try:
            with pytest.raises(exceptions.TimeoutError) as raised:
                session.post(gitlab.url, timeout=0.2)
        finally:
            stop.set()
    failure = unreachable("post", raised.value, gitlab.url)
    assert type(failure) is AnswerLost
    assert failure.transient


def test_the_headers_of_the_last_answer_are_those_of_this_thread_and_request(session: GitLabSession) -> None:
    def respond(handler: BaseHTTPRequestHandler) -> None:
        if handler.path == "/broken":
            handler.close_connection = True
            handler.connection.shutdown(socket.SHUT_RDWR)
        else:
            json_answer(handler, headers={"Retry-After": handler.path[1:]})

    def ask(path: str) -> str:
        session.get(f"{gitlab.url}/{path}", timeout=20)
        return session.last_headers.get("Retry-After", "")

    assert dict(session.last_headers) == {}
    with answering(respond) as gitlab:
        assert ask("1") == "1"
        with ThreadPoolExecutor(1) as other:
            assert other.submit(ask, "2").result(20) == "2"
        assert session.last_headers["retry-after"] == "1"
        with pytest.raises(exceptions.ProtocolError):
            ask("broken")
        assert dict(session.last_headers) == {}


def test_a_certificate_of_another_name_is_not_accepted(tmp_path: Path) -> None:
    ca, certificate, key = private_ca(tmp_path)
    session = GitLabSession([ca], lambda _method, _url: None)
    with Sandbox(ssl=(str(certificate), str(key))) as gitlab:
        assert session.get(f"{gitlab.url}/api/v4/version", timeout=20).status_code in (200, 401)
        with pytest.raises(exceptions.SSLError):
            session.get(f"{gitlab.url.replace('127.0.0.1', 'localhost')}/api/v4/version", timeout=20)


@pytest.mark.parametrize("verify", [True, False, None])
def test_no_request_and_no_variable_turns_verification_off(
    verify: bool | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ca, certificate, key = private_ca(tmp_path)
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.setenv(name, str(ca))
    session = GitLabSession([], lambda _method, _url: None)
    backend = SessionBackend(session)
    with Sandbox(ssl=(str(certificate), str(key))) as gitlab, pytest.raises(exceptions.SSLError):
        backend.http_request(
            method="get",
            url=gitlab.url,
            params={},
            json=None,
            headers={},
            auth=lambda _request: None,
            timeout=20,
            stream=False,
            verify=verify,
        )


def test_a_redirect_asks_anew_whether_the_proxy_is_for_its_host(
    session: GitLabSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    def respond(handler: BaseHTTPRequestHandler) -> None:
        if handler.path == "/":
            port = handler.headers["Host"].rpartition(":")[2]
            json_answer(handler, b"", 302, {"Location": f"http://localhost:{port}/direct"})
        else:
            json_answer(handler)

    with answering(respond) as gitlab, proxy() as between:
        monkeypatch.setenv("HTTP_PROXY", between.url)
        monkeypatch.setenv("NO_PROXY", "localhost")
        session.get(f"{gitlab.url}/", timeout=20)
    assert [asked.path for asked in gitlab.asked] == ["/", "/direct"]
    assert [asked.path for asked in between.asked] == [f"{gitlab.url}/"]


@pytest.mark.parametrize("is_tls", [False, True], ids=["plain", "tls"])
def test_the_password_of_a_proxy_goes_to_the_proxy_and_the_token_through_it(
    is_tls: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ca, certificate, key = private_ca(tmp_path)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, key)
    session = GitLabSession([ca], lambda _method, _url: None)
    with answering(json_answer, tls=tls) as gitlab, proxy() as between:
        monkeypatch.setenv("HTTPS_PROXY" if is_tls else "HTTP_PROXY", between.url.replace("//", "//me:p%40ss@"))
        url = gitlab.url.replace("http:", "https:") if is_tls else gitlab.url
        session.get(f"{url}/", headers={"Authorization": "Bearer token"}, timeout=20)
    assert [asked.headers.get("proxy-authorization") for asked in between.asked] == ["Basic bWU6cEBzcw=="]
    assert [asked.headers.get("authorization") for asked in gitlab.asked] == ["Bearer token"]
    if is_tls:
        assert between.asked[0].headers.get("authorization") is None
        assert gitlab.asked[0].headers.get("proxy-authorization") is None
