"""The command that says what is right and wrong with a run, line by line."""

import io
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gitlab_mcp.cli_options import configuration, given
from gitlab_mcp.config.settings import Flags

if TYPE_CHECKING:
    from gitlab_mcp.doctor.verdict import Verdict

COLOURS = {"pass": "green", "warn": "yellow", "fail": "red"}


@click.command(short_help="Check a run and say what to mend.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON for scripts.")
@configuration
@click.pass_context
def doctor(ctx: click.Context, /, as_json: bool, **flags: Any) -> None:
    """Check GitLab, the credential, the job, Claude Code and the model's credentials, and say what to mend.

    Nothing is changed anywhere, and no secret is printed. Ends with code 1 when a check failed.
    """
    from gitlab_mcp.doctor import examine

    environ = dict(os.environ)
    before = ctx.obj if isinstance(ctx.obj, Flags) else None
    found = examine(given(before, flags), environ, _working_directory())
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # what people wrote need not fit the terminal's encoding
    number = sum(verdict.status == "fail" for _, verdict in found)
    if as_json:
        checks = [
            {"id": name, "status": verdict.status, "what": verdict.what, "remedy": verdict.remedy}
            for name, verdict in found
        ]
        click.echo(json.dumps({"checks": checks, "failed": number}, indent=2))
    else:
        _print([verdict for _, verdict in found], number)
    ctx.exit(1 if number else 0)


def _print(verdicts: "list[Verdict]", number: int) -> None:
    for verdict in verdicts:
        click.secho(verdict.status, fg=COLOURS.get(verdict.status), bold=verdict.status == "fail", nl=False)
        click.echo(f"  {verdict.what}")
        if verdict.remedy:
            click.echo(f"      {verdict.remedy}")
    warnings = sum(verdict.status == "warn" for verdict in verdicts)
    click.echo(f"\n{number} failed, {warnings} to look at, of {len(verdicts)} checks.")


def _working_directory() -> Path:
    try:
        return Path.cwd()
    except FileNotFoundError:  # it was deleted
        return Path("/")
