"""The template's job where the agent would have no tools or no rules: it stops before the model is asked."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from gitlab_mcp.sandbox import Sandbox
from tests.support.ci_job import job_environment
from tests.support.gitlab_requests import commit
from tests.support.paths import REPOSITORY
from tests.support.templates import interpolated, script

CLAUDE = """#!/bin/sh
cat >/dev/null
printf '%s\n' "$CLAUDE_CODE_DISABLE_GIT_INSTRUCTIONS" "$PATH" >"$HOME/asked"
while [ $# != 0 ]; do [ "$1" != --append-system-prompt-file ] || cat "$2" >"$HOME/rules"; shift; done
"""
SERVER = f"""#!/bin/sh
PYTHONPATH={REPOSITORY} exec {sys.executable} -m gitlab_mcp "$@"
"""


@dataclass(frozen=True)
class Job:
    """A job's folder: its programs, its home and its checkout, and the environment in which its script runs."""

    folder: Path
    environment: dict[str, str]

    def run(self, **inputs: object) -> subprocess.CompletedProcess[str]:
        text = script(interpolated(inputs)).replace("/bin/gitlab-mcp-server", f"{self.folder}/bin/gitlab-mcp-server")
        return subprocess.run(
            ["sh", "-c", 'set -e; eval "$1" </dev/null', "job", text],
            env=self.environment,
            cwd=self.folder / "work",
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    @property
    def asked(self) -> list[str]:
        """What the model's program was started with; [] where it was not started."""
        file = self.folder / "home" / "asked"
        return file.read_text().splitlines() if file.exists() else []

    @property
    def rules(self) -> str:
        file = self.folder / "home" / "rules"
        return file.read_text() if file.exists() else ""


@pytest.fixture(scope="module")
def gitlab(sandbox: Sandbox) -> Sandbox:
    """The sandbox, with rules on a branch of its own."""
    rules = {"action": "create", "file_path": "CLAUDE.md", "content": "Rules.\n"}
    commit(sandbox, "with-rules", "main", rules)
    return sandbox


@pytest.fixture
def job(gitlab: Sandbox, tmp_path: Path) -> Job:
    gitlab.faults.clear()
    for name in ("bin", "home", "work"):
        (tmp_path / name).mkdir()
    # A pause is not waited for.
    programs = {"claude": CLAUDE, "gitlab-mcp-server": "#!/bin/sh\n", "npm": "#!/bin/sh\n", "sleep": "#!/bin/sh\n"}
    # The job would install curl where it is missing, and needs it only for a wheel.
    programs["curl"] = "#!/bin/sh\nexit 1\n"
    for name, content in programs.items():
        (tmp_path / "bin" / name).write_text(content)
        (tmp_path / "bin" / name).chmod(0o755)
    own = {"PATH": f"{tmp_path}/bin:.:/usr/local/bin:/usr/bin::/bin:work", "HOME": str(tmp_path / "home")}
    own |= {"CI_PROJECT_URL": f"{gitlab.url}/{gitlab.project}", "CI_DEFAULT_BRANCH": "with-rules", "NO_PROXY": "*"}
    own |= {"CLAUDE_PROMPT": "Do it.", "CLAUDE_CACHE": "[]", "TMPDIR": str(tmp_path)}
    return Job(tmp_path, job_environment(gitlab, tmp_path / "work", **own))


@pytest.fixture
def real_job(job: Job) -> Job:
    """The job with the real server, which other tests do without for speed."""
    (job.folder / "bin" / "gitlab-mcp-server").write_text(SERVER)
    return job


def test_a_job_with_everything_asks_the_model_without_gits_instructions(real_job: Job) -> None:
    done = real_job.run()
    assert done.returncode == 0, done.stderr
    told, path = real_job.asked
    assert told == "1"
    assert all(entry.startswith("/") for entry in path.split(":"))
    assert "Rules." in real_job.rules


def no_server(job: Job) -> None:
    (job.folder / "bin" / "gitlab-mcp-server").unlink()


def not_registered(job: Job) -> None:
    (job.folder / "home" / ".claude.json").write_text("{ this is not JSON")


def bad_configuration(job: Job) -> None:
    job.environment["GITLAB_URL"] = "https://other.example.com"


def broken_server(job: Job) -> None:
    (job.folder / "bin" / "gitlab-mcp-server").write_text("#!/bin/sh\nexit 1\n")


REASONS = {
    "no_server": "not found",
    "not_registered": "not valid JSON",
    "bad_configuration": "credentials go there only",
    "broken_server": "",
}


@pytest.mark.parametrize("spoil", [no_server, not_registered, bad_configuration, broken_server])
def test_a_job_whose_agent_has_no_gitlab_tools_stops_and_says_why(real_job: Job, spoil: Callable[[Job], None]) -> None:
    spoil(real_job)
    done = real_job.run()
    assert done.returncode == 1
    assert real_job.asked == []
    assert "The agent would have no GitLab tools: the job stops before the model is asked." in done.stderr
    assert REASONS[spoil.__name__] in done.stdout + done.stderr


def test_a_configuration_that_no_server_starts_with_stops_the_job(real_job: Job) -> None:
    real_job.environment["GITLAB_MCP_READ_ONLY"] = "perhaps"
    done = real_job.run()
    assert (done.returncode, real_job.asked) == (1, [])
    assert "GITLAB_MCP_READ_ONLY" in done.stdout + done.stderr


def test_a_mistake_in_the_flags_leaves_a_server_that_only_reads(real_job: Job) -> None:
    done = real_job.run(server_flags="--toolsets nope")
    assert (done.returncode, real_job.asked != []) == (0, True)
    assert "nope" in done.stdout + done.stderr


STEPS = {"the first request": ("GET", "/info/refs"), "the pack": ("POST", "/git-upload-pack")}


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(("method", "path"), STEPS.values(), ids=STEPS)
def test_a_target_branch_that_gitlab_is_too_busy_for_is_fetched_again(
    job: Job, gitlab: Sandbox, status: int, method: str, path: str
) -> None:
    gitlab.faults.fail(method, path, status, times=2)
    done = job.run()
    assert done.returncode == 0, done.stderr
    assert "Rules." in job.rules


@pytest.mark.parametrize(("method", "path"), STEPS.values(), ids=STEPS)
@pytest.mark.parametrize("status", [403, 503])
def test_without_the_target_branch_the_job_stops_unless_an_input_lets_it_go_on(
    job: Job, gitlab: Sandbox, status: int, method: str, path: str
) -> None:
    gitlab.faults.fail(method, path, status, times=100)
    done = job.run()
    assert (done.returncode, job.asked) == (1, [])
    assert "The target branch could not be fetched" in done.stderr
    assert "allow_missing_rules: true" in done.stderr
    assert job.environment["CI_JOB_TOKEN"] not in done.stdout + done.stderr
    assert job.run(allow_missing_rules=True).returncode == 0
    assert job.asked
    assert job.rules == ""


def test_a_file_of_rules_that_cannot_be_fetched_is_not_taken_for_none(job: Job) -> None:
    """The branch comes first, without the contents of files, for which git asks when it reads one."""
    busy = "echo 'fatal: unable to access: The requested URL returned error: 503' >&2; exit 128"
    program = job.folder / "bin" / "git"
    program.write_text(f'#!/bin/sh\ncase "$*" in *cat-file*) {busy} ;; esac\nexec {shutil.which("git")} "$@"\n')
    program.chmod(0o755)
    done = job.run()
    assert (done.returncode, job.asked) == (1, [])
    assert "The target branch could not be fetched" in done.stderr


def test_a_branch_without_rules_needs_no_permission(job: Job) -> None:
    job.environment["CI_DEFAULT_BRANCH"] = "main"
    done = job.run()
    assert done.returncode == 0, done.stderr
    assert job.asked
    assert job.rules == ""
