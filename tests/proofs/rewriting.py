"""The proof that no field of an answer can make a tool crash, or a write look failed.

For every tool and every answer that it gets, every key path is made null, missing, of another type and an unknown
value, one at a time. scripts/rewriting runs all of it; `--sample N` a seeded part,
`--tool NAME` that of one tool.
"""

import argparse
import asyncio
import copy
import json
import random
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from gitlab_mcp.sandbox import Sandbox
from gitlab_mcp.tools import TOOLS
from tests.proofs.fault_proxy import FaultProxy, fault_proxy
from tests.proofs.scenarios import REST, Scenario, nothing
from tests.support.agent import Agent, connect
from tests.support.seed import SEED
from tests.support.settings import EVERY_TOOLSET, settings_for
from tests.support.tool_arguments import example

KeyPath = tuple[str | int, ...]
MISSING = object()
CHANGES: dict[str, Callable[[Any], Any]] = {
    "null": lambda value: None,  # noqa: ARG005
    "missing": lambda value: MISSING,  # noqa: ARG005
    "another type": lambda value: {"x": 1} if isinstance(value, str | int) else "text",
    "unknown value": lambda value: "never_seen_before" if isinstance(value, str) else [[]],
}


def reading(tool: str, arguments: Mapping[str, object]) -> Scenario:
    """A read: nothing is there before, nothing to count after."""
    return Scenario(tool, nothing, lambda _name: dict(arguments), lambda _sandbox, _name: 0)


# What shows more than the examples of params.py do; every other read is called with those.
READING: tuple[tuple[str, dict[str, object]], ...] = (
    ("get_issue", {"iid": SEED.verbose_issue.iid}),
    ("get_issue", {"iid": SEED.crash_issue.iid, "detail": "full"}),
    ("get_merge_request", {"iid": SEED.merge_request.iid}),
    ("get_file", {"path": "README.md"}),
    ("get_file", {"path": "docs/latest"}),
    ("get_file", {"path": "README.md", "detail": "full"}),
    ("get_pipeline", {"iid": SEED.merge_request.iid}),
    ("get_test_report", {"pipeline_id": 502}),
    ("get_job_log", {"job_id": 608}),
    ("get_merge_request_diff", {"iid": SEED.merge_request.iid}),
    ("list_discussions", {"iid": SEED.merge_request.reference}),
    ("lint_ci_config", {"ref": "main"}),
    ("compare_refs", {"base": "main", "head": "feature/verbose-flag"}),
    ("search_code", {"search": "config"}),
)
NAMED = {tool for tool, _ in READING}
READS = (
    *(reading(tool, given) for tool, given in READING),
    *(reading(tool.name, example(tool)) for tool in TOOLS if not tool.writes and tool.name not in NAMED),
)


@dataclass(frozen=True)
class Alteration:
    """One change to one answer: the number of the answer among those of the call, the place in it, the change."""

    answer: int
    place: KeyPath
    change: str


def places(value: Any, above: KeyPath = ()) -> Iterator[KeyPath]:
    """Every key path in a JSON value; of a list only its first item, as the others have the same keys."""
    if above:
        yield above
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from places(inner, (*above, key))
    elif isinstance(value, list) and value:
        yield from places(value[0], (*above, 0))


def altered(value: Any, place: KeyPath, change: str) -> Any:
    """A copy of a JSON value with the change at its place; as it was where it has no such place."""
    whole = copy.deepcopy(value)
    holder = whole
    try:
        for key in place[:-1]:
            holder = holder[key]
        new = CHANGES[change](holder[place[-1]])
        if new is MISSING:
            del holder[place[-1]]
        else:
            holder[place[-1]] = new
    except (KeyError, IndexError, TypeError):
        return value
    return whole


async def answers(scenario: Scenario, agent: Agent, proxy: FaultProxy, name: str) -> list[Any]:
    """The JSON answers that a call of the tool gets when nothing is changed."""
    seen: list[Any] = []

    def keep(_path: str, body: bytes) -> bytes:
        seen.append(_json(body))
        return body

    prepared = await scenario.prepare(agent, name)
    proxy.rewrite = keep
    await agent.client.call_tool(scenario.tool, scenario.arguments(name) | prepared)
    proxy.rewrite = None
    return seen


async def one(
    scenario: Scenario, alteration: Alteration, agent: Agent, proxy: FaultProxy, sandbox: Sandbox, name: str
) -> str:
    """What is wrong after a call with one answer altered; "" when nothing is."""
    number = -1

    def rewrite(_path: str, body: bytes) -> bytes:
        nonlocal number
        number += 1
        if number != alteration.answer:
            return body
        return json.dumps(altered(_json(body), alteration.place, alteration.change)).encode()

    prepared = await scenario.prepare(agent, name)
    proxy.rewrite = rewrite
    result = await agent.client.call_tool(scenario.tool, scenario.arguments(name) | prepared)
    proxy.rewrite = None
    text = getattr(result.content[0], "text", "")
    if "internal error in gitlab-mcp-server" in text:
        return f"crash: {text}"
    times = scenario.count(sandbox, name)
    if scenario in READS:
        return ""
    if result.is_error and times and "not known" not in text and "done" not in text:
        return f"reported as failed that happened: {text}"
    if not result.is_error and times != 1 and "unchanged" not in text:
        return f"reported as done, and there {times} times: {text}"
    return ""


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return None


async def prove(
    sample: int, seed: int, show: Callable[[str], None], tools: Sequence[str] = ()
) -> tuple[int, list[str]]:
    """Make all alterations, or a seeded sample of them; how many there were, and what was wrong.

    `tools` names the tools to which it is limited, () for all.
    """
    wrong: list[str] = []
    done = 0
    for scenario in (*READS, *REST):
        if tools and scenario.tool not in tools:
            continue
        with Sandbox() as sandbox, fault_proxy(sandbox.url) as proxy:
            sandbox.fail_pipeline("feature/verbose-flag")
            settings = replace(settings_for(sandbox), url=proxy.url, toolsets=EVERY_TOOLSET)
            async with connect(settings) as agent:
                seen = await answers(scenario, agent, proxy, "run-first")
            every = [
                Alteration(number, place, change)
                for number, answer in enumerate(seen)
                for place in places(answer)
                for change in CHANGES
            ]
            if sample:
                share = max(1, sample // (len(READS) + len(REST)))
                every = random.Random(seed).sample(every, min(share, len(every)))  # noqa: S311
            for number, alteration in enumerate(every):
                # A new server each time: what one run has learnt must not cover for the next.
                async with connect(settings) as agent:
                    fault = await one(scenario, alteration, agent, proxy, sandbox, f"run-{number}")
                if fault:
                    wrong.append(f"{scenario.tool} {alteration}: {fault}")
            done += len(every)
        show(f"{scenario.tool}: {len(every)} alterations of {len(seen)} answers; {done} in all, {len(wrong)} wrong")
    return done, wrong


def main() -> int:
    """Run the proof; 0 when nothing was wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sample", type=int, default=0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--tool", action="append", default=[], help="only this tool; repeatable")
    given = parser.parse_args()
    began = time.monotonic()

    def show(line: str) -> None:
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()

    done, wrong = asyncio.run(prove(given.sample, given.seed, show, given.tool))
    for line in wrong:
        show(f"WRONG: {line}")
    show(f"{done} alterations in {time.monotonic() - began:.0f} s: {len(wrong)} wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
