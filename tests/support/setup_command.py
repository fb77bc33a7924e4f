"""The command `setup`, run as a maintainer runs it on a machine of their own, and what a project then has."""

import base64
import json
import os
import stat
from contextlib import chdir
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from gitlab_mcp.cli.main import main
from gitlab_mcp.sandbox import Sandbox
from gitlab_mcp.setup.steps.merge_request import SETUP_BRANCH
from tests.support.gitlab_requests import get, send

KEY = "sk-ant-this-is-not-a-real-key-0123456789"


@dataclass(frozen=True)
class SetupReport:
    """What a run of the command printed, and its exit code."""

    output: str
    code: int

    @property
    def data(self) -> Any:
        """The output as JSON."""
        return json.loads(self.output)

    def of(self, step: str) -> tuple[str, str]:
        """The status of a step, and its words with the remedy: of the result, else of the plan."""
        rows = [*self.data["steps"], *self.data["results"]]
        found = [row for row in rows if row["step"] == step][-1]
        words = [found.get(name, "") for name in ("setting", "before", "after", "what", "reason", "remedy", "question")]
        return found["status"], " | ".join(filter(None, words))

    def statuses(self) -> dict[str, str]:
        """The status of each step."""
        return {row["step"]: self.of(row["step"])[0] for row in self.data["steps"]}


@dataclass
class Maintainer:
    """A person with a home and a working directory; `environ` is what they exported."""

    root: Path
    sandbox: Sandbox
    who: str = "maintainer"
    environ: dict[str, str] = field(default_factory=lambda: {"ANTHROPIC_API_KEY": KEY})

    def __post_init__(self) -> None:
        self.home, self.directory = self.root / "home", self.root / "work"
        for folder in (self.home, self.directory):
            folder.mkdir(parents=True, exist_ok=True)

    @property
    def complete_environ(self) -> dict[str, str]:
        """The environment of the command."""
        own = {"HOME": str(self.home), "PATH": os.environ["PATH"], "GITLAB_URL": self.sandbox.url}
        own["GITLAB_ACCESS_TOKEN"] = self.sandbox.tokens[self.who]
        return {**own, "GITLAB_PROJECT": self.sandbox.project, **self.environ}

    def runs(self, *arguments: str, answers: str = "") -> SetupReport:
        """Run the command; that no secret of the person's is shown or written is checked each time."""
        environ = self.complete_environ
        with pytest.MonkeyPatch.context() as patch, chdir(self.directory):
            for name in list(os.environ):
                patch.delenv(name)
            for name, value in environ.items():
                patch.setenv(name, value)
            done = CliRunner().invoke(main, ["setup", *arguments], input=answers)
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
        report = SetupReport(done.output, done.exit_code)
        assert "Traceback" not in report.output
        self.keeps_its_secrets(report.output)
        return report

    def sets_up(self, *arguments: str) -> SetupReport:
        """Run the command without questions, for its JSON."""
        return self.runs("--yes", "--json", *arguments)

    def plans(self, *arguments: str) -> SetupReport:
        """Show the plan as JSON."""
        return self.runs("--dry-run", "--json", *arguments)

    def keeps_its_secrets(self, output: str) -> None:
        """Check that no secret is in `output` or in a file of the home, except the private listen.env."""
        texts = {"the output": output}
        for path in self.home.rglob("*"):
            if path.is_file() and path.name != "listen.env":
                texts[path.name] = path.read_text()
            if path.is_file():
                assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
        secrets = [value for name, value in self.complete_environ.items() if name.endswith(("_TOKEN", "_KEY"))]
        secrets += [str(token) for token in made_secrets(self.sandbox)]
        assert {where for where, text in texts.items() for secret in secrets if secret in text} == set()


def made_secrets(sandbox: Sandbox) -> list[str]:
    """The values of all access and trigger tokens that exist, which only the sandbox itself knows."""
    return [token for token in sandbox.world.tokens if token not in sandbox.tokens.values()]


def things_of(sandbox: Sandbox, *, merge_requests: bool = True) -> dict[str, Any]:
    """What setup changes in a project, as GitLab shows it, without ids and times."""
    project = get(sandbox, "")
    things: dict[str, Any] = {
        "push": project["ci_push_repository_for_job_token_allowed"],
        "variables": sorted(row["key"] for row in get(sandbox, "/variables")),
        "tokens": sorted(row["name"] for row in get(sandbox, "/access_tokens?state=active") if row["active"]),
        "packages": sorted(row["version"] for row in get(sandbox, "/packages")),
        "branches": sorted(row["name"] for row in get(sandbox, "/repository/branches?per_page=100")),
    }
    if merge_requests:
        rows = get(sandbox, "/merge_requests?state=opened")
        things["merge_requests"] = sorted(row["source_branch"] for row in rows)
    return things


def file_at(sandbox: Sandbox, path: str, ref: str) -> str:
    """The text of a file at a branch."""
    row = get(sandbox, f"/repository/files/{path.replace('/', '%2F')}?ref={ref}")
    return base64.b64decode(row["content"]).decode()


def stored(sandbox: Sandbox) -> dict[str, str]:
    """The values of the variables, which GitLab itself does not show."""
    variables = sandbox.world.projects[sandbox.project_id].variables
    return {variable.key: variable.value for variable in variables}


def merge(sandbox: Sandbox) -> None:
    """Merge the merge request of setup's branches."""
    for row in get(sandbox, "/merge_requests?state=opened"):
        if row["source_branch"].startswith(SETUP_BRANCH):
            send(sandbox, "PUT", f"/merge_requests/{row['iid']}/merge", "maintainer", should_remove_source_branch=True)
