"""The catalog: which tools a configuration exposes to a model, and how many bytes and tokens they cost."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from mcp.server.mcpserver.tools import Tool

from gitlab_mcp.config.settings import Flags, MissingCredential, Settings, read_settings
from gitlab_mcp.server.binding import bind
from gitlab_mcp.server.toolsets import MY_WORK, selected
from gitlab_mcp.tools import TOOLS
from gitlab_mcp.tools.context import App
from gitlab_mcp.tools.definition import ToolDefinition

BYTES_A_TOKEN = 4  # roughly, of compact JSON in English
ASKED_FOR = "Opt-in, listed for example with `--toolsets default,{toolset}`:"


@dataclass(frozen=True)
class Sized:
    """A tool and the size of its definition, in bytes, as a model gets it."""

    definition: ToolDefinition
    bytes: int

    @property
    def tokens(self) -> int:
        """The estimated number of tokens."""
        return round(self.bytes / BYTES_A_TOKEN)


def model_bytes(tool: Tool) -> int:
    """Return the size in bytes of what a model gets of a tool: name, description and schema as compact JSON."""
    definition = {"name": tool.name, "description": tool.description, "inputSchema": tool.parameters}
    return len(json.dumps(definition, separators=(",", ":"), ensure_ascii=False).encode())


def sized(definitions: Iterable[ToolDefinition], settings: Settings) -> list[Sized]:
    """Measure the definitions of tools."""
    app = App(settings)
    try:
        return [Sized(definition, model_bytes(bind(definition, app))) for definition in definitions]
    finally:
        app.close()


def settings_without_credential(flags: Flags, environ: Mapping[str, str], directory: Path) -> Settings:
    """Read the configuration; without a credential, as if there were an access token.

    Raises SettingsError when it is wrong in another way.
    """
    try:
        return read_settings(flags, environ, directory)
    except MissingCredential:
        return read_settings(flags, {**environ, "GITLAB_ACCESS_TOKEN": "none-is-needed-for-a-list"}, directory)


def openable(settings: Settings) -> list[ToolDefinition]:
    """Return the opt-in tools: those that a run does not list, but would if --toolsets named their toolset."""
    if settings.toolsets or settings.tools:
        return []
    every_toolset = tuple({definition.toolset for definition in TOOLS})
    listed = selected(settings, TOOLS)
    listable = selected(replace(settings, toolsets=every_toolset, allow_opt_in_tools=True), TOOLS)
    return [definition for definition in listable if definition not in listed]


def as_json(tools: Iterable[Sized]) -> str:
    """Return the tools with their sizes, and the totals, as JSON."""
    rows = [
        {
            "name": tool.definition.name,
            "toolset": tool.definition.toolset,
            "writes": tool.definition.writes,
            "opt_in": tool.definition.opt_in,
            "bytes": tool.bytes,
            "tokens": tool.tokens,
        }
        for tool in tools
    ]
    total = sum(tool.bytes for tool in tools)
    totals = {"tools": len(rows), "bytes": total, "tokens": round(total / BYTES_A_TOKEN)}
    return json.dumps({"tools": rows, "total": totals}, indent=2)


def table(definitions: Iterable[ToolDefinition]) -> str:
    """Return the tools as a Markdown table."""
    lines = ["| tool | toolset | writes | what it does |", "|---|---|---|---|"]
    for definition in definitions:
        writes = "yes" if definition.writes else ""
        lines.append(f"| `{definition.name}` | {definition.toolset} | {writes} | {definition.summary} |")
    return "\n".join(lines)


def size_table(tools: Iterable[Sized]) -> str:
    """Return the tools with their sizes as a Markdown table, by toolset."""
    lines = ["| toolset | tool | listed | bytes | about tokens |", "|---|---|---|---|---|"]
    for tool in sorted(tools, key=lambda tool: (tool.definition.toolset, tool.definition.opt_in)):
        definition = tool.definition
        listed = "opt-in" if definition.opt_in else "outside CI" if definition.toolset == MY_WORK else "always"
        lines.append(f"| {definition.toolset} | `{definition.name}` | {listed} | {tool.bytes:,} | {tool.tokens:,} |")
    return "\n".join(lines)
