"""Checks of the programs that a run needs: git and claude."""

import os
import re
import shutil
from pathlib import Path

from gitlab_mcp.config.settings import SECRET_VARIABLE
from gitlab_mcp.doctor.check import Check
from gitlab_mcp.doctor.context import DoctorContext
from gitlab_mcp.doctor.processes import NotStarted, output
from gitlab_mcp.doctor.result import CheckResult, Skipped, failed, in_brackets, passed, warned
from gitlab_mcp.git.process import NEEDED_GIT, GitError, until
from gitlab_mcp.git.scratch_repository import require_version
from gitlab_mcp.git.search_path import search_path

PROGRAM_SECONDS = 5.0
OLDEST_CLAUDE = (2, 1)

INSTALL = "Install it before it is needed: curl -fsSL https://claude.ai/install.sh | bash"


def git_installed(context: DoctorContext) -> CheckResult:
    try:
        version = require_version(until(PROGRAM_SECONDS))
    except GitError as error:
        where = " in the job's image" if context.in_ci else ""
        remedy = f"Install {NEEDED_GIT}{where} (apk add --no-cache git, apt-get install -y git)."
        what = f"git cannot be used{in_brackets(str(error))}"
        if context.credential and context.credential.kind == "job token":
            return failed(f"{what}, and writing with CI_JOB_TOKEN needs it", remedy)
        return warned(f"{what}: files that were edited on disk cannot be found without it", remedy)
    return passed(f"git is installed, version {version}")


def claude_installed(context: DoctorContext) -> CheckResult:
    if _on_path(context):
        return passed("claude is on PATH")
    if _in_local_bin(context):
        what = "claude is in ~/.local/bin, which is not on PATH"
        return warned(what, 'Put this line before it: export PATH="$HOME/.local/bin:$PATH"')
    if context.in_ci:
        return failed("claude is neither on PATH nor in ~/.local/bin", INSTALL)
    return warned("claude is neither on PATH nor in ~/.local/bin", f"Ignore this if you use another client. {INSTALL}")


def claude_version(context: DoctorContext) -> CheckResult | None:
    program = _on_path(context) or _in_local_bin(context)
    if program is None:
        return None
    # Its version can be read without the run's tokens.
    environ = {name: value for name, value in context.environ.items() if not SECRET_VARIABLE.search(name)}
    try:
        text = output([program, "--version"], environ, context.directory, PROGRAM_SECONDS)
    except NotStarted as error:
        return failed(f"claude cannot be started: {error}", INSTALL)
    version = re.search(r"(\d{1,4})\.(\d{1,4})\.(\d{1,6})", text)
    if version is None:
        why = f"claude --version printed no version within {PROGRAM_SECONDS:.0f} s"
        raise Skipped(why, f"Run it by hand. {INSTALL}")
    if (int(version[1]), int(version[2])) < OLDEST_CLAUDE:
        return warned(f"claude is version {version[0]}; 2.1 and newer are known to work", INSTALL)
    return passed(f"claude is version {version[0]}")


def _on_path(context: DoctorContext) -> str | None:
    return shutil.which("claude", path=search_path(context.environ))


def _in_local_bin(context: DoctorContext) -> str | None:
    path: Path = context.home / ".local" / "bin" / "claude"
    return str(path) if path.is_file() and os.access(path, os.X_OK) else None


CHECKS = (
    Check("git", "whether git is installed", git_installed),
    Check("claude", "whether claude is installed", claude_installed),
    Check("claude-version", "which version claude has", claude_version),
)
