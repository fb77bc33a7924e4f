"""Deliveries: which ones come from GitLab, and what is answered to those that do not, or that cannot be read."""

import json
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from gitlab_mcp.sandbox import Sandbox
from tests.support.gitlab_requests import get
from tests.support.listener import (
    GROUP_SIGNING_TOKEN,
    SIGNING_TOKEN,
    Listener,
    environ_of,
    listening,
    new_trigger_token,
    signed,
    write_config,
)
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


@pytest.fixture(scope="module")
def with_others(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Listener]:
    """A listener with two more projects: one with another signing token, and one with a secret token only."""
    folder = tmp_path_factory.mktemp("others")
    table = '[[projects]]\npath = "{}"\naccess_token_env = "LISTENER_TOKEN"\ntrigger_token_env = "TRIGGER_TOKEN"\n{}\n'
    tokens = {
        sandbox.project: 'signing_token_env = "SIGNING_TOKEN"',
        "acme/other": 'signing_token_env = "GROUP_SIGNING_TOKEN"',
        "acme/plain": 'secret_token_env = "PLAIN_TOKEN"',
    }
    config = write_config(folder, sandbox)
    service = config.read_text().partition("[defaults]")[0]
    config.write_text(service + "".join(table.format(path, token) for path, token in tokens.items()))
    with listening(
        config, {**environ_of(sandbox, new_trigger_token(sandbox)), "PLAIN_TOKEN": "plain-secret"}
    ) as running:
        yield running


def of_project(payload: Any, path: str) -> bytes:
    """The payload as a hook of another project would send it."""
    return json.dumps({**payload, "project": {**payload["project"], "path_with_namespace": path}}).encode()


def test_the_hook_of_one_project_does_not_speak_for_another(with_others: Listener, payload: Any) -> None:
    assert with_others.deliver(payload, GROUP_SIGNING_TOKEN) == (401, "not_authentic")
    assert with_others.deliver(payload) == (200, "ignored")


@pytest.mark.parametrize(
    ("path", "token", "status"),
    [("acme/plain", "plain-secret", 200), ("acme/plain", "another", 401), ("acme/other", "plain-secret", 401)],
    ids=["its-own", "another", "where-a-signature-is-needed"],
)
def test_a_secret_token_counts_where_no_signing_token_is(
    with_others: Listener, payload: Any, path: str, token: str, status: int
) -> None:
    headers = {"content-type": "application/json", "x-gitlab-token": token}
    assert with_others.request("POST", "/webhook", of_project(payload, path), headers)[0] == status


def test_a_mention_in_a_project_that_was_deleted_starts_nothing(with_others: Listener, payload: Any) -> None:
    project = {**payload["project"], "id": 4711, "path_with_namespace": "acme/other"}
    changes = {"project_id": 4711, "author_id": 4712, "note": "@claude fix it"}
    note = {**payload["object_attributes"], **changes}
    deleted = {**payload, "project": project, "project_id": 4711, "object_attributes": note}
    deleted["user"] = {**payload["user"], "id": 4712, "username": "somebody"}
    assert with_others.deliver(deleted, GROUP_SIGNING_TOKEN) == (200, "stored")
    line = with_others.reached("ignored")
    assert line["reason"] == "GitLab no longer shows the project, or what the event is about."


def test_a_wrong_signature_is_not_made_up_for_by_the_secret_token(with_others: Listener, payload: Any) -> None:
    body = of_project(payload, "acme/plain")
    headers = {**signed(b"another body"), "x-gitlab-token": "plain-secret"}
    assert with_others.request("POST", "/webhook", body, headers)[0] == 401


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
