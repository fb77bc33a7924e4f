"""The commands that add this server to the configuration of Claude Code, or remove it."""

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from gitlab_mcp.cli.options import configuration, merged_flags
from gitlab_mcp.config.environment import is_ci, working_directory
from gitlab_mcp.config.settings import (
    Flags,
    MissingCredential,
    SettingsError,
    read_settings,
    secrets_of,
)

SHOWN_NAMES = 10


def scope_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Decorate a command with the option for the scope of the entry in Claude Code."""
    return click.option(
        "--scope",
        type=click.Choice(["user", "project", "local"]),
        default="user",
        show_default=True,
        help="For all your projects, in the project's .mcp.json, or for you in this project.",
    )(command)


@click.command(short_help="Register this server in Claude Code.")
@scope_option
@click.option("--print", "only_print", is_flag=True, help="Print the entry for another client; write nothing.")
@click.option("--trust-project-mcp", is_flag=True, help="In CI: let the servers of the checkout's .mcp.json start.")
@configuration
@click.pass_obj
def register(group_flags: Flags | None, /, scope: Any, only_print: bool, trust_project_mcp: bool, **flags: Any) -> None:
    """Register this server in Claude Code under the name gitlab, with the given flags.

    No credential is written: the server reads it from its environment. In a CI job, the servers of the checkout's
    .mcp.json are disabled in the user's settings, since Claude Code would start them without asking.
    """
    with _errors_on_one_line():
        from gitlab_mcp import claude_code

        directory = working_directory()
        merged = merged_flags(group_flags, flags)
        registration = claude_code.own_registration(merged, _secret_values(merged, directory))
        if only_print:
            click.echo(json.dumps({"mcpServers": {"gitlab": registration.entry()}}, indent=2, ensure_ascii=False))
            return
        path = claude_code.register(registration, scope, os.environ, directory)
        click.echo(f"Registered gitlab in {_shown(str(path))} ({scope} scope): `claude mcp list` shows it.")
        if is_ci(os.environ) and scope != "project" and not trust_project_mcp:
            names = claude_code.disable_project_servers(claude_code.project_servers(directory), os.environ)
            if names:
                click.echo(
                    f"Disabled the servers of the checkout's .mcp.json: {_quoted(names)};"
                    " --trust-project-mcp leaves it enabled."
                )


@click.command(short_help="Remove this server from Claude Code.")
@scope_option
def unregister(scope: Any) -> None:
    """Remove the entry of this server from the configuration of Claude Code."""
    with _errors_on_one_line():
        from gitlab_mcp import claude_code

        removed = claude_code.unregister(scope, os.environ, working_directory())
        click.echo(
            f"Removed gitlab ({scope} scope)."
            if removed
            else f"Nothing to remove: gitlab is not registered in {scope} scope."
        )


@contextmanager
def _errors_on_one_line() -> Iterator[None]:
    try:
        yield
    except SettingsError as error:
        click.echo(f"gitlab-mcp-server: {_shown(str(error))}", err=True)
        sys.exit(2)


def _secret_values(flags: Flags, directory: Path) -> tuple[str, ...]:
    """The values that must not be written. Raises SettingsError when the flags or variables cannot be used."""
    try:
        return read_settings(flags, os.environ, directory).secret_values
    except MissingCredential:
        # Locally, the credential may be set only in the environment that Claude Code is started in.
        click.echo("No GitLab credential is set here: set one where you start Claude Code.", err=True)
        return secrets_of(os.environ, flags.not_secret)


def _quoted(names: list[str]) -> str:
    shown = ", ".join(f'"{_shown(name, 60)}"' for name in names[:SHOWN_NAMES])
    more = len(names) - SHOWN_NAMES
    return f"{shown} and {more} more" if more > 0 else shown


def _shown(text: str, characters: int = 1000) -> str:
    """Untrusted text, such as the name of a folder or a server, on one line."""
    from gitlab_mcp.safety.sanitize import one_line

    return one_line(text, characters)
