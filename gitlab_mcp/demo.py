"""The whole way from an issue to a merge request, played on the sandbox by the real server and a real client.

What it claims at the end is read back with plain git and plain HTTP, never through the server or the sandbox's memory.
"""

import asyncio
import json
import os
import re
import subprocess
import sys
import tempfile
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import click
from mcp import Client, StdioServerParameters
from mcp_types import TextContent

from gitlab_mcp.sandbox import Sandbox, SandboxError

NOTE = "I opened a merge request that does this."
REVIEW = "One file is new, one changed and one is gone; please have a look."
FENCED = re.compile(r"^(`{3,})\n(.*)\n\1$", re.DOTALL | re.MULTILINE)


class StepFailed(Exception):
    """A tool answered with an error; the text is its own."""


@dataclass(frozen=True)
class File:
    """A path and the content that it is given."""

    path: str
    content: str


@dataclass(frozen=True)
class Plan:
    """A change: a new file, a changed one, and the path of a deleted one."""

    title: str
    branch: str
    created: File
    changed: File
    deleted: str


MAINTAINERS = "Say who maintains this project"
CRASH = "Crash when the config file is empty"
TEST = """from pathlib import Path

from app.config import load_config


def test_an_empty_file_is_an_empty_configuration(tmp_path: Path) -> None:
    path = tmp_path / "app.yml"
    path.touch()
    assert load_config(path) == {}
"""


def play(repo: Path | None) -> int:
    """Play the journey on a new sandbox, on a copy of `repo` if given. Returns the exit code: 0 if all was right."""
    try:
        with Sandbox(repo=repo) as sandbox:
            return play_on(sandbox)
    except SandboxError as error:
        click.echo(f"gitlab-mcp-server: {error}", err=True)
        return 2


def play_on(sandbox: Sandbox) -> int:
    """Play the journey on `sandbox`. Returns the exit code: 0 if what was read back is right."""
    click.secho(f"A GitLab is up at {sandbox.url}, with project {sandbox.project}.", bold=True)
    played = asyncio.run(Journey(sandbox).run())
    if isinstance(played, StepFailed):
        click.secho(f"The step failed: {played}", fg="red", err=True)
        return 1
    wrong = ReadBack(sandbox).check(*played)
    for line in wrong:
        click.secho(f"WRONG: {line}", fg="red", err=True)
    if not wrong:
        click.secho("\nEverything read back is as it should be.", fg="green", bold=True)
    return 1 if wrong else 0


class Journey:
    """The steps, each a call of a tool as an agent would make it."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._number = 0

    async def run(self) -> tuple[str, Plan] | StepFailed:
        """The iid of the issue and the plan that was committed; or the step that failed."""
        server = StdioServerParameters(
            command=sys.executable,
            args=["-m", "gitlab_mcp", "serve"],
            env={
                "PATH": os.environ.get("PATH", ""),
                "GITLAB_URL": self._sandbox.url,
                "GITLAB_ACCESS_TOKEN": self._sandbox.tokens["maintainer"],
                "GITLAB_PROJECT": self._sandbox.project,
            },
        )
        async with Client(server) as client:
            self._client = client
            try:
                return await self._play()
            except StepFailed as failure:  # raised through the client, it would arrive inside an exception group
                return failure

    async def _play(self) -> tuple[str, Plan]:
        rows = re.findall(r"^#(\d+) (.*)$", await self._step("Which issues are open?", "list_issues"), re.MULTILINE)
        crash = [iid for iid, row in rows if row.startswith(CRASH)]
        chosen = crash or [iid for iid, row in rows if row.startswith(MAINTAINERS)]
        if not chosen:
            raise StepFailed("the sandbox has no open issue to work on")
        issue = chosen[0]
        await self._step(f"Read issue #{issue} with its comments.", "get_issue", iid=issue)
        paths = await self._files("Look at the files.")
        plan = await (self._fix(issue) if crash else self._maintainers(issue, paths))
        await self._step("Create a branch.", "create_branch", branch=plan.branch)
        await self._step(
            "Commit three files at once: one new, one changed, one deleted.",
            "commit_files",
            branch=plan.branch,
            message=f"{plan.title}\n\nSee issue {issue}.",
            actions=[
                {"path": plan.created.path, "content": plan.created.content},
                {"path": plan.changed.path, "content": plan.changed.content},
                {"path": plan.deleted, "action": "delete"},
            ],
        )
        opened = await self._step(
            "Open a merge request that closes the issue.",
            "create_merge_request",
            source_branch=plan.branch,
            title=plan.title,
            description=f"Adds `{plan.created.path}`.\n\nCloses #{issue}",
        )
        found = re.search(r"!(\d+)", opened)
        if not found:
            raise StepFailed(f"no merge request is named in: {opened}")
        await self._step("Answer on the issue.", "create_note", on="issue", iid=issue, body=NOTE)
        await self._step("Say so on the merge request.", "create_note", on="merge_request", iid=found[1], body=REVIEW)
        return issue, plan

    async def _fix(self, issue: str) -> Plan:
        """What the seeded project's issue asks for."""
        path = "src/app/config.py"
        content = await self._read(path)
        if content is None:
            raise StepFailed(f"{path} is not shown as text")
        fixed = File(path, content.replace("if lines[0]", "if lines and lines[0]") + "\n")
        test = File("tests/test_empty_config.py", TEST)
        return Plan("Handle an empty configuration file", f"{issue}-empty-config", test, fixed, "src/app/legacy.py")

    async def _maintainers(self, issue: str, paths: list[str]) -> Plan:
        """A change that any repository can take; where it has too few files, some are committed first."""
        if len(paths) < 2:
            missing = [path for path in ("README.md", "OLD-NOTES.md") if path not in paths]
            default = str(ReadBack(self._sandbox).get("")["default_branch"] or "main")
            await self._step(
                f"There is too little to work on: commit two files to {default} first.",
                "commit_files",
                branch=default,
                message="Add a readme and old notes",
                actions=[{"path": path, "content": f"# {path}\n"} for path in missing],
            )
            paths = await self._files("Look again.")
        name = next(name for name in ("MAINTAINERS.md", "MAINTAINERS-OF-THIS.md") if name not in paths)
        for changed in sorted(paths, key=lambda path: ("readme" not in path.lower(), path.count("/")))[:20]:
            content = await self._read(changed)
            if content is not None:
                deleted = min((path for path in paths if path != changed), key=_obsolescence)
                created = File(name, "# Maintainers\n\n- maintainer\n")
                more = File(changed, f"{content}\n\nSee {name} for who maintains this.\n")
                return Plan(MAINTAINERS, f"{issue}-maintainers", created, more, deleted)
        raise StepFailed("none of the first files is text that can be changed")

    async def _read(self, path: str) -> str | None:
        """The text of a file without its last line's end; None where it is not shown whole and as it is."""
        shown = await self._step(f"Read {path}.", "get_file", path=path)
        text = FENCED.search(shown)
        return text[2] if text and "next: start_line" not in shown and "<U+" not in shown else None

    async def _files(self, title: str) -> list[str]:
        try:
            listed = await self._step(title, "list_files", recursive=True)
        except StepFailed as failure:
            if "no commits yet" in str(failure):
                return []
            raise
        rows = listed.split("\n")[1:]
        unusual = ("/", " (link)", " (submodule)")
        paths = [row.removesuffix(" (executable)") for row in rows if not row.endswith(unusual)]
        return [path for path in paths if path and not path.startswith("next: ")]

    async def _step(self, title: str, tool: str, /, **arguments: Any) -> str:
        self._number += 1
        click.secho(f"\n{self._number}. {title}", bold=True)
        click.secho(f"   {tool} {_short(arguments)}", fg="cyan")
        result = await self._client.call_tool(tool, arguments)
        text = "\n".join(block.text for block in result.content if isinstance(block, TextContent))
        lines = text.split("\n")
        for line in lines[:12]:
            click.echo(f"   {line}")
        if len(lines) > 12:
            click.echo(f"   … {len(lines) - 12} more lines")
        if result.is_error:
            raise StepFailed(text)
        return text


class ReadBack:
    """What GitLab holds now, by plain HTTP and plain git."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._token = sandbox.tokens["maintainer"]
        self._url = sandbox.url
        self._project = sandbox.project

    def get(self, path: str) -> Any:
        """GET a path below the project's, as parsed JSON."""
        url = f"{self._url}/api/v4/projects/{quote(self._project, safe='')}{path}"
        request = urllib.request.Request(url, headers={"PRIVATE-TOKEN": self._token})  # noqa: S310  # the sandbox's
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=30) as answer:
            return json.load(answer)

    def check(self, issue: str, plan: Plan) -> list[str]:
        """Print what is there; what is not as it should be, a line each."""
        click.secho("\nThe merge request, by plain HTTP:", bold=True)
        found = self.get(f"/merge_requests?source_branch={quote(plan.branch, safe='')}&state=opened")
        if len(found) != 1:
            return [f"{len(found)} open merge requests from {plan.branch}, not 1"]
        iid, target = found[0]["iid"], found[0]["target_branch"]
        click.echo(f"   !{iid} {found[0]['title']} ({found[0]['state']})\n   {found[0]['web_url']}")
        closes = [str(each["iid"]) for each in self.get(f"/merge_requests/{iid}/closes_issues")]
        click.echo(f"   closes: {', '.join(f'#{each}' for each in closes) or 'nothing'}")
        wrong = [] if closes == [issue] else [f"the merge request closes {closes}, not #{issue}"]
        for where, body in ((f"/issues/{issue}", NOTE), (f"/merge_requests/{iid}", REVIEW)):
            bodies = [note["body"] for note in self.get(f"{where}/notes?per_page=100")]
            if bodies.count(body) != 1:
                wrong.append(f"{where} has the note {bodies.count(body)} times, not once")
        return wrong + self._check_commit(target, plan)

    def _check_commit(self, target: str, plan: Plan) -> list[str]:
        click.secho("\nThe commit, by plain git clone:", bold=True)
        with tempfile.TemporaryDirectory(prefix="gitlab-mcp-demo-") as folder:
            clone = Path(folder) / "clone"
            parts = urlsplit(self._url)
            url = f"{parts.scheme}://demo:{self._token}@{parts.netloc}{parts.path}/{self._project}.git"
            _git("clone", "-q", "--no-checkout", url, str(clone))
            shown = _git("-C", str(clone), "log", "-1", "--stat", f"origin/{plan.branch}")
            click.echo("\n".join(f"   {line}" for line in shown.rstrip().split("\n")))
            listed = _git(
                "-C",
                str(clone),
                "diff",
                "--no-renames",
                "--name-status",
                "-z",
                f"origin/{target}...origin/{plan.branch}",
            )
            content = _git("-C", str(clone), "show", f"origin/{plan.branch}:{plan.changed.path}")
        fields = listed.split("\0")
        changes = set(zip(fields[1::2], fields[0::2], strict=False))
        wanted = {(plan.created.path, "A"), (plan.changed.path, "M"), (plan.deleted, "D")}
        wrong = [] if changes == wanted else [f"the branch changes {sorted(changes)}, not {sorted(wanted)}"]
        return wrong + (
            [] if content == plan.changed.content else [f"{plan.changed.path} has other content than was sent"]
        )


def _git(*arguments: str) -> str:
    keep = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ}
    quiet = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", "GIT_TERMINAL_PROMPT": "0"}
    command = ["git", "-c", "core.quotePath=false", *arguments]
    return subprocess.run(command, capture_output=True, check=True, env={**keep, **quiet}, timeout=120).stdout.decode()


def _obsolescence(path: str) -> tuple[bool, int, str]:
    """Orders files by how natural it is to delete them in a demonstration."""
    return not re.search(r"legacy|old|obsolete", path.lower()), -path.count("/"), path


def _short(arguments: dict[str, Any]) -> str:
    text = json.dumps(arguments, ensure_ascii=False)
    return text if len(text) <= 200 else f"{text[:199]}…"
