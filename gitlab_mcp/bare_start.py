"""The server started without a command: for a client it serves, in a job it registers itself, for a person it says so.

A job's line `/bin/gitlab-mcp-server || true` has no client: its standard input is at its end, and whatever it starts is
gone before the next line. What it can do for the lines after it is to register the server with Claude Code, which then
starts it itself, and to tell the log what there is.
"""

import os
import shlex
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Literal

from gitlab_mcp import claude_code, stdin
from gitlab_mcp.config.job_context import JobContext, read_job
from gitlab_mcp.config.settings import Flags, SettingsError, read_settings, secrets_of
from gitlab_mcp.render.user_text import mention
from gitlab_mcp.safety.redact import redact
from gitlab_mcp.safety.sanitize import one_line
from gitlab_mcp.stdin import Input

# A client that is slow to begin is served, and no line of a job hangs for longer.
SILENCE_SECONDS = 30.0
LINE_CHARACTERS = 1_000


def is_in_ci(environ: Mapping[str, str]) -> bool:
    """Whether this is a job of any CI: there a bare start has to end by itself."""
    return any(environ.get(name, "").lower() not in ("", "false", "0") for name in ("GITLAB_CI", "CI"))


def what_to_do(environ: Mapping[str, str]) -> Literal["serve", "introduce", "register"]:
    """What a bare start is for, by where it is and what standard input holds."""
    found = stdin.look()
    if is_in_ci(environ):
        return "serve" if found is Input.CLIENT else "register"
    return "introduce" if found in (Input.TERMINAL, Input.ENDED) else "serve"


def waits_for_a_client() -> bool:
    """Whether a client begins to speak on a standard input that is silent so far."""
    return stdin.look() is Input.SILENT and stdin.wait(SILENCE_SECONDS) is Input.CLIENT


def register(flags: Flags, environ: Mapping[str, str], *, trust_project: bool) -> list[str]:
    """Register for Claude Code, with the server's own flags; what to tell the job's log of it."""
    try:
        registration = claude_code.own_registration(flags, secrets_of(environ))
        written = claude_code.register(registration, "user", environ, here())
        entry = registration.entry()
        lines = [f"registered for Claude Code: gitlab in {written}: {shlex.join([entry['command'], *entry['args']])}"]
    except (SettingsError, OSError) as error:
        lines = [f"not registered: {error}"]
    names = (
        [] if trust_project else sorted({name for at in folders(environ) for name in claude_code.project_servers(at)})
    )
    if names:
        shown = ", ".join('"{}"'.format(one_line(name, 60).replace('"', "'")) for name in names[:10])
        try:
            claude_code.disable_project_servers(names, environ)
            lines.append(f"switched off: the servers of the checkout's .mcp.json: {shown}")
        except (SettingsError, OSError) as error:
            lines.append(f"warning: Claude Code will start the servers of the checkout's .mcp.json, {shown}: {error}")
    return lines


def report(flags: Flags, environ: Mapping[str, str]) -> Iterator[str]:
    """What there is, for the job's log."""
    files = {name: at / name for at in folders(environ) for name in claude_code.acting_files(at)}
    try:
        settings = read_settings(flags, environ, here())
        if settings.tools or settings.toolsets:
            from gitlab_mcp.server.toolsets import selected

            selected(settings)
        from gitlab_mcp.preflight import preflight

        lines = list(preflight(settings, environ, files))
    except SettingsError as error:
        lines = [f"cannot work like this: {error}"]
        lines += [f"warning: this checkout has files that Claude Code obeys: {', '.join(files)}."] if files else []
    warnings = [line for line in lines if line.startswith("warning: ")]
    yield from (line for line in lines if line not in warnings)
    yield f"about: {_about(read_job(environ))}"
    if environ.get("AI_FLOW_INPUT", "").startswith("-"):
        yield "warning: AI_FLOW_INPUT begins with -, which claude takes for an option: give it on standard input."
    yield from warnings


def shown(lines: Iterable[str], environ: Mapping[str, str]) -> Iterator[str]:
    """The lines as a job's log gets them: each on one line, without secrets."""
    secrets = secrets_of(environ)
    return (one_line(redact(line, secrets), LINE_CHARACTERS) for line in lines)


def folders(environ: Mapping[str, str]) -> list[Path]:
    """Where claude may be started: here, and in the job's checkout."""
    checkout = environ.get("CI_PROJECT_DIR", "").strip()
    return list(dict.fromkeys([here(), *([Path(checkout)] if checkout else [])]))


def here() -> Path:
    """The working directory; the root where it was deleted."""
    try:
        return Path.cwd()
    except FileNotFoundError:
        return Path("/")


def _about(job: JobContext) -> str:
    asked = f", asked by {mention(job.asked_by)}" if job.asked_by else ""
    if job.noun:
        return f"{job.noun} {job.sign}{f' ({job.event})' if job.event else ''}{asked}"
    return f"what AI_FLOW_INPUT says{asked}" if job.input else f"nothing that a variable names{asked}"


def end() -> None:
    """End at once, with 0 whatever there was to tell: questions that GitLab has not answered are not waited for."""
    os._exit(0)
