"""The command that runs Claude Code once, watches it and reports."""

import os
from pathlib import Path
from typing import Any

import click

from gitlab_mcp.cli.options import configuration, merged_flags
from gitlab_mcp.config.environment import split_list
from gitlab_mcp.config.settings import Flags
from gitlab_mcp.safety.mention import DEFAULT_MODELS


def _id(text: str) -> int:
    """An id from its digits; 0 for "", which the template passes on where it was given none."""
    return int(text or 0)


@click.command(short_help="Run Claude Code once, watched.")
@click.option(
    "--prompt", default="", metavar="TEXT", help="What to do, where neither AI_FLOW_INPUT nor a note says it."
)
@click.option("--prompt-file", default="", metavar="PATH", help="A file of the target branch with the prompt.")
@click.option("--note", default="", metavar="REFERENCE", help="The comment that asks, by its URL, or as #7 101.")
@click.option("--iid", default="", metavar="IID", help="Locally: work on issue 7, or on merge request !7.")
@click.option(
    "--noteable", default="", metavar="KIND/ID", help="What was asked on: issues/7, merge_requests/12, commits/ID."
)
@click.option("--digest", default="", metavar="HEX", help="The digest of the texts that asked: others are not run.")
@click.option("--tracking-note", type=_id, default="", metavar="ID", help="The note that a listener made for this run.")
@click.option("--flow-input-file", type=Path, metavar="PATH", help="A long AI_FLOW_INPUT; the file is deleted.")
@click.option("--model", default="", metavar="NAME", help="The model, by alias or full name.")
@click.option(
    "--comment-models",
    default=" ".join(DEFAULT_MODELS),
    metavar="NAMES",
    help=f"The models that a comment may choose with model=NAME (default: {' '.join(DEFAULT_MODELS)}).",
)
@click.option("--max-turns", type=click.IntRange(1), metavar="N", help="The most turns of the model.")
@click.option("--max-budget", type=click.FloatRange(0), metavar="USD", help="The most that it may cost; 0: any.")
@click.option(
    "--timeout",
    type=click.FloatRange(0, min_open=True),
    metavar="MINUTES",
    help="The time limit (default: two minutes less than the job's).",
)
@click.option("--allowed-tools", default="", metavar="TOOLS", help="The tools that need no permission.")
@click.option("--allow-missing-rules", is_flag=True, help="Go on where CLAUDE.md of the target branch cannot be read.")
@click.option("--base-url", default="", metavar="URL", help="The address of the model's API.")
@click.option("--proxy", default="", metavar="URL", help="The proxy on the way to the model's API.")
@click.option("--pass-env", multiple=True, metavar="NAMES", help="Further variables that Claude Code gets.")
@click.option("--claude", default="", metavar="PATH", help="The program of Claude Code (default: claude on PATH).")
@click.option("--finish", is_flag=True, help="In after_script: close what a killed run has left open.")
@configuration
@click.argument("claude_arguments", nargs=-1, type=click.UNPROCESSED, metavar="[-- CLAUDE_ARGS...]")
@click.pass_context
def run(ctx: click.Context, /, finish: bool, **given: Any) -> None:
    """Run Claude Code once on what AI_FLOW_INPUT, a comment or the prompt asks for.

    What it does is shown while it works, in the log and in one comment in the thread that asked.

    Ends with 0 when it is done, 1 when it failed, 2 when the configuration is wrong, 3 when the turns, the budget or
    the time were used up, 143 when it was canceled.
    """
    group_flags = ctx.obj if isinstance(ctx.obj, Flags) else None
    flags = merged_flags(group_flags, given)
    if finish:
        from gitlab_mcp.ci.run.finish import finish as finish_run

        if line := finish_run(flags, os.environ):
            click.echo(line)
        return
    from gitlab_mcp.ci.run.command import run as run_once
    from gitlab_mcp.ci.run.options import RunOptions

    given["pass_env"] = split_list(" ".join(given["pass_env"]))
    given["comment_models"] = split_list(given["comment_models"])
    options = {name: value for name, value in given.items() if name in RunOptions.__dataclass_fields__}
    ctx.exit(run_once(RunOptions(**options), flags, os.environ))
