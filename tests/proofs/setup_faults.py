"""The proof that a setup makes nothing twice, and leaves nothing half-done that it does not name: many seeded runs.

Each run has faults in the way of its requests; a second one without faults then goes on to the end, and an undo takes
everything back. scripts/setup-faults runs it; `--runs N` says how many, `--seed S` where to begin.
"""

import argparse
import collections
import random
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from gitlab_mcp.sandbox import Sandbox
from tests.proofs.fault_proxy import FAULTS, FaultProxy, fault_proxy, faults_met, in_batches
from tests.support.gitlab_requests import get
from tests.support.setup_command import Maintainer, SetupReport, stored, things_of

RUNS_OF_A_SANDBOX = 10
SECONDS = "20"  # the limit of a step: a write that would be doubled is looked up for two seconds
READ_FAULTS = ("", "", "", "before", "after", "502 before", "429")
SETUP_BRANCH = "gitlab-mcp-server-setup"


def plan(seed: int) -> tuple[list[str], list[str]]:
    """The faults of a run: on its writes, and on the reads in between."""
    chosen = random.Random(seed)  # noqa: S311  # the same run again for the same seed
    writes = [chosen.choice(("", *FAULTS)) for _ in range(chosen.randint(4, 16))]
    reads = [chosen.choice(READ_FAULTS) for _ in range(chosen.choice((0, 10, 40)))]
    return writes, reads


def doubled(sandbox: Sandbox) -> set[str]:
    """The steps whose thing is there twice."""
    things = things_of(sandbox)
    files = [row for package in get(sandbox, "/packages") for row in files_of(sandbox, package)]
    counts = {
        "variable ANTHROPIC_API_KEY": things["variables"].count("ANTHROPIC_API_KEY"),
        "access-token": max(len(things["tokens"]), things["variables"].count("GITLAB_ACCESS_TOKEN")),
        "package": max(map(files.count, files), default=0),
        "merge-request": things["merge_requests"].count(SETUP_BRANCH),
    }
    return {step for step, count in counts.items() if count > 1}


def files_of(sandbox: Sandbox, package: dict[str, Any]) -> list[str]:
    return [row["file_name"] for row in get(sandbox, f"/packages/{package['id']}/package_files")]


def missing(sandbox: Sandbox) -> set[str]:
    """The steps whose thing is not there."""
    things, values = things_of(sandbox), stored(sandbox)
    tokens = [row["id"] for row in get(sandbox, "/access_tokens?state=active") if row["active"]]
    token = sandbox.world.tokens.get(values.get("GITLAB_ACCESS_TOKEN", ""))
    there = {
        "variable ANTHROPIC_API_KEY": "ANTHROPIC_API_KEY" in values,
        "push-switch": things["push"],
        "access-token": token is not None and tokens == [token.id],
        "package": any(len(files_of(sandbox, row)) == 2 for row in get(sandbox, "/packages")),
        "merge-request": SETUP_BRANCH in things["merge_requests"],
    }
    return {step for step, is_there in there.items() if not is_there}


def wrong_with(report: SetupReport, sandbox: Sandbox) -> str:
    """What is wrong with a run that met faults; "" where all that is not as it should be is named as failed."""
    if not report.output.startswith("{"):
        return "" if report.code and report.output.startswith("gitlab-mcp-server: ") else "ended without a word"
    statuses = report.statuses()
    said = {step for step, status in statuses.items() if status in ("done", "in place")}
    if unnamed := said & missing(sandbox):
        return f"said to be done, and not there: {unnamed}"
    if unnamed := said & doubled(sandbox):
        return f"said to be done, and there twice: {unnamed}"
    for step, status in statuses.items():
        rows = [row for row in [*report.data["steps"], *report.data["results"]] if row["step"] == step]
        if status in ("failed", "blocked") and not rows[-1].get("remedy"):
            return f"without a remedy: {step}"
    return "" if bool(said != set(statuses)) is bool(report.code) else "exit code"


def one(sandbox: Sandbox, proxy: FaultProxy, maintainer: Maintainer, seed: int) -> tuple[str, str]:
    """One run, checked past the proxy: what is wrong with it, and how it ended."""
    before = things_of(sandbox)
    proxy.writes, proxy.reads = plan(seed)
    first = maintainer.sets_up("--deadline", SECONDS)
    proxy.writes, proxy.reads = [], []
    proxy.deliver()
    ending = "complete at once" if first.code == 0 else "named what failed"
    if wrong := wrong_with(first, sandbox):
        return wrong, ending
    second = maintainer.sets_up("--deadline", SECONDS)
    if second.code or missing(sandbox) or doubled(sandbox):
        return f"the second run: {second.output}", ending
    undone = maintainer.sets_up("--deadline", SECONDS, "--undo")
    if undone.code or things_of(sandbox) != before:
        return f"the undo: {undone.output}", ending
    return "", ending


def prove(runs: int, first_seed: int, show: Callable[[str], None]) -> list[str]:
    """Make the runs, telling `show` how far they are; what is wrong with each that is."""
    wrong: list[str] = []
    endings: collections.Counter[str] = collections.Counter()
    met: collections.Counter[str] = collections.Counter()
    for seeds in in_batches(first_seed, runs, RUNS_OF_A_SANDBOX):
        with (
            Sandbox() as sandbox,
            fault_proxy(sandbox.url) as proxy,
            tempfile.TemporaryDirectory(prefix="setup-faults-") as folder,
        ):
            maintainer = Maintainer(Path(folder), sandbox)
            maintainer.environ["GITLAB_URL"] = proxy.url
            for seed in seeds:
                fault, ending = one(sandbox, proxy, maintainer, seed)
                endings[ending] += 1
                if fault:
                    wrong.append(f"run {seed}: {fault}")
                    break
            met.update(fault for fault in proxy.met if fault)
        show(f"{seeds[-1] + 1 - first_seed} of {runs} runs, {len(wrong)} wrong")
    show(faults_met(met))
    show("; ".join(f"{name}: {number}" for name, number in sorted(endings.items())))
    return wrong


def main() -> int:
    """Run the proof; 0 when nothing was wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    began = time.monotonic()
    wrong = prove(given.runs, given.seed, partial(print, flush=True))
    sys.stdout.writelines(f"WRONG: {each}\n" for each in wrong)
    sys.stdout.write(f"{given.runs} runs in {time.monotonic() - began:.0f} s: {len(wrong)} wrong\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
