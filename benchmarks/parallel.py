"""Sixteen calls at once: how many a second, and how long where GitLab takes 100 ms for a request."""

from __future__ import annotations

from functools import partial

from benchmarks.baseline import AT_ONCE, PYTHON_GITLAB, Baseline
from benchmarks.candidates import ISSUE_TASK, ONE_REQUEST
from benchmarks.run import Run, milliseconds
from benchmarks.stub import Request

RATE, SLOW = "16 calls in flight, calls a second", "16 calls at once, 100 ms a request"
THREADS = f"{PYTHON_GITLAB}, 16 threads"
MILLISECONDS, MOST = "milliseconds", "most requests at once"
_CALLS = 160
_DELAY = 0.1


def measure_rate(run: Run) -> None:
    """Keep 16 calls under way, of the tasks for which this server sends one request."""
    table = run.tables[RATE]
    with run.started(run.workers) as servers, Baseline(run.stub) as baseline:
        for task in ONE_REQUEST:
            first, server = next(iter(servers.items()))
            first.do(server, task)
            run.stub.take()
            first.do(server, task)
            requests: list[Request] = run.stub.take().requests * _CALLS
            for _ in run.repeat(f"{RATE}: {task}"):
                for candidate, server in servers.items():
                    action = partial(server.in_flight, candidate.tasks[task][0], _CALLS, AT_ONCE)
                    table.add(candidate.name, task, _CALLS * 1000 / milliseconds(action))
                action = partial(baseline.python_gitlab_in_threads, requests)
                table.add(THREADS, task, _CALLS * 1000 / milliseconds(action))
    run.stub.take()


def measure_slow(run: Run) -> None:
    """Read an issue 16 times at once; each request takes 100 ms."""
    table = run.tables[SLOW]
    with run.started(run.workers) as servers:
        for candidate, server in servers.items():
            candidate.do(server, ISSUE_TASK)
        for _ in run.repeat(SLOW):
            for candidate, server in servers.items():
                run.stub.take(_DELAY)
                action = partial(server.in_flight, candidate.tasks[ISSUE_TASK][0], AT_ONCE, AT_ONCE)
                table.add(candidate.name, MILLISECONDS, milliseconds(action))
                table.add(candidate.name, MOST, run.stub.take().most_in_flight)
