"""The whole journey of an agent, from an issue to a commented merge request, with a server that was just started."""

from __future__ import annotations

import time

from benchmarks.candidates import JOURNEY, Candidate
from benchmarks.process import ServerProcess
from benchmarks.run import Run, milliseconds
from benchmarks.start import list_bytes

TITLE = "The journey"
CALLS, REQUESTS, BYTES, WITH_LIST = "calls", "requests", "bytes of results", "bytes with the definitions"
FAST, SLOW = "ms", "ms at 100 ms a request"
DELAY = 0.1  # seconds
# A model needs longer than this for its first answer: meanwhile a server may load what it did not need for the list.
_THINKING = 2.0  # seconds


def measure_journey(run: Run) -> None:
    """Play the journey with each candidate in turn, at GitLab's speed of 0 and of 100 ms a request."""
    table = run.tables[TITLE]
    for candidate in run.workers:
        table.add(candidate.name, CALLS, sum(len(candidate.tasks[task]) for task in JOURNEY))
    for _ in run.repeat(TITLE):
        for column, delay in ((FAST, 0.0), (SLOW, DELAY)):
            with run.started(run.workers) as servers:
                time.sleep(_THINKING)
                for candidate, server in servers.items():
                    run.stub.take(delay)
                    size, took = _play(candidate, server)
                    table.add(candidate.name, REQUESTS, len(run.stub.take().requests))
                    table.add(candidate.name, BYTES, size)
                    table.add(candidate.name, WITH_LIST, size + list_bytes(server))
                    table.add(candidate.name, column, took)


def _play(candidate: Candidate, server: ServerProcess) -> tuple[int, float]:
    """Returns the bytes of text in the results, and the milliseconds."""
    sizes: list[int] = []
    took = milliseconds(lambda: sizes.extend(candidate.do(server, task) for task in JOURNEY))
    return sum(sizes), took
