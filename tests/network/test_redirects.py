"""A GITLAB_URL that redirects is answered with where it leads; a project that moved is followed, as before."""

from http.server import BaseHTTPRequestHandler

import pytest

from gitlab_mcp.config.settings import Credential, Settings
from gitlab_mcp.sandbox import Sandbox
from tests.network.servers import answering, json_answer
from tests.support.agent import connect
from tests.support.gitlab_requests import writes
from tests.support.seed import SEED
from tests.support.settings import settings_for

TOKEN = Credential("access token", "GITLAB_ACCESS_TOKEN", "glpat-this-is-not-a-real-token")
# Where a GitLab sends requests, with its own port and {path}, and the URL to set.
ADDRESSES = {
    "https": ("https://127.0.0.1:{port}{path}", "https://127.0.0.1:{port}"),
    "another name": ("http://gitlab.example.com{path}", "http://gitlab.example.com"),
    "another port": ("http://127.0.0.1:8929{path}", "http://127.0.0.1:8929"),
    "a folder": ("/gitlab{path}", "http://127.0.0.1:{port}/gitlab"),
    "another name and a folder": ("https://example.com/gitlab{path}", "https://example.com/gitlab"),
    "a first page": ("https://gitlab.example.com/", "https://gitlab.example.com"),
    "an IPv6 address": ("https://[::1]:8443{path}", "https://[::1]:8443"),
    "with a name and a password": ("https://user:secret@example.com{path}", "https://example.com"),
}


@pytest.mark.parametrize("status", [301, 302, 307, 308])
@pytest.mark.parametrize("address", ADDRESSES.values(), ids=list(ADDRESSES))
async def test_a_url_that_redirects_is_answered_with_the_one_to_set(address: tuple[str, str], status: int) -> None:
    location, wanted = address

    def redirect(handler: BaseHTTPRequestHandler) -> None:
        target = location.format(port=handler.headers["Host"].rpartition(":")[2], path=handler.path)
        json_answer(handler, b"", status, {"Location": target})

    with answering(redirect) as gitlab:
        wanted = wanted.format(port=gitlab.url.rpartition(":")[2])
        said = (
            f"{gitlab.url} redirects to {wanted}, where the token is not sent: set GITLAB_URL (or --url) to {wanted}."
            " Nothing was read or changed."
        )
        async with connect(Settings(url=gitlab.url, credential=TOKEN, project="acme/app")) as agent:
            for tool, arguments in (
                ("get_issue", {"iid": SEED.crash_issue.reference}),
                ("list_files", {}),
                ("create_note", {"iid": SEED.crash_issue.reference, "body": "Hello"}),
                ("update_issue", {"iid": SEED.crash_issue.reference, "title": "Other"}),
            ):
                assert await agent.refused(tool, **arguments) == f"{tool} failed: {said}"
    assert [asked.method for asked in gitlab.asked].count("POST") == 1


async def test_a_project_that_moved_is_read_and_a_write_says_where_it_is(sandbox: Sandbox) -> None:
    async with connect(settings_for(sandbox, project="acme/old-app")) as agent:
        assert "#7 Crash" in await agent.call("list_issues")
        told = await agent.refused("create_note", iid=SEED.crash_issue.reference, body="Hello")
    assert 'The project has moved, and GitLab accepts no writes under its old path. Use project: "acme/app".' in told
    assert writes(sandbox) == [f"POST /api/v4/projects/acme%2Fold-app{SEED.crash_issue.path}/notes"]
