"""The git backend with a job token leaves the job's clone alone, gives its token to nobody, and says what is wrong."""

import base64
import os
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from mcp import Client, StdioServerParameters

from gitlab_mcp.config.settings import Credential, Settings
from gitlab_mcp.sandbox import Sandbox
from tests.support.agent import connect
from tests.support.ci_job import allow_job_pushes
from tests.support.git_clones import clone, git, job_clone, snapshot
from tests.support.gitlab_requests import get, writes
from tests.support.seed import SEED
from tests.support.settings import checkout, job_settings, settings_for

NOBODY = 65534
ONE = {"message": "m", "actions": [{"path": "one.txt", "content": "1\n"}]}


def contents(folder: Path) -> list[bytes]:
    """What the files below a folder hold."""
    return [path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()]


def names(folder: Path) -> list[str]:
    """What is in a folder."""
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def open_sandbox(fresh_sandbox: Sandbox) -> Sandbox:
    """A sandbox that lets jobs push."""
    allow_job_pushes(fresh_sandbox)
    fresh_sandbox.faults.clear_requests()
    return fresh_sandbox


def shallow(sandbox: Sandbox, folder: Path) -> Path:
    return job_clone(sandbox, folder, "--depth=1")


def blobless(sandbox: Sandbox, folder: Path) -> Path:
    return job_clone(sandbox, folder, "--filter=blob:none")


def whole(sandbox: Sandbox, folder: Path) -> Path:
    return job_clone(sandbox, folder)


def linked(sandbox: Sandbox, folder: Path) -> Path:
    main = job_clone(sandbox, folder.parent / "main", "--depth=1")
    git(main, "worktree", "add", "-q", "--detach", str(folder))
    return folder


def foreign(sandbox: Sandbox, folder: Path) -> Path:
    if os.geteuid() != 0:
        pytest.skip("only root can give files away")
    job_clone(sandbox, folder, "--depth=1")
    for path in (folder, *folder.rglob("*")):
        os.lchown(path, NOBODY, NOBODY)
    return folder


KINDS = [shallow, blobless, whole, linked, foreign]


@pytest.mark.parametrize("make", KINDS, ids=[make.__name__ for make in KINDS])
async def test_the_jobs_clone_is_the_same_before_and_after_whatever_it_is(
    open_sandbox: Sandbox, tmp_path: Path, make: object
) -> None:
    assert callable(make)
    work = make(open_sandbox, tmp_path / "work")
    (work / "README.md").write_text("edited\n")
    (work / "src/app/legacy.py").unlink()
    before = snapshot(tmp_path)
    async with connect(job_settings(open_sandbox, working_directory=checkout(work))) as agent:
        await agent.call("list_files", recursive=True)
        await agent.call("get_file", path="src/app/cli.py", ref="feature/verbose-flag")
        first = {"branch": "from-job", "ref": "main", "message": "m", "paths": ["**"]}
        answer = await agent.call("commit_files", **first, merge_request={"title": "From the job"})
        await agent.call("commit_files", branch="from-job", **ONE)
        actions = [{"path": "docs/use.md", "action": "move", "previous_path": "docs/usage.md"}]
        await agent.call("commit_files", branch="from-job", message="m", actions=actions)
    assert snapshot(tmp_path) == before
    assert ": 1 changed, 1 deleted." in answer
    assert len(get(open_sandbox, "/repository/commits?ref_name=main..from-job")) == 3
    landed = clone(open_sandbox, "from-job", tmp_path / "landed")
    assert (landed / "README.md").read_text() == "edited\n"
    assert not (landed / "src/app/legacy.py").exists()


async def test_a_branch_that_moved_on_since_a_shallow_clone_is_built_upon(
    open_sandbox: Sandbox, tmp_path: Path
) -> None:
    work = shallow(open_sandbox, tmp_path / "work")
    async with connect(settings_for(open_sandbox)) as other:
        for number in range(3):
            action = {"path": f"later-{number}.txt", "content": "x"}
            await other.call("commit_files", branch="main", message="later", actions=[action])
    (work / "README.md").write_text("edited\n")
    async with connect(job_settings(open_sandbox, working_directory=checkout(work))) as agent:
        await agent.call("commit_files", branch="late", ref="main", message="m", paths=["**"])
    [commit] = get(open_sandbox, "/repository/commits?ref_name=main..late")
    assert commit["parent_ids"] == [get(open_sandbox, "/repository/branches/main")["commit"]["id"]]
    changed = get(open_sandbox, f"/repository/commits/{commit['id']}/diff")
    assert [each["new_path"] for each in changed] == ["README.md"]


RECORDER = """#!/bin/sh
{ printf '%s\\n' "$@"; printf 'end of command\\n'; } >> "$TMPDIR/recorded-arguments"
exec "REAL" "$@"
"""


@pytest.fixture
def recorder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in which a `git` that is first on PATH notes its arguments, and in which all temporary files are."""
    bin_, folder = tmp_path / "bin", tmp_path / "temporary"
    bin_.mkdir()
    folder.mkdir()
    real = shutil.which("git")
    assert real
    (bin_ / "git").write_text(RECORDER.replace("REAL", real))
    (bin_ / "git").chmod(0o755)
    monkeypatch.setenv("PATH", f"{bin_}:{os.environ['PATH']}")
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    for name in ("GIT_TRACE", "GIT_TRACE_CURL", "GIT_CURL_VERBOSE", "GIT_TRACE2_EVENT", "GIT_TRACE_PACKET"):
        monkeypatch.setenv(name, str(folder / f"trace-{name}"))
    monkeypatch.setenv("GIT_TRACE_REDACT", "0")
    return folder


async def test_the_token_is_in_no_argument_of_git_and_in_no_file_it_writes(
    open_sandbox: Sandbox, recorder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    token = open_sandbox.tokens["job"]
    texts = []
    async with connect(job_settings(open_sandbox)) as agent:
        wanted = {"title": "T", "description": "D"}
        texts.append(await agent.call("commit_files", branch="quiet", ref="main", **ONE, merge_request=wanted))
        texts.append(await agent.call("get_file", path="README.md"))
        allow_job_pushes(open_sandbox, allowed=False)
        texts.append(await agent.refused("commit_files", branch="refused", ref="main", **ONE))
        ended = replace(job_settings(open_sandbox).credential, token=open_sandbox.tokens["job_ended"])
        written = contents(recorder)  # while the server still has its files
    async with connect(job_settings(open_sandbox, credential=ended)) as agent:
        texts.append(await agent.refused("commit_files", branch="refused", ref="main", **ONE))
    arguments = contents(recorder)[0].decode()
    printed = capfd.readouterr()
    assert arguments.count("end of command") > 10
    assert "push" in arguments.split()
    assert len(written) > 10
    for secret in (token, open_sandbox.tokens["job_ended"]):
        encoded = base64.b64encode(f"gitlab-ci-token:{secret}".encode()).decode()
        for form in (secret, encoded):
            assert form not in arguments
            assert all(form.encode() not in content for content in written)
            assert all(form not in text for text in texts)
            assert form not in printed.out + printed.err
    assert names(recorder) == ["recorded-arguments"]


async def test_nothing_of_the_users_or_the_clones_configuration_acts_on_a_push(
    open_sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = shallow(open_sandbox, tmp_path / "work")
    traps = tmp_path / "traps"
    traps.mkdir()
    trap = traps / "trap"
    trap.write_text(f"#!/bin/sh\ntouch {traps}/ran\n")
    trap.chmod(0o755)
    hooks = work / ".git" / "hooks"
    hooks.mkdir(exist_ok=True)
    for name in ("pre-push", "reference-transaction", "post-index-change", "pre-commit"):
        shutil.copy(trap, hooks / name)
    host = open_sandbox.url
    config = (
        f"[core]\n\tfsmonitor = {trap}\n\tsshCommand = {trap}\n\taskPass = {trap}\n\thooksPath = {hooks}\n"
        f'[credential]\n\thelper = "!{trap}"\n[url "http://127.0.0.1:9/"]\n\tinsteadOf = {host}\n'
        f'[http "{host}/acme/app.git"]\n\textraHeader = "Authorization: Basic d3Jvbmc6d3Jvbmc="\n'
        f'[http]\n\textraHeader = "X-Trap: 1"\n\tcookieFile = {traps}/cookies\n[diff]\n\texternal = {trap}\n'
        f"[gpg]\n\tprogram = {trap}\n[commit]\n\tgpgSign = true\n"
        f"[push]\n\tgpgSign = if-asked\n[alias]\n\tpush = !{trap}\n"
    )
    with (work / ".git" / "config").open("a") as file:
        file.write(config)
    home = tmp_path / "home"
    home.mkdir()
    (home / ".gitconfig").write_text(config)
    (home / ".netrc").write_text("machine 127.0.0.1 login wrong password wrong\n")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("GIT_SSH_COMMAND", str(trap))
    monkeypatch.setenv("GIT_ASKPASS", str(trap))
    monkeypatch.setenv("GIT_EXTERNAL_DIFF", str(trap))
    monkeypatch.setenv("GIT_DIR", str(work / ".git"))
    (work / "README.md").write_text("edited\n")
    open_sandbox.faults.clear()
    async with connect(job_settings(open_sandbox, working_directory=checkout(work))) as agent:
        await agent.call("commit_files", branch="trapped", ref="main", message="m", paths=["**"])
        await agent.call("get_file", path="README.md", ref="trapped")
    assert not (traps / "ran").exists()
    seen = [each["headers"] for each in open_sandbox.faults.requests() if ".git/" in each["path"]]
    assert len(seen) > 3
    assert all("x-trap" not in headers for headers in seen)
    assert len({headers["authorization"] for headers in seen if "authorization" in headers}) == 1


async def test_where_pushes_are_not_allowed_the_setting_is_named_and_nothing_is_half_done(
    fresh_sandbox: Sandbox,
) -> None:
    async with connect(job_settings(fresh_sandbox)) as agent:
        wanted = {"merge_request": {"title": "T"}}
        told = await agent.refused("commit_files", branch="b", ref="main", **ONE, **wanted)
        also = await agent.refused("create_branch", branch="b")
    switch = "Settings > CI/CD > Job token permissions > Allow Git push requests to the repository"
    assert "You are not allowed to push code to this project" in told
    assert switch in told
    assert switch in also
    assert len(get(fresh_sandbox, "/repository/branches")) == 3
    assert len(get(fresh_sandbox, "/merge_requests?state=all")) == 1


async def test_the_refusals_of_git_become_our_errors(open_sandbox: Sandbox) -> None:
    def settings(**changes: object) -> Settings:
        return job_settings(open_sandbox, **changes)

    ended = Credential("job token", "CI_JOB_TOKEN", open_sandbox.tokens["job_ended"])
    cases = [
        (settings(credential=ended), "the job has ended, or the token is not this project's"),
        (settings(project="acme/nowhere", own_project=("acme/nowhere", "")), "check the project"),
        (settings(allow_default_branch=True), "push code to protected branches"),
    ]
    for given, told in cases:
        async with connect(given) as agent:
            said = await agent.refused("commit_files", branch="main", **ONE)
            assert told in said, said
    # Only what guards the default branch of a job in this server would have refused the last one before.
    assert get(open_sandbox, "/repository/commits?ref_name=main")[0]["title"] != "m"


async def test_an_archived_project_takes_no_push_and_says_so(open_sandbox: Sandbox) -> None:
    open_sandbox.world.projects[open_sandbox.project_id].archived = True
    async with connect(job_settings(open_sandbox)) as agent:
        told = await agent.refused("commit_files", branch="b", ref="main", **ONE)
    assert "You can't push code to an archived project" in told
    assert "Settings" not in told


@pytest.mark.parametrize(
    ("path", "told"),
    [("{folder}:{path}", "git 2.31 or newer"), ("/nowhere", "git is not installed: install git 2.31 or newer")],
    ids=["too old", "missing"],
)
async def test_a_git_that_is_missing_or_too_old_is_said_to_be(
    open_sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str, told: str
) -> None:
    old = tmp_path / "git"
    old.write_text("#!/bin/sh\necho git version 2.25.1\n")
    old.chmod(0o755)
    monkeypatch.setenv("PATH", path.format(folder=tmp_path, path=os.environ["PATH"]))
    async with connect(job_settings(open_sandbox)) as agent:
        assert told in await agent.refused("commit_files", branch="b", ref="main", **ONE)


async def test_a_slow_git_is_waited_for_and_told_of_as_progress(
    open_sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str | None] = []

    async def keep(progress: float, total: float | None, message: str | None) -> None:  # noqa: ARG001
        told.append(message)

    real = shutil.which("git")
    slow = tmp_path / "git"
    slow.write_text(f'#!/bin/sh\ncase " $* " in *" ls-remote "*|*" fetch "*) sleep 6;; esac\nexec {real} "$@"\n')
    slow.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    async with connect(job_settings(open_sandbox, deadline=4.0)) as agent:
        result = await agent.client.call_tool("list_files", {"ref": "main"}, progress_callback=keep)
    assert not result.is_error
    assert "git continues to ask GitLab for its branches: 5 s" in told
    assert "git continues to fetch from GitLab: 5 s" in told


async def test_a_token_that_only_reads_serves_the_reads_and_git_the_writes(open_sandbox: Sandbox) -> None:
    reading = Credential("access token", "GITLAB_ACCESS_TOKEN", open_sandbox.tokens["read_api"])
    job = Credential("job token", "CI_JOB_TOKEN", open_sandbox.tokens["job"])
    async with connect(job_settings(open_sandbox, credential=reading, job_token=job)) as agent:
        assert "## 3 comments" in await agent.call("get_issue", iid=SEED.crash_issue.iid)
        answer = await agent.call("commit_files", branch="both", ref="main", **ONE, merge_request={"title": "T"})
        assert "Opened !2 (both -> main)" in answer
        assert "lacks a scope: writing needs api" in await agent.refused(
            "create_note", iid=SEED.crash_issue.reference, body="x"
        )
    assert [each for each in writes(open_sandbox) if "git-" not in each] == [
        f"POST /api/v4/projects/acme%2Fapp{SEED.crash_issue.path}/notes"
    ]


async def test_the_default_branch_is_gitlabs_whatever_a_variable_says(
    open_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI_DEFAULT_BRANCH", "other")
    async with connect(job_settings(open_sandbox)) as agent:
        assert "nothing is written to main" in await agent.refused("commit_files", branch="main", **ONE)


async def test_a_private_project_is_read_and_written_by_its_own_job(open_sandbox: Sandbox) -> None:
    open_sandbox.world.projects[open_sandbox.project_id].visibility = "private"
    async with connect(job_settings(open_sandbox)) as agent:
        assert "#7 Crash" in await agent.call("get_issue", iid=SEED.crash_issue.iid)
        assert "4 comments" in await agent.call("get_merge_request", iid=SEED.merge_request.iid)
        await agent.call("commit_files", branch="private", ref="main", **ONE, merge_request={"title": "T"})
        assert "1\n" in await agent.call("get_file", path="one.txt", ref="private")
        assert "private" in await agent.call("list_branches")
    assert {each["status"] for each in open_sandbox.faults.requests() if "/api/" in each["path"]} == {200}


async def test_a_temporary_folder_that_was_cleaned_up_is_made_anew(
    open_sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    async with connect(job_settings(open_sandbox)) as agent:
        await agent.call("list_files")
        for name in names(tmp_path):
            shutil.rmtree(tmp_path / name)
        await agent.call("commit_files", branch="again", ref="main", **ONE)


async def test_when_the_server_ends_its_files_are_gone(open_sandbox: Sandbox, tmp_path: Path) -> None:
    environment = {
        "PATH": os.environ["PATH"],
        "TMPDIR": str(tmp_path),
        "GITLAB_CI": "true",
        "CI_SERVER_URL": open_sandbox.url,
        "CI_PROJECT_PATH": open_sandbox.project,
        "CI_PROJECT_ID": str(open_sandbox.project_id),
        "CI_JOB_TOKEN": open_sandbox.tokens["job"],
    }
    server = StdioServerParameters(command=sys.executable, args=["-m", "gitlab_mcp", "serve"], env=environment)
    async with Client(server) as client:
        result = await client.call_tool("get_file", {"path": "README.md"})
        assert not result.is_error
        assert names(tmp_path) != []
    assert names(tmp_path) == []


async def test_a_description_that_no_option_can_hold_is_cut_and_that_is_said(open_sandbox: Sandbox) -> None:
    description = "ü\n" * 30_000 + "/close"
    async with connect(job_settings(open_sandbox)) as agent:
        wanted = {"title": "Long", "description": description}
        answer = await agent.call("commit_files", branch="long", ref="main", **ONE, merge_request=wanted)
        iid = get(open_sandbox, "/merge_requests?source_branch=long")[0]["iid"]
        short = await agent.call("update_merge_request", iid=iid, description="x" * 5_000)
        again = await agent.call("update_merge_request", iid=iid, description="y" * 70_000)
    assert "The description was cut" in answer
    assert "cut" not in short
    assert "The description was cut" in again
    now = get(open_sandbox, f"/merge_requests/{iid}")
    assert now["state"] == "opened"
    assert now["description"].endswith("… (cut: a push option takes no more)")
    assert 59_000 < len(now["description"].encode()) <= 60_000


async def test_a_merge_request_that_gitlab_did_not_open_is_never_a_success(open_sandbox: Sandbox) -> None:
    open_sandbox.world.projects[open_sandbox.project_id].settings["merge_requests_access_level"] = "disabled"
    link = f"{open_sandbox.url}/acme/app/-/merge_requests/new?merge_request%5Bsource_branch%5D=half"
    async with connect(job_settings(open_sandbox)) as agent:
        told = await agent.refused("commit_files", branch="half", ref="main", **ONE, merge_request={"title": "T"})
        also = await agent.refused("create_merge_request", source_branch="half", title="T")
    assert told.startswith("commit_files failed: the commit is done, only the merge request is not. Committed ")
    assert "an empty commit, " in also
    for said in (told, also):
        assert "Merge requests are not enabled for project" in said
        assert link in said
        assert "GITLAB_ACCESS_TOKEN (scope api)" in said


async def test_what_a_push_cannot_change_of_a_merge_request_is_refused_by_name(open_sandbox: Sandbox) -> None:
    async with connect(job_settings(open_sandbox)) as agent:
        told = await agent.refused(
            "update_merge_request", iid=SEED.merge_request.iid, state="close", reviewers=["maintainer"]
        )
        assert "state, reviewers cannot be changed by a push. GITLAB_ACCESS_TOKEN (scope api)" in told
        gone = await agent.refused(
            "update_merge_request", iid=SEED.merge_request.iid, description="", remove_source_branch=False
        )
        assert "description (to nothing), remove_source_branch (to false) cannot be changed" in gone
        await agent.call("commit_files", branch="two", ref="main", **ONE)
        wanted = {"source_branch": "two", "title": "T", "reviewers": ["maintainer"]}
        assert "reviewers cannot be set by a push" in await agent.refused("create_merge_request", **wanted)
    assert len(get(open_sandbox, "/repository/commits?ref_name=main..two")) == 1


async def test_a_branch_with_a_merge_request_into_another_branch_is_left_alone(open_sandbox: Sandbox) -> None:
    async with connect(job_settings(open_sandbox)) as agent:
        await agent.call("create_branch", branch="release", ref="v1.3.0")
        await agent.call("commit_files", branch="b", ref="main", **ONE, merge_request={"title": "T"})
        more = {"message": "m", "actions": [{"path": "two.txt", "content": "2"}]}
        other = {"title": "Other", "target_branch": "release"}
        told = await agent.refused("commit_files", branch="b", **more, merge_request=other)
    assert "!2 is open from b into main, and a push would change that one" in told
    [one] = get(open_sandbox, "/merge_requests?source_branch=b")
    assert (one["title"], one["target_branch"]) == ("T", "main")
    assert len(get(open_sandbox, "/repository/commits?ref_name=main..b")) == 1
