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
echo '{"type": "system", "subtype": "init", "mcp_servers": [{"name": "gitlab", "status": "connected"}]}'
echo '{"type": "result", "subtype": "success", "is_error": false, "result": "Done.", "terminal_reason": "completed"}'
while [ $# != 0 ]; do [ "$1" != --append-system-prompt-file ] || cat "$2" >"$HOME/rules"; shift; done
"""
SERVER = f"""#!{sys.executable}
import sys
sys.path.insert(0, {str(REPOSITORY)!r})
BREAK
from gitlab_mcp.cli.main import main
main()
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
    programs = {"claude": CLAUDE, "gitlab-mcp-server": SERVER.replace("BREAK", ""), "npm": "#!/bin/sh\n"}
    # The job would install curl where it is missing, and needs it only for a wheel.
    programs["curl"] = "#!/bin/sh\nexit 1\n"
    for name, content in programs.items():
        (tmp_path / "bin" / name).write_text(content)
        (tmp_path / "bin" / name).chmod(0o755)
    own = {"PATH": f"{tmp_path}/bin:.:/usr/local/bin:/usr/bin::/bin:work", "HOME": str(tmp_path / "home")}
    own |= {"CI_PROJECT_URL": f"{gitlab.url}/{gitlab.project}", "CI_DEFAULT_BRANCH": "with-rules", "NO_PROXY": "*"}
    own |= {"CLAUDE_CACHE": "[]", "TMPDIR": str(tmp_path)}
    return Job(tmp_path, job_environment(gitlab, tmp_path / "work", **own))


def test_a_job_with_everything_asks_the_model_without_gits_instructions(job: Job) -> None:
    done = job.run()
    assert done.returncode == 0, done.stdout + done.stderr
    told, path = job.asked
    assert told == "1"
    assert all(entry.startswith("/") for entry in path.split(":"))
    assert "Rules." in job.rules


def no_server(job: Job) -> None:
    (job.folder / "bin" / "gitlab-mcp-server").unlink()


def bad_configuration(job: Job) -> None:
    job.environment["GITLAB_URL"] = "https://other.example.com"


def bad_variable(job: Job) -> None:
    job.environment["GITLAB_MCP_READ_ONLY"] = "perhaps"


def lifted_limits(job: Job) -> None:
    job.environment.update({"GITLAB_CI": "false", "ANTHROPIC_BASE_URL": "http://127.0.0.1:9"})


def broken_server(job: Job) -> None:
    text = SERVER.replace("BREAK", "if 'serve' in sys.argv: sys.exit('broken')")
    (job.folder / "bin" / "gitlab-mcp-server").write_text(text)


REASONS = {
    no_server: (127, "not found"),
    bad_configuration: (2, "credentials go there only"),
    bad_variable: (2, "GITLAB_MCP_READ_ONLY"),
    lifted_limits: (2, "The variable ANTHROPIC_BASE_URL would change where the model's key is sent"),
    broken_server: (2, "so the model was not asked"),
}


@pytest.mark.parametrize(("spoil", "ending"), REASONS.items(), ids=[each.__name__ for each in REASONS])
def test_a_job_whose_agent_has_no_gitlab_tools_stops_and_says_why(
    job: Job, spoil: Callable[[Job], None], ending: tuple[int, str]
) -> None:
    spoil(job)
    done = job.run()
    assert (done.returncode, job.asked) == (ending[0], [])
    assert ending[1] in done.stdout + done.stderr


@pytest.mark.parametrize("flags", ["--toolsets nope", "--toolsetz issues"])
def test_a_mistake_in_the_flags_stops_the_job_and_is_named(job: Job, flags: str) -> None:
    done = job.run(server_flags=flags)
    assert (done.returncode, job.asked) == (2, [])
    assert flags.split()[-1 if "nope" in flags else 0] in done.stdout + done.stderr


STEPS = {"the first request": ("GET", "/info/refs"), "the pack": ("POST", "/git-upload-pack")}


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(("method", "path"), STEPS.values(), ids=STEPS)
def test_a_target_branch_that_gitlab_is_too_busy_for_is_fetched_again(
    job: Job, gitlab: Sandbox, status: int, method: str, path: str
) -> None:
    gitlab.faults.fail(method, path, status, times=2)
    done = job.run()
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Rules." in job.rules


@pytest.mark.parametrize(("method", "path"), STEPS.values(), ids=STEPS)
@pytest.mark.parametrize("status", [403, 503])
def test_without_the_target_branch_the_job_stops_unless_an_input_lets_it_go_on(
    job: Job, gitlab: Sandbox, status: int, method: str, path: str
) -> None:
    gitlab.faults.fail(method, path, status, times=100)
    done = job.run()
    assert (done.returncode, job.asked) == (2, [])
    assert "The target branch could not be fetched" in done.stdout
    assert "allow_missing_rules: true" in done.stdout
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
    assert (done.returncode, job.asked) == (2, [])
    assert "The target branch could not be fetched" in done.stdout


def test_a_branch_without_rules_needs_no_permission(job: Job) -> None:
    job.environment["CI_DEFAULT_BRANCH"] = "main"
    done = job.run()
    assert done.returncode == 0, done.stdout + done.stderr
    assert job.asked
    assert job.rules == ""
