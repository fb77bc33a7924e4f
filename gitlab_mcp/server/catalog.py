"""What a configuration exposes to a model, and what that costs it."""

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
ASKED_FOR = "Listed only where they are asked for, such as with `--toolsets default,{toolset}`:"


@dataclass(frozen=True)
class Sized:
    """A tool and the bytes of what a model gets of it."""

    definition: ToolDefinition
    bytes: int

    @property
    def tokens(self) -> int:
        """About how many tokens that is."""
        return round(self.bytes / BYTES_A_TOKEN)


def model_bytes(tool: Tool) -> int:
    """The size of what a model gets of a tool: name, description and schema as compact JSON."""
    given = {"name": tool.name, "description": tool.description, "inputSchema": tool.parameters}
    return len(json.dumps(given, separators=(",", ":"), ensure_ascii=False).encode())


def sized(definitions: Iterable[ToolDefinition], settings: Settings) -> list[Sized]:
    """The tools with their sizes."""
    app = App(settings)
    try:
        return [Sized(definition, model_bytes(bind(definition, app))) for definition in definitions]
    finally:
        app.close()


def settings_without_credential(flags: Flags, environ: Mapping[str, str], directory: Path) -> Settings:
    """The configuration, also where there is no credential: then as with an access token."""
    try:
        return read_settings(flags, environ, directory)
    except MissingCredential:
        return read_settings(flags, {**environ, "GITLAB_ACCESS_TOKEN": "none-is-needed-for-a-list"}, directory)


def openable(settings: Settings) -> list[ToolDefinition]:
    """The tools that a run does not list, and would if their toolset were asked for."""
    if settings.toolsets or settings.tools:
        return []
    every = tuple({definition.toolset for definition in TOOLS})
    listed = selected(settings)
    return [each for each in selected(replace(settings, toolsets=every, allow_opt_in_tools=True)) if each not in listed]


def as_json(tools: Iterable[Sized]) -> str:
    """The tools and their totals for a program."""
    rows = [
        {
            "name": each.definition.name,
            "toolset": each.definition.toolset,
            "writes": each.definition.writes,
            "opt_in": each.definition.opt_in,
            "bytes": each.bytes,
            "tokens": each.tokens,
        }
        for each in tools
    ]
    total = sum(each.bytes for each in tools)
    totals = {"tools": len(rows), "bytes": total, "tokens": round(total / BYTES_A_TOKEN)}
    return json.dumps({"tools": rows, "total": totals}, indent=2)


def table(definitions: Iterable[ToolDefinition]) -> str:
    """The tools as a Markdown table."""
    lines = ["| tool | toolset | writes | what it does |", "|---|---|---|---|"]
    for definition in definitions:
        writes = "yes" if definition.writes else ""
        lines.append(f"| `{definition.name}` | {definition.toolset} | {writes} | {definition.summary} |")
    return "\n".join(lines)


def size_table(tools: Iterable[Sized]) -> str:
    """All tools by toolset with what they cost, as a Markdown table."""
    lines = ["| toolset | tool | listed | bytes | about tokens |", "|---|---|---|---|---|"]
    for each in sorted(tools, key=lambda one: (one.definition.toolset, one.definition.opt_in)):
        definition = each.definition
        listed = "opt-in" if definition.opt_in else "outside CI" if definition.toolset == MY_WORK else "always"
        lines.append(f"| {definition.toolset} | `{definition.name}` | {listed} | {each.bytes:,} | {each.tokens:,} |")
    return "\n".join(lines)
