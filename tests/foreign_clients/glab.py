"""glab, GitLab's own command line, as Debian 13 has it: its commands in a clone of the sandbox's project."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

from gitlab_mcp.sandbox import Sandbox
from tests.foreign_clients.journey import refusals

STEPS = """
repo view
issue list
issue view 7 --comments
issue create --title Found --description Text --label bug --yes
issue note 7 --message A-note
issue update 7 --title Renamed
issue close 7
issue reopen 7
mr create --source-branch from-glab --target-branch main --title Created --description Text --yes
mr list
mr diff from-glab
mr note from-glab --message A-note
mr update from-glab --title Renamed --label bug --assignee maintainer
mr approve from-glab
mr rebase from-glab
mr merge from-glab --yes
ci list
ci status --branch main
ci get --branch main
ci run --branch main
ci lint
label list
label create --name glab --color #ff0000
release list
release create v9.9 --notes Notes --ref main
release view v9.9
repo contributors
incident list
api projects/:id/repository/branches
"""


def run(sandbox: Sandbox, _folder: Path) -> list[str]:
    """Take all steps with the glab that is on PATH; returns the steps that failed and the requests refused."""
    address, token = sandbox.url.removeprefix("http://"), sandbox.tokens["maintainer"]
    with TemporaryDirectory() as home:
        environment = {**os.environ, "HOME": home, "XDG_CONFIG_HOME": f"{home}/.config", "GITLAB_HOST": "127.0.0.1"}
        environment |= {"NO_PROMPT": "1", "NO_COLOR": "1", "NO_PROXY": "*"}

        def command(folder: str, *words: str) -> subprocess.CompletedProcess[str]:
            return subprocess.run(
                words, cwd=folder, env=environment, stdin=subprocess.DEVNULL, text=True, capture_output=True, timeout=60
            )

        for key, value in {"api_protocol": "http", "api_host": address, "token": token}.items():
            command(home, "glab", "config", "set", "--host", "127.0.0.1", key, value).check_returncode()
        command(home, "glab", "config", "set", "--global", "check_update", "false").check_returncode()
        clone = f"{home}/app"
        remote = f"http://oauth2:{token}@{address}/{sandbox.project}"
        for git in (
            f"clone -q {remote} {clone}",
            f"-C {clone} checkout -q -b from-glab",
            f"-C {clone} -c user.name=Maintainer -c user.email=m@example.com commit -q --allow-empty -m Empty",
            f"-C {clone} push -q origin from-glab",
        ):
            command(home, "git", *git.split()).check_returncode()
        failures = []
        for step in STEPS.strip().splitlines():
            done = command(clone, "glab", *step.split())
            if done.returncode:
                failures.append(f"glab {step}: {done.stdout}{done.stderr}")
    # git asks without its credential first, and glab asks whether the release exists before it creates it.
    usual = ("GET /acme/app/info/refs", "GET /api/v4/projects/acme%2Fapp/releases/v9%2E9")
    return [*failures, *(one for one in refusals(sandbox) if not one.startswith(usual))]
