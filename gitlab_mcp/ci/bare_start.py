"""The start without a command: serve a client, introduce the server to a person, or register it in a CI job.

A job's line `/bin/gitlab-mcp-server || true` has no client: its standard input is at its end, and a process that it
starts is gone before the next line. For the lines after it, the bare start registers the server with Claude Code, which
then starts the server itself, and reports to the job's log.
"""

import os
import shlex
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

import click

from gitlab_mcp import __version__, claude_code
from gitlab_mcp.ci import stdin_probe
from gitlab_mcp.ci.job_line import reduced_flags
from gitlab_mcp.ci.stdin_probe import Input
from gitlab_mcp.config.checkout import other_origin
from gitlab_mcp.config.environment import is_any_ci, working_directory
from gitlab_mcp.config.job_context import JobContext, read_job
from gitlab_mcp.config.settings import Flags, SettingsError, read_settings, secrets_of
from gitlab_mcp.render.user_text import mention
from gitlab_mcp.safety.redact import redact
from gitlab_mcp.safety.sanitize import one_line, quoted_line
from gitlab_mcp.server import startup
from gitlab_mcp.server.toolsets import check_names

# The wait for the first message of a slow client, and so the longest time that a line of a job can hang.
CLIENT_WAIT_SECONDS = 30.0
LOG_LINE_CHARACTERS = 1_000
NO_CHECKOUT = "none: files are committed by their content"
REDUCED = "left out, so the server only reads, and no flag grants permissions: correct the line"


def bare_start(flags: Flags, environ: Mapping[str, str], *, trust_project: bool, mistakes: Sequence[str] = ()) -> None:
    """Serve, introduce or register the server, by the environment and the content of standard input.

    `mistakes` are texts about arguments of a job's line that were not understood: with one of them, or a value that
    cannot be used, the run of a CI job gets fewer permissions.

    Returns after the introduction; otherwise it ends the process. In a CI job the exit code is 0 whatever happens, so
    that the job goes on. Raises SettingsError when there is a client and the configuration cannot be used.
    """
    stdin = stdin_probe.look()
    if not is_any_ci(environ):
        if stdin in (Input.TERMINAL, Input.ENDED):
            return introduce(flags, environ)
        startup.serve(flags)
    flags, texts = reduced_flags(flags, environ, mistakes)
    warnings = [f"warning: {text}: {REDUCED}" for text in texts]
    trust_project = trust_project and not texts
    if stdin is Input.CLIENT:
        _serve(flags, environ, warnings)
    try:
        registered = register(flags, environ, trust_project=trust_project)
        if stdin_probe.look() is Input.SILENT and stdin_probe.wait(CLIENT_WAIT_SECONDS) is Input.CLIENT:
            _serve(flags, environ, warnings)
        with suppress(OSError):  # the reader of the log has gone
            for line in log_lines([*report(flags, environ), *registered, *warnings], environ):
                click.echo(line)
            sys.stdout.flush()
    except Exception as error:  # noqa: BLE001  # a job goes on whatever happens here
        click.echo(f"gitlab-mcp-server failed because of an internal error: {type(error).__name__}.", err=True)
    os._exit(0)  # requests that GitLab has not answered are not waited for


def _serve(flags: Flags, environ: Mapping[str, str], warnings: Iterable[str]) -> NoReturn:
    for line in log_lines(warnings, environ):
        click.echo(line, err=True)
    startup.serve(flags)


def introduce(flags: Flags, environ: Mapping[str, str]) -> None:
    """Print what the server does, its configuration, and how to register it, for a person at a terminal."""
    click.echo(f"gitlab-mcp-server {__version__}: lets an AI agent work on a GitLab project, over MCP.\n")
    try:
        settings = read_settings(flags, environ, working_directory())
    except SettingsError as error:
        click.echo(f"{error}\n")
    else:
        credential = settings.credential
        click.echo(f"GitLab       {settings.url}")
        click.echo(f"credential   {credential.kind} from {credential.variable}")
        click.echo(f"project      {settings.project or 'none: tools need their argument project'}")
        directory = settings.working_directory
        other = other_origin(settings.other_checkout, settings.url)
        click.echo(f"checkout     {directory.path if directory else other or NO_CHECKOUT}")
        click.echo(f"tools        {'read-only' if settings.read_only else 'reading and writing'}")
        click.echo("GitLab was not contacted yet: the first tool call shows whether the credential is valid.\n")
    click.echo("Register it in Claude Code:  gitlab-mcp-server register")
    click.echo("                         or  claude mcp add gitlab -- gitlab-mcp-server serve")
    click.echo("For another client:          gitlab-mcp-server register --print")
    click.echo("See what is wrong:           gitlab-mcp-server doctor")
    click.echo("Try it without an account:   gitlab-mcp-server demo")
    click.echo("All commands:                gitlab-mcp-server --help")


def register(flags: Flags, environ: Mapping[str, str], *, trust_project: bool) -> list[str]:
    """Register the server with Claude Code, with the given flags; returns the lines for the job's log.

    Unless `trust_project`, also disables the servers of the checkout's .mcp.json.
    """
    try:
        registration = claude_code.own_registration(flags, secrets_of(environ, flags.not_secret))
        other = claude_code.other_server("user", environ, working_directory())
        path = claude_code.register(registration, "user", environ, working_directory(), replace=True)
        entry = registration.entry()
        lines = [f"registered for Claude Code: gitlab in {path}: {shlex.join([entry['command'], *entry['args']])}"]
        lines += [f"warning: it replaced another server of that name: {quoted_line(other, 300)}"] if other else []
    except (SettingsError, OSError) as error:
        lines = [f"not registered: {error}"]
    names: list[str] = []
    if not trust_project:
        names = sorted({name for folder in folders(environ) for name in claude_code.project_servers(folder)})
    shown = ", ".join(quoted_line(name, 60) for name in names[:10])
    try:
        claude_code.disable_project_servers(names, environ, folders(environ)[-1])
        lines += [f"disabled: the servers of the checkout's .mcp.json: {shown}"] if names else []
    except (SettingsError, OSError) as error:
        effect = f"Claude Code will start the servers of the checkout's .mcp.json, {shown}: " if names else ""
        lines.append(f"warning: {effect}{error}")
    return lines


def report(flags: Flags, environ: Mapping[str, str]) -> Iterator[str]:
    """Yield the report for the job's log: GitLab, the credential, what the job is about, and warnings last."""
    files = {name: folder / name for folder in folders(environ) for name in claude_code.obeyed_files(folder)}
    try:
        settings = read_settings(flags, environ, working_directory())
        check_names(settings)
        from gitlab_mcp.ci.preflight import preflight

        lines = list(preflight(settings, environ, files))
    except SettingsError as error:
        lines = [f"configuration error: {error}"]
        lines += [f"warning: this checkout has files that Claude Code obeys: {', '.join(files)}."] if files else []
    warnings = [line for line in lines if line.startswith("warning: ")]
    yield from (line for line in lines if line not in warnings)
    yield f"about: {_about(read_job(environ))}"
    if environ.get("AI_FLOW_INPUT", "").startswith("-"):
        yield "warning: AI_FLOW_INPUT begins with -, which claude takes for an option: pass it on standard input."
    yield from warnings


def log_lines(lines: Iterable[str], environ: Mapping[str, str]) -> Iterator[str]:
    """The lines made safe for a job's log: each on one line, with secrets redacted."""
    # Weak values stay hidden here: whether one is public (safety/public_values.py) only the target branch's files tell,
    # and the log is written before GitLab has been asked for them, or where it does not answer.
    secrets = secrets_of(environ)
    return (one_line(redact(line, secrets), LOG_LINE_CHARACTERS) for line in lines)


def folders(environ: Mapping[str, str]) -> list[Path]:
    """The folders in which claude may be started: the working directory and the job's checkout."""
    checkout = environ.get("CI_PROJECT_DIR", "").strip()
    return list(dict.fromkeys([working_directory(), *([Path(checkout)] if checkout else [])]))


def _about(job: JobContext) -> str:
    author = f", asked by {mention(job.asked_by)}" if job.asked_by else ""
    if job.noun:
        origin = " of a fork, to whose branch this job cannot commit" if job.foreign else ""
        return f"{job.noun} {job.sign}{origin}{f' ({job.event})' if job.event else ''}{author}"
    return f"the text of AI_FLOW_INPUT{author}" if job.input else f"no variable names an issue or merge request{author}"
