"""What the parts of a run have in common: the stub, the candidates, the number of repetitions."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import click

from benchmarks.candidates import Candidate
from benchmarks.process import ServerProcess
from benchmarks.stub import Stub
from benchmarks.tables import Tables

T = TypeVar("T")
# It ends with the process that started it.
_SPIN = "import os, sys\nparent = int(sys.argv[1])\nwhile os.getppid() == parent: pass"


@dataclass(frozen=True)
class Run:
    """A run. `candidates` are all that are started, `workers` those that can do the tasks."""

    stub: Stub
    candidates: Sequence[Candidate]
    runs: int
    tables: Tables

    @property
    def workers(self) -> list[Candidate]:
        """The candidates that can play the journey."""
        return [candidate for candidate in self.candidates if len(candidate.tasks) > 1]

    def repeat(self, name: str, most: int = 0) -> Iterator[int]:
        """The numbers of the repetitions, at most `most` unless that is 0, with a line of progress for each."""
        runs = min(self.runs, most or self.runs)
        for number in range(runs):
            click.echo(f"{name}: {number + 1} of {runs}", err=True)
            yield number

    @contextlib.contextmanager
    def started(self, candidates: Sequence[Candidate]) -> Iterator[dict[Candidate, ServerProcess]]:
        """Start candidates, and return when each has listed its tools and settled; at the end their processes end."""
        with contextlib.ExitStack() as stack:
            servers = {candidate: stack.enter_context(candidate.start(self.stub)) for candidate in candidates}
            for server in servers.values():
                server.initialize()
                server.tools()
                server.settle()
            yield servers


def milliseconds(action: Callable[[], T]) -> float:
    """How long an action takes."""
    start = time.perf_counter()
    action()
    return (time.perf_counter() - start) * 1000


def cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextlib.contextmanager
def every_core_busy() -> Iterator[None]:
    """Keep one process per core busy."""
    command = [sys.executable, "-c", _SPIN, str(os.getpid())]
    spinning = [subprocess.Popen(command) for _ in range(cores())]
    try:
        yield
    finally:
        for process in spinning:
            process.kill()
            process.wait()
