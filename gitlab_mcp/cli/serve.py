"""The command that serves an MCP client over stdio."""

from typing import Any

import click

from gitlab_mcp.cli.options import configuration, merged_flags
from gitlab_mcp.config.settings import Flags


@click.command()
@configuration
@click.pass_obj
def serve(group_flags: Flags | None, /, **flags: Any) -> None:
    """Serve MCP on stdin and stdout until the client closes the connection."""
    from gitlab_mcp.server import startup

    startup.serve(merged_flags(group_flags, flags))
