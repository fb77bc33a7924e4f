"""The server behind the SDK's own HTTP transport on loopback, which only tests use: the product has stdio alone."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn

from gitlab_mcp.config.settings import Settings
from gitlab_mcp.server.server import build_server

WAIT = 60.0  # seconds; a bound that says "does not hang"


class _Server(uvicorn.Server):
    """Says when it serves, and on which port."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = threading.Event()

    async def startup(self, sockets: Any = None) -> None:
        await super().startup(sockets)
        self.ready.set()


@contextmanager
def served_over_http(settings: Settings) -> Iterator[str]:
    """The URL of a server with these settings, while the `with` block runs."""
    server = build_server(settings)
    http = _Server(uvicorn.Config(server.streamable_http_app(), host="127.0.0.1", port=0, log_level="warning"))
    thread = threading.Thread(target=asyncio.run, args=(http.serve(),), name="streamable-http")
    thread.start()
    try:
        assert http.ready.wait(WAIT)
        port = http.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}/mcp"
    finally:
        http.should_exit = True
        thread.join(WAIT)
        server.close()
