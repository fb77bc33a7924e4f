"""A journey through a sandbox with another MCP server for GitLab: the calls, and what the sandbox answered to them."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
from mcp import ClientSession, MCPError
from mcp.client.stdio import StdioServerParameters, stdio_client

from gitlab_mcp.sandbox import Sandbox

_SECONDS = 180
# A step is the name of a tool and its arguments; "{issue}" and the other names of `known` stand for their values.
Step = tuple[str, dict[str, Any]]


@dataclass(frozen=True)
class Server:
    """How to start an MCP server: its command in `folder`, where the clients are installed, and its environment."""

    command: Sequence[str]
    environment: Mapping[str, str]
    steps: Sequence[Step]


def run(sandbox: Sandbox, server: Server, folder: Path) -> list[str]:
    """Take all steps; returns the tools that failed and the requests that the sandbox refused."""
    return anyio.run(_run, sandbox, server, folder)


async def _run(sandbox: Sandbox, server: Server, folder: Path) -> list[str]:
    places = {"url": sandbox.url, "token": sandbox.tokens["maintainer"], "folder": str(folder)}
    command, *arguments = [word.format(**places) for word in server.command]
    environment = {name: value.format(**places) for name, value in server.environment.items()}
    base = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    parameters = StdioServerParameters(command=command, args=arguments, env={**base, **environment})
    failures = []
    # What the server writes to standard error is its log.
    with anyio.fail_after(_SECONDS), open(os.devnull, "w", encoding="utf-8") as log:  # noqa: ASYNC230, PTH123
        async with stdio_client(parameters, errlog=log) as (read, write), ClientSession(read, write) as session:
            await session.initialize()
            for tool, values in server.steps:
                try:
                    result = await session.call_tool(tool, filled(values, known(sandbox)))
                except MCPError as error:  # zereight answers so where it cannot parse a response of the sandbox
                    failures.append(f"{tool}: {error}")
                    continue
                if result.is_error:
                    failures.append(f"{tool}: {[getattr(part, 'text', '') for part in result.content]}")
    return [*failures, *refusals(sandbox)]


def refusals(sandbox: Sandbox) -> list[str]:
    """The requests that the sandbox answered with 400 or more, or not at all.

    501 is not among them: it says that the sandbox does not have a route, which is never a wrong answer.
    """
    return [
        f"{one['method']} {one['path']}?{one['query']} {json.dumps(one['body'])}: {one['status']}"
        for one in sandbox.faults.requests()
        if one["status"] is None or (one["status"] >= 400 and one["status"] != 501)
    ]


def known(sandbox: Sandbox) -> dict[str, Any]:
    """The newest issue, merge request and so on, which the steps so far created."""
    project = sandbox.world.projects[sandbox.project_id]
    merge_request = project.merge_requests[max(project.merge_requests)]
    threads = [note for note in merge_request.notes if note.resolvable]
    pipeline = next(one for one in project.pipelines.values() if one.status == "failed")
    numbers = {
        "issue": max(project.issues),
        "request": merge_request.iid,
        "pipeline": pipeline.id,
        "job": pipeline.jobs[0].id,
    }
    return {
        **numbers,
        **{f"{name}_text": str(number) for name, number in numbers.items()},
        "project": str(project.id),
        "thread": threads[-1].discussion_id if threads else "",
        "base": merge_request.version.base,
        "head": merge_request.version.head,
    }


def filled(value: Any, values: Mapping[str, Any]) -> Any:
    """The arguments with each "{name}" replaced; one that is the whole text keeps its type."""
    if isinstance(value, dict):
        return {key: filled(inner, values) for key, inner in value.items()}
    if isinstance(value, list):
        return [filled(inner, values) for inner in value]
    if isinstance(value, str) and value.startswith("{") and value[1:-1] in values:
        return values[value[1:-1]]
    return value
