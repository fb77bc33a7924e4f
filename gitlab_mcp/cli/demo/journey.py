"""The steps of the demonstration: locally with an access token, and in a CI job with only its job token."""

import os
import re
import sys
from pathlib import Path
from typing import Any

import click
from mcp import StdioServerParameters

from gitlab_mcp.cli.demo.agent import Agent, StepFailed
from gitlab_mcp.cli.demo.clone import Clone
from gitlab_mcp.cli.demo.maintainer import Maintainer
from gitlab_mcp.cli.demo.plan import FIX, MAINTAINERS, Plan, fix, maintainers
from gitlab_mcp.sandbox import Sandbox


class LocalClone:
    """A clone of the sandbox's project on a developer's machine, below `folder`."""

    def __init__(self, sandbox: Sandbox, folder: Path) -> None:
        self._sandbox = sandbox
        directory = folder / sandbox.project.rpartition("/")[2]
        Maintainer(sandbox).clone(directory)
        self.clone = Clone(directory)

    def server(self) -> StdioServerParameters:
        """How a local client starts the server in the clone: the origin remote names the project."""
        return StdioServerParameters(
            command=sys.executable,
            # Without -P, Python would import modules from the clone.
            args=["-P", "-m", "gitlab_mcp", "serve"],
            env={
                "PATH": os.environ.get("PATH", ""),
                "GITLAB_URL": self._sandbox.url,
                "GITLAB_ACCESS_TOKEN": self._sandbox.tokens["maintainer"],
            },
            cwd=self.clone.directory,
        )


class Journey:
    """The files are edited in `clone`; one tool call commits them to a new branch and opens the merge request.

    The new branch starts at `start`. An empty repository gets its first file there. With `notes`, the issue and the
    merge request get a note each.
    """

    def __init__(self, clone: Clone, start: str, *, notes: bool) -> None:
        self._clone = clone
        self._start = start
        self._notes = notes
        self.plan: Plan | None = None

    async def play(self, agent: Agent) -> Plan:
        """Play it and return the plan; `plan` is set before anything of it is committed."""

        async def is_text(path: str) -> bool:
            return await agent.read(path) is not None

        issue, is_seeded = await _choose(agent, "Read issue #{}.")
        paths = await agent.files("Look at the files.") or await self._begin(agent)
        paths = [path for path in paths if self._clone.editable(path)]
        plan = fix(issue) if is_seeded else await maintainers(issue, paths, is_text, self._clone.has)
        if is_seeded and plan.changed:
            await is_text(plan.changed.path)
        self.plan = plan
        agent.title("Edit the files on disk, in the clone.")
        for line in self._clone.edit(plan):
            click.echo(f"   {line}")
        opened = await agent.step(
            f"Commit from there {plan.summary}; on a new branch, with a merge request that closes the issue.",
            "commit_files",
            branch=plan.branch,
            ref=self._start,
            **self._files(plan),
            message=plan.message,
            merge_request={"title": plan.title, "description": plan.description},
        )
        merge_request = _merge_request(opened)
        if self._notes:
            title, body = "Answer on the issue.", plan.notes["issue"]
            await agent.step(title, "create_note", on="issue", iid=issue, body=body)
            title, body = "Say so on the merge request.", plan.notes["merge request"]
            await agent.step(title, "create_note", on="merge_request", iid=merge_request, body=body)
        return plan

    async def _begin(self, agent: Agent) -> list[str]:
        await agent.step(
            f"There is nothing to work on: commit a file to {self._start} first.",
            "commit_files",
            branch=self._start,
            message="Add a readme",
            actions=[{"path": "README.md", "content": "# A new project\n"}],
        )
        self._clone.pull(self._start)
        return await agent.files("Look again.")

    def _files(self, plan: Plan) -> dict[str, Any]:
        """The arguments of commit_files that name the files, by globs or by paths; their content is on disk."""
        if plan.globs:
            return {"paths": plan.globs}
        # The server does not take files from disk that git ignores.
        ignored = self._clone.ignores(plan.created.path)
        actions = [{"path": plan.created.path, **({"content": plan.created.content} if ignored else {})}]
        actions += [{"path": plan.changed.path}] if plan.changed else []
        actions += [{"path": plan.deleted, "action": "delete"}] if plan.deleted else []
        return {"actions": actions}


async def _choose(agent: Agent, step_title: str) -> tuple[str, bool]:
    """Read the issue to work on; returns its iid, and whether it is from the sandbox's seed data.

    `step_title` is the title of the step, with {} for the iid.
    """
    rows = re.findall(r"^#(\d+) (.*)$", await agent.step("Which issues are open?", "list_issues"), re.MULTILINE)
    for title in (FIX, MAINTAINERS):
        for iid, row in rows:
            if row.startswith(title):
                await agent.step(step_title.format(iid), "get_issue", iid=iid)
                return iid, title == FIX
    raise StepFailed("the sandbox has no open issue to work on")


def _merge_request(text: str) -> str:
    """The iid of the merge request that a tool's result names."""
    if not (match := re.search(r"!(\d+)", text)):
        raise StepFailed(f"no merge request is named in: {text}")
    return match[1]
