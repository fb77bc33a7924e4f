"""The command line. Everything heavy is imported by the command that needs it, so that --help is instant."""

import os
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

import click

from gitlab_mcp import __version__
from gitlab_mcp.cli_doctor import doctor
from gitlab_mcp.cli_options import CONFIGURATION as CONFIGURATION
from gitlab_mcp.cli_options import configuration, given
from gitlab_mcp.cli_register import register, unregister
from gitlab_mcp.cli_tools import tools
from gitlab_mcp.settings import Flags, Settings, SettingsError, read_settings


class Group(click.Group):
    """Ends with one clear line and exit code 2 when the configuration cannot be used."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except SettingsError as error:
            click.echo(f"gitlab-mcp-server: {error}", err=True)
            sys.exit(2)


@click.group(cls=Group, invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="gitlab-mcp-server")
@click.option("--trust-project-mcp", is_flag=True, help="Bare in CI: leave the servers of the checkout's .mcp.json on.")
@configuration
@click.pass_context
def main(ctx: click.Context, /, trust_project_mcp: bool, **flags: Any) -> None:
    """An MCP server that takes an agent from a GitLab issue to a merged change.

    Started bare by an MCP client it serves; bare on a terminal it says what it found and how to register it; bare in a
    CI job it registers itself with Claude Code and tells the log what it found.
    """
    ctx.obj = Flags(**flags)
    if ctx.invoked_subcommand is not None and trust_project_mcp:
        raise click.UsageError("--trust-project-mcp goes with a bare start: give it behind register itself.")
    if ctx.invoked_subcommand is None:
        start_bare(ctx.obj, trust_project=trust_project_mcp)


def start_bare(flags: Flags, *, trust_project: bool) -> None:
    """Serve, introduce or register, by where this is and what standard input holds."""
    from gitlab_mcp import bare_start

    wanted = bare_start.what_to_do(os.environ)
    if wanted == "serve":
        run(flags)
    elif wanted == "introduce":
        introduce(flags)
    else:
        try:
            register_bare(flags, trust_project=trust_project)
        except Exception as error:  # noqa: BLE001  # a job goes on whatever happens here
            click.echo(f"gitlab-mcp-server failed because of a fault of its own: {type(error).__name__}.", err=True)
        bare_start.end()


def register_bare(flags: Flags, *, trust_project: bool) -> None:
    """Register with Claude Code, and tell the job's log what there is; serve a client that begins late."""
    from gitlab_mcp import bare_start

    registered = bare_start.register(flags, os.environ, trust_project=trust_project)
    if bare_start.waits_for_a_client():
        run(flags)
    with suppress(OSError):  # nobody reads it any more
        for line in bare_start.shown([*bare_start.report(flags, os.environ), *registered], os.environ):
            click.echo(line)
        sys.stdout.flush()


@main.command()
@configuration
@click.pass_obj
def serve(before: Flags, /, **flags: Any) -> None:
    """Speak MCP on stdin and stdout until the client ends it."""
    run(given(before, flags))


def run(flags: Flags) -> NoReturn:
    """Serve on stdin and stdout; ends the process."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: os._exit(0))  # until the transport hears them, which is after heavy imports
    settings = _settings(flags)
    if sys.stdin is None or sys.stdout is None:
        raise SettingsError("An MCP client speaks on stdin and stdout, and one of them is closed.")
    if sys.stdin.isatty():
        click.echo("Waiting for an MCP client on stdin; Ctrl-C ends it.", err=True)
    from gitlab_mcp.logs import log_to_stderr
    from gitlab_mcp.server import build_server
    from gitlab_mcp.transport import serve_stdio

    log_to_stderr(settings.hidden)
    server = build_server(settings)
    serve_stdio(server.lowlevel, server.close)


main.add_command(register)
main.add_command(unregister)
main.add_command(doctor)
main.add_command(tools)


@main.command(short_help="Play the way from an issue to a merge request.")
@click.option("--repo", type=click.Path(path_type=Path), help="Play it on a copy of this git repository.")
@click.option("--job-token", is_flag=True, help="Play it as in a CI job that has nothing but its CI_JOB_TOKEN.")
@click.option("--push-not-allowed", is_flag=True, help="With --job-token: the project does not let its jobs push.")
def demo(repo: Path | None, job_token: bool, push_not_allowed: bool) -> None:
    """Play the way from an issue to a merge request on a GitLab that ships inside; needs no account, no network."""
    if push_not_allowed and not job_token:
        raise click.UsageError("--push-not-allowed says something about jobs: give --job-token too.")
    from gitlab_mcp.demo import play

    sys.exit(play(repo, job_token=job_token, push_allowed=not push_not_allowed))


@main.command(short_help="Run the GitLab that ships inside.")
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="The port on 127.0.0.1; 0 takes a free one.")
@click.option("--repo", type=click.Path(path_type=Path), help="Make its project a copy of this git repository.")
@click.option("--knobs", is_flag=True, help="Serve /_sandbox/, with which tests make it fail.")
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON for scripts.")
def sandbox(port: int, repo: Path | None, knobs: bool, as_json: bool) -> None:
    """Run the GitLab that ships inside, with seed data and real git repositories, until it is stopped."""
    from gitlab_mcp.sandbox import SandboxError
    from gitlab_mcp.sandbox.http.server import serve as serve_sandbox

    try:
        serve_sandbox(port, repo, knobs, as_json)
    except SandboxError as error:
        click.echo(f"gitlab-mcp-server: {error}", err=True)
        sys.exit(2)


def introduce(flags: Flags) -> None:
    """Say what this is, what was found, and how to register it."""
    click.echo(f"gitlab-mcp-server {__version__}: gives an AI agent hands on a GitLab project, over MCP.\n")
    try:
        settings = _settings(flags)
    except SettingsError as error:
        click.echo(f"{error}\n")
    else:
        credential = settings.credential
        click.echo(f"GitLab       {settings.url}")
        click.echo(f"credential   {credential.kind} from {credential.variable}")
        click.echo(f"project      {settings.project or 'none: tools need their argument project'}")
        directory = settings.working_directory
        click.echo(f"files from   {directory.path if directory else 'no working directory: give their content'}")
        click.echo(f"tools        {'only those that read' if settings.read_only else 'reading and writing'}")
        click.echo("GitLab was not asked yet: the first call of a tool shows whether the credential is good.\n")
    click.echo("Register it in Claude Code:  gitlab-mcp-server register")
    click.echo("                         or  claude mcp add gitlab -- gitlab-mcp-server serve")
    click.echo("For another client:          gitlab-mcp-server register --print")
    click.echo("See what is amiss:           gitlab-mcp-server doctor")
    click.echo("Try it without an account:   gitlab-mcp-server demo")
    click.echo("All commands:                gitlab-mcp-server --help")


def _settings(flags: Flags) -> Settings:
    try:
        directory = Path.cwd()
    except FileNotFoundError:  # the working directory was deleted
        directory = Path("/")
    return read_settings(flags, os.environ, directory)
