"""The proof that no input makes the server crash, hang or break the protocol.

Generated JSON-RPC lines go to the real process; generated arguments and generated answers of GitLab go to every tool.
scripts/fuzz runs it; `--inputs N` says how many, `--seed S` where to begin.
"""

import argparse
import asyncio
import json
import random
import sys
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from typing import Any

from gitlab_mcp.config.settings import Credential, Settings
from gitlab_mcp.tools import TOOLS
from tests.network.servers import answering, json_answer
from tests.protocol.process import INITIALIZE, ServerProcess, environment, server
from tests.support.agent import Agent, connect

METHODS = (
    "tools/list",
    "tools/call",
    "ping",
    "initialize",
    "server/discover",
    "prompts/list",
    "notifications/cancelled",
)
TEXTS = (
    "",
    "7",
    "#7",
    "!1",
    "x" * 5000,
    "\u202e\u0000",
    "../../etc",
    "-1",
    "null",
    "/close",
    "ü" * 300,
    "https://x/-/issues/1",
)
CALL_SECONDS = 60.0
BATCH = 200
AT_ONCE = 32


def junk(chosen: random.Random, depth: int = 0) -> Any:
    """Any JSON value."""
    kind = chosen.randrange(9 if depth < 3 else 6)
    if kind == 0:
        return None
    if kind == 1:
        return chosen.choice((True, False))
    if kind == 2:
        return chosen.choice((0, 1, -1, 7, 2**31, 2**63, 10**30))
    if kind == 3:
        return chosen.choice((0.5, -1e308, 7.0))
    if kind in (4, 5):
        return chosen.choice(TEXTS)
    if kind == 6:
        return [junk(chosen, depth + 1) for _ in range(chosen.randrange(4))]
    return {chosen.choice((*FIELDS, *TEXTS)): junk(chosen, depth + 1) for _ in range(chosen.randrange(5))}


FIELDS = (
    "id",
    "iid",
    "title",
    "author",
    "username",
    "notes",
    "body",
    "commit",
    "name",
    "path",
    "mode",
    "web_url",
    "state",
)


def value_for(chosen: random.Random, schema: dict[str, Any]) -> Any:
    """A value that mostly fits a schema."""
    if chosen.random() < 0.15:
        return junk(chosen)
    if "enum" in schema:
        return chosen.choice(schema["enum"])
    match schema.get("type"):
        case "string":
            return chosen.choice((*TEXTS, "main", "src/app.py", "7", "maintainer"))
        case "integer":
            return chosen.choice((0, 1, 2, 7, 10**9))
        case "boolean":
            return chosen.choice((True, False))
        case "array":
            return [value_for(chosen, schema["items"]) for _ in range(chosen.randrange(4))]
        case "object":
            return {name: value_for(chosen, inner) for name, inner in schema.get("properties", {}).items()}
    return junk(chosen)


def arguments_for(chosen: random.Random, schema: dict[str, Any]) -> dict[str, Any]:
    """Arguments for a tool: the required ones nearly always, the others now and then, sometimes one that is not its."""
    required = schema.get("required", ())
    given = {
        name: value_for(chosen, inner)
        for name, inner in schema["properties"].items()
        if chosen.random() < (0.95 if name in required else 0.25)
    }
    if chosen.random() < 0.05:
        given[chosen.choice(TEXTS)] = junk(chosen)
    return given


def line(chosen: random.Random, identity: int) -> bytes:
    """A line for stdin: a message, a message with something wrong in it, or noise."""
    message: dict[str, Any] = {"jsonrpc": "2.0", "id": identity, "method": chosen.choice(METHODS)}
    if message["method"] == "initialize":
        message["params"] = INITIALIZE
    elif chosen.random() < 0.8:
        name = chosen.choice([definition.name for definition in TOOLS])
        message["params"] = {"name": name, "arguments": junk(chosen)} if chosen.random() < 0.5 else junk(chosen)
    for _ in range(chosen.choice((0, 0, 1, 2))):
        key = chosen.choice(list(message) or ["id"])
        message[key] = junk(chosen)
    if chosen.random() < 0.2:
        message.pop("id", None)
    data = bytearray(json.dumps(message, ensure_ascii=chosen.random() < 0.5).encode("utf-8", "replace"))
    if chosen.random() < 0.2:
        for _ in range(chosen.randrange(1, 6)):
            data[chosen.randrange(len(data))] = chosen.randrange(256)
    return bytes(data).replace(b"\n", b" ") + b"\n"


async def fuzz_lines(chosen: random.Random, number: int, url: str) -> list[str]:
    """Feed generated lines to a real process, and ask it after each batch whether it is still there."""
    wrong: list[str] = []
    sent = 0
    while sent < number:
        async with server(environment(url)) as child:
            await child.initialize()
            for batch in range(min(10, -(-(number - sent) // BATCH))):
                for index in range(BATCH):
                    child.write(line(chosen, batch * BATCH + index + 1000))
                sent += BATCH
                wrong += await _still_there(child)
                if child.process.returncode is not None:
                    break
            child.end_of_input()
            code, seconds = await child.ended()
            if code or seconds > 5:
                wrong.append(f"the process ended with {code} after {seconds:.1f} s")
    return wrong


async def _still_there(child: ServerProcess) -> list[str]:
    child.write(b'{"jsonrpc":"2.0","id":"still there","method":"ping"}\n')
    while True:
        message = await child.read()
        if message.get("id") == "still there":
            return []
        if message.get("jsonrpc") != "2.0" or not ({"result", "error", "method"} & set(message)):
            return [f"no JSON-RPC message: {message!r}"]


async def fuzz_tools(chosen: random.Random, number: int, show: Callable[[str], None]) -> list[str]:
    """Call tools with generated arguments, against a GitLab whose answers are generated too."""
    wrong: list[str] = []

    def respond(handler: BaseHTTPRequestHandler) -> None:
        body = (
            json.dumps(junk(chosen)).encode()
            if chosen.random() < 0.95
            else bytes(chosen.randrange(256) for _ in range(40))
        )
        status = chosen.choice((200, 200, 200, 200, 201, 204, 400, 401, 403, 404, 409, 422))
        json_answer(handler, b"" if status == 204 else body, status)

    with answering(respond) as gitlab:
        credential = Credential("access token", "GITLAB_ACCESS_TOKEN", "glpat-this-is-not-a-real-token")
        settings = Settings(url=gitlab.url, credential=credential, project="acme/app", deadline=0.5)
        done = 0
        while done < number:
            async with connect(settings) as agent:
                schemas = {tool.name: tool.input_schema for tool in (await agent.client.list_tools()).tools}
                for _ in range(-(-min(2048, number - done) // AT_ONCE)):
                    names = [chosen.choice(list(schemas)) for _ in range(AT_ONCE)]
                    calls = [(name, arguments_for(chosen, schemas[name])) for name in names]
                    faults = await asyncio.gather(*(_call(agent, name, given) for name, given in calls))
                    wrong += [fault for fault in faults if fault]
                    gitlab.asked.clear()
                    done += AT_ONCE
            show(f"{done} of {number} calls, {len(wrong)} wrong")
    return wrong


async def _call(agent: Agent, name: str, given: dict[str, Any]) -> str:
    try:
        async with asyncio.timeout(CALL_SECONDS):
            result = await agent.client.call_tool(name, given)
    except TimeoutError:
        return f"hangs: {name} {given!r}"
    text = getattr(result.content[0], "text", "") if result.content else ""
    if "internal error in gitlab-mcp-server" in text:
        return f"crash: {name} {given!r}"
    if len(text.encode()) > (2_000 if result.is_error else 40_000):
        return f"{len(text.encode())} bytes: {name} {given!r}"
    return ""


async def prove(inputs: int, seed: int, show: Callable[[str], None]) -> list[str]:
    """Feed `inputs` inputs, three in four of them as lines; what was wrong."""
    chosen = random.Random(seed)  # noqa: S311  # the same inputs again for the same seed
    with answering(lambda handler: json_answer(handler, b"{}")) as gitlab:
        lines = inputs * 3 // 4
        wrong = await fuzz_lines(chosen, lines, gitlab.url)
        show(f"{lines} lines, {len(wrong)} wrong")
    return wrong + await fuzz_tools(chosen, inputs - lines, show)


def main() -> int:
    """Run the proof; 0 when nothing was wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    began = time.monotonic()

    def show(text: str) -> None:
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()

    wrong = asyncio.run(prove(given.inputs, given.seed, show))
    for fault in wrong[:50]:
        show(f"WRONG: {fault[:500]}")
    show(f"{given.inputs} inputs in {time.monotonic() - began:.0f} s: {len(wrong)} wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
