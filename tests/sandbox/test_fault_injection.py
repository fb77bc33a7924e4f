"""Fault injection, and the record of the requests that were received."""

from __future__ import annotations

import http.client
import socket
import threading
import time
from pathlib import Path

import pytest
import requests

from gitlab_mcp.sandbox import Sandbox, SandboxError
from gitlab_mcp.sandbox.faults.injector import FaultInjector
from tests.sandbox.conftest import Api, clone_url, git
from tests.support.seed import SEED

NOTES = f"/projects/:p{SEED.crash_issue.path}/notes"


@pytest.fixture
def faults(sandbox: Sandbox) -> FaultInjector:
    assert sandbox.faults is not None
    return sandbox.faults


def bodies(api: Api) -> list[str]:
    return [note["body"] for note in api.get(NOTES)]


def test_the_next_request_fails_and_the_one_after_it_does_not(developer: Api, faults: FaultInjector) -> None:
    faults.fail("GET", f"{SEED.crash_issue.path}$", 503, "<html>maintenance</html>", headers={"Retry-After": "5"})
    response = developer.call("GET", f"/projects/:p{SEED.crash_issue.path}")
    assert (response.status_code, response.text) == (503, "<html>maintenance</html>")
    assert response.headers["content-type"].startswith("text/html")
    assert response.headers["retry-after"] == "5"
    assert developer.get(f"/projects/:p{SEED.crash_issue.path}")["iid"] == 7


def test_a_rate_limit_response_looks_like_that_of_gitlab(developer: Api, faults: FaultInjector) -> None:
    faults.rate_limit(retry_after=3, times=2)
    response = developer.call("POST", NOTES, json={"body": "x"})
    assert (response.status_code, response.text, response.headers["retry-after"]) == (429, "Retry later\n", "3")
    assert developer.call("GET", NOTES).status_code == 429
    assert "x" not in bodies(developer)


def test_a_connection_dropped_before_the_write_writes_nothing(developer: Api, faults: FaultInjector) -> None:
    faults.drop("POST", "/notes", when="before")
    with pytest.raises(requests.ConnectionError):
        developer.post(NOTES, body="lost")
    assert "lost" not in bodies(developer)


def test_a_connection_dropped_after_the_write_loses_only_the_response(developer: Api, faults: FaultInjector) -> None:
    faults.drop("POST", "/notes", when="after")
    with pytest.raises(requests.ConnectionError):
        developer.post(NOTES, body="kept")
    assert "kept" in bodies(developer)
    faults.drop("POST", "/repository/commits", when="after")
    action = {"action": "create", "file_path": "x", "content": "x"}
    with pytest.raises(requests.ConnectionError):
        developer.commit("work", action, start_branch="main")
    assert developer.get("/projects/:p/repository/branches/work")["commit"]["title"] == "A change"


def test_a_truncated_response_ends_in_the_middle_after_the_write(developer: Api, faults: FaultInjector) -> None:
    faults.cut("POST", "/notes", times=1)
    with pytest.raises(requests.exceptions.ChunkedEncodingError, match="IncompleteRead"):
        developer.post(NOTES, body="kept")
    assert bodies(developer).count("kept") == 1
    assert faults.requests()[0]["status"] == 201
    made = developer.post(NOTES, body="whole")
    faults.cut("DELETE", "/notes")
    with pytest.raises(requests.ConnectionError):  # a 204 has no body to truncate
        developer.call("DELETE", f"{NOTES}/{made['id']}")
    assert "whole" not in bodies(developer)


def test_half_of_a_truncated_response_arrives(sandbox: Sandbox, developer: Api, faults: FaultInjector) -> None:
    whole = developer.call("GET", f"/projects/:p{SEED.crash_issue.path}").content
    faults.cut("GET", f"{SEED.crash_issue.path}$")
    connection = http.client.HTTPConnection(sandbox.url.removeprefix("http://"), timeout=10)
    connection.request(
        "GET", f"/api/v4/projects/1{SEED.crash_issue.path}", headers={"PRIVATE-TOKEN": sandbox.tokens["developer"]}
    )
    response = connection.getresponse()
    with pytest.raises(http.client.IncompleteRead) as caught:
        response.read()
    connection.close()
    assert int(response.headers["content-length"]) == len(whole)
    assert caught.value.partial == whole[: len(whole) // 2]


def test_a_push_with_a_truncated_response_has_taken_effect(
    sandbox: Sandbox, tmp_path: Path, developer: Api, faults: FaultInjector
) -> None:
    git(tmp_path, "clone", "--quiet", clone_url(sandbox, "developer"), "work")
    faults.cut("POST", "git-receive-pack$")
    assert git(tmp_path / "work", "push", "origin", "HEAD:refs/heads/pushed", check=False).returncode != 0
    assert developer.get("/projects/:p/repository/branches/pushed")["name"] == "pushed"


def test_requests_are_recorded_with_headers_body_and_status(
    developer: Api, sandbox: Sandbox, faults: FaultInjector
) -> None:
    developer.post(NOTES, body="seen")
    (entry,) = faults.requests()
    assert (entry["method"], entry["status"], entry["body"]) == ("POST", 201, {"body": "seen"})
    assert entry["path"] == f"/api/v4/projects/acme%2Fapp{SEED.crash_issue.path}/notes"
    assert entry["headers"]["private-token"] == sandbox.tokens["developer"]
    faults.clear()
    assert faults.requests() == []


def test_faults_can_be_injected_over_http(sandbox: Sandbox, developer: Api) -> None:
    base = f"{sandbox.url}/_sandbox"
    fault = {"kind": "fail", "method": "GET", "path": "/user$", "status": 500, "times": 1}
    assert developer.session.post(f"{base}/faults", json=fault, timeout=10).status_code == 201
    assert developer.call("GET", "/user").status_code == 500
    assert developer.session.get(f"{base}/requests", timeout=10).json()[0]["status"] == 500
    developer.session.post(f"{base}/faults", json=fault, timeout=10)
    assert developer.session.delete(f"{base}/faults", timeout=10).status_code == 204
    assert developer.session.delete(f"{base}/requests", timeout=10).status_code == 204
    assert developer.call("GET", "/user").status_code == 200
    cut = {"kind": "cut", "method": "GET", "path": "/user$", "times": 1}
    assert developer.session.post(f"{base}/faults", json=cut, timeout=10).status_code == 201
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        developer.call("GET", "/user")
    developer.post(NOTES, body="/label ~bug\n@all")
    executed = {"command": "label", "argument": "~bug", "user": "developer", "where": "acme/app#7 note"}
    assert developer.session.get(f"{base}/quick_actions", timeout=10).json() == [executed]
    assert developer.session.get(f"{base}/mentions", timeout=10).json()[0]["username"] == "all"
    wrong = developer.session.post(f"{base}/faults", json={"kind": "explode"}, timeout=10)
    assert wrong.status_code == 400


def test_without_fault_injection_no_faults_can_be_set() -> None:
    with Sandbox() as sandbox:
        with pytest.raises(SandboxError, match="started without fault injection"):
            _ = sandbox.faults
        for method in ("GET", "DELETE"):
            assert requests.request(method, f"{sandbox.url}/_sandbox/requests", timeout=10).status_code == 404


def test_a_delay_makes_the_request_wait(developer: Api, faults: FaultInjector) -> None:
    faults.delay("GET", "/user$", seconds=0.3)
    started = time.monotonic()
    developer.get("/user")
    assert time.monotonic() - started >= 0.3


def test_closing_disconnects_waiting_and_idle_clients() -> None:
    with Sandbox(fault_injection=True) as sandbox:
        assert sandbox.faults is not None
        sandbox.faults.delay(seconds=60)
        outcome: list[str] = []

        def ask() -> None:
            try:
                requests.get(f"{sandbox.url}/api/v4/version", timeout=30)
            except requests.ConnectionError:
                outcome.append("cut")

        thread = threading.Thread(target=ask)
        silent = socket.create_connection(("127.0.0.1", int(sandbox.url.rsplit(":", 1)[1])))
        silent.sendall(b"POST /api/v4/projects HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n")
        thread.start()
        while not sandbox.faults.requests():
            thread.join(0.01)
        started = time.monotonic()
        sandbox.close()
        assert time.monotonic() - started < 1
        thread.join(5)
        silent.close()
        assert outcome == ["cut"]
