"""The command that serves an MCP client."""

from typing import Any

import click

from gitlab_mcp.cli.options import configuration, given
from gitlab_mcp.config.settings import Flags


@click.command()
@configuration
@click.pass_obj
def serve(before: Flags | None, /, **flags: Any) -> None:
    """Speak MCP on stdin and stdout until the client ends it."""
    from gitlab_mcp.server import startup

    startup.serve(given(before, flags))
