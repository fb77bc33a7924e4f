"""The opening of a connection: a client gets the same responses with and without instant start."""

import asyncio
import itertools
import json
import os
import threading
from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS, LATEST_HANDSHAKE_VERSION, LATEST_MODERN_VERSION

from gitlab_mcp.server.manifest import read_manifest
from gitlab_mcp.server.opening import InstantAnswers, Opening, Unusual
from gitlab_mcp.server.pipes import Pipes
from gitlab_mcp.server.server import GitLabServer, build_server
from gitlab_mcp.server.stdio import Wire
from tests.support.conversation import enveloped, handshake, request
from tests.support.settings import offline_settings

MODERN, LEGACY = LATEST_MODERN_VERSION, LATEST_HANDSHAKE_VERSION
INITIALIZED = {"jsonrpc": "2.0", "method": "notifications/initialized"}
WAIT = 60.0  # seconds; a bound that says "does not hang"


def instant_answers() -> InstantAnswers:
    manifest = read_manifest(offline_settings())
    assert manifest
    return InstantAnswers(manifest)


def encoded(message: dict[str, Any]) -> bytes:
    return json.dumps(message).encode()


def cancellation(request_id: int | str) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": request_id}}


def answered_at_once(*messages: dict[str, Any]) -> list[object]:
    """The ids of the requests that are answered without the SDK, until the first that is not."""
    answers = instant_answers()
    ids: list[object] = []
    for message in messages:
        try:
            answer = answers.answer(encoded(message))
        except Unusual:
            return [*ids, "the SDK"]
        ids += [answer[0]] if answer else []
    return ids


OPENINGS: dict[str, list[dict[str, Any]]] = {
    "a handshake and the lists": [
        handshake(0, LEGACY, roots={"listChanged": True}, elicitation={"form": {}, "url": {}}),
        INITIALIZED,
        request(1, "tools/list"),
        request("two", "prompts/list", {}),
        request(3, "ping"),
        request(4, "tools/list", {"_meta": {"progressToken": 4}}),
    ],
    "a revision that no server knows": [handshake(0, "2031-01-01"), request(1, "tools/list")],
    "the requests of 2026-07-28": [
        enveloped("probe", "server/discover", MODERN),
        enveloped(2, "server/discover", MODERN, roots={}, sampling={"tools": {}}),
        enveloped(3, "tools/list", MODERN),
        enveloped(4, "prompts/list", MODERN, experimental={"x": {"y": 1}}),
    ],
    "no discovery before the list": [enveloped(1, "tools/list", MODERN)],
}


@pytest.mark.parametrize("messages", OPENINGS.values(), ids=OPENINGS)
def test_the_first_requests_of_clients_are_answered_without_the_sdk(messages: list[dict[str, Any]]) -> None:
    assert answered_at_once(*messages) == [message["id"] for message in messages if "id" in message]


HELLO = handshake(0, LEGACY)
FOR_THE_SDK: dict[str, dict[str, Any]] = {
    "a tool call": request(1, "tools/call", {"name": "get_job_context", "arguments": {}}),
    "an unknown method": request(1, "resources/list"),
    "a page of a list": request(1, "tools/list", {"cursor": "2"}),
    "an id that was used": request(0, "tools/list"),
    "an id that is a fraction": {**request(1, "tools/list"), "id": 1.5},
    "an id that is true": {**request(1, "tools/list"), "id": True},
    "an id that is null": {**request(1, "tools/list"), "id": None},
    "params that are null": {**request(1, "tools/list"), "params": None},
    "params that are a list": {**request(1, "tools/list"), "params": []},
    "a second handshake": handshake(1, LEGACY),
    "an envelope after a handshake": enveloped(1, "tools/list", MODERN),
    "another version of JSON-RPC": {**request(1, "tools/list"), "jsonrpc": "1.0"},
    "a key too many": {**request(1, "tools/list"), "extra": 1},
    "a cancellation": cancellation(0),
    "a response": {"jsonrpc": "2.0", "id": 1, "result": {}},
}


@pytest.mark.parametrize("message", FOR_THE_SDK.values(), ids=FOR_THE_SDK)
def test_from_the_first_unusual_message_on_the_sdk_answers(message: dict[str, Any]) -> None:
    assert answered_at_once(HELLO, message) == [0, "the SDK"]


FIRST_FOR_THE_SDK: dict[str, dict[str, Any]] = {
    "a list before the handshake": request(1, "tools/list"),
    "a notification before the handshake": INITIALIZED,
    "an envelope of an unknown revision": enveloped(1, "tools/list", "2031-01-01"),
    "an envelope of a revision with a handshake": enveloped(1, "tools/list", LEGACY),
    "a ping with an envelope": enveloped(1, "ping", MODERN),
    "a handshake without capabilities": request(1, "initialize", {"protocolVersion": LEGACY}),
    "capabilities of a wrong type": handshake(1, LEGACY, roots={"listChanged": "yes"}),
    "unknown capabilities": handshake(1, LEGACY, teleport={}),
    "capabilities that are not objects": handshake(1, LEGACY, experimental={"x": 1}),
}


@pytest.mark.parametrize("message", FIRST_FOR_THE_SDK.values(), ids=FIRST_FOR_THE_SDK)
def test_an_unusual_first_message_is_left_to_the_sdk(message: dict[str, Any]) -> None:
    assert answered_at_once(message) == ["the SDK"]


@pytest.mark.parametrize(
    "line",
    [
        b"not json",
        b'{"jsonrpc":"2.0","id":1,"method":"tools/list"',
        b'{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}',
        b'{"jsonrpc":"2.0","id":"\\ud800","method":"ping"}',
        b'{"jsonrpc":"2.0","id":NaN,"method":"ping"}',
        b'\xff{"jsonrpc":"2.0","id":1,"method":"ping"}',
        b'[{"jsonrpc":"2.0","id":1,"method":"ping"}]',
        b'{"jsonrpc":"2.0","id":1' + b" " * 20_000 + b',"method":"ping"}',
        b"[" * 5_000,
    ],
    ids=["text", "cut", "two ids", "surrogate", "NaN", "not UTF-8", "batch", "long", "deep"],
)
def test_a_line_that_is_not_plain_json_is_left_to_the_sdk(line: bytes) -> None:
    answers = instant_answers()
    answers.answer(encoded(HELLO))
    with pytest.raises(Unusual):
        answers.answer(line)


async def responses(server: GitLabServer, early: list[bytes], late: list[bytes], *, instantly: bool) -> list[Any]:
    """What the client of a connection reads that writes `early` before the SDK is loaded, `late` after, and ends."""
    stdin, client = os.pipe()
    reading, stdout = os.pipe()
    pipes = Pipes(stdin, stdout, on_broken=lambda: None)
    received, ended = threading.Semaphore(0), threading.Event()
    opening = Opening(instant_answers() if instantly else None, pipes.send, ended.set)

    def receive(line: bytes | None) -> None:
        opening.receive(line)
        received.release()

    pipes.start(receive)
    for piece in early:
        os.write(client, piece)
    if not late:
        os.close(client)
    ends = b"".join(early).count(b"\n") + (0 if late else 2)  # the rest after the last line, and the end itself
    assert all(received.acquire(timeout=WAIT) for _ in range(ends))
    if not ended.is_set():
        wire = Wire(pipes, opening)
        for piece in late:
            os.write(client, piece)
        if late:
            os.close(client)
        async with asyncio.timeout(WAIT):
            await server.lowlevel.run(wire, wire, server.lowlevel.create_initialization_options())
    pipes.flush(WAIT)
    os.close(stdout)
    with os.fdopen(reading, "rb") as output:
        written = output.read()
    os.close(stdin)
    return [json.loads(line) for line in written.splitlines()]


def counted(messages: list[dict[str, Any]]) -> Counter[str]:
    return Counter(json.dumps(message, sort_keys=True) for message in messages)


IDS = st.one_of(st.integers(0, 6), st.sampled_from(["a", "b"]))
METHODS = st.sampled_from(["tools/list", "prompts/list", "ping", "server/discover", "resources/list", "nonsense"])
REVISIONS = st.sampled_from([*HANDSHAKE_PROTOCOL_VERSIONS, MODERN, "2031-01-01"])
CAPABILITIES = st.sampled_from([{}, {"roots": {}}, {"roots": {"listChanged": 1}}, {"sampling": {}}, {"odd": {}}])
MESSAGES = st.one_of(
    st.builds(lambda number, revision, declared: handshake(number, revision, **declared), IDS, REVISIONS, CAPABILITIES),
    st.builds(request, IDS, METHODS, st.sampled_from([None, {}, {"_meta": {"progressToken": 1}}, {"cursor": "x"}])),
    st.builds(lambda *given: enveloped(*given[:3], **given[3]), IDS, METHODS, REVISIONS, CAPABILITIES),
    st.just(INITIALIZED),
    st.builds(
        lambda number: {**INITIALIZED, "method": "notifications/cancelled", "params": {"requestId": number}}, IDS
    ),
    st.builds(lambda number, name: request(number, "tools/call", {"name": name}), IDS, st.sampled_from(["no_such"])),
)
USUAL = st.sampled_from(list(OPENINGS.values()))
CONVERSATIONS = st.builds(
    lambda usual, rest: [*usual, *rest], st.one_of(st.just([]), USUAL), st.lists(MESSAGES, max_size=6)
)


@settings(max_examples=40, deadline=None)
@given(messages=CONVERSATIONS, data=st.data())
def test_conversations_are_the_same_with_and_without_instant_start(
    messages: list[dict[str, Any]], data: st.DataObject
) -> None:
    ids = [message.get("id") for message in messages if "id" in message]
    if len(set(map(repr, ids))) < len(ids):
        messages = [
            {**message, "id": number} if "id" in message else message for number, message in enumerate(messages)
        ]
    written = b"".join(encoded(message) + b"\n" for message in messages)
    if data.draw(st.booleans(), "the input ends anywhere"):
        written = written[: data.draw(st.integers(0, len(written)), "bytes before the end of input")]
    cuts = sorted(data.draw(st.lists(st.integers(0, len(written)), max_size=8), "ends of writes"))
    pieces = [written[start:end] for start, end in itertools.pairwise([0, *cuts, len(written)])]
    early = data.draw(st.integers(0, len(pieces)), "writes before the SDK is loaded")

    async def both() -> tuple[list[Any], list[Any]]:
        server = build_server(offline_settings())
        try:
            return (
                await responses(server, pieces[:early], pieces[early:], instantly=True),
                await responses(server, [], pieces, instantly=False),
            )
        finally:
            server.close()

    instant, plain = asyncio.run(both())
    assert counted(instant) == counted(plain)
