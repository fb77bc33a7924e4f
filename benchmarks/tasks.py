"""Each task of an agent: milliseconds, bytes of results, requests to GitLab."""

from __future__ import annotations

from functools import partial

import click

from benchmarks.answers import NEW_BRANCH
from benchmarks.baseline import BARE, PYTHON_GITLAB, Baseline
from benchmarks.candidates import TASKS, Candidate
from benchmarks.process import ServerProcess
from benchmarks.run import Run, milliseconds
from benchmarks.stub import NOT_FOUND, Request
from benchmarks.tables import Table

ABOVE_BARE = "Tasks, in milliseconds above http.client with the same requests"
ABOVE_PYTHON_GITLAB = "Tasks, in milliseconds above python-gitlab with the same requests"
TIME, SIZE, REQUESTS = "Tasks, in milliseconds", "Tasks, in bytes of results", "Tasks, in requests to GitLab"
_ROUNDS = 10


def measure_tasks(run: Run) -> None:
    """Do each task in turn with each candidate, and send the requests of each without a server."""
    bare, python_gitlab = Table(BARE), Table(PYTHON_GITLAB)
    with run.started(run.workers) as servers, Baseline(run.stub) as baseline:
        requests = {
            (candidate, task): _requests(run, candidate, servers[candidate], task)
            for task in TASKS
            for candidate in servers
        }
        for task in TASKS:
            first = requests[run.workers[0], task]
            run.tables[SIZE].add(BARE, task, baseline.bare(first))
            run.tables[REQUESTS].add(BARE, task, len(first))
        for _ in run.repeat(TIME):
            for (candidate, task), sent in [*requests.items()] * _ROUNDS:
                once = milliseconds(partial(candidate.do, servers[candidate], task))
                run.tables[TIME].add(candidate.name, task, once)
                bare.add(candidate.name, task, milliseconds(partial(baseline.bare, sent)))
                python_gitlab.add(candidate.name, task, milliseconds(partial(baseline.python_gitlab, sent)))
    run.stub.take()
    for title, table in ((ABOVE_BARE, bare), (ABOVE_PYTHON_GITLAB, python_gitlab)):
        for task in TASKS:
            run.tables[TIME].add(table.title, task, table.rows[run.workers[0].name][task])
        for name, cells in table.rows.items():
            for task, without in cells.items():
                run.tables[title].add(name, task, run.tables[TIME].rows[name][task] - without)


def _requests(run: Run, candidate: Candidate, server: ServerProcess, task: str) -> list[Request]:
    """Do a task, and note its size; returns the requests that it sends when what is looked up once is known."""
    candidate.do(server, task)
    run.stub.take()
    run.tables[SIZE].add(candidate.name, task, candidate.do(server, task))
    sent = run.stub.take().requests
    run.tables[REQUESTS].add(candidate.name, task, len(sent))
    for request in sent:
        if request.status == NOT_FOUND and NEW_BRANCH not in request.path:
            click.echo(f"The stub has no answer to {request.method} {request.path}.", err=True)
    return sent
