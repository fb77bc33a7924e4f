"""What the tests share: a client connected to a server, and settings that point at a sandbox."""

import inspect
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import requests
from mcp import Client
from mcp_types import TextContent

from gitlab_mcp.config.checkout import WorkingDirectory
from gitlab_mcp.config.settings import Credential, Settings
from gitlab_mcp.sandbox import Sandbox
from gitlab_mcp.server.server import build_server
from gitlab_mcp.tools import TOOLS
from gitlab_mcp.tools.definition import ToolDefinition
from gitlab_mcp.tools.examples import EXAMPLES

EVERY_TOOLSET = tuple(sorted({definition.toolset for definition in TOOLS}))
REPOSITORY = Path(__file__).resolve().parent.parent


def settings_for(sandbox: Sandbox, user: str = "maintainer", **changes: Any) -> Settings:
    """The settings of a run on `sandbox` with the access token of `user`."""
    credential = Credential("access token", "GITLAB_ACCESS_TOKEN", sandbox.tokens[user])
    return replace(Settings(url=sandbox.url, credential=credential, project=sandbox.project), **changes)


def job_settings(sandbox: Sandbox, **changes: Any) -> Settings:
    """The settings of a job of the sandbox's project that has nothing but its CI_JOB_TOKEN; git is its road."""
    credential = Credential("job token", "CI_JOB_TOKEN", sandbox.tokens["job"])
    settings = Settings(url=sandbox.url, credential=credential, project=sandbox.project, in_ci=True)
    return replace(settings, **{"own_project": (sandbox.project, str(sandbox.project_id)), **changes})


def job_environment(sandbox: Sandbox, directory: Path, **more: str) -> dict[str, str]:
    """The environment of a job of the sandbox's project in the checkout at `directory`, and PATH."""
    return {
        "PATH": os.environ["PATH"],
        "CI": "true",
        "GITLAB_CI": "true",
        "CI_SERVER_URL": sandbox.url,
        "CI_PROJECT_ID": str(sandbox.project_id),
        "CI_PROJECT_PATH": sandbox.project,
        "CI_PROJECT_DIR": str(directory),
        "CI_JOB_TOKEN": sandbox.tokens["job"],
        "GITLAB_USER_NAME": "Developer",
        "GITLAB_USER_EMAIL": "developer@example.com",
        **more,
    }


def allow_job_pushes(sandbox: Sandbox, allowed: bool = True) -> None:
    """Flip the switch of the project: Allow Git push requests to the repository."""
    url = f"{sandbox.url}/api/v4/projects/{sandbox.project_id}"
    body = {"ci_push_repository_for_job_token_allowed": allowed}
    answer = requests.put(url, json=body, headers={"PRIVATE-TOKEN": sandbox.tokens["maintainer"]}, timeout=30)
    assert answer.status_code == 200, answer.text


def checkout(path: Path, project: str = "acme/app") -> WorkingDirectory:
    """A working directory of `project` at `path`."""
    return WorkingDirectory(path.resolve(), project)


def example(tool: ToolDefinition, *, every: bool = False) -> dict[str, Any]:
    """A right call of a tool: with no more arguments than it needs, or with `every` one but the project."""
    parameters = list(inspect.signature(tool.function).parameters.values())[1:]
    taken = [each.name for each in parameters if each.default is each.empty or (every and each.name != "project")]
    return {name: EXAMPLES[name] for name in taken}


class Agent:
    """Calls tools as a client does. An answer is its text; an error is told apart by which method is used."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.called: set[str] = set()

    async def call(self, tool: str, **arguments: Any) -> str:
        """The text of an answer; an error fails the test."""
        text, is_error = await self._result(tool, arguments)
        assert not is_error, text
        return text

    async def refused(self, tool: str, **arguments: Any) -> str:
        """The text of an error; a success fails the test."""
        text, is_error = await self._result(tool, arguments)
        assert is_error, text
        return text

    async def _result(self, tool: str, arguments: dict[str, Any]) -> tuple[str, bool]:
        self.called.add(tool)
        result = await self.client.call_tool(tool, arguments)
        assert [type(block) for block in result.content] == [TextContent]
        assert result.structured_content is None
        return "".join(block.text for block in result.content if isinstance(block, TextContent)), result.is_error


@asynccontextmanager
async def connect(settings: Settings) -> AsyncIterator[Agent]:
    """An agent connected to a server with these settings, in this process."""
    server = build_server(settings)
    try:
        async with Client(server) as client:
            yield Agent(client)
    finally:
        server.close()
