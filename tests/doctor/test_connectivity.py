"""Checks of the connection to GitLab: whether it can be reached, its version and its clock."""

import time
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from gitlab_mcp.sandbox import Sandbox
from tests.network.certificates import private_ca
from tests.network.servers import answering, json_answer
from tests.support.doctor import Place, only


def test_where_no_gitlab_answers_that_is_the_failure_and_the_rest_cannot_be_told(place: Place, nowhere: str) -> None:
    report = place.examine(place.local(nowhere))
    status, told = report.of("reachable")
    assert status == "fail"
    assert "Connection refused" in told
    assert "NO_PROXY" in told
    assert report.ids("fail") == ["reachable"]
    for check in ("version", "clock", "token", "scopes", "role", "default-branch"):
        assert report.of(check)[0] == "skipped"
        assert "GitLab was not reached" in report.of(check)[1]


def test_a_proxy_that_does_not_answer_is_named(place: Place, nowhere: str) -> None:
    status, told = only(place, place.local("http://gitlab.invalid", HTTP_PROXY=nowhere), "reachable")
    assert status == "fail"
    assert "proxy" in told
    assert "HTTPS_PROXY" in told


def test_a_private_ca_that_is_not_configured_is_named_with_the_variable(tmp_path: Path, place: Place) -> None:
    ca, certificate, key = private_ca(tmp_path)
    with Sandbox(ssl=(str(certificate), str(key))) as behind_tls:
        environ = place.local(behind_tls.url, behind_tls.tokens["developer"])
        status, told = only(place, environ, "reachable")
        trusted = place.examine({**environ, "GITLAB_CA_FILE": str(ca)})
    assert status == "fail"
    assert "TLS certificate" in told
    assert "GITLAB_CA_FILE" in told
    assert trusted.of("reachable")[0] == trusted.of("token")[0] == "pass"


@pytest.mark.parametrize(
    ("status", "kind", "told"),
    [(200, "text/html", "text/html"), (404, "application/json", "404"), (502, "text/html", "answers 502")],
)
def test_what_answers_and_is_not_gitlabs_api_fails(place: Place, status: int, kind: str, told: str) -> None:
    def respond(handler: BaseHTTPRequestHandler) -> None:
        json_answer(handler, b"<html>Sign in</html>", status, {"Content-Type": kind})

    with answering(respond) as other:
        found = only(place, place.local(other.url), "reachable")
    assert found[0] == "fail"
    assert told in found[1]


@pytest.mark.parametrize(
    ("seconds", "status"), [(5, "pass"), (100, "warn"), (-100, "warn"), (400, "fail"), (-86400, "fail")]
)
def test_the_clock_is_held_against_gitlabs(place: Place, seconds: int, status: str) -> None:
    def respond(handler: BaseHTTPRequestHandler) -> None:
        shown = handler.date_time_string(int(time.time()) - seconds)
        handler.date_time_string = lambda timestamp=None: shown  # type: ignore[method-assign]  # noqa: ARG005
        json_answer(handler, b"{}", 401)

    with answering(respond) as other:
        found = only(place, place.local(other.url), "clock")
    assert found[0] == status
    if status != "pass":
        assert ("ahead of" if seconds > 0 else "behind") in found[1]
        assert "NTP" in found[1]


@pytest.mark.parametrize(("version", "status"), [("18.3.5", "fail"), ("18.4.0-ee", "warn"), ("18.5.0", "pass")])
def test_a_gitlab_that_is_too_old_for_job_tokens_is_named(
    sandbox: Sandbox, place: Place, version: str, status: str
) -> None:
    found = only(place, place.job(sandbox, CI_SERVER_VERSION=version), "version")
    assert found[0] == status
    if status != "pass":
        assert "GITLAB_ACCESS_TOKEN" in found[1]


def test_for_an_access_token_an_older_gitlab_does(sandbox: Sandbox, place: Place) -> None:
    job = place.job(sandbox, CI_SERVER_VERSION="17.0.0", GITLAB_ACCESS_TOKEN=sandbox.tokens["developer"])
    assert only(place, job, "version")[0] == "pass"
