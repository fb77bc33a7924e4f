"""A write whose answer is lost is looked up, never blindly repeated; reads are repeated with patience."""

import threading
import time
from collections.abc import Awaitable, Callable
from functools import partial

import pytest
from mcp import Client
from mcp.server.mcpserver import MCPServer

from gitlab_mcp.sandbox import Sandbox
from gitlab_mcp.server.binding import bind
from gitlab_mcp.tools.context import App, Ctx
from gitlab_mcp.tools.definition import ToolDefinition
from tests.support.agent import Agent, connect
from tests.support.gitlab_requests import get, writes
from tests.support.seed import SEED
from tests.support.settings import offline_settings, settings_for
from tests.support.write_faults import CONFIRMED, FAULTS, fault


def commits(sandbox: Sandbox, branch: str) -> int:
    return len(get(sandbox, f"/repository/commits?ref_name=main..{branch}"))


def bodies(sandbox: Sandbox, body: str) -> int:
    return [note["body"] for note in get(sandbox, f"{SEED.crash_issue.path}/notes?per_page=100")].count(body)


async def prepare(agent: Agent, branch: str) -> None:
    action = {"path": "prepared.txt", "content": branch}
    await agent.call("commit_files", branch=branch, ref="main", message="prepared", actions=[action])


NOT_KNOWN = "Whether it took effect is not known."
Case = tuple[str, str, Callable[[Agent, str], Awaitable[str]], Callable[[Sandbox, str], int]]


async def note(agent: Agent, name: str) -> str:
    return await agent.call("create_note", iid=SEED.crash_issue.reference, body=name)


async def reply(agent: Agent, name: str) -> str:
    return await agent.call("create_note", iid=SEED.crash_issue.reference, body=name, reply_to=SEED.crash_notes.first)


async def branch(agent: Agent, name: str) -> str:
    return await agent.call("create_branch", branch=name)


async def commit(agent: Agent, name: str) -> str:
    action = {"path": f"{name}.txt", "content": "x"}
    return await agent.call("commit_files", branch=name, message=name, actions=[action])


async def commit_to_new_branch(agent: Agent, name: str) -> str:
    action = {"path": f"{name}.txt", "content": "x"}
    return await agent.call("commit_files", branch=f"{name}-new", ref="main", message=name, actions=[action])


async def merge_request(agent: Agent, name: str) -> str:
    return await agent.call("create_merge_request", source_branch=name, title=name)


def branches(sandbox: Sandbox, name: str) -> int:
    return len(get(sandbox, f"/repository/branches?search=^{name}$"))


CASES: dict[str, Case] = {
    "create_note": ("POST", f"{SEED.crash_issue.path}/notes$", note, bodies),
    "create_note with reply_to": ("POST", "/discussions/.*/notes$", reply, bodies),
    "create_branch": ("POST", "/repository/branches$", branch, branches),
    "commit_files": ("POST", "/commits$", commit, lambda sandbox, name: commits(sandbox, name) - 1),
    "commit_files with ref": (
        "POST",
        "/commits$",
        commit_to_new_branch,
        lambda sandbox, name: commits(sandbox, f"{name}-new"),
    ),
    "create_merge_request": (
        "POST",
        "/merge_requests$",
        merge_request,
        lambda sandbox, name: len(get(sandbox, f"/merge_requests?state=all&source_branch={name}")),
    ),
}


@pytest.mark.parametrize("kind", FAULTS)
@pytest.mark.parametrize("case", CASES)
async def test_a_write_that_meets_a_fault_happens_exactly_once(sandbox: Sandbox, case: str, kind: str) -> None:
    method, path, write, happened = CASES[case]
    name = f"{case}-{kind}".replace(" ", "-")
    async with connect(settings_for(sandbox)) as agent:
        if case in ("commit_files", "create_merge_request"):
            await prepare(agent, name)
        fault(sandbox, kind, method, path)
        answer = await write(agent, name)
    assert happened(sandbox, name) == 1
    assert (CONFIRMED in answer) == (kind == "drop after")


async def test_an_update_that_meets_a_fault_is_made_and_confirmed(sandbox: Sandbox) -> None:
    async with connect(settings_for(sandbox)) as agent:
        for index, kind in enumerate(FAULTS):
            fault(sandbox, kind, "PUT", f"{SEED.merge_request.path}$")
            answer = await agent.call(
                "update_merge_request", iid=SEED.merge_request.iid, title=f"Title {index}", add_labels=[f"l{index}"]
            )
            assert (CONFIRMED in answer) == (kind == "drop after")
            changed = get(sandbox, SEED.merge_request.path)
            assert changed["title"] == f"Title {index}"
            assert f"l{index}" in changed["labels"]


async def test_what_cannot_be_known_is_said_with_how_to_look(sandbox: Sandbox) -> None:
    async with connect(settings_for(sandbox)) as agent:
        await agent.call("create_note", iid=SEED.crash_issue.reference, body="known user")
        fault(sandbox, "drop after", "POST", f"{SEED.crash_issue.path}/notes$")
        sandbox.faults.fail("GET", "/notes$", status=500, times=10)
        told = await agent.refused("create_note", iid=SEED.crash_issue.reference, body="perhaps")
        assert "Whether it took effect is not known." in told
        assert "Look with get_issue" in told
        sandbox.faults.clear()
        again = await agent.call("create_note", iid=SEED.crash_issue.reference, body="perhaps")
    assert CONFIRMED in again
    assert bodies(sandbox, "perhaps") == 1


@pytest.mark.parametrize("kind", ["drop after", "502", "500"])
async def test_an_unknown_effect_is_mentioned_once(sandbox: Sandbox, kind: str) -> None:
    async with connect(settings_for(sandbox)) as agent:
        await agent.call("create_note", iid="#7", body="known user")
        fault(sandbox, kind, "POST", "/issues/7/notes$", times=10)
        sandbox.faults.fail("GET", "/notes$", status=500, times=10)
        message = await agent.refused("create_note", iid="#7", body=f"perhaps {kind}")
    assert message.count("took effect") == message.count(NOT_KNOWN) == 1


async def test_an_unknown_effect_is_mentioned_once_when_a_tool_does_not_end_by_itself() -> None:
    ended = threading.Event()

    def write_without_end(ctx: Ctx) -> str:
        """Write something."""
        ended.wait()
        return ctx.settings.url

    app = App(offline_settings(deadline=0.1))
    definition = ToolDefinition(
        write_without_end,
        toolset="issues",
        writes=True,
        destructive=False,
        idempotent=False,
        always_load=False,
        job_token=True,
        opt_in=False,
    )
    try:
        async with Client(MCPServer("test", tools=[bind(definition, app)])) as client:
            result = await client.call_tool("write_without_end", {})
    finally:
        ended.set()
        app.close()
    assert result.is_error
    assert "GitLab did not answer within the 0 s that one call has." in str(result.content)
    assert str(result.content).count(NOT_KNOWN) == 1


async def test_an_unknown_effect_is_mentioned_once_after_the_deadline(sandbox: Sandbox) -> None:
    async with connect(settings_for(sandbox, deadline=1.0)) as agent:
        sandbox.faults.delay("POST", "/issues/7/notes$", seconds=5.0)
        message = await agent.refused("create_note", iid="#7", body="late")
    assert message.count("took effect") == message.count(NOT_KNOWN) == 1


async def test_the_same_note_again_is_answered_with_the_first_also_at_the_same_time(sandbox: Sandbox) -> None:
    import asyncio

    async with connect(settings_for(sandbox)) as agent:
        post = partial(agent.call, "create_note", iid=SEED.crash_issue.reference, body="over and over")
        answers = await asyncio.gather(*(post() for _ in range(8)))
        elsewhere = await agent.call("create_note", iid=SEED.merge_request.reference, body="over and over")
    assert len({answer.split("#note_")[1] for answer in answers}) == 1
    assert sum(answer.startswith("Already posted minutes ago") for answer in answers) == 7
    assert elsewhere.startswith("Commented on !1")
    assert bodies(sandbox, "over and over") == 1


async def test_a_refusal_of_gitlab_is_not_repeated(sandbox: Sandbox) -> None:
    fault(sandbox, "400", "POST", f"{SEED.crash_issue.path}/notes$")
    async with connect(settings_for(sandbox)) as agent:
        assert "400" in await agent.refused("create_note", iid=SEED.crash_issue.reference, body="refused")
    assert len(writes(sandbox)) == 1


@pytest.mark.parametrize("kind", [*FAULTS, "500"])
async def test_a_read_that_meets_a_passing_fault_is_repeated(sandbox: Sandbox, kind: str) -> None:
    fault(sandbox, kind, "GET", "/issues$", times=2)
    async with connect(settings_for(sandbox)) as agent:
        assert "#7 Crash" in await agent.call("list_issues")
    assert len(sandbox.faults.requests()) == 3


@pytest.mark.parametrize(
    ("tool", "arguments", "path"),
    [
        ("list_issues", {}, "/issues$"),
        ("create_note", {"iid": SEED.crash_issue.reference, "body": "later"}, f"{SEED.crash_issue.path}/notes$"),
    ],
    ids=["list_issues", "create_note"],
)
async def test_a_wait_longer_than_the_call_may_take_fails_at_once_and_says_how_long(
    sandbox: Sandbox, tool: str, arguments: dict[str, str], path: str
) -> None:
    async with connect(settings_for(sandbox)) as agent:
        sandbox.faults.rate_limit("*", path, retry_after=120)
        began = time.monotonic()
        told = await agent.refused(tool, **arguments)
        assert time.monotonic() - began < 10
    assert "GitLab asks to wait 120 s" in told


async def test_waiting_is_told_to_the_client_as_progress(sandbox: Sandbox) -> None:
    told: list[tuple[float, float | None, str | None]] = []

    async def keep(progress: float, total: float | None, message: str | None) -> None:
        told.append((progress, total, message))

    fault(sandbox, "429", "GET", "/issues$")
    async with connect(settings_for(sandbox)) as agent:
        await agent.client.call_tool("list_issues", {}, progress_callback=keep)
    [(_, _, message)] = told
    assert "waiting 1 s before trying again: GitLab answered 429" in str(message)
