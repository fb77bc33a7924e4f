"""Which failure an error of GitLab's or of the connection is, what it advises, and whether it is transient."""

import contextlib
import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from urllib3 import exceptions

from gitlab_mcp.api.error_mapping import reason_of, refusal, unreachable
from gitlab_mcp.api.http import GitLabSession, TooManyRedirects
from gitlab_mcp.config.settings import DEFAULT_CONNECTIONS, Credential, CredentialKind, Settings
from gitlab_mcp.errors import AnswerLost, Conflict, GitLabRefusal, Moved, NotFound, Unreachable
from tests.network.certificates import private_ca
from tests.network.servers import answering, json_answer

NOT_KNOWN = "took effect is not known"
BODIES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=10,
)


def settings(kind: CredentialKind = "access token", variable: str = "GITLAB_ACCESS_TOKEN") -> Settings:
    return Settings("https://gitlab.example.com", Credential(kind, variable, "not-a-real-token"))


def refused(status: int, body: object = b"", method: str = "post", **headers: str) -> GitLabRefusal:
    return refusal(method, status, body, {name.replace("_", "-"): value for name, value in headers.items()}, settings())


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({"message": "404 Not found"}, "404 Not found"),
        ({"error": "scope is missing"}, "scope is missing"),
        ({"error": "invalid_token", "error_description": "Token was revoked."}, "Token was revoked."),
        ({"message": "m", "error": "e"}, "m"),
        ({"message": "m", "error": "e", "error_description": "d"}, "d"),
        ({"message": "", "error": "e"}, "e"),
        ({"message": {"base": ["a", "b"], "title": ["is too long"]}}, "a, b; title is too long"),
        ({"message": {"error": "x"}}, "x"),
        ({"message": ["one", "two"]}, "one, two"),
        (["one", "two"], "one, two"),
        ({}, ""),
        ({"other": "x"}, ""),
    ],
)
def test_the_reason_in_each_shape_of_body(body: object, reason: str) -> None:
    assert reason_of(json.dumps(body)) == reason
    assert reason_of(json.dumps(body).encode()) == reason


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("Retry later\n", "Retry later"),
        (b"Retry\xff later", "Retry\ufffd later"),
        ("<html><h1>Down</h1></html>", ""),
        ("", ""),
        (b"", ""),
        (None, ""),
        (7, ""),
        ("[" * 100_000, "[" * 599 + "…"),
    ],
)
def test_the_reason_in_a_body_that_is_no_json(body: object, reason: str) -> None:
    assert reason_of(body) == reason


@given(BODIES.map(json.dumps) | st.text() | st.binary())
def test_a_reason_is_one_short_line(body: object) -> None:
    reason = reason_of(body)
    assert len(reason) <= 600
    assert "\n" not in reason


KINDS = [
    (301, {}, Moved),
    (302, {}, Moved),
    (307, {}, Moved),
    (308, {}, Moved),
    (405, {"message": "Non GET methods are not allowed for moved projects"}, Moved),
    (405, {"message": "405 Method Not Allowed"}, GitLabRefusal),
    (400, {"message": "bad"}, GitLabRefusal),
    (400, {"message": "Branch already exists"}, Conflict),
    (401, {}, GitLabRefusal),
    (403, {}, GitLabRefusal),
    (404, {}, NotFound),
    (409, {}, Conflict),
    (410, {}, GitLabRefusal),
    (413, {}, GitLabRefusal),
    (422, {"message": "title has already been taken"}, GitLabRefusal),
    (429, {}, GitLabRefusal),
    (500, {}, GitLabRefusal),
    (503, {}, GitLabRefusal),
]


@pytest.mark.parametrize(("status", "body", "kind"), KINDS)
def test_the_kind_of_a_refusal(status: int, body: object, kind: type[GitLabRefusal]) -> None:
    failure = refused(status, json.dumps(body))
    assert type(failure) is kind
    assert failure.status == status
    assert str(failure).startswith(f"GitLab answered {status}")


@pytest.mark.parametrize("method", ["get", "head", "post", "put", "delete"])
@pytest.mark.parametrize("status", [400, 404, 429, 499, 500, 501, 502, 503, 504, 599])
def test_after_a_fault_of_gitlabs_it_is_not_known_whether_a_write_took_effect(status: int, method: str) -> None:
    assert (NOT_KNOWN in str(refused(status, method=method))) is (status >= 500 and method not in ("get", "head"))


def test_what_a_gateway_answers_advises_something_else_than_a_fault_of_gitlabs() -> None:
    advice = {status: str(refused(status)).partition(". ")[2] for status in (500, 501, 502, 503, 504, 505)}
    assert advice[502] == advice[503] == advice[504]
    assert advice[500] == advice[501] == advice[505]
    assert advice[500] != advice[502]


@pytest.mark.parametrize(
    ("status", "body", "advice"),
    [
        (401, {}, "MY_VARIABLE"),
        (403, {"error": "insufficient_scope", "error_description": "needs higher privileges"}, "lacks a scope"),
        (403, {"error": "insufficient_scope"}, "lacks a scope"),
        (403, {"message": "403 Forbidden"}, "role Developer"),
    ],
)
def test_what_is_wrong_with_the_token_names_its_variable(status: int, body: object, advice: str) -> None:
    own = settings(variable="MY_VARIABLE")
    told = str(refusal("post", status, json.dumps(body), {}, own))
    assert advice in told
    assert "MY_VARIABLE" in told
    other = "role Developer" if advice == "lacks a scope" else "lacks a scope"
    assert other not in told


def test_a_job_token_that_is_refused_needs_an_access_token_and_is_not_wrong() -> None:
    job = settings("job token", "CI_JOB_TOKEN")
    assert "GITLAB_ACCESS_TOKEN (scope api)" in str(refusal("post", 401, b"", {}, job))
    assert "GITLAB_ACCESS_TOKEN (scope api)" not in str(refused(401))
    assert "CI_JOB_TOKEN" in str(refusal("post", 403, b"", {}, job))


def test_a_refusal_carries_its_reason_and_how_long_to_wait() -> None:
    failure = refused(429, "Retry later", retry_after="7")
    assert (failure.reason, failure.retry_after) == ("Retry later", 7.0)
    assert refused(503, "<html>").retry_after is None
    assert refused(400, "").reason == ""
    assert "400: " not in str(refused(400, ""))


# How a connection fails, each with real sockets. The result is what urllib3 raised.


@pytest.fixture
def session() -> GitLabSession:
    return GitLabSession([], lambda _method, _url: None)


def failing(session: GitLabSession, url: str, timeout: float = 20.0) -> Exception:
    with pytest.raises(exceptions.HTTPError) as raised:
        session.post(url, timeout=timeout)
    return raised.value


def check(error: Exception, kind: type[Unreachable], *, transient: bool, told: str) -> None:
    """What becomes of an error that a POST met."""
    url = "https://gitlab.example.com"
    failure = unreachable("post", error, url)
    assert type(failure) is kind
    assert failure.transient is transient
    assert told in str(failure)
    assert (NOT_KNOWN in str(failure)) is (kind is AnswerLost)
    assert NOT_KNOWN not in str(unreachable("get", error, url))


@pytest.fixture
def closed_port() -> Iterator[int]:
    with socket.socket() as deaf:  # bound and not listening: nobody else can have the port
        deaf.bind(("127.0.0.1", 0))
        yield int(deaf.getsockname()[1])


def test_a_refused_connection_did_nothing_and_is_transient(session: GitLabSession, closed_port: int) -> None:
    error = failing(session, f"http://127.0.0.1:{closed_port}")
    check(error, Unreachable, transient=True, told="Connection refused")


def test_an_unknown_host_did_nothing_and_is_transient(session: GitLabSession) -> None:
    check(failing(session, "http://gitlab.invalid"), Unreachable, transient=True, told="cannot be reached")


def test_a_connection_that_is_not_accepted_in_time_did_nothing(session: GitLabSession) -> None:
    with contextlib.ExitStack() as open_sockets:
        listener = open_sockets.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(4):  # the queue of the listener is full, so that it answers nobody
            waiting = open_sockets.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        error = failing(session, f"http://127.0.0.1:{listener.getsockname()[1]}", timeout=0.3)
    assert isinstance(error, exceptions.ConnectTimeoutError)
    check(error, Unreachable, transient=True, told="cannot be reached")


def test_a_proxy_that_is_not_there_did_nothing(
    session: GitLabSession, closed_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{closed_port}")
    monkeypatch.setenv("no_proxy", "")
    check(failing(session, "http://gitlab.invalid"), Unreachable, transient=True, told="HTTPS_PROXY")


def test_a_certificate_that_is_not_accepted_did_nothing_and_stays_so(session: GitLabSession, tmp_path: Path) -> None:
    _, certificate, key = private_ca(tmp_path)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, key)
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with contextlib.suppress(OSError), tls.wrap_socket(connection, server_side=True) as encrypted:
                encrypted.recv(1)

        with ThreadPoolExecutor(1) as threads:
            served = threads.submit(serve)
            error = failing(session, f"https://127.0.0.1:{listener.getsockname()[1]}")
            served.result(20)
    check(error, Unreachable, transient=False, told="GITLAB_CA_FILE")


def broken(handler: BaseHTTPRequestHandler) -> None:
    handler.close_connection = True
    handler.connection.shutdown(socket.SHUT_RDWR)


def half(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(201)
    handler.send_header("Content-Length", "100")
    handler.end_headers()
    handler.wfile.write(b'{"id": ')
    broken(handler)


@pytest.mark.parametrize("respond", [broken, half], ids=["before the answer", "in the answer"])
def test_a_connection_that_breaks_after_the_request_lost_its_answer(
    session: GitLabSession, respond: Callable[[BaseHTTPRequestHandler], None]
) -> None:
    with answering(respond) as gitlab:
        error = failing(session, gitlab.url)
    check(error, AnswerLost, transient=True, told="broke")


def test_an_answer_that_does_not_come_in_time_is_lost(session: GitLabSession) -> None:
    stop = threading.Event()

    def silent(_handler: BaseHTTPRequestHandler) -> None:
        stop.wait(20)

    with answering(silent) as gitlab:
        try:
            error = failing(session, gitlab.url, timeout=0.2)
        finally:
            stop.set()
    check(error, AnswerLost, transient=True, told="in time")


def test_a_request_that_got_no_connection_did_nothing(session: GitLabSession) -> None:
    stop, arrived = threading.Event(), threading.Semaphore(0)

    def hold(handler: BaseHTTPRequestHandler) -> None:
        arrived.release()
        stop.wait(20)
        json_answer(handler)

    with answering(hold) as gitlab, ThreadPoolExecutor(DEFAULT_CONNECTIONS) as threads:
        try:
            held = [threads.submit(session.get, gitlab.url, timeout=20) for _ in range(DEFAULT_CONNECTIONS)]
            for _ in held:
                assert arrived.acquire(timeout=20)
            error = failing(session, gitlab.url, timeout=0.2)
        finally:
            stop.set()
    assert {asked.method for asked in gitlab.asked} == {"GET"}
    check(error, Unreachable, transient=True, told="connections")


def test_an_answer_in_another_encoding_or_too_large_is_lost_and_stays_so(session: GitLabSession) -> None:
    def garbled(handler: BaseHTTPRequestHandler) -> None:
        json_answer(handler, b"not gzip", headers={"Content-Encoding": "gzip"})

    def large(handler: BaseHTTPRequestHandler) -> None:
        json_answer(handler, b" " * (12 * 1024 * 1024 + 1))

    for respond, told in ((garbled, "decompressed"), (large, "larger than 12 MB")):
        with answering(respond) as gitlab:
            error = failing(session, gitlab.url)
        check(error, AnswerLost, transient=False, told=told)


def test_an_answer_of_exactly_the_largest_size_is_read(session: GitLabSession) -> None:
    size = 12 * 1024 * 1024
    with answering(lambda handler: json_answer(handler, b" " * size)) as gitlab:
        assert len(session.post(gitlab.url, timeout=20).content) == size


def test_a_circle_of_redirects_did_nothing_and_stays_so(session: GitLabSession) -> None:
    def respond(handler: BaseHTTPRequestHandler) -> None:
        json_answer(handler, b"", 302, {"Location": "/again"})

    with answering(respond) as gitlab, pytest.raises(TooManyRedirects) as raised:
        session.get(gitlab.url, timeout=20)
    check(raised.value, Unreachable, transient=False, told="GITLAB_URL")


def test_an_answer_that_is_something_else_is_lost_and_stays_so() -> None:
    for method, lost in (("post", True), ("get", False)):
        failure: Any = unreachable(method, ValueError(), "/issues", "text/html, 20 bytes")
        assert type(failure) is AnswerLost
        assert failure.transient is False
        assert "text/html, 20 bytes" in str(failure)
        assert (NOT_KNOWN in str(failure)) is lost


@pytest.mark.parametrize("cause", ["__cause__", "__context__"])
def test_a_circle_of_exceptions_is_told_like_any_lost_answer(cause: str) -> None:
    outer, inner = exceptions.ProtocolError("outer"), OSError("inner")
    outer.args = (inner,)
    setattr(inner, cause, outer)
    told = unreachable("post", outer, "https://gitlab.example.com")
    assert isinstance(told, AnswerLost)
    assert told.effect_unknown
