"""An agent that calls the server's tools one after the other, and prints each call with its answer."""

import asyncio
import json
import re
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import click
from mcp import Client, StdioServerParameters
from mcp_types import TextContent

T = TypeVar("T")

FENCED = re.compile(r"^(`{3,})\n(.*)\n\1$", re.DOTALL | re.MULTILINE)
LINES_SHOWN = 12
PAGES = 10


class StepFailed(Exception):
    """A tool answered with an error; the text is its own."""

    def sentence(self, words: str) -> str:
        """The sentence of the text that has these words in it, "" where none has."""
        return next((each for each in re.split(r"(?<=\.) (?=[A-Z])", str(self)) if words in each), "")


def accompany(server: StdioServerParameters, journey: Callable[["Agent"], Awaitable[T]]) -> T:
    """Start the server and have an agent make the journey with it. Raises StepFailed."""

    async def run() -> tuple[list[T], StepFailed | None]:
        async with Client(server) as client:
            try:
                return [await journey(Agent(client))], None
            except StepFailed as failure:  # raised through the client, it would arrive inside an exception group
                return [], failure

    made, failure = asyncio.run(run())
    if failure:
        raise failure
    return made[0]


class Agent:
    """The calls of one journey. They raise StepFailed."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._number = 0

    async def step(self, title: str, tool: str, /, **arguments: Any) -> str:
        """Call a tool; its answer."""
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
        """The text of a file without its last line's end; None where it is not shown whole and as it is."""
        shown = await self.step(f"Read {path}.", "get_file", path=path)
        text = FENCED.search(shown)
        if text is None or shown[: text.start()].count("\n") > 1:  # a remark: no UTF-8, stored by LFS
            return None
        return text[2] if "next: start_line" not in shown and "<U+" not in shown else None

    async def files(self, title: str) -> list[str]:
        """The paths of regular files, of which a large repository has more than are listed here."""
        try:
            rows = await self._rows(title, recursive=True)
        except StepFailed as failure:
            if "no commits yet" in str(failure):
                return []
            raise
        page = 1
        while rows[-1].startswith("next: ") and page <= PAGES:
            # Folders are listed first, and what is at the top is to be known by name.
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
