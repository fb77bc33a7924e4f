"""The steps of the demonstration: locally with an access token, and in a CI job with only its job token."""

import os
import re
import sys
from typing import Any

import click
from mcp import StdioServerParameters

from gitlab_mcp.cli.demo.agent import Agent, StepFailed
from gitlab_mcp.cli.demo.clone import Clone
from gitlab_mcp.cli.demo.job import Job
from gitlab_mcp.cli.demo.plain_git import git
from gitlab_mcp.cli.demo.plan import FIX, MAINTAINERS, Plan, fix, maintainers
from gitlab_mcp.sandbox import Sandbox

OLD_NOTES = "OLD-NOTES.md"


def local_server(sandbox: Sandbox) -> StdioServerParameters:
    """How a local client starts the server, with the maintainer's access token."""
    return StdioServerParameters(
        command=sys.executable,
        args=["-m", "gitlab_mcp", "serve"],
        env={
            "PATH": os.environ.get("PATH", ""),
            "GITLAB_URL": sandbox.url,
            "GITLAB_ACCESS_TOKEN": sandbox.tokens["maintainer"],
            "GITLAB_PROJECT": sandbox.project,
        },
    )


class LocalJourney:
    """A separate tool call for each action. An empty repository gets its first files on `default_branch`."""

    def __init__(self, default_branch: str) -> None:
        self._default_branch = default_branch
        self._texts: dict[str, str] = {}

    async def play(self, agent: Agent) -> tuple[Plan, dict[str, str]]:
        """Play it; returns the plan that was committed, and the id of the blob of each file that it writes, by path."""
        self._agent = agent
        issue, is_seeded = await _choose(agent, "Read issue #{} with its comments.")
        paths = await agent.files("Look at the files.")
        if is_seeded:
            plan = fix(issue)
        else:
            own = set(paths)
            paths = paths if len(paths) > 1 else await self._begin(paths)
            made = OLD_NOTES if OLD_NOTES in paths and OLD_NOTES not in own else ""
            plan = await maintainers(issue, paths, self._is_text, lambda name: name in paths, made)
        contents = {plan.created.path: plan.created.content}
        if plan.changed:
            path = plan.changed.path
            if path not in self._texts and not await self._is_text(path):
                raise StepFailed(f"{path} is not shown as text")
            contents[path] = plan.changed.apply_to(f"{self._texts[path]}\n")
        actions: list[dict[str, str]] = [{"path": path, "content": content} for path, content in contents.items()]
        actions += [{"path": plan.deleted, "action": "delete"}] if plan.deleted else []
        await agent.step("Create a branch.", "create_branch", branch=plan.branch)
        await agent.step(
            f"Commit at once {plan.summary}.", "commit_files", branch=plan.branch, message=plan.message, actions=actions
        )
        opened = await agent.step(
            "Open a merge request that closes the issue.",
            "create_merge_request",
            source_branch=plan.branch,
            title=plan.title,
            description=plan.description,
        )
        numbers = {"issue": issue, "merge request": _merge_request(opened)}
        await agent.step(
            "Answer on the issue.", "create_note", on="issue", iid=numbers["issue"], body=plan.notes["issue"]
        )
        await agent.step(
            "Say so on the merge request.",
            "create_note",
            on="merge_request",
            iid=numbers["merge request"],
            body=plan.notes["merge request"],
        )
        return plan, {path: git("hash-object", "--stdin", stdin=content).strip() for path, content in contents.items()}

    async def _begin(self, paths: list[str]) -> list[str]:
        missing = [path for path in ("README.md", OLD_NOTES) if path not in paths]
        await self._agent.step(
            f"There is too little to work on: commit two files to {self._default_branch} first.",
            "commit_files",
            branch=self._default_branch,
            message="Add a readme and old notes",
            actions=[{"path": path, "content": f"# {path}\n"} for path in missing],
        )
        return await self._agent.files("Look again.")

    async def _is_text(self, path: str) -> bool:
        text = await self._agent.read(path)
        if text is not None:
            self._texts[path] = text
        return text is not None


class JobJourney:
    """The files are edited in the job's clone; one tool call commits them and opens the merge request."""

    def __init__(self, job: Job, clone: Clone) -> None:
        self._job = job
        self._clone = clone
        self.plan: Plan | None = None

    async def play(self, agent: Agent) -> None:
        """Play it; `plan` is set before anything is committed."""

        async def is_text(path: str) -> bool:
            return await agent.read(path) is not None

        issue, is_seeded = await _choose(agent, "Read issue #{}.")
        paths = [path for path in await agent.files("Look at the files.") if self._clone.editable(path)]
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
            ref=self._job.branch,
            **self._files(plan),
            message=plan.message,
            merge_request={"title": plan.title, "description": plan.description},
        )
        _merge_request(opened)

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
