"""The options of the configuration, which every command that serves or registers has."""

from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any

import click

from gitlab_mcp.config.settings import Flags

CONFIGURATION = (
    click.option("--url", default="", metavar="URL", help="The URL of GitLab, such as https://gitlab.example.com."),
    click.option("--project", default="", metavar="PATH", help="The project of this run, such as group/app."),
    click.option("--read-only", is_flag=True, help="List no tool that writes."),
    click.option("--toolsets", default="", metavar="NAMES", help="Only the tools of these toolsets, comma-separated."),
    click.option("--tools", default="", metavar="NAMES", help="Only these tools, comma-separated."),
    click.option("--allow-project", default="", metavar="PATHS", help="Further projects that tools may access."),
    click.option("--allow-default-branch", is_flag=True, help="In CI: allow writes to the default branch."),
    click.option("--allow-files", default="", metavar="GLOBS", help="In CI: allow writes to these guarded files."),
    click.option(
        "--trusted-only", is_flag=True, help="Withhold text whose author is not known to be Developer or more."
    ),
    click.option("--trigger", default="", metavar="HANDLE", help="The handle that starts a run (default: claude)."),
    click.option("--author", default="", metavar="NAME <EMAIL>", help="The author of commits."),
    click.option(
        "--not-secret", default="", metavar="NAMES", help="Variables named like secrets whose values are none."
    ),
    click.option(
        "--deadline", type=float, default=None, metavar="SECONDS", help="The limit of one tool call (default: 60)."
    ),
    click.option(
        "--connections", type=int, default=None, metavar="NUMBER", help="Requests to GitLab at a time (default: 32)."
    ),
    click.option("--no-instant-start", is_flag=True, help="Answer nothing before the MCP SDK is loaded as a whole."),
)


def configuration(command: Callable[..., Any]) -> Callable[..., Any]:
    """Decorate a command with the options of the configuration."""
    for option in reversed(CONFIGURATION):
        command = option(command)
    return command


def merged_flags(group_flags: Flags | None, flags: dict[str, Any]) -> Flags:
    """The flags of a command; those before its name, `group_flags`, hold where a flag is not repeated after it."""
    own = Flags(**{field.name: flags[field.name] for field in fields(Flags)})
    return replace(group_flags or Flags(), **own.given())
