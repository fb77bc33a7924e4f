"""The command `doctor`, run with a home, a working directory and programs of its own, and its report."""

import json
import os
import shutil
import sys
from contextlib import chdir
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from gitlab_mcp import claude_code
from gitlab_mcp.claude_code import Registration, Scope
from gitlab_mcp.cli.doctor import doctor
from gitlab_mcp.config.settings import Flags
from gitlab_mcp.sandbox import Sandbox
from tests.support.ci_job import job_environment

TOKEN = "glpat-this-is-not-a-real-token"
SWITCH = "Settings > CI/CD > Job token permissions > Allow Git push requests to the repository"
CONFIGURATION = """\
claude:
  script:
    - /bin/gitlab-mcp-server || true
    - >
      claude
      -p "hi"
      --allowedTools "Bash(*) Read(*) mcp__gitlab"
      --debug
"""


@dataclass(frozen=True)
class Report:
    """What the command printed as JSON, by check."""

    checks: dict[str, dict[str, str]]
    code: int
    text: str

    def of(self, check: str) -> tuple[str, str]:
        """The status of a check, and its words with the remedy."""
        found = self.checks[check]
        assert bool(found["remedy"]) is (found["status"] != "pass"), "a remedy where it is not well, and only there"
        return found["status"], f"{found['what']} | {found['remedy']}"

    def ids(self, status: str) -> list[str]:
        return [name for name, check in self.checks.items() if check["status"] == status]


class Place:
    """A home, a working directory and programs, and nothing else of where the tests run."""

    def __init__(self, root: Path) -> None:
        self.home, self.directory, self.programs = root / "home", root / "work", root / "bin"
        for folder in (self.home, self.directory, self.programs):
            folder.mkdir()
        (self.programs / "git").symlink_to(str(shutil.which("git")))

    @property
    def own(self) -> dict[str, str]:
        return {"HOME": str(self.home), "PATH": str(self.programs)}

    def local(self, url: str, token: str = TOKEN, **more: str) -> dict[str, str]:
        """An environment outside CI."""
        given = {"GITLAB_URL": url, "GITLAB_ACCESS_TOKEN": token, "GITLAB_PROJECT": "acme/app"}
        return {**given, **self.own, **more}

    def job(self, sandbox: Sandbox, **more: str) -> dict[str, str]:
        """The environment of a job on a protected ref."""
        usual = {"CI_SERVER_VERSION": "19.2.0-ee", "CI_DEFAULT_BRANCH": "main", "CI_COMMIT_REF_PROTECTED": "true"}
        return {**job_environment(sandbox, self.directory), **usual, **self.own, **more}

    def has_claude(self, script: str = "echo '2.1.330 (Claude Code)'", folder: Path | None = None) -> None:
        """A stand-in for claude on PATH, or in `folder`."""
        path = (folder or self.programs) / "claude"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    def registers(self, folder: Path | None = None, **changes: Any) -> None:
        """The entry of this server in Claude Code's configuration, with changes; None leaves a key out."""
        entry = {"type": "stdio", "command": sys.executable, "args": ["-m", "gitlab_mcp", "serve"], "alwaysLoad": True}
        entry = {key: value for key, value in {**entry, **changes}.items() if value is not None}
        text = json.dumps({"numStartups": 3, "mcpServers": {"gitlab": entry}})
        ((folder or self.home) / ".claude.json").write_text(text)

    def enters(self, scope: Scope, directory: Path | None = None, command: str = sys.executable) -> None:
        """The entry that `register` writes."""
        claude_code.register(Registration(command), scope, self.own, directory or self.directory)

    def is_complete(self) -> None:
        """Everything on this side is well."""
        self.has_claude()
        self.registers()
        (self.directory / ".gitlab-ci.yml").write_text(CONFIGURATION)

    def examine(self, environ: dict[str, str], *arguments: str, flags: Flags | None = None) -> Report:
        """Run the command here, with nothing but `environ`; that no token is printed is held each time."""
        output, code = self.prints(environ, "--json", *arguments, flags=flags)
        told = json.loads(output)
        checks = {check["id"]: check for check in told["checks"]}
        assert len(checks) == len(told["checks"])
        assert all(check.keys() == {"id", "status", "what", "remedy"} for check in checks.values())
        report = Report(checks, code, output)
        assert told["failed"] == len(report.ids("fail"))
        assert code == (1 if told["failed"] else 0)
        assert "Traceback" not in output
        return report

    def prints(
        self, environ: dict[str, str], *arguments: str, flags: Flags | None = None, color: bool = False
    ) -> tuple[str, int]:
        with pytest.MonkeyPatch.context() as patch, chdir(self.directory):
            for name in list(os.environ):
                patch.delenv(name)
            for name, value in environ.items():
                patch.setenv(name, value)
            done = CliRunner().invoke(doctor, arguments, obj=flags, color=color)
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
        secrets = [value for name, value in environ.items() if name.endswith(("_TOKEN", "_KEY"))]
        assert not [secret for secret in secrets if secret and secret in done.output]
        return done.output, done.exit_code


def only(place: Place, environ: dict[str, str], check: str) -> tuple[str, str]:
    """Run the command; returns the status of one check, and its words with the remedy."""
    return place.examine(environ).of(check)
