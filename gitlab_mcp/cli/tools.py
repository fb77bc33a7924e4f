"""The command that prints the tools that a configuration exposes."""

import os
from typing import Any

import click

from gitlab_mcp.cli.options import configuration, merged_flags
from gitlab_mcp.config.environment import working_directory
from gitlab_mcp.config.settings import Flags


@click.command(short_help="List the tools that a configuration exposes.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON with the size of each tool.")
@configuration
@click.pass_obj
def tools(group_flags: Flags, /, as_json: bool, **flags: Any) -> None:
    """List the tools that a configuration exposes, as a Markdown table; it needs no credential."""
    os.environ.setdefault("HOME", os.devnull)  # python-gitlab needs a home directory
    from gitlab_mcp.server import catalog
    from gitlab_mcp.server.toolsets import selected
    from gitlab_mcp.tools import TOOLS

    settings = catalog.settings_without_credential(merged_flags(group_flags, flags), os.environ, working_directory())
    listed = selected(settings, TOOLS)
    if as_json:
        click.echo(catalog.as_json(catalog.sized(listed, settings)))
        return
    click.echo(catalog.table(listed))
    if others := catalog.openable(settings):
        click.echo(f"\n{catalog.ASKED_FOR.format(toolset=others[0].toolset)}\n\n{catalog.table(others)}")
