"""The command line. Everything heavy is imported by the command that needs it, so that --help is instant."""

import os
import signal
import sys
from typing import Any

import click

from gitlab_mcp import __version__
from gitlab_mcp.cli.demo.command import demo
from gitlab_mcp.cli.doctor import doctor
from gitlab_mcp.cli.ending import end_unconfigured
from gitlab_mcp.cli.listen import listen
from gitlab_mcp.cli.options import configuration
from gitlab_mcp.cli.register import register, unregister
from gitlab_mcp.cli.run import run
from gitlab_mcp.cli.sandbox import sandbox
from gitlab_mcp.cli.serve import serve
from gitlab_mcp.cli.setup import setup
from gitlab_mcp.cli.tools import tools
from gitlab_mcp.config.environment import is_any_ci
from gitlab_mcp.config.settings import Flags, SettingsError

MISTAKES = "gitlab_mcp.mistakes"  # in click's context


class Group(click.Group):
    """The group of all commands; it ends with one line and exit code 2 when the configuration cannot be used.

    It ends with 130 after Ctrl-C, and writes no colors where NO_COLOR is set: https://no-color.org

    In a CI job, arguments of a line without a command that are not understood are left out, and go to the bare start.
    """

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if args and is_any_ci(os.environ):
            from gitlab_mcp.ci.job_line import understood_arguments

            understood, ctx.meta[MISTAKES] = understood_arguments(self, args)
            args = understood if ctx.meta[MISTAKES] else args
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        if os.environ.get("NO_COLOR"):
            ctx.color = False
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            sys.exit(128 + signal.SIGINT)
        except SettingsError as error:
            end_unconfigured(error)


@click.group(cls=Group, invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="gitlab-mcp-server")
@click.option(
    "--trust-project-mcp",
    is_flag=True,
    help="Without a command in CI: leave the servers of the checkout's .mcp.json enabled.",
)
@configuration
@click.pass_context
def main(ctx: click.Context, /, trust_project_mcp: bool, **flags: Any) -> None:
    """An MCP server that takes an agent from a GitLab issue to a merged change.

    Without a command, it serves the MCP client that starts it; on a terminal it shows its configuration and how to
    register it; in a CI job it registers itself with Claude Code and reports to the log.
    """
    ctx.obj = Flags(**flags)
    if ctx.invoked_subcommand is not None:
        if trust_project_mcp:
            raise click.UsageError("--trust-project-mcp before a command has no effect: write it after register.")
        return
    from gitlab_mcp.ci.bare_start import bare_start

    bare_start(ctx.obj, os.environ, trust_project=trust_project_mcp, mistakes=ctx.meta.get(MISTAKES, ()))


for command in (serve, setup, run, register, unregister, doctor, tools, listen, demo, sandbox):
    main.add_command(command)
