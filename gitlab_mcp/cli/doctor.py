"""The command that checks the configuration and environment of a run, and prints a line for each result."""

import io
import json
import os
import sys
from collections import Counter
from typing import TYPE_CHECKING, Any

import click

from gitlab_mcp.cli.ending import clean_up_on_signals
from gitlab_mcp.cli.options import configuration, merged_flags
from gitlab_mcp.config.environment import split_list, working_directory
from gitlab_mcp.config.settings import Flags

if TYPE_CHECKING:
    from gitlab_mcp.doctor.result import CheckResult

COLOURS = {"pass": "green", "warn": "yellow", "fail": "red"}


@click.command(short_help="Check a run and say what to fix.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON for scripts.")
@click.option("--check", default="", metavar="IDS", help="Only these checks, comma-separated; --json shows their ids.")
@configuration
@click.pass_context
def doctor(ctx: click.Context, /, as_json: bool, check: str, **flags: Any) -> None:
    """Check GitLab, the credential, the job, Claude Code and the model's credentials, and say what to fix. With
    --project outside CI, check that project's set-up for its jobs instead, and say what only a job can tell.
    Nothing is changed anywhere, and no secret is printed. Ends with code 1 when a check failed.
    """
    from gitlab_mcp.doctor.runner import checks_of, examine

    clean_up_on_signals()
    environ = dict(os.environ)
    group_flags = ctx.obj if isinstance(ctx.obj, Flags) else None
    merged = merged_flags(group_flags, flags)
    results = examine(merged, environ, working_directory(), split_list(check))
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # user content may not fit the terminal's encoding
    failures = sum(result.status == "fail" for _, result in results)
    if as_json:
        checks = [
            {"id": name, "status": result.status, "what": result.what, "remedy": result.remedy}
            for name, result in results
        ]
        click.echo(json.dumps({"checks": checks, "failed": failures}, indent=2))
    else:
        _print([result for _, result in results], len(checks_of(merged, environ)))
    ctx.exit(1 if failures else 0)


def _print(results: "list[CheckResult]", checks: int) -> None:
    shared = Counter(result.why for result in results if result.why)
    for result in results:
        if result.why and shared[result.why] > 1:  # one line for all checks that are skipped for the same reason
            about = [other.about for other in results if other.why == result.why]
            what = f"{len(about)} checks, because {result.why}: {', '.join(about)}"
            shared[result.why] = 0
        elif result.why and not shared[result.why]:
            continue
        else:
            what = result.what
        click.secho(result.status, fg=COLOURS.get(result.status), bold=result.status == "fail", nl=False)
        click.echo(f"  {what}")
        if result.remedy:
            click.echo(f"      {result.remedy}")
    counts = Counter(result.status for result in results)
    parts = [f"{counts['fail']} failed", f"{counts['warn']} with warnings", f"{counts['pass']} passed"]
    parts += [f"{counts['skipped']} skipped", f"{checks - len(results)} with nothing to check here"]
    click.echo(f"\n{', '.join(parts)}, of {checks} checks.")
