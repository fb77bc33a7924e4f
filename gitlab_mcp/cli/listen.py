"""The command that listens for GitLab's webhooks, and starts a pipeline for each mention."""

import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gitlab_mcp.config.environment import SettingsError

if TYPE_CHECKING:
    from gitlab_mcp.mentions.listener.service import Configuration
    from gitlab_mcp.mentions.listener.store import Store

CONFIG_VARIABLE = "GITLAB_MCP_LISTEN_CONFIG"


@click.group(invoke_without_command=True, short_help="Start a pipeline for each comment that mentions @claude.")
@click.option("--config", type=click.Path(path_type=Path), metavar="FILE", help="The configuration, a TOML file.")
@click.option("--check-config", is_flag=True, help="Ask GitLab whether the configuration works, and end.")
@click.pass_context
def listen(ctx: click.Context, config: Path | None, check_config: bool) -> None:
    """Listen for GitLab's webhooks, and start a pipeline for each comment that mentions the handle.

    Without --config, or the variable GITLAB_MCP_LISTEN_CONFIG, variables configure one project: docs/mentions.md.
    """
    _require_extra()
    from gitlab_mcp.mentions.listener.service import Configuration
    from gitlab_mcp.mentions.listener.service import listen as run_listener

    named = os.environ.get(CONFIG_VARIABLE, "").strip()
    ctx.obj = configuration = Configuration(config or (Path(named) if named else None), os.environ)
    if ctx.invoked_subcommand:
        return
    if check_config:
        from gitlab_mcp.mentions.listener.check import check

        sys.exit(0 if check(configuration(), click.echo) else 1)
    sys.exit(0 if run_listener(configuration) else 1)


@listen.command("dead-letters")
@click.pass_obj
def dead_letters(configuration: "Configuration") -> None:
    """List the mentions that were given up, newest first, each with the reason."""
    rows = _store(configuration).dead_letters()
    for number, key, changed_at, reason in rows:
        when = datetime.fromtimestamp(changed_at, UTC).isoformat(sep=" ", timespec="seconds")
        click.echo(f"{number}\t{when}\t{key}\t{reason}")
    if not rows:
        click.echo("No mention was given up.")


@listen.command()
@click.argument("number", type=int, metavar="ID")
@click.pass_obj
def retry(configuration: "Configuration", number: int) -> None:
    """Begin again with a mention that was given up; a listener that runs takes it up within a second."""
    if not _store(configuration).retry(number):
        raise SettingsError(f"No mention that was given up has the id {number}: see `listen dead-letters`.")
    click.echo(f"Mention {number} begins again.")


def _store(configuration: "Configuration") -> "Store":
    from gitlab_mcp.mentions.listener.store import Store

    return Store(configuration().database, alone=False)


def _require_extra() -> None:
    """Raise SettingsError where a package of the optional extra is missing."""
    from importlib.util import find_spec

    missing = [name for name in ("sqlalchemy", "standardwebhooks", "prometheus_client") if find_spec(name) is None]
    if missing:
        raise SettingsError(
            f"The packages of the extra listen are missing ({', '.join(missing)}): install gitlab-mcp-server with"
            " [listen] behind the name of its wheel or folder, as docs/mentions.md shows."
        )
