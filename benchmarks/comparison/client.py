"""A server under comparison, connected to a sandbox of its own: tasks are done with it, and read back there."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from benchmarks.comparison.servers import Environment, Server
from benchmarks.process import ServerError, ServerProcess
from gitlab_mcp.sandbox import Sandbox
from tests.foreign_clients.journey import filled
from tests.support.gitlab_requests import get


@dataclass(frozen=True)
class Answer:
    """What a task's calls returned: their text, their blocks of content, and whether one of them failed."""

    text: str
    blocks: list[dict[str, Any]]
    failed: bool


@dataclass(frozen=True)
class Client:
    """A server that was started, and its sandbox."""

    server: Server
    sandbox: Sandbox
    process: ServerProcess

    def get(self, path: str) -> Any:
        """What GitLab answers, past the server, to GET of a path below the project's."""
        return get(self.sandbox, path)

    def can(self, task: str) -> bool:
        """Whether the server lists a tool for each call of a task."""
        listed = {tool["name"] for tool in self.process.tools()["tools"]}
        calls = self.server.tasks.get(task, ())
        return bool(calls) and all(tool in listed for tool, _ in calls)

    def do(self, task: str, **values: Any) -> Answer:
        """Do a task until a call fails. `values` are what its arguments name; a number has a text beside it."""
        values |= {f"{name}_text": str(value) for name, value in values.items()}
        values["reference"] = f"#{values.get('issue')}"
        text = ""
        blocks: list[dict[str, Any]] = []
        for tool, arguments in self.server.tasks[task]:
            try:
                result = self.process.request("tools/call", {"name": tool, "arguments": filled(arguments, values)})
            except ServerError as error:
                return Answer(f"{text}{error}", blocks, failed=True)
            blocks += result["content"]
            text += "".join(block.get("text", "") for block in result["content"])
            if result.get("isError"):
                return Answer(text, blocks, failed=True)
        return Answer(text, blocks, failed=False)


@contextlib.contextmanager
def connected(
    server: Server, more: Environment | None = None, *, job: bool = False, prefix: str = ""
) -> Iterator[Client]:
    """Start a server against a new sandbox: with `more` settings, or as a `job` that has only its CI_JOB_TOKEN."""
    with Sandbox(fault_injection=True, prefix=prefix) as sandbox:
        sandbox.fail_pipeline("stale/no-commits")  # its first job has artifacts
        given = {**(server.job if job else server.environment), **(more or {})}
        with ServerProcess(server.command, _filled(given, sandbox)) as process:
            process.initialize()
            yield Client(server, sandbox, process)


def _filled(environment: Environment, sandbox: Sandbox) -> Mapping[str, str]:
    values = {"url": sandbox.url, "token": sandbox.tokens["maintainer"], "job_token": sandbox.tokens["job"]}
    return {name: value.format(project_id=sandbox.project_id, **values) for name, value in environment.items()}
