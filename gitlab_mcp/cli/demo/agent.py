"""An agent that calls the server's tools one after the other, and prints each call with its result."""

import asyncio
import json
import re
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import click
from mcp import Client, StdioServerParameters
from mcp_types import TextContent

T = TypeVar("T")

FENCED_BLOCK = re.compile(r"^(`{3,})\n(.*)\n\1$", re.DOTALL | re.MULTILINE)
LINES_SHOWN = 12
PAGES = 10


class StepFailed(Exception):
    """A tool returned an error; the text is the tool's."""

    def sentence(self, words: str) -> str:
        """The first sentence of the text that contains `words`; "" where none does."""
        sentences = re.split(r"(?<=\.) (?=[A-Z])", str(self))
        return next((sentence for sentence in sentences if words in sentence), "")


def run_journey(server: StdioServerParameters, journey: Callable[["Agent"], Awaitable[T]]) -> T:
    """Start the server, play the journey with an agent that is connected to it, and return the journey's result.

    Raises StepFailed when a tool returns an error.
    """

    async def run() -> tuple[list[T], StepFailed | None]:
        async with Client(server) as client:
            try:
                return [await journey(Agent(client))], None
            except StepFailed as failure:  # raised through the client, it would arrive inside an exception group
                return [], failure

    results, failure = asyncio.run(run())
    if failure:
        raise failure
    return results[0]


class Agent:
    """Calls tools and prints each step. Its methods raise StepFailed when a tool returns an error."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._number = 0

    async def step(self, title: str, tool: str, /, **arguments: Any) -> str:
        """Print the title and the call of a tool, and return the text of its result."""
        self.title(title)
        click.secho(f"   {tool} {_short(arguments)}", fg="cyan")
        result = await self._client.call_tool(tool, arguments)
        text = "\n".join(block.text for block in result.content if isinstance(block, TextContent))
        lines = text.split("\n")
        for line in lines[:LINES_SHOWN]:
            click.echo(f"   {line}")
        if len(lines) > LINES_SHOWN:
            click.echo(f"   … {len(lines) - LINES_SHOWN} more lines")
        if result.is_error:
            raise StepFailed(text)
        return text

    def title(self, title: str) -> None:
        """Print the title of the next step."""
        self._number += 1
        click.secho(f"\n{self._number}. {title}", bold=True)

    async def read(self, path: str) -> str | None:
        """The text of a file without its last newline; None where get_file does not show all of it unchanged."""
        shown = await self.step(f"Read {path}.", "get_file", path=path)
        text = FENCED_BLOCK.search(shown)
        if (
            text is None or shown[: text.start()].count("\n") > 1
        ):  # a remark, such as that it is not UTF-8 or stored with LFS
            return None
        return text[2] if "next: start_line" not in shown and "<U+" not in shown else None

    async def files(self, title: str) -> list[str]:
        """The paths of regular files; in a large repository not of all."""
        try:
            rows = await self._rows(title, recursive=True)
        except StepFailed as failure:
            if "no commits yet" in str(failure):
                return []
            raise
        page = 1
        while rows[-1].startswith("next: ") and page <= PAGES:
            # Folders are listed first: the files of the top folder, whose names a new file must not take, come last.
            rows += await self._rows("It is large: look at its top folder.", page=page)
            page += 1
        unusual = ("/", " (link)", " (submodule)")
        paths = (row.removesuffix(" (executable)") for row in rows if not row.endswith(unusual))
        return list(dict.fromkeys(path for path in paths if path and not path.startswith("next: ")))

    async def _rows(self, title: str, **arguments: Any) -> list[str]:
        return (await self.step(title, "list_files", **arguments)).split("\n")[1:]


def _short(arguments: dict[str, Any]) -> str:
    text = json.dumps(arguments, ensure_ascii=False)
    return text if len(text) <= 200 else f"{text[:199]}…"
