"""The HTTP session: what a redirect may reach, what it takes along, and what of the environment is not read."""

import ssl
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from gitlab_mcp.api.http import GitLabSession, header
from gitlab_mcp.config.checkout import origin
from gitlab_mcp.config.settings import Credential, Settings
from tests.network.certificates import private_ca
from tests.network.servers import Recorder, Respond, answering, json_answer
from tests.support.agent import connect

TOKEN = "glpat-this-is-not-a-real-token"
BEARER = f"Bearer {TOKEN}"
CREDENTIALS = {"authorization", "private-token", "job-token", "cookie"}


def settings(url: str, ca_files: tuple[Path, ...] = ()) -> Settings:
    """A run of a job, which is restricted to its own project."""
    credential = Credential("access token", "GITLAB_ACCESS_TOKEN", TOKEN)
    project = "acme/app"
    return Settings(
        url, credential, project=project, own_project=(project, "1"), in_ci=True, ca_files=ca_files, deadline=20.0
    )


def redirecting(location: str, status: int = 302) -> Respond:
    """Sends the first request to `location`, in which {port} is the server's own; the next ones get an empty list."""
    asked: list[str] = []

    def respond(handler: BaseHTTPRequestHandler) -> None:
        asked.append(handler.path)
        if len(asked) == 1:
            port = handler.headers["Host"].rpartition(":")[2]
            json_answer(handler, b"", status, {"Location": location.format(port=port)})
        else:
            json_answer(handler, b"[]")

    return respond


def paths(gitlab: Recorder) -> list[str]:
    return [urlsplit(asked.path).path for asked in gitlab.asked]


ELSEWHERE = {
    "absolute": "http://127.0.0.1:{port}/api/v4/projects/99/issues",
    "from the root": "/api/v4/projects/99/issues",
    "from here": "../99/issues",
    "without a scheme": "//127.0.0.1:{port}/api/v4/projects/99/issues",
    "with a query": "/api/v4/projects/99/issues?state=opened",
    "a path for a name": "/api/v4/projects/acme%2Fother/issues",
    "scheme in capitals": "HTTP://127.0.0.1:{port}/api/v4/projects/99/issues",
    "dots": "http://127.0.0.1:{port}/api/v4/projects/1/../99/issues",
    "encoded dots": "http://127.0.0.1:{port}/api/v4/projects/1/%2e%2e/99/issues",
    "encoded letters": "/%61pi/v4/projects/99/issues",
    "two slashes": "http://127.0.0.1:{port}//api/v4/projects/99/issues",
    "everything": "/api/v4/projects",
    "what is asked of no project": "/api/v4/users",
}


@pytest.mark.parametrize("location", ELSEWHERE.values(), ids=list(ELSEWHERE))
async def test_a_redirect_does_not_leave_the_projects_of_a_run(location: str) -> None:
    with answering(redirecting(location)) as gitlab:
        async with connect(settings(gitlab.url)) as agent:
            told = await agent.refused("list_issues")
    assert "another project" in told or "across projects" in told or "sends no request to /users" in told
    assert paths(gitlab) == ["/api/v4/projects/acme%2Fapp/issues"]


async def test_a_host_in_other_letters_is_the_same_gitlab_on_a_redirect() -> None:
    with answering(redirecting("http://LocalHost:{port}/api/v4/projects/99/issues")) as gitlab:
        url = gitlab.url.replace("127.0.0.1", "localhost")
        async with connect(settings(url)) as agent:
            assert "another project" in await agent.refused("list_issues")
    assert len(gitlab.asked) == 1


OWN = {
    "by its id": "/api/v4/projects/1/issues",
    "from here": "../1/issues",
    "absolute": "http://127.0.0.1:{port}/api/v4/projects/1/issues",
    "outside the API": "/acme/app/-/issues.json",
}


@pytest.mark.parametrize("location", OWN.values(), ids=list(OWN))
async def test_a_redirect_within_a_runs_projects_is_followed_with_the_token(location: str) -> None:
    with answering(redirecting(location)) as gitlab:
        async with connect(settings(gitlab.url)) as agent:
            assert await agent.call("list_issues") == "# Issues: none"
    assert [asked.headers.get("authorization") for asked in gitlab.asked] == [BEARER, BEARER]


async def test_below_a_relative_url_a_redirect_does_not_leave_the_projects_either() -> None:
    with answering(redirecting("/gitlab/api/v4/projects/99/issues")) as gitlab:
        async with connect(settings(f"{gitlab.url}/gitlab")) as agent:
            assert "another project" in await agent.refused("list_issues")
    assert len(gitlab.asked) == 1


async def test_a_redirect_to_another_host_on_the_same_port_takes_no_credential_along() -> None:
    with answering(redirecting("http://localhost:{port}/storage/issues.json")) as gitlab:
        async with connect(settings(gitlab.url)) as agent:
            await agent.call("list_issues")
    assert gitlab.asked[0].headers["authorization"] == BEARER
    assert not CREDENTIALS & set(gitlab.asked[1].headers)


async def test_a_redirect_from_https_to_http_on_the_same_port_takes_no_credential_along(tmp_path: Path) -> None:
    ca, certificate, key = private_ca(tmp_path)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, key)
    with answering(redirecting("http://127.0.0.1:{port}/storage/issues.json"), tls=tls) as gitlab:
        async with connect(settings(gitlab.url.replace("http:", "https:"), (ca,))) as agent:
            await agent.call("list_issues")
    assert gitlab.asked[0].headers["authorization"] == BEARER
    assert not CREDENTIALS & set(gitlab.asked[1].headers)


@pytest.mark.parametrize("name", ["Authorization", "PRIVATE-TOKEN", "JOB-TOKEN", "Cookie"])
def test_no_header_with_a_credential_goes_to_another_origin(name: str) -> None:
    with answering(redirecting("http://localhost:{port}/")) as gitlab:
        GitLabSession([], lambda _method, _url: None).get(gitlab.url, headers={name: "secret"}, timeout=20)
    assert [asked.headers.get(name.lower()) for asked in gitlab.asked] == ["secret", None]


@pytest.mark.parametrize("method", ["get", "head"])
def test_what_a_redirect_reaches_is_checked_as_a_whole_url(method: str) -> None:
    checked: list[tuple[str, str]] = []
    with answering(redirecting("below?x=1")) as gitlab:
        session = GitLabSession([], lambda method, url: checked.append((method, url)))
        session.request(method, f"{gitlab.url}/api/v4/", timeout=20, allow_redirects=True)
    assert checked == [(method, f"{gitlab.url}/api/v4/below?x=1")]


@pytest.mark.parametrize("method", ["post", "put", "delete", "patch", "options"])
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_only_a_read_follows_a_redirect(method: str, status: int) -> None:
    def respond(handler: BaseHTTPRequestHandler) -> None:
        json_answer(handler, status=status, headers={"Location": "/other"})

    with answering(respond) as gitlab:
        session = GitLabSession([], lambda _method, _url: None)
        assert session.request(method, gitlab.url, timeout=20).status_code == status
    assert [asked.method for asked in gitlab.asked] == [method.upper()]


@pytest.fixture
def netrc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A .netrc, in its usual place and where NETRC says, that knows a password for the servers of these tests."""
    file = tmp_path / ".netrc"
    file.write_text("machine 127.0.0.1 login somebody password else\nmachine localhost login somebody password else\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(file))


@pytest.mark.usefixtures("netrc")
def test_a_request_without_a_credential_gets_none_from_a_netrc() -> None:
    with answering(redirecting("http://localhost:{port}/")) as gitlab:
        GitLabSession([], lambda _method, _url: None).get(gitlab.url, timeout=20)
    assert [asked.headers.get("authorization") for asked in gitlab.asked] == [None, None]


@pytest.mark.usefixtures("netrc")
async def test_where_the_token_is_left_behind_no_password_of_a_netrc_takes_its_place() -> None:
    with answering(redirecting("http://localhost:{port}/storage/issues.json")) as gitlab:
        async with connect(settings(gitlab.url)) as agent:
            await agent.call("list_issues")
    assert [asked.headers.get("authorization") for asked in gitlab.asked] == [BEARER, None]


def test_a_cookie_is_not_kept_from_an_answer_or_from_a_redirect() -> None:
    def respond(handler: BaseHTTPRequestHandler) -> None:
        cookie = {"Set-Cookie": "_gitlab_session=0123456789abcdef; Path=/"}
        if handler.path == "/":
            json_answer(handler, status=302, headers={"Location": "/next", **cookie})
        else:
            json_answer(handler, headers=cookie)

    with answering(respond) as gitlab:
        session = GitLabSession([], lambda _method, _url: None)
        session.get(f"{gitlab.url}/", timeout=20)
        session.get(f"{gitlab.url}/", timeout=20)
    assert ["cookie" in asked.headers for asked in gitlab.asked] == [False] * 4


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("https://gitlab.example.com/a", "https://gitlab.example.com/b?c#d"),
        ("https://gitlab.example.com", "https://gitlab.example.com:443/"),
        ("http://gitlab.example.com", "http://gitlab.example.com:80/"),
        ("https://gitlab.example.com", "HTTPS://GitLab.Example.Com/"),
        ("https://[::1]:8443", "https://[::1]:8443/x"),
    ],
)
def test_what_is_one_origin(one: str, other: str) -> None:
    assert origin(one) == origin(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("https://gitlab.example.com", "http://gitlab.example.com"),
        ("https://gitlab.example.com:80", "http://gitlab.example.com:80"),
        ("https://gitlab.example.com:443", "http://gitlab.example.com:443"),
        ("https://gitlab.example.com", "https://gitlab.example.com:8443"),
        ("https://gitlab.example.com", "https://gitlab.example.com:80"),
        ("https://gitlab.example.com", "https://gitlab.example.com.evil.example"),
        ("https://gitlab.example.com", "https://example.com"),
        ("https://gitlab.example.com", "https://gitlab.example.com@evil.example/"),
    ],
)
def test_what_are_two_origins(one: str, other: str) -> None:
    assert origin(one) != origin(other)


@pytest.mark.parametrize(
    ("value", "number"),
    [
        ("12", 12),
        ("0", 0),
        ("9" * 12, 10**12 - 1),
        ("9" * 13, None),
        ("", None),
        ("-1", None),
        ("1.5", None),
        ("many", None),
        ("١٢", None),
        ("²", None),
    ],
)
def test_a_number_in_a_header(value: str, number: int | None) -> None:
    assert header({"x-total": value}, "x-total") == number
    assert header({}, "x-total") is None
