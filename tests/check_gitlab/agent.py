"""A client of the real server, started as an agent's client starts it."""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import requests
from mcp import Client, MCPError, StdioServerParameters
from mcp_types import TextContent

from tests.check_gitlab.environment import Place
from tests.check_gitlab.report import NotTried


class Refused(Exception):
    """A tool answered with an error; the text says which, and what it said."""


class Agent:
    """Calls the server's tools."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def call(self, tool: str, **arguments: object) -> str:
        """The text of an answer. Raises Refused for an error."""
        result = await self._client.call_tool(tool, arguments)
        text = "\n".join(block.text for block in result.content if isinstance(block, TextContent))
        if result.is_error:
            raise Refused(f"{tool} answered: {text}")
        return text


@asynccontextmanager
async def connect(place: Place) -> AsyncIterator[Agent]:
    """A client connected to a server of its own. Raises NotTried when the server does not start."""
    command = ["-m", "gitlab_mcp", "serve"]
    environment = dict(place.environment)
    server = StdioServerParameters(command=sys.executable, args=command, env=environment, cwd=place.directory)
    try:
        async with Client(server) as client:
            yield Agent(client)
    except MCPError as error:
        raise NotTried(f"the server did not answer: {error}") from error
    except ExceptionGroup as group:
        # What is raised through the client arrives in groups.
        raise _first(group) from group


def _first(group: ExceptionGroup[Exception]) -> Exception:
    first = group.exceptions[0]
    if isinstance(first, ExceptionGroup):
        return _first(first)
    ours = isinstance(first, Refused | NotTried | requests.RequestException)
    return first if ours else NotTried(f"the server ended: {type(first).__name__}")
