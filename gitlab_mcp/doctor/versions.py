"""The programs that a run needs: git and claude."""

import os
import re
import shutil
from pathlib import Path

from gitlab_mcp.config.settings import SECRET_VARIABLE
from gitlab_mcp.doctor.check import Check
from gitlab_mcp.doctor.context import DoctorContext
from gitlab_mcp.doctor.processes import NotStarted, output
from gitlab_mcp.doctor.result import CheckResult, Skipped, failed, passed, quoted, warned
from gitlab_mcp.git.process import GitError, git, until
from gitlab_mcp.git.scratch_repository import require_version

PROGRAM_SECONDS = 5.0
OLDEST_CLAUDE = (2, 1)  # of claude

INSTALL = "Install it before it is needed: curl -fsSL https://claude.ai/install.sh | bash"


def git_there(around: DoctorContext) -> CheckResult:
    try:
        require_version(until(PROGRAM_SECONDS))
        said = git("--version", timeout=PROGRAM_SECONDS).decode("utf-8", "replace")
    except GitError as error:
        remedy = "Install git 2.31 or newer in the job's image (apk add --no-cache git, apt-get install -y git)."
        what = f"git cannot be used{quoted(str(error))}"
        if around.credential and around.credential.kind == "job token":
            return failed(f"{what}, and CI_JOB_TOKEN writes through it", remedy)
        return warned(f"{what}: files that were edited on disk cannot be found without it", remedy)
    version = re.search(r"\d[\d.]*", said)
    return passed(f"git is there, version {version[0] if version else 'unknown'}")


def claude_there(around: DoctorContext) -> CheckResult:
    if _on_path(around):
        return passed("claude is on PATH")
    if _beside_path(around):
        what = "claude is in ~/.local/bin, which is not on PATH"
        return warned(what, 'Put this line before it: export PATH="$HOME/.local/bin:$PATH"')
    if around.in_ci:
        return failed("claude is neither on PATH nor in ~/.local/bin", INSTALL)
    return warned(
        "claude is neither on PATH nor in ~/.local/bin", f"Where another client is used, let it be. {INSTALL}"
    )


def claude_version(around: DoctorContext) -> CheckResult | None:
    program = _on_path(around) or _beside_path(around)
    if program is None:
        return None
    # It need not know the run's tokens to say its version.
    environ = {name: value for name, value in around.environ.items() if not SECRET_VARIABLE.search(name)}
    try:
        said = output([program, "--version"], environ, around.directory, PROGRAM_SECONDS)
    except NotStarted as error:
        return failed(f"claude cannot be started: {error}", INSTALL)
    found = re.search(r"(\d{1,4})\.(\d{1,4})\.(\d{1,6})", said)
    if found is None:
        raise Skipped(f"claude --version did not tell within {PROGRAM_SECONDS:.0f} s", f"Run it by hand. {INSTALL}")
    if (int(found[1]), int(found[2])) < OLDEST_CLAUDE:
        return warned(f"claude is version {found[0]}; 2.1 and newer are known to work", INSTALL)
    return passed(f"claude is version {found[0]}")


def _on_path(around: DoctorContext) -> str | None:
    return shutil.which("claude", path=around.environ.get("PATH", os.defpath))


def _beside_path(around: DoctorContext) -> str | None:
    path: Path = around.home / ".local" / "bin" / "claude"
    return str(path) if path.is_file() and os.access(path, os.X_OK) else None


CHECKS = (
    Check("git", "whether git is there", git_there),
    Check("claude", "whether claude is there", claude_there),
    Check("claude-version", "which version claude has", claude_version),
)
