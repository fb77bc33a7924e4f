"""Deliveries: which ones come from GitLab, and what is answered to those that do not, or that cannot be read."""

import json
import socket
import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import pytest

from gitlab_mcp.sandbox import Sandbox
from tests.support.gitlab_requests import get
from tests.support.listener import GROUP_SIGNING_TOKEN, SIGNING_TOKEN, Listener, signed
from tests.support.seed import SEED
from tests.support.webhooks import note_hook

BODY = json.dumps({"object_kind": "note"}).encode()
EXPIRED = 301.0  # seconds: Standard Webhooks allows five minutes
MIB = 1024 * 1024


@pytest.fixture(scope="module")
def payload(sandbox: Sandbox) -> Any:
    """The payload about a comment that mentions nobody."""
    note = get(sandbox, f"{SEED.crash_issue.path}/notes/{SEED.crash_notes.first}")
    return note_hook(sandbox, note)


def tampered(headers: dict[str, str], **changes: str) -> dict[str, str]:
    return {**headers, **{name.replace("_", "-"): value for name, value in changes.items()}}


REFUSED: dict[str, Callable[[], dict[str, str]]] = {
    "missing": lambda: {"content-type": "application/json"},
    "of-another-key": lambda: signed(BODY, GROUP_SIGNING_TOKEN),
    "of-another-body": lambda: signed(b"{}"),
    "expired": lambda: signed(BODY, at=time.time() - EXPIRED),
    "from-the-future": lambda: signed(BODY, at=time.time() + EXPIRED),
    "the-secret-itself": lambda: {"x-gitlab-token": SIGNING_TOKEN, "webhook-signature": SIGNING_TOKEN},
    "the-secret-in-place-of-a-signature": lambda: {"x-gitlab-token": SIGNING_TOKEN},
    "with-another-id": lambda: tampered(signed(BODY), webhook_id="another"),
    "with-another-time": lambda: tampered(signed(BODY), webhook_timestamp=str(int(time.time()) + 1)),
    "without-a-time": lambda: tampered(signed(BODY), webhook_timestamp=""),
    "whose-time-is-not-a-number": lambda: tampered(signed(BODY), webhook_timestamp="nan"),
    "without-a-version": lambda: tampered(signed(BODY), webhook_signature="no comma"),
    "of-another-version": lambda: tampered(signed(BODY), webhook_signature="v2,AAAA"),
    "that-is-not-base64": lambda: tampered(signed(BODY), webhook_signature="v1,!!!"),
    "that-is-empty": lambda: tampered(signed(BODY), webhook_signature=""),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_delivery_with_a_signature_that_is_wrong_is_refused(listener: Listener, case: str) -> None:
    status, text = listener.request("POST", "/webhook", BODY, REFUSED[case]())
    assert (status, json.loads(text)["result"]) == (401, "not_authentic")


def test_one_of_several_signatures_is_enough(listener: Listener) -> None:
    headers = signed(BODY)
    headers["webhook-signature"] = f"v1,AAAA {headers['webhook-signature']}"
    assert listener.request("POST", "/webhook", BODY, headers)[0] == 200


def test_a_comment_without_the_handle_is_answered_with_200(listener: Listener, payload: Any) -> None:
    assert listener.deliver(payload) == (200, "ignored")


@pytest.mark.parametrize(
    "body",
    [b"", b"no JSON", b"\xff\xfe{}", b'{"object_kind":', b"[" * 200_000, b"NaN,"],
    ids=["empty", "text", "no-utf-8", "cut", "deeply-nested", "more-than-one-value"],
)
def test_a_body_that_is_not_json_is_refused(listener: Listener, body: bytes) -> None:
    status, result = listener.deliver(body)
    assert (status, result) in [(400, "not_json"), (401, "not_authentic")]


@pytest.mark.parametrize(
    "body",
    [b"null", b"[]", b"7", b'"note"', b"{}", b'{"object_kind": "push"}', b'{"object_kind": "note", "user": []}'],
    ids=["null", "list", "number", "text", "empty", "push", "wrong-types"],
)
def test_json_that_is_no_event_is_ignored_with_200(listener: Listener, body: bytes) -> None:
    assert listener.deliver(body) == (200, "ignored")


def test_a_payload_for_a_project_without_an_entry_is_ignored(listener: Listener, payload: Any) -> None:
    other = {**payload, "project": {**payload["project"], "id": 99, "path_with_namespace": "acme/unknown"}}
    other |= {"project_id": 99, "object_attributes": {**payload["object_attributes"], "project_id": 99}}
    before = listener.rows()
    assert listener.deliver(other) == (200, "ignored")
    assert listener.rows() == before


def test_a_body_of_50_mb_is_refused_before_it_is_read(listener: Listener) -> None:
    with socket.create_connection(("127.0.0.1", listener.port), timeout=30) as connection:
        connection.sendall(f"POST /webhook HTTP/1.1\r\nhost: x\r\ncontent-length: {50 * MIB}\r\n\r\n".encode())
        assert connection.recv(4096).startswith(b"HTTP/1.1 413 ")


def test_a_body_of_50_mb_whose_length_is_not_told_is_not_read_whole(listener: Listener) -> None:
    chunk = f"{MIB:x}\r\n".encode() + b" " * MIB + b"\r\n"
    sent = 0
    with socket.create_connection(("127.0.0.1", listener.port), timeout=30) as connection:
        connection.sendall(b"POST /webhook HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n")
        try:
            for _ in range(50):
                connection.sendall(chunk)
                sent += 1
            answer = connection.recv(4096)
        except (BrokenPipeError, ConnectionResetError):
            answer = b"HTTP/1.1 413 "
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert listener.request("GET", "/healthz")[0] == 200


BEGUN = {
    "nothing": b"",
    "half-a-header": b"POST /webhook HTTP/1.1\r\nhost:",
    "half-a-body": b"POST /webhook HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\nslow",
}


def test_slow_clients_are_cut_off_and_hold_up_nobody(listener: Listener) -> None:
    with ExitStack() as open_connections:
        slow = {name: socket.create_connection(("127.0.0.1", listener.port), timeout=60) for name in BEGUN}
        for name, connection in slow.items():
            open_connections.enter_context(connection)
            connection.sendall(BEGUN[name])
        assert listener.deliver({"object_kind": "push"}) == (200, "ignored")
        answers = {name: _last(connection) for name, connection in slow.items()}
    assert answers.pop("half-a-body").startswith(b"HTTP/1.1 408 ")
    assert set(answers.values()) == {b""}


def _last(connection: socket.socket) -> bytes:
    """What comes before the other side closes the connection."""
    try:
        return connection.recv(4096)
    except ConnectionResetError:
        return b""


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_a_listener_that_works_says_so(listener: Listener, path: str) -> None:
    assert listener.request("GET", path) == (200, "ok\n")


def test_the_metrics_count_deliveries_by_result_and_hold_no_content(listener: Listener, payload: Any) -> None:
    listener.deliver(payload)
    status, text = listener.request("GET", "/metrics")
    assert status == 200
    assert 'gitlab_mcp_listen_deliveries_total{result="ignored"}' in text
    assert "gitlab_mcp_listen_answer_seconds_bucket" in text
    assert "acme" not in text


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/webhook", 405), ("POST", "/", 404)])
def test_other_routes_do_not_exist(listener: Listener, method: str, path: str, status: int) -> None:
    assert listener.request(method, path, b"" if method == "POST" else None)[0] == status
