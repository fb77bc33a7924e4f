"""What a tool asks of GitLab is asked at the same time: one round trip, whatever it shows."""

import asyncio
import itertools
from collections.abc import Callable, Iterator
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
from tests.support.gitlab_requests import send
from tests.support.seed import SEED
from tests.support.settings import settings_for


@contextmanager
def admitting(
    sandbox: Sandbox, together: int, waits: Callable[[int, str], bool] = lambda _number, _path: True
) -> Iterator[Recorder]:
    """A way to the sandbox that lets requests through only when so many stand before it.

    `waits` is whether a request waits there, by its number (from 1) and its path.
    """
    gate, numbers = Barrier(together), itertools.count(1)
    bodies: list[dict[str, Any]] = []

    def respond(handler: BaseHTTPRequestHandler) -> None:
        if waits(next(numbers), handler.path):
            gate.wait(20)
        headers = {"Authorization": handler.headers["Authorization"]}
        body = bodies[-1] if handler.command == "POST" else None
        answer = requests.request(
            handler.command, f"{sandbox.url}{handler.path}", json=body, headers=headers, timeout=20
        )
        kept = {name: value for name, value in answer.headers.items() if name.lower().startswith("x-")}
        json_answer(handler, answer.content, answer.status_code, kept)

    with answering(respond, bodies) as way:
        yield way


def ends(way: Recorder) -> list[str]:
    """The last segments of the paths that were asked for."""
    return [each.path.partition("?")[0].rpartition("/")[2] for each in way.asked]


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
        ("list_files", {}, {"acme%2Fapp", "tree"}),
        ("get_file", {"path": "README.md"}, {"acme%2Fapp", "README.md"}),
        ("list_commits", {}, {"acme%2Fapp", "commits"}),
    ],
)
async def test_a_tool_needs_one_round_trip_also_when_it_is_the_first_call(
    sandbox: Sandbox, tool: str, arguments: dict[str, Any], parts: set[str]
) -> None:
    with admitting(sandbox, len(parts)) as way:
        async with connect(settings_for(sandbox, url=way.url)) as agent:
            await agent.call(tool, **arguments)
    assert set(ends(way)) == parts
    assert len(way.asked) == len(parts)


async def test_sixteen_issues_at_once_are_read_in_two_waves(sandbox: Sandbox) -> None:
    with admitting(sandbox, DEFAULT_CONNECTIONS, lambda _number, path: "/members/" not in path) as way:
        async with connect(settings_for(sandbox, url=way.url)) as agent:
            await asyncio.gather(*(agent.call("get_issue", iid=SEED.crash_issue.iid) for _ in range(16)))
    assert len([asked for asked in way.asked if "/members/" not in asked.path]) == 2 * DEFAULT_CONNECTIONS


async def test_a_commit_with_a_merge_request_begins_with_one_round_trip(sandbox: Sandbox) -> None:
    looked_up = {"first-trip", "main", "stale%2Fno-commits", "acme%2Fapp"}
    with admitting(sandbox, len(looked_up), lambda number, _path: number <= len(looked_up)) as way:
        async with connect(settings_for(sandbox, url=way.url)) as agent:
            await agent.call(
                "commit_files",
                branch="first-trip",
                ref="main",
                message="Change it",
                actions=[{"path": "CHANGES.md", "content": "One.\n"}],
                merge_request={"title": "Change it", "target_branch": "stale/no-commits"},
            )
    assert set(ends(way)[: len(looked_up)]) == looked_up
    assert ends(way)[len(looked_up) :] == ["tree", "commits", "merge_requests"]


async def test_a_new_branch_whose_merge_request_others_open_gets_no_second_one(sandbox: Sandbox) -> None:
    def open_another(_number: int, path: str) -> bool:
        if path.endswith("/merge_requests"):
            send(sandbox, "POST", "/merge_requests", source_branch="raced", target_branch="main", title="Faster")
        return False

    with admitting(sandbox, 1, open_another) as way:
        async with connect(settings_for(sandbox, url=way.url)) as agent:
            answer = await agent.call(
                "commit_files",
                branch="raced",
                ref="main",
                message="Change it",
                actions=[{"path": "CHANGES.md", "content": "Two.\n"}],
                merge_request={"title": "Change it"},
            )
    assert "Already open" in answer
    assert ends(way)[-3:] == ["commits", "merge_requests", "merge_requests"]
