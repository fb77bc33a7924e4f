"""The commands that add this server to the configuration of Claude Code, or remove it."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gitlab_mcp.cli.client_entry import client_entry, left_out
from gitlab_mcp.cli.options import configuration, merged_flags
from gitlab_mcp.config.environment import is_ci, working_directory
from gitlab_mcp.config.settings import (
    Flags,
    MissingCredential,
    SettingsError,
    read_settings,
    secrets_of,
)
from gitlab_mcp.server.toolsets import check_names

if TYPE_CHECKING:
    from gitlab_mcp.claude_code import Registration

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


def force_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Decorate a command with the option that lets it replace or remove a server of somebody else's."""
    return click.option("--force", is_flag=True, help="Replace or remove another server named gitlab too.")(command)


@click.command(short_help="Register this server in Claude Code.")
@scope_option
@force_option
@click.option(
    "--print",
    "client",
    is_flag=False,
    flag_value="other",
    type=click.Choice(["cursor", "vscode", "other"]),
    help="Print the entry for another client, in the form of Cursor, VS Code or others; write nothing.",
)
@click.option("--trust-project-mcp", is_flag=True, help="In CI: let the servers of the checkout's .mcp.json start.")
@configuration
@click.pass_obj
def register(
    group_flags: Flags | None, /, scope: Any, force: bool, client: str | None, trust_project_mcp: bool, **flags: Any
) -> None:
    """Register this server in Claude Code under the name gitlab, with the given flags.

    No credential is written: the server reads it from its environment. In a CI job, the servers of the checkout's
    .mcp.json are disabled in the user's settings, since Claude Code would start them without asking.
    """
    with _errors_on_one_line():
        from gitlab_mcp import claude_code

        directory, in_ci = working_directory(), is_ci(os.environ)
        merged = merged_flags(group_flags, flags)
        claude_code.flag_arguments(merged, secrets_of(os.environ))  # first, since other errors show the value
        registration = claude_code.own_registration(merged, _secret_values(merged, directory, client))
        if not in_ci and claude_code.is_in_cache(Path(sys.prefix)):
            registration = _lasting(registration)
        if client:
            text, note = client_entry(client, registration.entry(), merged, os.environ)
            click.echo(text)
            if sys.stdout.isatty():  # a program that reads the output gets the JSON alone
                click.echo(note, err=True)
            return
        other = claude_code.other_server(scope, os.environ, directory)
        path = claude_code.register(registration, scope, os.environ, directory, replace=force)
        click.echo(f"Registered gitlab in {_shown(str(path))} ({scope} scope): `claude mcp list` shows it.")
        if other:
            click.echo(f"It replaced another server of that name: {_redacted(other)}", err=True)
        if in_ci and scope != "project":
            found = [] if trust_project_mcp else claude_code.project_servers(directory)
            names = claude_code.disable_project_servers(found, os.environ, directory)
            if names:
                click.echo(
                    f"Disabled the servers of the checkout's .mcp.json: {_quoted(names)};"
                    " --trust-project-mcp leaves it enabled."
                )
        if not in_ci and (note := left_out(merged, os.environ)):
            click.echo(note)


@click.command(short_help="Remove this server from Claude Code.")
@scope_option
@force_option
def unregister(scope: Any, force: bool) -> None:
    """Remove the entry of this server from the configuration of Claude Code."""
    with _errors_on_one_line():
        from gitlab_mcp import claude_code

        other = claude_code.other_server(scope, os.environ, working_directory())
        removed = claude_code.unregister(scope, os.environ, working_directory(), replace=force)
        if scope == "user":
            claude_code.enable_project_servers(os.environ)
        click.echo(
            f"Removed gitlab ({scope} scope)."
            if removed
            else f"Nothing to remove: gitlab is not registered in {scope} scope."
        )
        if other:
            click.echo(f"It was another server of that name: {_redacted(other)}", err=True)


@contextmanager
def _errors_on_one_line() -> Iterator[None]:
    try:
        yield
    except SettingsError as error:
        click.echo(f"gitlab-mcp-server: {_redacted(str(error), 1000)}", err=True)
        sys.exit(2)


def _secret_values(flags: Flags, directory: Path, client: str | None) -> tuple[str, ...]:
    """The values that must not be written. Raises SettingsError when the flags or variables cannot be used."""
    try:
        settings = read_settings(flags, os.environ, directory)
    except MissingCredential:
        # Locally, the credential may be set only in the environment that the client is started in.
        where = "in the client's configuration" if client else "where you start Claude Code"
        click.echo(f"No GitLab credential is set here: set one {where}.", err=True)
        settings = read_settings(flags, {**os.environ, "GITLAB_ACCESS_TOKEN": "any"}, directory)
    check_names(settings)
    return settings.secret_values


def _lasting(registration: "Registration") -> "Registration":
    from gitlab_mcp import claude_code

    if lasting := claude_code.lasting_registration(registration, os.environ):
        return lasting
    click.echo(
        f"{_shown(registration.command)} is in a cache that is emptied later: install this server (uv tool install,"
        " pipx install, or pip in a virtual environment) and register that one.",
        err=True,
    )
    return registration


def _redacted(text: str, characters: int = 300) -> str:
    from gitlab_mcp.safety.redact import redact

    return _shown(redact(text, secrets_of(os.environ)), characters)


def _quoted(names: list[str]) -> str:
    shown = ", ".join(f'"{_shown(name, 60)}"' for name in names[:SHOWN_NAMES])
    more = len(names) - SHOWN_NAMES
    return f"{shown} and {more} more" if more > 0 else shown


def _shown(text: str, characters: int = 1000) -> str:
    """Untrusted text, such as the name of a folder or a server, on one line."""
    from gitlab_mcp.safety.sanitize import one_line

    return one_line(text, characters)
