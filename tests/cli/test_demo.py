"""The demo: it plays on real input, and what it says at the end is so."""

import json
import os
import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests
from mcp.client.stdio import get_default_environment

from gitlab_mcp.cli.demo.job import Job
from gitlab_mcp.cli.demo.maintainer import Maintainer
from gitlab_mcp.cli.demo.plan import fix
from gitlab_mcp.cli.demo.play import play, play_on
from gitlab_mcp.cli.demo.read_back import ReadBack
from gitlab_mcp.repository.git_backend.errors import JOB_PUSH_SETTING
from gitlab_mcp.sandbox import Sandbox
from tests.support.ci_job import allow_job_pushes
from tests.support.gitlab_requests import get, writes
from tests.support.paths import REPOSITORY
from tests.support.seed import SEED

QUIET = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_AUTHOR_NAME": "x", "GIT_AUTHOR_EMAIL": "x@example.com"}
QUIET |= {"GIT_COMMITTER_NAME": "x", "GIT_COMMITTER_EMAIL": "x@example.com"}


def git(*arguments: str, cwd: Path) -> None:
    subprocess.run(["git", *arguments], cwd=cwd, check=True, capture_output=True, env={**os.environ, **QUIET})


def demo(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "gitlab_mcp", "demo", *arguments]
    env = {"PATH": os.environ["PATH"], **variables}
    return subprocess.run(command, env=env, cwd=REPOSITORY, capture_output=True, text=True, timeout=120, check=False)


def post(sandbox: Sandbox, path: str, **body: object) -> Any:
    url = f"{sandbox.url}/api/v4/projects/{sandbox.project_id}{path}"
    answer = requests.post(url, json=body, headers={"PRIVATE-TOKEN": sandbox.tokens["maintainer"]}, timeout=30)
    assert answer.status_code == 201, answer.text
    return answer.json()


def test_the_journey_ends_with_0_and_plain_text_when_piped() -> None:
    done = demo()
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Everything read back is as it should be." in done.stdout
    assert "One that stays up until Ctrl-C: gitlab-mcp-server sandbox\n" in done.stdout
    assert "\x1b" not in done.stdout
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/repository/commits$"), ("POST", "/merge_requests$"), ("POST", f"{SEED.crash_issue.path}/notes$")],
)
def test_a_step_that_fails_ends_it_with_1(
    method: str, path: str, fresh_sandbox: Sandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    fresh_sandbox.faults.fail(method, path, status=500)
    assert play_on(fresh_sandbox) == 1
    assert "The step failed" in capsys.readouterr().err


def test_a_write_that_gitlab_only_seemed_to_take_ends_it_with_1(
    fresh_sandbox: Sandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = '{"id": 1, "body": "x"}'
    fresh_sandbox.faults.fail(
        "POST", f"{SEED.crash_issue.path}/notes$", status=201, body=answer, content_type="application/json"
    )
    assert play_on(fresh_sandbox) == 1
    assert f"WRONG: {SEED.crash_issue.path} has the note 0 times, not once" in capsys.readouterr().err


def empty(path: Path) -> None:
    git("init", "-q", "-b", "trunk", cwd=path)


def one_file_on_another_default_branch(path: Path) -> None:
    git("init", "-q", "-b", "develop", cwd=path)
    (path / "only.txt").write_text("x\n")
    git("add", ".", cwd=path)
    git("commit", "-qm", "one", cwd=path)


def strange_names(path: Path) -> None:
    git("init", "-q", "-b", "main", cwd=path)
    for name in ("a b.txt", "ü ñ/日本.md", "quote'\"s.txt", "emoji 🎉", "-dash.txt"):
        file = path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{name}\n")
    (path / "binary.bin").write_bytes(bytes(range(256)))
    git("add", ".", cwd=path)
    git("commit", "-qm", "names", cwd=path)


def detached(path: Path) -> None:
    strange_names(path)
    git("checkout", "-q", "--detach", cwd=path)
    git("branch", "-qD", "main", cwd=path)


def with_files(path: Path, files: dict[str, bytes]) -> None:
    git("init", "-q", "-b", "main", cwd=path)
    for name, content in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(content)
    git("add", "-f", ".", cwd=path)
    git("commit", "-qm", "files", cwd=path)


def binary_only(path: Path) -> None:
    with_files(path, {"a.bin": bytes(range(256)), "b.bin": bytes(range(255, -1, -1))})


def one_binary_file(path: Path) -> None:
    with_files(path, {"only.bin": bytes(range(256))})


def guarded_only(path: Path) -> None:
    with_files(path, {".gitlab-ci.yml": b"test: {script: 'true'}\n", "CLAUDE.md": b"Be brief.\n"})


def awkward_texts(path: Path) -> None:
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"
    attributes = b"*.txt text eol=crlf\nREADME.lfs filter=lfs diff=lfs merge=lfs -text\n"
    with_files(
        path,
        {
            "README.lfs": pointer,
            "README.latin-1": "Grüße\n".encode("latin-1"),
            "README.txt": b"Windows\nlines\n",
            "old.txt": b"no line's end",
            ".gitattributes": attributes,
            ".gitignore": b"*\n!*.txt\n",
        },
    )


def large(path: Path) -> None:
    files = {f"folder-{number:03}/deep/file.txt": b"x\n" for number in range(120)}
    with_files(path, {**files, "README.md": b"# Large\n", "MAINTAINERS.md": b"- somebody\n"})


def modules_of_our_names(path: Path) -> None:
    loud = b"raise SystemExit('a module of the repository was run')\n"
    with_files(path, dict.fromkeys(("json.py", "anyio.py", "gitlab_mcp/__init__.py", "sitecustomize.py"), loud))


@pytest.mark.parametrize("options", [[], ["--job-token"]], ids=["locally", "in a job"])
def test_no_file_of_a_repository_of_ones_own_is_deleted(options: list[str], tmp_path: Path) -> None:
    with_files(tmp_path, {"README.md": b"# Mine\n", "src/legacy.py": b"x = 1\n", "old.txt": b"old\n"})
    done = demo("--repo", str(tmp_path), *options)
    assert done.returncode == 0, done.stdout + done.stderr
    assert " 2 files changed" in done.stdout
    assert '"action": "delete"' not in done.stdout


def contents(path: Path) -> dict[Path, bytes]:
    return {file: file.read_bytes() for file in sorted(path.rglob("*")) if file.is_file()}


Make = Callable[[Path], None]
ODD = [one_file_on_another_default_branch, strange_names, detached, binary_only, awkward_texts, large]


@pytest.mark.parametrize("make", [empty, *ODD])
def test_it_plays_on_a_copy_of_an_unusual_repository_and_leaves_that_as_it_was(make: Make, tmp_path: Path) -> None:
    path = tmp_path / "a project ü"
    path.mkdir()
    make(path)
    before = contents(path)
    assert play(path) == 0
    assert contents(path) == before


@pytest.mark.parametrize("options", [[], ["--job-token"]])
def test_it_plays_on_this_project(options: list[str]) -> None:
    if not (REPOSITORY / ".git").exists():
        pytest.skip("this is no git checkout")
    done = demo("--repo", str(REPOSITORY), *options)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("options", [[], ["--job-token"]])
def test_a_path_that_is_no_repository_ends_with_2_and_one_line(options: list[str], tmp_path: Path) -> None:
    done = demo("--repo", str(tmp_path), *options)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("options", [[], ["--job-token"]], ids=["locally", "in a job"])
def test_one_call_commits_files_of_the_disk_to_a_new_branch_with_a_merge_request(options: list[str]) -> None:
    done = demo(*options)
    calls = re.findall(r"^   (\w+) \{(.*)", done.stdout, re.MULTILINE)
    writes = [(tool, arguments) for tool, arguments in calls if tool.startswith(("create_", "commit_"))]
    assert [tool for tool, _ in writes if tool != "create_note"] == ["commit_files"]
    committed = dict(writes)["commit_files"]
    assert '"paths": ["src/**", "tests/**"]' in committed
    assert '"merge_request": {' in committed
    assert '"content"' not in committed
    assert "of which the server altered none\n" in done.stdout


# With a job token


def test_the_journey_of_a_job_has_nothing_but_its_token_and_ends_with_0(tmp_path: Path) -> None:
    """What a person has on their machine would break it: a bad token is taken before the job's, a bad .netrc too."""
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login nobody password nothing\n")
    (tmp_path / ".gitconfig").write_text("[core]\n\tattributesFile = /nowhere\n[fetch]\n\tfsckObjects = broken\n")
    local = {"GITLAB_ACCESS_TOKEN": "glpat-this-is-not-a-real-token", "GITLAB_URL": "https://gitlab.example.com"}
    done = demo("--job-token", HOME=str(tmp_path), **local)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    assert JOB_PUSH_SETTING in done.stdout
    assert "create_note" not in done.stdout
    assert "\n   closes: #7\n   notes written: none\n" in done.stdout
    assert "Author: Developer <developer@example.com>" in done.stdout
    assert "of which the server altered none\n" in done.stdout
    assert "Everything read back is as it should be." in done.stdout


def test_the_server_of_a_job_gets_only_a_jobs_variables_and_an_empty_home(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HOME", "USER", "SHELL", "TERM", "GITLAB_TOKEN"):
        monkeypatch.setenv(name, "/of/a/person")
    job = Job(sandbox)
    clone = job.clone(tmp_path)
    server = job.server(clone)
    until = server.args.index(sys.executable)
    shown = subprocess.run(
        [
            server.command,
            *server.args[:until],
            sys.executable,
            "-c",
            "import json, os; print(json.dumps({**os.environ}))",
        ],
        env={**get_default_environment(), **(server.env or {})},  # as the client starts it
        capture_output=True,
        check=True,
    )
    # Python itself may say in which language it runs.
    given = json.loads(shown.stdout)
    names = set(given) - {"LC_CTYPE"}
    assert {name for name in names if not name.startswith(("CI_", "GITLAB_USER_"))} == {
        "PATH",
        "HOME",
        "CI",
        "GITLAB_CI",
    }
    assert list(Path(given["HOME"]).iterdir()) == []
    assert names >= {
        "CI_SERVER_URL",
        "CI_API_V4_URL",
        "CI_PROJECT_ID",
        "CI_PROJECT_PATH",
        "CI_PROJECT_DIR",
        "CI_PROJECT_URL",
        "CI_DEFAULT_BRANCH",
        "CI_COMMIT_SHA",
        "CI_COMMIT_REF_NAME",
        "CI_COMMIT_BRANCH",
        "CI_PIPELINE_ID",
        "CI_PIPELINE_SOURCE",
        "CI_JOB_ID",
        "CI_JOB_NAME",
        "CI_JOB_URL",
        "CI_JOB_TOKEN",
        "CI_REPOSITORY_URL",
        "GITLAB_USER_LOGIN",
        "GITLAB_USER_NAME",
        "GITLAB_USER_EMAIL",
        "GITLAB_USER_ID",
    }
    assert server.cwd == clone.directory
    head = (clone.directory / ".git" / "HEAD").read_text().strip()
    assert head == sandbox.job.pipeline.sha, "a runner checks a commit out, and no branch"


def test_a_clone_of_a_job_is_twenty_commits_deep(tmp_path: Path) -> None:
    path = tmp_path / "long"
    path.mkdir()
    with_files(path, {"README.md": b"x\n"})
    for _ in range(30):
        git("commit", "-q", "--allow-empty", "-m", "more", cwd=path)
    with Sandbox(repo=path) as sandbox:
        directory = Job(sandbox).clone(tmp_path).directory
        counted = subprocess.run(
            ["git", "rev-list", "--count", "HEAD"], cwd=directory, capture_output=True, text=True, check=True
        )
        assert counted.stdout == "20\n"
        assert (directory / ".git" / "shallow").exists()


def test_a_job_writes_by_one_push_and_is_known_by_its_token_alone(fresh_sandbox: Sandbox) -> None:
    assert play_on(fresh_sandbox, job_token=True) == 0
    written = [line for line in writes(fresh_sandbox) if not line.endswith("/git-upload-pack")]
    assert written == [
        "PUT /api/v4/projects/acme%2Fapp",  # the maintainer's switch
        "POST /acme/app.git/git-receive-pack",
    ]
    maintainer, job = fresh_sandbox.tokens["maintainer"], fresh_sandbox.tokens["job"]
    for request in fresh_sandbox.faults.requests():
        if request["path"].startswith("/api/"):
            headers = request["headers"]
            sent = [headers.get(name) for name in ("private-token", "job-token", "authorization") if name in headers]
            assert sent in ([maintainer], [f"Bearer {job}"]), request


def test_a_push_that_is_not_allowed_exits_with_1_and_names_the_setting() -> None:
    done = demo("--job-token", "--push-not-allowed")
    assert done.returncode == 1
    assert done.stderr.startswith(f"A maintainer allows it in {JOB_PUSH_SETTING}")
    assert len(done.stderr.splitlines()) == 1
    assert f"{JOB_PUSH_SETTING} is off." in done.stdout
    assert "   branch: none\n   change of another branch: none\n   merge request: none\n   note: none\n" in done.stdout
    assert "of which the server altered none\n" in done.stdout
    assert "Everything read back" not in done.stdout


def test_a_push_that_is_not_allowed_leaves_nothing_half_done(fresh_sandbox: Sandbox) -> None:
    asked = (
        "/repository/branches?per_page=100",
        "/merge_requests?state=all",
        f"{SEED.crash_issue.path}/notes",
        "/pipelines",
    )
    before = [get(fresh_sandbox, path) for path in asked]
    assert play_on(fresh_sandbox, job_token=True, push_allowed=False) == 1
    assert [get(fresh_sandbox, path) for path in asked] == before


def test_a_push_that_was_to_be_refused_and_is_taken_ends_with_1(
    fresh_sandbox: Sandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    allow_job_pushes(fresh_sandbox)
    assert play_on(fresh_sandbox, job_token=True, push_allowed=False) == 1
    assert capsys.readouterr().err == "WRONG: the push was accepted: the project lets its jobs push\n"


def test_a_push_that_fails_for_another_reason_than_was_expected_is_told_whole(
    fresh_sandbox: Sandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    allow_job_pushes(fresh_sandbox)
    fresh_sandbox.faults.fail("POST", "/git-receive-pack$", status=500, times=1000)
    assert play_on(fresh_sandbox, job_token=True, push_allowed=False) == 1
    assert capsys.readouterr().err.startswith("The step failed: commit_files failed: ")


@pytest.mark.parametrize("make", [*ODD, one_binary_file, guarded_only, modules_of_our_names])
def test_a_job_plays_on_a_copy_of_an_unusual_repository_and_leaves_that_as_it_was(make: Make, tmp_path: Path) -> None:
    path = tmp_path / "a project ü"
    path.mkdir()
    make(path)
    before = contents(path)
    assert play(path, job_token=True) == 0
    assert contents(path) == before


def test_an_empty_repository_has_no_job_which_is_said_in_one_sentence_with_2(tmp_path: Path) -> None:
    empty(tmp_path)
    done = demo("--job-token", "--repo", str(tmp_path))
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr == (
        "gitlab-mcp-server: The repository has no commit, and GitLab starts a job on a commit only: commit something"
        " first, or leave out --job-token.\n"
    )


def test_that_pushes_are_not_allowed_goes_with_a_job_token_only() -> None:
    done = demo("--push-not-allowed")
    assert done.returncode == 2
    assert "give --job-token too" in done.stderr


def rewrite(path: Path) -> None:
    state = path.stat()
    path.write_bytes(path.read_bytes().swapcase())
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))


def touch(path: Path) -> None:
    os.utime(path, ns=(1, 1))


def make_executable(path: Path) -> None:
    path.chmod(0o755)


@pytest.mark.parametrize("alter", [rewrite, touch, make_executable, Path.unlink])
@pytest.mark.parametrize("name", ["README.md", ".git/index"])
def test_whatever_is_altered_in_the_clone_of_a_job_is_told(
    alter: Callable[[Path], None], name: str, sandbox: Sandbox, tmp_path: Path
) -> None:
    clone = Job(sandbox).clone(tmp_path)
    clone.look()
    clone.edit(fix("7"))
    clone.look()
    assert clone.check() == []
    alter(clone.directory / name)
    clone.look()
    assert f"the server altered {name} in the clone" in clone.check()


def test_what_was_done_although_the_push_was_refused_is_told(fresh_sandbox: Sandbox) -> None:
    read_back, plan = ReadBack(Maintainer(fresh_sandbox)), fix("7")
    assert read_back.check_unchanged(plan) == []
    post(fresh_sandbox, "/repository/branches", branch=plan.branch, ref="main")
    moved = {"branch": "stale/no-commits", "commit_message": "m"}
    post(
        fresh_sandbox,
        "/repository/commits",
        **moved,
        actions=[{"action": "create", "file_path": "x", "content": "x"}],
    )
    post(
        fresh_sandbox,
        "/merge_requests",
        source_branch="stale/no-commits",
        target_branch="main",
        title="Not by the plan",
    )
    note = post(fresh_sandbox, f"{SEED.crash_issue.path}/notes", body="Nobody meant to say this")
    assert read_back.check_unchanged(plan) == [
        f"the push was refused, and yet there is a branch: {plan.branch}",
        "the push was refused, and yet there is a change of another branch: stale/no-commits",
        "the push was refused, and yet there is a merge request: !2",
        f"the push was refused, and yet there is a note: {note['id']}",
    ]


def test_notes_content_and_an_author_that_nobody_meant_are_told(fresh_sandbox: Sandbox) -> None:
    read_back, plan = ReadBack(Maintainer(fresh_sandbox)), fix("7")
    assert play_on(fresh_sandbox, job_token=True) == 0
    post(fresh_sandbox, f"{SEED.verbose_issue.path}/notes", body="Hello")
    assert read_back.check(plan, defaultdict(str), {}, "Somebody <else@example.com>") == [
        f"there is an unexpected note on {SEED.verbose_issue.path}: Hello",
        "src/app/config.py does not have the planned content",
        "tests/test_empty_config.py does not have the planned content",
        "the author of the commit is Developer <developer@example.com>, not Somebody <else@example.com>",
    ]
