"""How much may come in over stdin, and what a cancelled call gets: nothing."""

import asyncio
import json
import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler

import anyio
import pytest
from mcp.shared.message import SessionMessage
from mcp_types import JSONRPCResponse

from gitlab_mcp.server import pipes, stdio
from gitlab_mcp.server.opening import Opening
from gitlab_mcp.server.pipes import LARGEST_MESSAGE_BYTES, READ_BYTES, Pipes
from gitlab_mcp.server.stdio import Wire
from tests.network.servers import answering, json_answer
from tests.protocol.process import WAIT, ServerProcess, environment, server

NOWHERE = "http://127.0.0.1:1"
MEGABYTE = 1 << 20


def ping(number: int | str, length: int = 0) -> bytes:
    """A request of so many bytes, without the end of its line."""
    start = json.dumps(
        {"jsonrpc": "2.0", "id": number, "method": "ping", "params": {"_meta": {"padding": ""}}}
    ).encode()
    return start.replace(b'""', b'"%s"' % (b"x" * max(0, length - len(start))))


async def answers_until(child: ServerProcess, last: int | str) -> list[int | str]:
    """The ids of the answers up to one."""
    ids = [(await child.read())["id"]]
    while ids[-1] != last:
        ids.append((await child.read())["id"])
    return ids


async def test_messages_of_more_than_64_mb_together_are_each_answered() -> None:
    together = LARGEST_MESSAGE_BYTES // MEGABYTE + 6
    async with server(environment(NOWHERE)) as child:
        await child.initialize()
        for number in range(together):
            child.write(ping(f"large {number}", MEGABYTE) + b"\n")
        number = child.send("ping")
        ids = await answers_until(child, number)
    assert sorted(map(str, ids)) == sorted([*(f"large {each}" for each in range(together)), str(number)])


async def test_one_message_above_64_mb_ends_the_connection_and_says_so() -> None:
    async with server(environment(NOWHERE)) as child:
        await child.initialize()
        assert child.process.stderr
        errors = asyncio.create_task(child.process.stderr.read())
        child.write(b'{"padding": "' + b"x" * LARGEST_MESSAGE_BYTES)
        code, _ = await child.ended()
        told = (await errors).decode()
    assert code == 0
    assert f"a message of more than {LARGEST_MESSAGE_BYTES} bytes" in told


class Pipe:
    """A wire with both ends of its pipes."""

    def __init__(self) -> None:
        read, self.sending = os.pipe()
        self.receiving, write = os.pipe()
        both = Pipes(read, write, on_broken=lambda: None)
        opening = Opening(None, both.send, end=lambda: None)
        both.start(opening.receive)
        self.wire = Wire(both, opening)

    async def send(self, data: bytes) -> None:
        """Write to it without holding the loop."""
        await asyncio.to_thread(self._write, data)

    def _write(self, data: bytes) -> None:
        while data:
            data = data[os.write(self.sending, data) :]

    async def received(self) -> list[object]:
        """The ids of the messages that came out, until the end of input."""
        ids: list[object] = []
        async with asyncio.timeout(WAIT):
            while True:
                try:
                    message = await self.wire.receive()
                except anyio.EndOfStream:
                    return ids
                assert not isinstance(message, Exception)
                ids.append(getattr(message.message, "id", None))


SMALL = 100_000  # bytes, as the limit: more than one read takes


@pytest.mark.parametrize(
    ("lengths", "taken"),
    [
        ([SMALL], 1),
        ([SMALL + 1], 0),
        ([SMALL, SMALL, SMALL], 3),
        ([200] * 1500, 1500),
        ([READ_BYTES, READ_BYTES - 1, READ_BYTES + 1], 3),
        ([200, SMALL + 1, 200], 1),
        ([SMALL, SMALL + 1, SMALL], 1),
        ([SMALL + READ_BYTES], 0),
    ],
    ids=["just", "one more", "thrice", "many", "reads", "second too large", "after the largest", "far more"],
)
async def test_a_message_ends_the_connection_by_its_own_length_only(
    monkeypatch: pytest.MonkeyPatch, lengths: list[int], taken: int
) -> None:
    monkeypatch.setattr(pipes, "LARGEST_MESSAGE_BYTES", SMALL)
    pipe = Pipe()
    receiving = asyncio.create_task(pipe.received())
    monkeypatch.setattr(stdio, "ANSWERS_AFTER_END", 0.0)
    await pipe.send(b"".join(ping(number, length) + b"\n" for number, length in enumerate(lengths)))
    os.close(pipe.sending)
    assert await receiving == list(range(taken))


async def test_after_the_end_of_input_no_answer_to_a_cancelled_call_is_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(stdio, "ANSWERS_AFTER_END", 10 * WAIT)
    pipe = Pipe()
    cancelled = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}}
    await pipe.send(ping(1) + b"\n" + json.dumps(cancelled).encode() + b"\n")
    os.close(pipe.sending)
    assert await pipe.received() == [1, None]


@pytest.mark.parametrize("other", ["x", 2, None])
async def test_after_the_end_of_input_a_call_that_was_not_cancelled_is_waited_for(
    monkeypatch: pytest.MonkeyPatch, other: object
) -> None:
    monkeypatch.setattr(stdio, "ANSWERS_AFTER_END", 10 * WAIT)
    pipe = Pipe()
    cancelled = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": other}}
    await pipe.send(ping(1) + b"\n" + json.dumps(cancelled).encode() + b"\n")
    os.close(pipe.sending)
    receiving = asyncio.create_task(pipe.received())
    done, _ = await asyncio.wait({receiving}, timeout=0.5)
    assert not done
    pipe.wire.stop()
    assert await receiving == [1, None]


class Held:
    """A GitLab that answers when it may, and says when it was asked and when it has answered."""

    def __init__(self) -> None:
        self.asked, self.release, self.answered = threading.Event(), threading.Event(), threading.Event()
        self.url = ""

    def respond(self, handler: BaseHTTPRequestHandler) -> None:
        self.asked.set()
        self.release.wait(WAIT)
        json_answer(handler, b'{"iid": 7, "title": "late", "project_id": 1}')
        self.answered.set()


@pytest.fixture
def held() -> Iterator[Held]:
    gitlab = Held()
    with answering(gitlab.respond) as running:
        gitlab.url = running.url
        yield gitlab
        gitlab.release.set()


async def test_a_cancelled_call_stays_unanswered_when_gitlab_answers_later(held: Held) -> None:
    async with server(environment(held.url)) as child:
        await child.initialize()
        call = child.call("get_issue", iid=7)
        assert await asyncio.to_thread(held.asked.wait, WAIT)
        child.send("notifications/cancelled", {"requestId": call, "reason": "enough"}, notify=True)
        between = child.send("ping")
        assert await answers_until(child, between) == [between]
        held.release.set()
        assert await asyncio.to_thread(held.answered.wait, WAIT)
        # Another whole call: whatever the first one had to say would be out by then.
        second = child.call("get_issue", iid=8)
        assert await answers_until(child, second) == [second]
        child.end_of_input()
        assert await child.rest_of_output() == []


@pytest.mark.parametrize("wrong", ["x", 7.5, 99, None], ids=["text", "fraction", "unknown", "none"])
async def test_a_cancellation_that_names_no_call_leaves_the_others_answered(held: Held, wrong: object) -> None:
    held.release.set()
    async with server(environment(held.url)) as child:
        await child.initialize()
        child.send("notifications/cancelled", {"requestId": wrong}, notify=True)
        call = child.call("get_issue", iid=7)
        assert (await child.read())["id"] == call


async def test_a_call_that_was_answered_may_be_cancelled_afterwards(held: Held) -> None:
    held.release.set()
    async with server(environment(held.url)) as child:
        await child.initialize()
        call = child.call("get_issue", iid=7)
        assert (await child.read())["id"] == call
        child.send("notifications/cancelled", {"requestId": call}, notify=True)
        number = child.send("ping")
        assert await answers_until(child, number) == [number]


@pytest.mark.parametrize(("longest", "ends"), [(10 * WAIT, False), (0.1, True)], ids=["within its bound", "beyond it"])
async def test_after_the_end_of_input_a_process_that_works_on_a_call_is_waited_for(
    monkeypatch: pytest.MonkeyPatch, longest: float, ends: bool
) -> None:
    monkeypatch.setattr(stdio, "ANSWERS_AFTER_END", 0.05)
    monkeypatch.setattr(stdio, "WORK_AFTER_END", 0.0)  # every look finds that something was done
    monkeypatch.setattr(stdio, "LONGEST_AFTER_END", longest)
    pipe = Pipe()
    await pipe.send(ping(1) + b"\n")
    os.close(pipe.sending)
    receiving = asyncio.create_task(pipe.received())
    if not ends:
        done, _ = await asyncio.wait({receiving}, timeout=0.5)
        assert not done
        await pipe.wire.send(SessionMessage(JSONRPCResponse(jsonrpc="2.0", id=1, result={})))
    assert await receiving == [1]
