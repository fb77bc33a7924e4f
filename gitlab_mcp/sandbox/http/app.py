"""The ASGI application: it hands a request to REST, to git over HTTP or to fault injection, by its path."""

from __future__ import annotations

import asyncio
import logging
import socket
import struct
from collections.abc import AsyncIterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from gitlab_mcp.sandbox.faults import routes as fault_routes
from gitlab_mcp.sandbox.faults.injector import Fault, FaultInjector, parsed_body
from gitlab_mcp.sandbox.faults.merge_status import with_status
from gitlab_mcp.sandbox.git import smart_http
from gitlab_mcp.sandbox.http import dispatch
from gitlab_mcp.sandbox.http.dispatch import EncodedResponse
from gitlab_mcp.sandbox.http.webhook_sender import WebhookSender
from gitlab_mcp.sandbox.state.world import World

_LOG = logging.getLogger(__name__)
_THREADS = 32
# GitLab docs, commits API: requests above 300 MB are rejected.
_MAX_BODY = 300_000_000
# GitLab's nginx has the default of large_client_header_buffers:
# https://nginx.org/en/docs/http/ngx_http_core_module.html#large_client_header_buffers
_URI_BYTES = 8 * 1024
_URI_TOO_LARGE = b"<html><head><title>414 Request-URI Too Large</title></head></html>"
_NOT_FOUND = (
    b"<!DOCTYPE html>\n<html><head><title>Not Found (404)</title></head><body>404: Page Not Found</body></html>\n"
)


class ClientDisconnected(Exception):
    """The client closed the connection before its request was read."""


class Connections:
    """The open connections by the client's address, so that fault injection can reset them."""

    def __init__(self) -> None:
        self.transports: dict[tuple[str, int], asyncio.Transport] = {}

    def protocol(self) -> type[H11Protocol]:
        """A subclass of uvicorn's HTTP protocol that registers its connections here."""
        transports = self.transports

        class Protocol(H11Protocol):
            def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
                super().connection_made(transport)
                if self.client:
                    transports[self.client] = transport

            def connection_lost(self, exc: Exception | None) -> None:
                if self.client:
                    transports.pop(self.client, None)
                super().connection_lost(exc)

        return Protocol

    def cut(self, client: Any) -> None:
        """Reset a connection (TCP RST instead of FIN), so that the client sees it lost."""
        transport = self.transports.get(tuple(client))
        if transport is None:
            return
        raw_socket = transport.get_extra_info("socket")
        if raw_socket is not None:
            raw_socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()

    def close(self, client: Any) -> None:
        """Close a connection cleanly after everything written to it was sent."""
        transport = self.transports.get(tuple(client))
        if transport is not None:
            transport.close()

    def cut_all(self) -> None:
        """Reset every connection."""
        for client in list(self.transports):
            self.cut(client)


class Gateway:
    """The ASGI application of one sandbox; `prefix`, such as "/gitlab" or "", begins all its paths."""

    def __init__(
        self, world: World, injector: FaultInjector | None, prefix: str, webhook_sender: WebhookSender
    ) -> None:
        self.world = world
        self.injector = injector
        self.prefix = prefix
        self.webhook_sender = webhook_sender
        self.connections = Connections()
        self.closing = asyncio.Event()
        self.cleanups: set[asyncio.Task[None]] = set()
        self.threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="sandbox")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        try:
            await self._respond(scope, receive, send)
        except ClientDisconnected:
            return

    async def _respond(self, scope: Scope, receive: Receive, send: Send) -> None:
        raw_path = scope["raw_path"].decode("ascii")
        method, query = scope["method"], scope["query_string"].decode("latin-1")
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        if not raw_path.startswith(f"{self.prefix}/"):
            return await _send(send, EncodedResponse(404, {"content-type": "text/html"}, _NOT_FOUND), method)
        if len(raw_path) + len(query) > _URI_BYTES:
            return await _send(send, EncodedResponse(414, {"content-type": "text/html"}, _URI_TOO_LARGE), method)
        path = raw_path[len(self.prefix) :]
        if self.injector is not None and path.startswith("/_sandbox/"):
            body = await _read_body(receive)
            response = fault_routes.respond(self.world, self.injector, method, path.removeprefix("/_sandbox/"), body)
            return await _send(send, response, method)
        if git := smart_http.parse_request(method, path, query, headers):
            return await self._git(scope, receive, send, git, path)
        return await self._rest(scope, receive, send, method, path, query, headers)

    async def _rest(
        self, scope: Scope, receive: Receive, send: Send, method: str, path: str, query: str, headers: Mapping[str, str]
    ) -> None:
        try:
            body = await _read_body(receive)
        except OverflowError:
            return await _send(send, EncodedResponse(413, {}, b'{"message":"413 Request Entity Too Large"}'), method)
        entry = self._record(method, path, query, headers, parsed_body(body, headers.get("content-type", "")))
        faults = self.injector.take(method, path) if self.injector else []
        if not await self._apply_faults(faults, scope, receive, send, entry):
            return None
        throttle = self.injector.throttle if self.injector else None
        allowed, limits = throttle.count(headers) if throttle else (True, {})
        if not allowed:
            response = EncodedResponse(429, limits, b"Retry later\n")
        elif path.startswith("/api/v4/"):
            response = await asyncio.get_running_loop().run_in_executor(
                self.threads, self._call, method, path.removeprefix("/api/v4"), query, headers, body
            )
        else:
            response = EncodedResponse(404, {"content-type": "text/html; charset=utf-8"}, _NOT_FOUND)
        try:
            return await self._respond_with(response, faults, scope, receive, send, entry, limits)
        finally:
            self.webhook_sender.enqueue(response.deliveries)

    async def _respond_with(
        self,
        response: EncodedResponse,
        faults: list[Fault],
        scope: Scope,
        receive: Receive,
        send: Send,
        entry: dict[str, Any],
        limits: Mapping[str, str],
    ) -> None:
        """Send a response, as far as the faults let it."""
        if any(fault.kind == "drop" for fault in faults):
            return await self._reset(scope, receive)
        response.headers.update(limits)
        entry["status"] = response.status
        for fault in faults:
            if fault.kind == "merge_status":
                response = replace(response, body=with_status(response.body, fault.merge_status))
                response.headers["content-length"] = str(len(response.body))
        if any(fault.kind == "cut" for fault in faults):
            return await self._truncate(scope, receive, send, response)
        return await _send(send, response, scope["method"])

    def _call(self, method: str, path: str, query: str, headers: Mapping[str, str], body: bytes) -> EncodedResponse:
        try:
            return dispatch.respond(self.world, method, path, query, headers, body)
        except Exception:  # noqa: BLE001 - GitLab answers 500 too; the log has the traceback
            if not self.world.closing.is_set():
                _LOG.exception("%s %s", method, path)
            body = b'{"message":"500 Internal Server Error"}'
            return EncodedResponse(500, {"content-type": "application/json"}, body)

    async def _git(self, scope: Scope, receive: Receive, send: Send, request: smart_http.GitRequest, path: str) -> None:
        entry = self._record(request.method, path, request.query, request.headers, None)
        faults = self.injector.take(request.method, path) if self.injector else []
        if not await self._apply_faults(faults, scope, receive, send, entry):
            return
        kinds = {fault.kind for fault in faults}
        truncated: list[EncodedResponse] = []
        try:
            project, token = smart_http.authorize(self.world, request)
        except smart_http.Refusal as refusal:
            headers = {"content-type": "text/plain; charset=utf-8"}
            if refusal.status == 401:
                headers["www-authenticate"] = 'Basic realm="GitLab"'
            entry["status"] = refusal.status
            await _send(send, EncodedResponse(refusal.status, headers, refusal.text.encode()), request.method)
            return

        async def deliver(status: int, head: list[tuple[bytes, bytes]], body: AsyncIterator[bytes]) -> None:
            if kinds & {"drop", "cut"}:
                headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in head}
                truncated.append(EncodedResponse(status, headers, b"".join([chunk async for chunk in body])))
                return
            entry["status"] = status
            await send({"type": "http.response.start", "status": status, "headers": head})
            async for chunk in body:
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
            await send({"type": "http.response.body", "body": b""})

        backend = smart_http.HttpBackend(self.world, request, project, token, self.cleanups)
        try:
            await backend.run(_chunks(receive), deliver)
        finally:
            self.webhook_sender.enqueue(backend.deliveries)
        if "drop" in kinds:
            await self._reset(scope, receive)
        elif truncated:
            entry["status"] = truncated[0].status
            await self._truncate(scope, receive, send, truncated[0])

    async def _apply_faults(
        self, faults: list[Fault], scope: Scope, receive: Receive, send: Send, entry: dict[str, Any]
    ) -> bool:
        """Apply the faults that come before the request takes effect.

        Returns False if a fault has answered the request or dropped its connection.
        """
        for fault in faults:
            if fault.kind == "delay" and not await self._wait(fault.seconds):
                await self._reset(scope, receive)
                return False
            if fault.kind == "drop" and fault.when == "before":
                await self._reset(scope, receive)
                return False
            if fault.kind == "fail":
                entry["status"] = fault.status
                await _send(send, EncodedResponse(fault.status, fault.headers, fault.body), scope["method"])
                return False
        return True

    async def _wait(self, seconds: float) -> bool:
        try:
            await asyncio.wait_for(self.closing.wait(), seconds)
        except TimeoutError:
            return True
        return False

    async def _truncate(self, scope: Scope, receive: Receive, send: Send, response: EncodedResponse) -> None:
        """Send all headers and half of the body, then close the connection; without a body, reset it."""
        half = response.body[: len(response.body) // 2]
        if not half or scope["method"] == "HEAD":
            await self._reset(scope, receive)
            return
        await _send_head(send, response)
        await send({"type": "http.response.body", "body": half, "more_body": True})
        self.connections.close(scope["client"])
        await _wait_for_disconnect(receive)

    async def _reset(self, scope: Scope, receive: Receive) -> None:
        self.connections.cut(scope["client"])
        await _wait_for_disconnect(receive)

    def _record(self, method: str, path: str, query: str, headers: Mapping[str, str], body: Any) -> dict[str, Any]:
        return self.injector.record(method, path, query, headers, body) if self.injector else {}


async def _read_body(receive: Receive) -> bytes:
    parts, size = [], 0
    async for chunk in _chunks(receive):
        parts.append(chunk)
        size += len(chunk)
        if size > _MAX_BODY:
            raise OverflowError
    return b"".join(parts)


async def _chunks(receive: Receive) -> AsyncIterator[bytes]:
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnected
        yield message.get("body", b"")
        more = message.get("more_body", False)


async def _wait_for_disconnect(receive: Receive) -> None:
    # uvicorn sends a 500 for an application that returns before its response is complete, unless the client has
    # disconnected.
    while (await receive())["type"] != "http.disconnect":
        pass


async def _send(send: Send, response: EncodedResponse, method: str) -> None:
    await _send_head(send, response)
    await send({"type": "http.response.body", "body": b"" if method == "HEAD" else response.body})


async def _send_head(send: Send, response: EncodedResponse) -> None:
    fields = dict(response.headers)
    if response.status != 204:
        fields.setdefault("content-length", str(len(response.body)))
    # GitLab sends header values as UTF-8. A line break would end the header.
    headers = [(name.encode(), _one_line(value).encode("utf-8", "replace")) for name, value in fields.items()]
    await send({"type": "http.response.start", "status": response.status, "headers": headers})


def _one_line(value: str) -> str:
    return "".join(letter for letter in value if letter >= " ").strip()
