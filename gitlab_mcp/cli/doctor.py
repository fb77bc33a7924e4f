"""The command that says what is right and wrong with a run, line by line."""

import io
import json
import os
import sys
from typing import TYPE_CHECKING, Any

import click

from gitlab_mcp.cli.options import configuration, given
from gitlab_mcp.config.environment import working_directory
from gitlab_mcp.config.settings import Flags

if TYPE_CHECKING:
    from gitlab_mcp.doctor.result import CheckResult

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
    found = examine(given(before, flags), environ, working_directory())
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # what people wrote need not fit the terminal's encoding
    number = sum(result.status == "fail" for _, result in found)
    if as_json:
        checks = [
            {"id": name, "status": result.status, "what": result.what, "remedy": result.remedy}
            for name, result in found
        ]
        click.echo(json.dumps({"checks": checks, "failed": number}, indent=2))
    else:
        _print([result for _, result in found], number)
    ctx.exit(1 if number else 0)


def _print(results: "list[CheckResult]", number: int) -> None:
    for result in results:
        click.secho(result.status, fg=COLOURS.get(result.status), bold=result.status == "fail", nl=False)
        click.echo(f"  {result.what}")
        if result.remedy:
            click.echo(f"      {result.remedy}")
    warnings = sum(result.status == "warn" for result in results)
    click.echo(f"\n{number} failed, {warnings} to look at, of {len(results)} checks.")
