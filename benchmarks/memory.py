"""The resident memory of a server's process and its descendants."""

from __future__ import annotations

import time
from pathlib import Path

import click

from benchmarks.candidates import ISSUE_TASK, READING
from benchmarks.run import Run

MEMORY = "Resident memory, in MB"
AFTER_LIST, AFTER_CALLS, AFTER_PARALLEL = "10 s after the list", "after 1,000 calls", "after 5 times 16 in parallel"
REST = 10.0  # seconds from the list to the first look
CALLS, TIMES, AT_ONCE = 1000, 5, 16
_MOST_RUNS = 3  # memory varies little, and a run takes a minute
_MEGABYTE = 1e6


def measure_memory(run: Run) -> None:
    """Look at the memory of each candidate when it has rested, and when it has worked."""
    if not Path("/proc/self/statm").exists():
        click.echo("The memory is left out, because there is no /proc that tells it.", err=True)
        return
    table = run.tables[MEMORY]
    for _ in run.repeat(MEMORY, _MOST_RUNS):
        with run.started(run.workers) as servers:
            time.sleep(REST)
            for candidate, server in servers.items():
                table.add(candidate.name, AFTER_LIST, server.memory() / _MEGABYTE)
            for candidate, server in servers.items():
                for number in range(CALLS):
                    tool, arguments = candidate.tasks[READING[number % len(READING)]][0]
                    server.call(tool, arguments)
                table.add(candidate.name, AFTER_CALLS, server.memory() / _MEGABYTE)
                for _ in range(TIMES):
                    server.in_flight(candidate.tasks[ISSUE_TASK][0], AT_ONCE, AT_ONCE)
                table.add(candidate.name, AFTER_PARALLEL, server.memory() / _MEGABYTE)
