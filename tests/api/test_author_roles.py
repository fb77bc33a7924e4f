"""The roles of authors: a list of members that hangs or is refused holds up no other call."""

import asyncio
import json
import threading
from http.server import BaseHTTPRequestHandler

import pytest

from gitlab_mcp.config.settings import Credential, Settings
from gitlab_mcp.sandbox import Sandbox
from tests.network.servers import answering, json_answer
from tests.support.agent import connect
from tests.support.seed import SEED
from tests.support.settings import settings_for

WAIT = 30
ISSUE = {"iid": 7, "title": "Crash", "project_id": 1, "author": {"id": 5, "username": "somebody"}}
MEMBER = [{"id": 5, "username": "somebody", "access_level": 30}]


async def test_a_call_does_not_wait_for_the_members_of_a_call_that_was_cancelled() -> None:
    asked, release = threading.Event(), threading.Event()

    def respond(handler: BaseHTTPRequestHandler) -> None:
        if "/members/all" in handler.path and not asked.is_set():
            asked.set()
            release.wait(WAIT)
        body: object = MEMBER if "/members/all" in handler.path else ISSUE if handler.path.endswith("/7") else []
        json_answer(handler, json.dumps(body).encode())

    with answering(respond) as gitlab:
        token = Credential("access token", "GITLAB_ACCESS_TOKEN", "glpat-this-is-not-a-real-token")
        async with connect(Settings(url=gitlab.url, credential=token, project="acme/app")) as agent:
            first = asyncio.create_task(agent.client.call_tool("get_issue", {"iid": 7}))
            assert await asyncio.to_thread(asked.wait, WAIT)
            first.cancel()
            await asyncio.wait({first})
            answer = await agent.call("get_issue", iid=7)
        assert not release.is_set()
        release.set()
    assert "by @somebody" in answer
    assert [asked.path.count("/members/all") for asked in gitlab.asked].count(1) == 2


@pytest.mark.parametrize("status", [401, 403, 404])
async def test_members_that_gitlab_does_not_list_are_not_asked_for_one_by_one(sandbox: Sandbox, status: int) -> None:
    sandbox.faults.fail("GET", "/members/all", status=status, times=1)
    async with connect(settings_for(sandbox)) as agent:
        unknown = await agent.call("get_issue", iid=SEED.crash_issue.iid)
        assert [each["path"] for each in sandbox.faults.requests() if "/members/all/" in each["path"]] == []
        known = await agent.call("get_issue", iid=SEED.crash_issue.iid)
    assert "@stranger 2026-11-21 (role unknown)" in unknown
    assert "@stranger 2026-11-21 (not a member)" in known
