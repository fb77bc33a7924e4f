"""An agent: an MCP client that is connected to a server in this process."""

import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from mcp import Client
from mcp_types import ImageContent, TextContent

from gitlab_mcp.config.settings import Settings
from gitlab_mcp.server.server import build_server


class Agent:
    """Calls tools as a client does. An answer is its text; an error is told apart by which method is used."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.called: set[str] = set()

    async def call(self, tool: str, **arguments: Any) -> str:
        """The text of an answer; an error fails the test."""
        text, is_error = await self._result(tool, arguments)
        assert not is_error, text
        return text

    async def refused(self, tool: str, **arguments: Any) -> str:
        """The text of an error; a success fails the test."""
        text, is_error = await self._result(tool, arguments)
        assert is_error, text
        return text

    async def picture(self, tool: str, **arguments: Any) -> tuple[str, str, bytes]:
        """The text, the MIME type and the content of an answer with an image; any other answer fails the test."""
        self.called.add(tool)
        result = await self.client.call_tool(tool, arguments)
        text, image = result.content
        assert isinstance(text, TextContent)
        assert isinstance(image, ImageContent)
        assert not result.is_error
        assert result.structured_content is None
        return text.text, image.mime_type, base64.b64decode(image.data)

    async def _result(self, tool: str, arguments: dict[str, Any]) -> tuple[str, bool]:
        self.called.add(tool)
        result = await self.client.call_tool(tool, arguments)
        assert [type(block) for block in result.content] == [TextContent]
        assert result.structured_content is None
        return "".join(block.text for block in result.content if isinstance(block, TextContent)), result.is_error


@asynccontextmanager
async def connect(settings: Settings) -> AsyncIterator[Agent]:
    """An agent connected to a server with these settings, in this process."""
    server = build_server(settings)
    try:
        async with Client(server) as client:
            yield Agent(client)
    finally:
        server.close()
