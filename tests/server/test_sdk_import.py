"""The light import of the SDK: a server that has it answers everything as one that imports the SDK as a whole."""

import json
import re
import sys
from typing import Any

import pytest
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS, KNOWN_PROTOCOL_VERSIONS, LATEST_MODERN_VERSION

from gitlab_mcp.sandbox import Sandbox
from gitlab_mcp.server.sdk_import import UNUSED, Placeholder, PlaceholderModule
from tests.protocol.process import environment, server
from tests.support.conversation import enveloped, handshake, request
from tests.support.seed import SEED


def conversation(revision: str) -> list[dict[str, Any]]:
    """A request of each kind in a revision of MCP, with their errors."""
    issue = {"name": "get_issue", "arguments": {"iid": str(SEED.crash_issue.iid)}}
    calls: dict[str, tuple[str, dict[str, Any]]] = {
        "call": ("tools/call", issue),
        "call with progress": ("tools/call", {**issue, "_meta": {"progressToken": "p"}}),
        "wrong argument": ("tools/call", {"name": "get_issue", "arguments": {"iid": ["x"]}}),
        "unknown tool": ("tools/call", {"name": "no_such_tool", "arguments": {}}),
        "invalid call": ("tools/call", {"name": 7}),
        "prompt": ("prompts/get", {"name": "implement_issue", "arguments": {"iid": "7"}}),
        "unknown prompt": ("prompts/get", {"name": "no_such_prompt"}),
        "tools": ("tools/list", {}),
        "prompts": ("prompts/list", {}),
        "resources": ("resources/list", {}),
        "complete": ("completion/complete", {"ref": {"type": "ref/prompt", "name": "x"}, "argument": {}}),
        "level": ("logging/setLevel", {"level": "info"}),
        "subscribe": ("subscriptions/listen", {}),
        "ping": ("ping", {}),
        "unknown method": ("no/such/method", {}),
    }
    if revision in HANDSHAKE_PROTOCOL_VERSIONS:
        return [handshake("hello", revision), *(request(number, *call) for number, call in calls.items())]
    envelope = enveloped("hello", "server/discover", revision)
    meta = envelope["params"]["_meta"]
    rest = [
        request(number, method, {**params, "_meta": {**meta, **params.get("_meta", {})}})
        for number, (method, params) in calls.items()
    ]
    return [envelope, *rest]


async def answers(sandbox: Sandbox, revision: str, *flags: str) -> list[dict[str, Any]]:
    """What a server with `flags` answers to the requests of a conversation, one after the other."""
    answered = []
    async with server(environment(sandbox.url, sandbox.tokens["maintainer"]), flags=flags) as child:
        for message in conversation(revision):
            child.write(json.dumps(message).encode() + b"\n")
            answered.append(await child.read())
            while "id" not in answered[-1]:  # a notification, such as progress
                answered.append(await child.read())
        child.end_of_input()
        return [*answered, *await child.rest_of_output()]


@pytest.mark.parametrize("revision", KNOWN_PROTOCOL_VERSIONS)
async def test_a_lightly_imported_sdk_answers_as_the_whole_one(sandbox: Sandbox, revision: str) -> None:
    light = await answers(sandbox, revision)
    assert light == await answers(sandbox, revision, "--no-instant-start")
    assert len(light) >= len(conversation(revision))
    assert (revision == LATEST_MODERN_VERSION) == ("ttlMs" in json.dumps(light))


def test_a_placeholder_imports_its_module_at_its_first_use() -> None:
    fraction: Any = PlaceholderModule("fractions").Fraction
    assert fraction[int] is fraction
    assert fraction(1, 2) + fraction.from_float(0.5) == 1
    assert isinstance(fraction(1), fraction)
    assert not isinstance(1, fraction)
    assert isinstance(fraction, Placeholder)


def test_a_use_during_the_import_is_an_error_that_names_the_module(monkeypatch: pytest.MonkeyPatch) -> None:
    module = PlaceholderModule("used_too_early")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    with pytest.raises(ImportError, match="used_too_early is used while the SDK is imported"):
        module.Something()


async def test_what_a_server_on_stdio_never_uses_is_not_imported(sandbox: Sandbox) -> None:
    env = environment(sandbox.url, sandbox.tokens["maintainer"], PYTHONVERBOSE="1")
    async with server(env) as child:
        for message in conversation(LATEST_MODERN_VERSION):
            child.write(json.dumps(message).encode() + b"\n")
        child.end_of_input()
        _, log = await child.process.communicate()
    imported = set(re.findall(r"^import '([\w.]+)' # <\S+FileLoader", log.decode(), re.MULTILINE))
    assert {"mcp", "gitlab", "requests"} <= imported
    assert [name for name in imported if f"{name}.".startswith(tuple(f"{unused}." for unused in UNUSED))] == []
