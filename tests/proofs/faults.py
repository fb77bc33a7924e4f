"""The proof that writes happen once: many seeded runs of every write tool, each with faults in its way.

scripts/faults runs it on each backend; `--runs N` says how many, `--seed S` where to begin, `--backend` on which alone.
"""

import argparse
import asyncio
import collections
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from gitlab_mcp.sandbox import Sandbox
from tests.proofs.fault_proxy import FaultProxy, fault_proxy, faults_met, plan
from tests.proofs.scenarios import BACKENDS, Scenario
from tests.support.agent import Agent, connect
from tests.support.ci_job import allow_job_pushes
from tests.support.git_clones import clone
from tests.support.settings import EVERY_TOOLSET, checkout, job_settings, settings_for

NOT_KNOWN = "not known"
# Half of the usual one, so that a write that would be doubled is looked up for three seconds.
DEADLINE = 30.0


@dataclass
class Outcome:
    """How a run ended: what the tool said, and how often the write is there."""

    tool: str
    seed: int
    said: str
    text: str
    times: int


async def one(scenario: Scenario, seed: int, agent: Agent, sandbox: Sandbox, proxy: FaultProxy) -> Outcome:
    """One run, checked past the proxy."""
    name = f"run-{seed}"
    prepared = await scenario.prepare(agent, name)
    proxy.writes, proxy.reads = plan(seed)
    result = await agent.client.call_tool(scenario.tool, scenario.arguments(name) | prepared)
    proxy.writes, proxy.reads = [], []
    proxy.deliver()
    text = getattr(result.content[0], "text", "")
    said = "done" if not result.is_error else NOT_KNOWN if NOT_KNOWN in text else "failed"
    return Outcome(scenario.tool, seed, said, text, scenario.count(sandbox, name))


def faults_of(outcome: Outcome) -> str:
    """What is wrong with an outcome; "" when it is right."""
    if outcome.times > 1:
        return "doubled"
    if outcome.said == "done" and outcome.times == 0:
        return "lost but reported as done"
    if outcome.said == "failed" and outcome.times == 1:
        return "reported as failed that happened"
    return ""


async def prove(
    runs: int, first_seed: int, show: Callable[[str], None], backend: str = "rest"
) -> list[tuple[str, Outcome]]:
    """Make the runs, telling `show` how far they are; the outcomes that are wrong, with what is wrong about them."""
    scenarios = BACKENDS[backend]
    wrong: list[tuple[str, Outcome]] = []
    told: collections.Counter[tuple[str, str]] = collections.Counter()
    met: collections.Counter[str] = collections.Counter()
    done = 0
    while done < runs:
        # A new GitLab now and then: a long list of notes is not what is looked at here.
        with Sandbox() as sandbox, fault_proxy(sandbox.url) as proxy, TemporaryDirectory() as folder:
            allow_job_pushes(sandbox)
            work = checkout(clone(sandbox, "main", Path(folder) / "work"))
            of_backend = settings_for(sandbox, working_directory=work) if backend == "rest" else job_settings(sandbox)
            settings = replace(of_backend, url=proxy.url, toolsets=EVERY_TOOLSET, deadline=DEADLINE)
            async with connect(settings) as agent:
                for _ in range(min(50, runs - done)):
                    scenario = scenarios[done % len(scenarios)]
                    outcome = await one(scenario, first_seed + done, agent, sandbox, proxy)
                    told[outcome.tool, outcome.said] += 1
                    if fault := faults_of(outcome):
                        wrong.append((fault, outcome))
                    done += 1
            met.update(proxy.met)
        show(f"{backend}: {done} of {runs} runs, {len(wrong)} wrong")
    show(faults_met(met))
    for (tool, said), number in sorted(told.items()):
        show(f"{tool}: {said} {number}")
    return wrong


def main() -> int:
    """Run the proof; 0 when nothing was wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--backend", choices=tuple(BACKENDS))
    given = parser.parse_args()
    out = sys.stdout.write
    found = False
    for backend in [given.backend] if given.backend else list(BACKENDS):
        began = time.monotonic()
        show = partial(print, flush=True)
        wrong = asyncio.run(prove(given.runs, given.seed, show, backend))
        for fault, outcome in wrong:
            out(f"WRONG: {fault}: {outcome}\n")
        kinds = ("doubled", "lost but reported as done", "reported as failed that happened")
        counts = ", ".join(f"{sum(fault == kind for fault, _ in wrong)} {kind}" for kind in kinds)
        out(f"{backend}: {given.runs} runs in {time.monotonic() - began:.0f} s: {counts}\n")
        found = found or bool(wrong)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
