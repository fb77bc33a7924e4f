"""Proves that the model's first request has the server's tools on a busy machine: scripts/tools-in-first-request.

It plays the page's job with two spinning processes per core, once with the entry as it is registered and once without
its alwaysLoad, as a CLI that does not know it reads the entry. The CLI then waits only about 2 s for a server.
"""

import argparse
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from gitlab_mcp.sandbox import Sandbox
from tests.e2e.ci_local import QUICK_SETUP, installed_server, run_job
from tests.e2e.claude import ORDINARY, fresh_place
from tests.e2e.model import Model
from tests.e2e.page_job import TOOLS, clone, variables

REGISTERS = "    - /bin/gitlab-mcp-server || true\n"
DROPS_ALWAYS_LOAD = """    - grep -q '"alwaysLoad":' ~/.claude.json
    - sed -i 's/"alwaysLoad":/"formerlyAlwaysLoad":/' ~/.claude.json
"""
AS_REGISTERED = QUICK_SETUP
WITHOUT_ALWAYS_LOAD = QUICK_SETUP.replace(REGISTERS, REGISTERS + DROPS_ALWAYS_LOAD)
JOBS = {"as registered": AS_REGISTERED, "without alwaysLoad": WITHOUT_ALWAYS_LOAD}


@contextmanager
def spinning(number: int) -> Iterator[None]:
    """Processes that do nothing, as fast as they can."""
    spinners = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(number)]
    try:
        yield
    finally:
        for each in spinners:
            each.kill()
            each.wait()


def runs_with_tools(sandbox: Sandbox, job: str, runs: int, report: Callable[[str], None]) -> int:
    """In how many of the runs of JOBS[job] the first request had TOOLS in full."""
    found = 0
    with installed_server(ORDINARY), spinning(2 * (os.cpu_count() or 1)):
        for number in range(1, runs + 1):
            with fresh_place(ORDINARY) as place, Model() as model:
                clone(place, sandbox)
                played = run_job(place, model, variables(sandbox, access_token=True), text=JOBS[job])
                assert played.returncode == 0, played.done
                missing = TOOLS - model.requests[0].tools_in_full
            found += not missing
            report(f"{job}, run {number}: {'not there: ' + ', '.join(sorted(missing)) if missing else 'all there'}")
    return found


def main() -> int:
    """Run the proof; exit code 1 where a run lacked a tool."""
    parser = argparse.ArgumentParser(prog="scripts/tools-in-first-request", description=__doc__)
    parser.add_argument("--runs", type=int, default=20, help="how often each job runs (default: 20)")
    runs: int = parser.parse_args().runs
    with Sandbox() as sandbox:
        counts = {job: runs_with_tools(sandbox, job, runs, lambda line: print(line, flush=True)) for job in JOBS}  # noqa: T201
    for job, found in counts.items():
        print(f"{job}: {found} of {runs}")  # noqa: T201
    return int(any(found < runs for found in counts.values()))


if __name__ == "__main__":
    sys.exit(main())
