"""Jobs of a .gitlab-ci.yml, run word for word by gitlab-ci-local and its shell executor.

What differs from GitLab, and what `run_job` does about it:

- `image:` is passed over by --force-shell-executor: the job sees this machine, and `STAND_INS` for what an image has.
- Of the CI variables it knows most from the remote `origin` (CI_SERVER_URL, CI_API_V4_URL, CI_PROJECT_PATH ...), but
  CI_PROJECT_ID is always 1217, there is no CI_JOB_TOKEN, and GITLAB_CI is "false": a test gives them as variables.
  With an image, CI_PROJECT_DIR is a folder below /builds that is not there.
- In values it expands `$NAME` by the job's variables, as GitLab does; those of a test are to arrive as they are.
- HOME, PATH and all else of its own environment reach the script; stdin is /dev/null (GitLab Runner: an ended pipe).
- Its notes would lie in the working directory.
"""

import json
import os
import shlex
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e.claude import SYSTEM_PATH, Done, Place, claude_for, missing, model_variables, python_for
from tests.e2e.model import Model

TIMEOUT = 300.0
NEEDED = ("gitlab-ci-local", "node", "claude", "rsync", "bash", "git")

needs_ci_local = pytest.mark.skipif(bool(missing(*NEEDED)), reason=missing(*NEEDED))

# https://code.claude.com/docs/en/gitlab-ci-cd, "Quick setup"
QUICK_SETUP = r"""stages:
  - ai

claude:
  stage: ai
  image: node:24-alpine3.21
  # Adjust rules to fit how you want to trigger the job:
  # - manual runs
  # - merge request events
  # - web/API triggers when a comment contains '@claude'
  rules:
    - if: '$CI_PIPELINE_SOURCE == "web"'
    - if: '$CI_PIPELINE_SOURCE == "merge_request_event"'
  variables:
    GIT_STRATEGY: fetch
  before_script:
    - apk update
    - apk add --no-cache git curl bash
    - curl -fsSL https://claude.ai/install.sh | bash
  script:
    # Optional: start a GitLab MCP server if your setup provides one
    - /bin/gitlab-mcp-server || true
    # Use AI_FLOW_* variables when invoking via web/API triggers with context payloads
    - echo "$AI_FLOW_INPUT for $AI_FLOW_CONTEXT on $AI_FLOW_EVENT"
    - >
      claude
      -p "${AI_FLOW_INPUT:-'Review this MR and implement the requested changes'}"
      --permission-mode acceptEdits
      --allowedTools "Bash(*) Read(*) Edit(*) Write(*) mcp__gitlab"
      --debug
"""

# What a job runs of its image, by name. CLAUDE is the CLI's file, which the stand-in for its installer links to where
# that puts it.
STAND_INS = {
    "apk": 'echo "apk $*"',
    "curl": """
case "$*" in
*https://claude.ai/install.sh) echo 'mkdir -p ~/.local/bin && ln -sf CLAUDE ~/.local/bin/claude' ;;
*) echo "curl $*: only the installer is played" >&2; exit 6 ;;
esac""",
}


@dataclass(frozen=True)
class Job:
    """How a job went."""

    returncode: int
    log: str  # the commands and what they printed, stdout and stderr in one
    done: Done  # what gitlab-ci-local itself printed


def commit_ci_file(place: Place, text: str) -> None:
    """Make `text` the .gitlab-ci.yml of the git checkout in the working directory."""
    place.write(f"{place.work.relative_to(place.folder)}/.gitlab-ci.yml", text)
    place.git("add", ".gitlab-ci.yml")
    place.git("commit", "--quiet", "--message", "A job")


def run_job(
    place: Place,
    model: Model,
    variables: Mapping[str, str] | None = None,
    *,
    job: str = "claude",
    text: str = "",
    stand_ins: Mapping[str, str] = STAND_INS,
    env: Mapping[str, str] | None = None,
    found: bool = True,
    timeout: float = TIMEOUT,
) -> Job:
    """Run one job in the git checkout that is the working directory.

    Its .gitlab-ci.yml is the checkout's, or `text`, of which the checkout then knows nothing. `variables` are CI/CD
    variables, which rules see too; `env` is what the runner's own environment has. `found` is whether the folder into
    which the installer puts claude is on PATH, as it is in no image.
    """
    started = prepared(place, model, variables, job=job, text=text, stand_ins=stand_ins, env=env, found=found)
    done = place.run(*started.command, env=started.environment, timeout=timeout)
    return Job(done.returncode, started.log, done)


@dataclass(frozen=True)
class Prepared:
    """A command that runs one job, and where its log will be."""

    command: list[str]
    environment: dict[str, str]
    file: Path

    @property
    def log(self) -> str:
        """The commands and what they printed so far."""
        return self.file.read_text(errors="replace") if self.file.exists() else ""


def prepared(
    place: Place,
    model: Model,
    variables: Mapping[str, str] | None = None,
    *,
    job: str = "claude",
    text: str = "",
    stand_ins: Mapping[str, str] = STAND_INS,
    env: Mapping[str, str] | None = None,
    found: bool = True,
) -> Prepared:
    """The command that runs one job in the git checkout that is the working directory; for the rest see `run_job`."""
    node, program = shutil.which("node"), shutil.which("gitlab-ci-local")
    assert node is not None, missing("node")
    assert program is not None, missing("gitlab-ci-local")
    state = place.folders(place.folder / "ci-local")
    given = {
        "GITLAB_CI": "true",
        "CI_PIPELINE_SOURCE": "web",
        "CI_BUILDS_DIR": str(place.folder / "builds"),
        "CI_PROJECT_DIR": str(place.work),
        **model_variables(model),
        **(variables or {}),
    }
    command = [str(Path(node).resolve()), str(Path(program).resolve()), job, "--force-shell-executor", "--no-color"]
    command += ["--state-dir", os.path.relpath(state, place.work), "--ignore-predefined-vars", ",".join(given)]
    for name, value in given.items():
        command += ["--variable", f"{name}={value.replace('$', '$$')}"]
    if text:
        command += ["--file", os.path.relpath(place.write("job.gitlab-ci.yml", text), place.work)]
    for name, script in stand_ins.items():
        installed = script.replace("CLAUDE", shlex.quote(claude_for(place)))
        place.write(f"stand-ins/{name}", f"#!/bin/sh\n{installed}\n", 0o755)
    local = [str(place.home / ".local/bin")] if found else []
    path = os.pathsep.join((str(place.folder / "stand-ins"), *local, SYSTEM_PATH))
    log = state / "output" / f"{job}.log"
    log.unlink(missing_ok=True)
    return Prepared(command, place.environment(PATH=path, **(env or {})), log)


INSTALLED = Path("/bin/gitlab-mcp-server")
MARK = "# There for the time of a test, by tests/e2e."


@contextmanager
def installed_server(user: int | None = None) -> Iterator[Path]:
    """/bin/gitlab-mcp-server, as pip would install it: its own name is the file that was started.

    `user` is who will run it. Skips without root, and where the machine has such a file already.
    """
    if os.geteuid() != 0:
        pytest.skip("only root can write /bin/gitlab-mcp-server")
    python = python_for(user)
    lines = [f"#!{python.executable}", MARK, "import sys"]
    if python.packages:
        lines += [f"sys.path[:0] = {json.dumps(python.packages)}"]
    lines += ["from gitlab_mcp.__main__ import run", "sys.exit(run())"]
    with locked_bin():
        # A run that was killed leaves its file behind.
        if INSTALLED.is_symlink() or (INSTALLED.exists() and MARK not in INSTALLED.read_text(errors="replace")):
            pytest.skip("this machine has a /bin/gitlab-mcp-server of its own")
        INSTALLED.write_text("\n".join(lines) + "\n")
        INSTALLED.chmod(0o755)
        try:
            yield INSTALLED
        finally:
            INSTALLED.unlink()


@contextmanager
def locked_bin() -> Iterator[None]:
    """No other test run puts the server into /bin or takes it away meanwhile."""
    folder = os.open(INSTALLED.parent, os.O_RDONLY)
    try:
        # The lock is the open folder's, so it outlives the command; and it ends with this process, however that ends.
        command = ["flock", "--wait", str(int(TIMEOUT)), str(folder)]
        subprocess.run(command, pass_fds=[folder], check=True)
        yield
    finally:
        os.close(folder)
