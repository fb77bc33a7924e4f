"""The command that runs the sandbox, the GitLab server included in this package."""

import sys
from pathlib import Path

import click


@click.command(short_help="Run the included GitLab sandbox.")
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="The port on 127.0.0.1; 0 for any free one.")
@click.option("--repo", type=click.Path(path_type=Path), help="Use a copy of this git repository as its project.")
@click.option("--fault-injection", is_flag=True, help="Serve /_sandbox/, with which tests inject faults.")
@click.option("--knobs", is_flag=True, hidden=True)
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON for scripts.")
def sandbox(port: int, repo: Path | None, fault_injection: bool, knobs: bool, as_json: bool) -> None:
    """Run the included GitLab sandbox, with seed data and real git repositories, until it is stopped."""
    from gitlab_mcp.sandbox import SandboxError
    from gitlab_mcp.sandbox.http.server import serve as serve_sandbox

    if knobs:
        click.echo("gitlab-mcp-server: --knobs is now --fault-injection; 1.0 removes the old name.", err=True)
    try:
        serve_sandbox(port, repo, fault_injection or knobs, as_json)
    except SandboxError as error:
        click.echo(f"gitlab-mcp-server: {error}", err=True)
        sys.exit(2)
