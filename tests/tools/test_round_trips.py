"""What a tool asks of GitLab is asked at the same time: one round trip, whatever it shows."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from threading import Barrier
from typing import Any

import pytest
import requests

from gitlab_mcp.config.settings import DEFAULT_CONNECTIONS
from gitlab_mcp.sandbox import Sandbox
from tests.network.servers import Recorder, answering, json_answer
from tests.support.agent import connect
from tests.support.seed import SEED
from tests.support.settings import settings_for


@contextmanager
def admitting(sandbox: Sandbox, together: int, at_once: str = "/at-once") -> Iterator[Recorder]:
    """A way to the sandbox that lets requests through only when so many stand before it.

    A path that contains `at_once` is let through at once.
    """
    gate = Barrier(together)

    def respond(handler: BaseHTTPRequestHandler) -> None:
        if at_once not in handler.path:
            gate.wait(20)
        headers = {"Authorization": handler.headers["Authorization"]}
        answer = requests.get(f"{sandbox.url}{handler.path}", headers=headers, timeout=20)
        kept = {name: value for name, value in answer.headers.items() if name.lower().startswith("x-")}
        json_answer(handler, answer.content, answer.status_code, kept)

    with answering(respond) as way:
        yield way


@pytest.mark.parametrize(
    ("tool", "arguments", "parts"),
    [
        (
            "get_merge_request",
            {"iid": SEED.merge_request.iid},
            {"1", "discussions", "approvals", "reviewers", "diffs", "closes_issues", "all"},
        ),
        (
            "get_issue",
            {"iid": SEED.crash_issue.iid},
            {"7", "discussions", "related_merge_requests", "closed_by", "all"},
        ),
        ("list_discussions", {"iid": SEED.crash_issue.reference}, {"discussions", "all"}),
        ("get_merge_request_diff", {"iid": SEED.merge_request.iid}, {"1", "diffs"}),
        ("get_pipeline", {"pipeline_id": SEED.pipeline}, {"501", "jobs"}),
    ],
)
async def test_a_tool_needs_one_round_trip_also_when_it_is_the_first_call(
    sandbox: Sandbox, tool: str, arguments: dict[str, Any], parts: set[str]
) -> None:
    with admitting(sandbox, len(parts)) as way:
        async with connect(settings_for(sandbox, url=way.url)) as agent:
            await agent.call(tool, **arguments)
    assert {each.path.partition("?")[0].rpartition("/")[2] for each in way.asked} == parts
    assert len(way.asked) == len(parts)


async def test_sixteen_issues_at_once_are_read_in_two_waves(sandbox: Sandbox) -> None:
    with admitting(sandbox, DEFAULT_CONNECTIONS, at_once="/members/") as way:
        async with connect(settings_for(sandbox, url=way.url)) as agent:
            await asyncio.gather(*(agent.call("get_issue", iid=SEED.crash_issue.iid) for _ in range(16)))
    assert len([asked for asked in way.asked if "/members/" not in asked.path]) == 2 * DEFAULT_CONNECTIONS
