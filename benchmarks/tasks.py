"""Each task of an agent: milliseconds, bytes of results, requests to GitLab."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import click

from benchmarks.answers import NEW_BRANCH
from benchmarks.baseline import BARE, PYTHON_GITLAB, Baseline
from benchmarks.candidates import TASKS
from benchmarks.run import Run, milliseconds
from benchmarks.stub import NOT_FOUND, Request

TIME, SIZE, REQUESTS = "Tasks, in milliseconds", "Tasks, in bytes of results", "Tasks, in requests to GitLab"
_IN_A_ROW = 10


def measure_tasks(run: Run) -> None:
    """Do each task in turn with each candidate, and with the requests of the first without a server."""
    with run.started(run.workers) as servers, Baseline(run.stub) as baseline:
        requests: dict[str, list[Request]] = {}
        for task in TASKS:
            for candidate, server in servers.items():
                candidate.do(server, task)  # what is looked up once
                run.stub.take()
                run.tables[SIZE].add(candidate.name, task, candidate.do(server, task))
                sent = run.stub.take().requests
                run.tables[REQUESTS].add(candidate.name, task, len(sent))
                requests.setdefault(task, sent)
                for request in sent:
                    if request.status == NOT_FOUND and NEW_BRANCH not in request.path:
                        click.echo(f"The stub has no answer to {request.method} {request.path}.", err=True)
            run.tables[SIZE].add(BARE, task, baseline.bare(requests[task]))
            run.tables[REQUESTS].add(BARE, task, len(requests[task]))
        for _ in run.repeat(TIME):
            for task in TASKS:
                for candidate, server in servers.items():
                    _time(run, candidate.name, task, partial(candidate.do, server, task))
                _time(run, BARE, task, partial(baseline.bare, requests[task]))
                _time(run, PYTHON_GITLAB, task, partial(baseline.python_gitlab, requests[task]))
    run.stub.take()


def _time(run: Run, name: str, task: str, action: Callable[[], object]) -> None:
    run.tables[TIME].add(name, task, *(milliseconds(action) for _ in range(_IN_A_ROW)))
