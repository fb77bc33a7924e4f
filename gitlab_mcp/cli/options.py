"""The options that say which GitLab, project and tools: the same for every command that serves or registers."""

from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any

import click

from gitlab_mcp.config.settings import Flags

CONFIGURATION = (
    click.option("--url", default="", metavar="URL", help="The GitLab to talk to, such as https://gitlab.example.com."),
    click.option("--project", default="", metavar="PATH", help="The project of this run, such as group/app."),
    click.option("--read-only", is_flag=True, help="List no tool that writes."),
    click.option("--toolsets", default="", metavar="NAMES", help="Only the tools of these toolsets, comma-separated."),
    click.option("--tools", default="", metavar="NAMES", help="Only these tools, comma-separated."),
    click.option("--allow-project", default="", metavar="PATHS", help="Further projects that may be asked about."),
    click.option("--allow-default-branch", is_flag=True, help="In CI: allow writes to the default branch."),
    click.option("--allow-files", default="", metavar="GLOBS", help="In CI: allow writes to these guarded files."),
    click.option(
        "--trusted-only", is_flag=True, help="Withhold text whose author is not known to be Developer or more."
    ),
    click.option("--trigger", default="", metavar="HANDLE", help="The handle that starts a run (claude unless given)."),
    click.option("--author", default="", metavar="NAME <EMAIL>", help="In whose name commits are made."),
    click.option(
        "--deadline", type=float, default=0.0, metavar="SECONDS", help="What one call may take (60 unless given)."
    ),
)


def configuration(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that say which GitLab, project and tools."""
    for option in reversed(CONFIGURATION):
        command = option(command)
    return command


def given(before: Flags | None, flags: dict[str, Any]) -> Flags:
    """The flags of a command, with those that stand before its name."""
    return replace(before or Flags(), **{field.name: flags[field.name] for field in fields(Flags) if flags[field.name]})
