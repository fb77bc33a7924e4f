"""From the start of a server's process to its answers, and the size of its definitions."""

from __future__ import annotations

import contextlib
import time

from benchmarks.candidates import ISSUE_TASK, LOOP, Candidate
from benchmarks.process import ServerProcess
from benchmarks.run import Run, every_core_busy
from benchmarks.tables import Table

IDLE, BUSY = "Start, idle, in milliseconds", "Start, every core busy, in milliseconds"
DEFINITIONS = "Definitions of tools"
FIRST_ANSWER, LIST, FIRST_CALL, TIMES_LOOP = "first answer", "tools/list", "first call", "tools/list, times the loop"
TOOLS, BYTES = "tools", "bytes of tools/list"


def measure_start(run: Run) -> None:
    """Start each candidate, in turn, on an idle machine and on one where every core is busy."""
    for title, load in ((IDLE, contextlib.nullcontext), (BUSY, every_core_busy)):
        table = run.tables[title]
        with load():
            for _ in run.repeat(title):
                for candidate in run.candidates:
                    _start(run, candidate, table)
        loop = table.figure(LOOP, LIST)
        for candidate in run.candidates:
            if loop and (listed := table.figure(candidate.name, LIST)):
                table.add(candidate.name, TIMES_LOOP, listed / loop)


def _start(run: Run, candidate: Candidate, table: Table) -> None:
    begin = time.perf_counter()

    def passed(column: str) -> None:
        table.add(candidate.name, column, (time.perf_counter() - begin) * 1000)

    with candidate.start(run.stub) as server:
        server.initialize()
        passed(FIRST_ANSWER)
        server.tools()
        passed(LIST)
        if calls := candidate.tasks.get(ISSUE_TASK):
            server.call(*calls[0])
            passed(FIRST_CALL)


def measure_definitions(run: Run) -> None:
    """Count the tools of each candidate and the bytes of its answer to tools/list."""
    for _ in run.repeat(DEFINITIONS, most=1):
        for candidate in run.workers:
            with candidate.start(run.stub) as server:
                server.initialize()
                table = run.tables[DEFINITIONS]
                table.add(candidate.name, BYTES, list_bytes(server))
                table.add(candidate.name, TOOLS, len(server.tools()["tools"]))


def list_bytes(server: ServerProcess) -> int:
    """Ask for the list of tools; returns the bytes of the answer."""
    before = server.bytes
    server.tools()
    return server.bytes - before
