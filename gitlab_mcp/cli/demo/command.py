"""The command that runs the demonstration."""

import sys
from pathlib import Path

import click

from gitlab_mcp.cli.ending import clean_up_on_signals


@click.command(short_help="Play the full workflow from an issue to a merge request.")
@click.option("--repo", type=click.Path(path_type=Path), help="Play it on a copy of this git repository.")
@click.option("--job-token", is_flag=True, help="Play it as in a CI job that has only its CI_JOB_TOKEN.")
@click.option("--push-not-allowed", is_flag=True, help="With --job-token: the project does not let its jobs push.")
def demo(repo: Path | None, job_token: bool, push_not_allowed: bool) -> None:
    """Play the full workflow from an issue to a merge request on the included GitLab sandbox.

    It needs no account and no network.
    """
    if push_not_allowed and not job_token:
        raise click.UsageError("--push-not-allowed applies to jobs only: give --job-token too.")
    from gitlab_mcp.cli.demo.play import play

    clean_up_on_signals()
    sys.exit(play(repo, job_token=job_token, push_allowed=not push_not_allowed))
