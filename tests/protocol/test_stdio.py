"""The server on stdin and stdout: it answers everything, says nothing else, and ends when it should."""

import asyncio
import json
import os
import signal
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
from mcp import Client, StdioServerParameters

from gitlab_mcp.sandbox import Sandbox
from tests.network.servers import Recorder, answering
from tests.protocol.process import INITIALIZE, SOON, WAIT, environment, server
from tests.support.paths import REPOSITORY
from tests.support.seed import SEED

NOWHERE = "http://127.0.0.1:1"


@pytest.fixture
def arrived() -> threading.Event:
    """Whether a request has come in at the GitLab that never answers."""
    return threading.Event()


@pytest.fixture
def hanging(arrived: threading.Event) -> Iterator[Recorder]:
    """A GitLab that takes every request and never answers."""
    release = threading.Event()

    def hang(handler: BaseHTTPRequestHandler) -> None:
        arrived.set()
        release.wait(60)
        handler.close_connection = True

    with answering(hang) as gitlab:
        yield gitlab
        release.set()


@pytest.mark.parametrize("mode", ["legacy", "2026-07-28", "auto"])
async def test_clients_of_both_eras_list_and_call(sandbox: Sandbox, mode: str) -> None:
    env = environment(sandbox.url, sandbox.tokens["maintainer"])
    parameters = StdioServerParameters(
        command=sys.executable, args=["-m", "gitlab_mcp", "serve"], env=env, cwd=REPOSITORY
    )
    async with Client(parameters, mode=mode) as client:
        listed = await client.list_tools()
        assert "get_issue" in [tool.name for tool in listed.tools]
        answer = await client.call_tool("get_issue", {"iid": SEED.crash_issue.iid})
        assert "Crash" in str(answer.content[0])
        if mode != "2026-07-28":  # a client that is told the version asks for nothing else beforehand
            assert "acme/app" in (client.instructions or "")


async def test_end_of_input_ends_an_idle_server_with_code_0() -> None:
    async with server(environment(NOWHERE)) as child:
        await child.initialize()
        child.end_of_input()
        code, seconds = await child.ended()
    assert code == 0
    assert seconds < SOON


@pytest.mark.parametrize("how", ["end of input", "SIGTERM", "SIGINT"])
async def test_the_server_ends_with_code_0_while_a_gitlab_call_hangs(
    hanging: Recorder, arrived: threading.Event, how: str
) -> None:
    async with server(environment(hanging.url)) as child:
        await child.initialize()
        child.call("get_issue", iid=SEED.crash_issue.iid)
        child.send("ping")
        assert (await child.read())["id"] == 3
        assert await asyncio.to_thread(arrived.wait, WAIT)
        if how == "end of input":
            child.end_of_input()
        else:
            child.process.send_signal(signal.Signals[how])
        code, seconds = await child.ended()
    assert code == 0
    assert seconds < SOON


async def test_requests_followed_at_once_by_end_of_input_are_all_answered(sandbox: Sandbox) -> None:
    async with server(environment(sandbox.url, sandbox.tokens["maintainer"])) as child:
        child.send("initialize", INITIALIZE)
        child.send("notifications/initialized", notify=True)
        child.send("tools/list")
        child.call("list_branches")
        child.end_of_input()
        answers = await child.rest_of_output()
        code, _ = await child.ended()
    assert sorted(answer["id"] for answer in answers) == [1, 2, 3]
    assert "main" in str(answers[-1]["result"])
    assert code == 0


async def test_an_answer_given_before_a_signal_is_delivered_though_the_client_reads_late(sandbox: Sandbox) -> None:
    async with server(environment(sandbox.url, sandbox.tokens["maintainer"])) as child:
        await child.initialize()
        child.call("list_branches")
        child.send("ping")
        first, second = await child.read(), await child.read()
        child.process.send_signal(signal.SIGTERM)
        code, _ = await child.ended()
    assert {first["id"], second["id"]} == {2, 3}
    assert code == 0


async def test_a_client_that_does_not_read_does_not_keep_the_server_from_ending() -> None:
    receiving, sending = os.pipe()
    async with server(environment(NOWHERE), stdout=sending) as child:
        os.close(sending)
        child.send("initialize", INITIALIZE)
        for _ in range(200):  # some 2 MB of answers, into a pipe that holds 64 KB
            child.send("tools/list")
        await child.process.stdin.drain()  # type: ignore[union-attr]
        assert os.read(receiving, 1) == b"{"
        child.process.send_signal(signal.SIGTERM)
        code, seconds = await child.ended()
    os.close(receiving)
    assert code == 0
    assert seconds < SOON


async def test_a_client_that_is_gone_ends_the_server() -> None:
    receiving, sending = os.pipe()
    async with server(environment(NOWHERE), stdout=sending) as child:
        os.close(sending)
        os.close(receiving)
        child.send("initialize", INITIALIZE)
        code, _ = await child.ended()
    assert code == 0


async def test_a_line_that_is_no_message_is_survived() -> None:
    async with server(environment(NOWHERE)) as child:
        await child.initialize()
        child.write(b"this is not JSON\n\xff\xfe\n\n[]\n")
        number = child.send("ping")
        answers = [await child.read()]
        while answers[-1].get("id") != number:
            answers.append(await child.read())
    assert answers[-1]["result"] == {}


@pytest.mark.parametrize("request_id", [[1], {"a": 1}, None, True])
async def test_a_cancellation_of_what_is_no_request_is_survived(request_id: object) -> None:
    async with server(environment(NOWHERE)) as child:
        await child.initialize()
        child.send("notifications/cancelled", {"requestId": request_id}, notify=True)
        child.write(b'{"jsonrpc":"2.0","id":"\\ud800","method":"ping"}\n')
        number = child.send("ping")
        assert (await child.read())["id"] == number


async def test_a_batch_is_answered_with_an_error_for_each_of_its_requests() -> None:
    async with server(environment(NOWHERE)) as child:
        await child.initialize()
        child.write(b'[{"jsonrpc":"2.0","id":7,"method":"ping"},{"jsonrpc":"2.0","id":8,"method":"ping"}]\n')
        answers = [await child.read(), await child.read()]
    assert [answer["id"] for answer in answers] == [7, 8]
    assert all(answer["error"]["code"] == -32700 for answer in answers)


async def test_a_message_that_comes_in_many_small_pieces_is_taken_whole() -> None:
    async with server(environment(NOWHERE)) as child:
        await child.initialize()
        padding = {"jsonrpc": "2.0", "id": "large", "method": "ping", "params": {"_meta": {"padding": "x" * 400_000}}}
        message = json.dumps(padding).encode() + b"\n"
        assert child.process.stdin
        for start in range(0, len(message), 200):
            child.write(message[start : start + 200])
            await child.process.stdin.drain()
        assert (await child.read())["id"] == "large"


async def test_a_request_that_is_no_valid_message_gets_an_error_with_its_id() -> None:
    async with server(environment(NOWHERE)) as child:
        await child.initialize()
        child.write(b'{"jsonrpc":"2.0","id":"half","method":"tools/call","params":{"name":"\\ud800"}}\n')
        answer = await child.read()
    assert (answer["id"], answer["error"]["code"]) == ("half", -32700)
    assert answer["error"]["message"].startswith("Not a valid JSON-RPC message: ")


async def test_a_cancelled_call_gets_no_answer_and_the_server_goes_on(hanging: Recorder) -> None:
    async with server(environment(hanging.url)) as child:
        await child.initialize()
        number = child.call("get_issue", iid=SEED.crash_issue.iid)
        child.send("notifications/cancelled", {"requestId": number, "reason": "enough"}, notify=True)
        child.send("ping")
        assert (await child.read())["id"] == number + 1
        child.end_of_input()
        assert await child.rest_of_output() == []


async def test_stdin_may_be_a_file(tmp_path: Path) -> None:
    messages = tmp_path / "messages"
    request = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": INITIALIZE}
    messages.write_text(json.dumps(request))  # and without a line's end
    stdin = os.open(messages, os.O_RDONLY)
    async with server(environment(NOWHERE), stdin=stdin) as child:
        os.close(stdin)
        [answer] = await child.rest_of_output()
        assert (await child.ended())[0] == 0
    assert answer["result"]["serverInfo"]["name"] == "gitlab"


async def test_a_server_without_input_ends_at_once() -> None:
    stdin = os.open(os.devnull, os.O_RDONLY)
    async with server(environment(NOWHERE), stdin=stdin) as child:
        os.close(stdin)
        assert await child.rest_of_output() == []
        assert (await child.ended())[0] == 0
