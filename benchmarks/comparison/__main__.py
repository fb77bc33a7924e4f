"""The command scripts/comparison: do the same with this server and with others on the sandbox, and print a table."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from datetime import UTC, datetime

import click

from benchmarks.comparison import page
from benchmarks.comparison.probes import PROBES
from benchmarks.comparison.servers import Server, peers, this_server, versions
from benchmarks.process import ServerError

NO_ANSWER = "**no answer**"


def cells(server: Server) -> Mapping[str, str]:
    """What each probe says of a server."""
    found = {}
    for title, probe in PROBES.items():
        try:
            found[title] = probe(server)
        except (ServerError, AssertionError) as error:
            click.echo(f"{server.name}: {title}: {error}", err=True)
            found[title] = NO_ANSWER
        click.echo(f"{server.name}: {title}: {found[title]}", err=True)
    return found


@click.command()
@click.option("--own", is_flag=True, help="Try this server only.")
@click.option("--docs", is_flag=True, help="Write what was tried into docs/comparison.md.")
def main(own: bool, docs: bool) -> None:
    """Do the same tasks with this server and with others, from npm and PyPI, each on a sandbox of its own."""
    about = f"Tried on {datetime.now(UTC).date()}, the others as {', '.join(versions())}."
    columns: page.Columns = {}
    for server in [this_server(), *(() if own else peers())]:
        columns[server.name] = cells(server)
        if docs:  # after each server, so that a run that is ended early has written something
            page.write(about, columns)
    click.echo(page.table(columns))
    sys.exit(1 if any(NO_ANSWER in column.values() for column in columns.values()) else 0)


if __name__ == "__main__":
    main()
