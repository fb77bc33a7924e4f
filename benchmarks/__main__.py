"""The command scripts/bench: measure this server, beside a loop, a plain server and, with --peers, other servers."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path

import click

from benchmarks import answers, page
from benchmarks.candidates import Candidate, comparators, own
from benchmarks.journey import measure_journey
from benchmarks.machine import about
from benchmarks.memory import measure_memory
from benchmarks.parallel import measure_rate, measure_slow
from benchmarks.peers import peers, versions
from benchmarks.process import ServerError
from benchmarks.run import Run
from benchmarks.start import measure_definitions, measure_start
from benchmarks.stub import Stub
from benchmarks.tables import Tables
from benchmarks.targets import targets
from benchmarks.tasks import measure_tasks

_PARTS: dict[str, Callable[[Run], None]] = {
    "definitions": measure_definitions,
    "start": measure_start,
    "tasks": measure_tasks,
    "rate": measure_rate,
    "slow": measure_slow,
    "journey": measure_journey,
    "memory": measure_memory,
}


def _candidates(stub: Stub, tools: Path, with_peers: bool) -> list[Candidate]:
    """This server first; its list of tools is written to `tools`, for the loop to answer with."""
    ours = own()
    with ours.start(stub) as server:
        server.initialize()
        tools.write_text(json.dumps(server.tools()), encoding="utf-8")
    return [ours, *comparators(tools), *(peers() if with_peers else ())]


@click.command()
@click.option("--peers", "with_peers", is_flag=True, help="Also measure other servers, from npm and PyPI.")
@click.option("--runs", type=click.IntRange(1, 100), default=15, show_default=True, help="How often each is measured.")
@click.option("--part", "parts", type=click.Choice(list(_PARTS)), multiple=True, help="Measure only this; repeatable.")
@click.option("--json", "file", type=click.Path(path_type=Path, dir_okay=False), help="Write the figures to a file.")
@click.option("--docs", is_flag=True, help="Write the tables into docs/performance.md.")
def main(with_peers: bool, runs: int, parts: tuple[str, ...], file: Path | None, docs: bool) -> None:
    """Measure this server beside others, all against one GitLab with known answers, on loopback."""
    if docs and parts:
        raise click.UsageError("--docs writes the whole page: leave --part out.")
    environment = about()
    if with_peers:
        environment["peers"] = ", ".join(versions())
    with tempfile.TemporaryDirectory(prefix="gitlab-mcp-bench-") as folder:
        known = Path(folder) / "answers.json"
        click.echo("recording the answers of the stub", err=True)
        answers.record(known)
        with Stub(known) as stub:
            run = Run(stub, _candidates(stub, Path(folder) / "tools.json", with_peers), runs, Tables())
            failed = False
            for part in parts or _PARTS:
                failed = not _measured(part, run) or failed
                if file:  # after each part, so that a run that is ended early has told something
                    file.write_text(_as_json(environment, run), encoding="utf-8")
    held, tables = targets(run), run.tables.filled()
    if docs:
        page.write(environment, runs, held, tables)
    click.echo("\n\n".join([*(table.markdown() for table in tables), page.targets_table(held)]))
    sys.exit(1 if failed else 0)


def _as_json(environment: Mapping[str, str], run: Run) -> str:
    content = {
        "about": environment,
        "runs": run.runs,
        "targets": [{**asdict(target), "met": target.met} for target in targets(run)],
        "tables": {table.title: table.rows for table in run.tables.filled()},
    }
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def _measured(part: str, run: Run) -> bool:
    try:
        _PARTS[part](run)
    except ServerError as error:
        click.echo(f"The part {part} is not complete. {error}", err=True)
        return False
    return True


if __name__ == "__main__":
    main()
