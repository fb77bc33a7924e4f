"""The server started without a command: for a client it serves, in a job it registers itself, for a person it says so.

A job's line `/bin/gitlab-mcp-server || true` has no client: its standard input is at its end, and whatever it starts is
gone before the next line. What it can do for the lines after it is to register the server with Claude Code, which then
starts it itself, and to tell the log what there is.
"""

import os
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal

from gitlab_mcp import claude_code, stdin
from gitlab_mcp.render.sanitise import one_line
from gitlab_mcp.settings import Flags, SettingsError, read_settings, secrets_of
from gitlab_mcp.stdin import Input

# A client that is slow to begin is served, and no line of a job hangs for longer.
SILENCE_SECONDS = 30.0


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
        written = claude_code.register(registration, "user", environ, Path.cwd())
        entry = registration.entry()
        lines = [f"registered for Claude Code: gitlab in {written}: {shlex.join([entry['command'], *entry['args']])}"]
        names = [] if trust_project else claude_code.project_servers(checkout(environ))
        if names:
            claude_code.disable_project_servers(names, environ)
            shown = ", ".join(f'"{one_line(name, 60)}"' for name in names[:10])
            lines.append(f"switched off: the servers of the checkout's .mcp.json: {shown}")
    except (SettingsError, OSError) as error:
        return [f"not registered: {one_line(str(error), 600)}"]
    return [one_line(line, 1000) for line in lines]


def checkout(environ: Mapping[str, str]) -> Path:
    """The job's checkout."""
    return Path(environ.get("CI_PROJECT_DIR") or ".")


def report(flags: Flags, environ: Mapping[str, str]) -> Iterator[str]:
    """What there is, for the job's log."""
    try:
        settings = read_settings(flags, environ, Path.cwd())
    except SettingsError as error:
        yield f"cannot work like this: {error}"
        return
    from gitlab_mcp.preflight import preflight

    yield from preflight(settings, environ, claude_code.acting_files(checkout(environ)))


def end() -> None:
    """End at once, with 0 whatever there was to tell: questions that GitLab has not answered are not waited for."""
    os._exit(0)
