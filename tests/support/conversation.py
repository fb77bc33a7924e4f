"""Conversations with the SDK's server in messages of JSON-RPC, without a client that interprets them."""

from collections.abc import Iterable
from typing import Any

import anyio
from mcp.shared.message import SessionMessage
from mcp_types import JSONRPCError, JSONRPCResponse, jsonrpc_message_adapter
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS

from gitlab_mcp.config.settings import Settings
from gitlab_mcp.server.server import build_server

CLIENT = {"name": "test", "version": "1"}


def request(request_id: int | str, method: str, params: dict[str, Any] | None = None) -> dict[str, Any]:
    """A JSON-RPC request."""
    return {"jsonrpc": "2.0", "id": request_id, "method": method, **({} if params is None else {"params": params})}


def handshake(request_id: int | str, revision: str, **capabilities: Any) -> dict[str, Any]:
    """The request that opens a connection before 2026-07-28."""
    params = {"protocolVersion": revision, "capabilities": capabilities, "clientInfo": CLIENT}
    return request(request_id, "initialize", params)


def enveloped(request_id: int | str, method: str, revision: str, **capabilities: Any) -> dict[str, Any]:
    """A request with the envelope of 2026-07-28."""
    prefix = "io.modelcontextprotocol/"
    meta = {
        f"{prefix}protocolVersion": revision,
        f"{prefix}clientCapabilities": capabilities,
        f"{prefix}clientInfo": CLIENT,
    }
    return request(request_id, method, {"_meta": meta})


def opening_requests(revision: str) -> list[dict[str, Any]]:
    """The requests by which a client of a revision learns all that a server declares: ids 0 (greeting), 1, 2."""
    if revision in HANDSHAKE_PROTOCOL_VERSIONS:
        return [handshake(0, revision), request(1, "tools/list"), request(2, "prompts/list")]
    methods = ("server/discover", "tools/list", "prompts/list")
    return [enveloped(number, method, revision) for number, method in enumerate(methods)]


async def sdk_results(settings: Settings, requests: Iterable[dict[str, Any]]) -> dict[int | str, dict[str, Any]]:
    """The responses of the SDK's server to requests that are sent one after the other, by id."""
    server = build_server(settings)
    to_server, incoming = anyio.create_memory_object_stream[SessionMessage | Exception]()
    outgoing, from_server = anyio.create_memory_object_stream[SessionMessage]()
    responses: dict[int | str, dict[str, Any]] = {}
    try:
        async with to_server, incoming, outgoing, from_server, anyio.create_task_group() as tasks:
            lowlevel = server.lowlevel
            tasks.start_soon(lowlevel.run, incoming, outgoing, lowlevel.create_initialization_options())
            for message in requests:
                await to_server.send(SessionMessage(jsonrpc_message_adapter.validate_python(message)))
                while True:
                    response = (await from_server.receive()).message
                    if isinstance(response, JSONRPCResponse | JSONRPCError):
                        break
                assert response.id is not None
                responses[response.id] = response.model_dump(mode="json", by_alias=True, exclude_unset=True)
            await to_server.aclose()
    finally:
        server.close()
    return responses
