"""The command scripts/foreign-clients: install other people's clients, run them against a sandbox, print a table."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import click

from tests.foreign_clients import python_gitlab
from tests.foreign_clients.clients import CLIENTS, problems
from tests.foreign_clients.packages import cache_folder, installed

_PYTHON_GITLAB_LEAST = 40


def _journey(name: str, folder: Path) -> list[str]:
    try:
        return problems(name, installed(name, folder))
    except (OSError, subprocess.SubprocessError) as error:
        return [f"could not be installed or started: {error}"]
    except Exception as error:  # noqa: BLE001 - a client that breaks is a row of the table
        return [f"broke off: {error!r}"]


@click.command()
@click.option(
    "--python-gitlab",
    "python_gitlab_checkout",
    type=click.Path(path_type=Path, exists=True),
    help="A checkout of python-gitlab.",
)
@click.option("--cache", type=click.Path(path_type=Path), default=cache_folder, help="Where clients are installed.")
@click.argument("names", metavar="[CLIENT]...", nargs=-1, type=click.Choice(list(CLIENTS)))
def main(python_gitlab_checkout: Path | None, cache: Path, names: tuple[str, ...]) -> None:
    """Run other people's GitLab clients against the sandbox: all, or the named ones."""
    rows: list[tuple[str, str, str]] = []
    for name in names or CLIENTS:
        start = time.monotonic()
        click.echo(f"{name}: running", err=True)
        wrong = _journey(name, cache)
        for line in wrong:
            click.echo(f"  {line}", err=True)
        result = f"{len(wrong)} problems" if wrong else "passed"
        rows.append((name, result, f"{time.monotonic() - start:.0f} s"))
    if python_gitlab_checkout:
        rows.append(_functional_tests(python_gitlab_checkout))
    click.echo("\n".join(f"{name:<16}{result:<28}{seconds}" for name, result, seconds in rows))
    sys.exit(0 if all(result.startswith("passed") for _, result, _ in rows) else 1)


def _functional_tests(checkout: Path) -> tuple[str, str, str]:
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        results = python_gitlab.run(checkout, Path(folder))
    passed = sum(result == "passed" for result in results.values())
    verdict = "passed" if passed >= _PYTHON_GITLAB_LEAST else "failed"
    return "python-gitlab", f"{verdict} ({passed} of {len(results)})", f"{time.monotonic() - start:.0f} s"


if __name__ == "__main__":
    main()
