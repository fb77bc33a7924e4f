"""Pushes of a job: how often a commit is built anew, the first one of a repository, and whose name is on it."""

import json
import re

import pytest

from gitlab_mcp.config.settings import Settings
from gitlab_mcp.git.change import Author
from gitlab_mcp.repository.git_backend.pushes import TIMES_REBUILT
from gitlab_mcp.sandbox import Sandbox
from gitlab_mcp.sandbox.state.users import User
from tests.proofs.fault_proxy import FaultProxy, fault_proxy
from tests.support.agent import connect
from tests.support.ci_job import allow_job_pushes
from tests.support.git_clones import git as run
from tests.support.git_history import History, stored
from tests.support.gitlab_requests import get
from tests.support.settings import job_settings

ONE = {"message": "mine", "actions": [{"path": "one.txt", "content": "1\n"}]}


@pytest.fixture
def open_sandbox(fresh_sandbox: Sandbox) -> Sandbox:
    """A sandbox that lets jobs push."""
    allow_job_pushes(fresh_sandbox)
    return fresh_sandbox


class Rival:
    """Somebody else who moves a branch just before each of the first pushes of ours arrives."""

    def __init__(self, made: History, branch: str, times: int, monkeypatch: pytest.MonkeyPatch) -> None:
        self.made, self.branch, self.times, self.pushes = made, branch, times, 0
        passing = FaultProxy.next_fault

        def next_fault(proxy: FaultProxy, method: str, path: str) -> str:
            if path.endswith("/info/refs?service=git-receive-pack"):
                self.pushes += 1
                if self.pushes <= times:
                    self.move()
            return passing(proxy, method, path)

        monkeypatch.setattr(FaultProxy, "next_fault", next_fault)

    def move(self) -> None:
        tip = self.made.git("rev-parse", self.branch)
        self.made.branch(self.branch, self.made.commit(f"theirs {self.pushes}", tip))


async def test_a_branch_that_moves_five_times_is_committed_to_the_sixth_time(
    open_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert TIMES_REBUILT == 5
    made = History(open_sandbox)
    made.branch("busy", made.main)
    rival = Rival(made, "busy", 5, monkeypatch)
    with fault_proxy(open_sandbox.url) as proxy:
        async with connect(job_settings(open_sandbox, url=proxy.url)) as agent:
            assert "Committed" in await agent.call("commit_files", branch="busy", **ONE)
    assert rival.pushes == 6
    titles = made.git("log", "--format=%s", "main..busy").splitlines()
    assert titles == ["mine", *(f"theirs {number}" for number in range(5, 0, -1))]


async def test_a_branch_that_moves_six_times_is_not_committed_to_and_that_is_said(
    open_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = History(open_sandbox)
    made.branch("busy", made.main)
    rival = Rival(made, "busy", 100, monkeypatch)
    with fault_proxy(open_sandbox.url) as proxy:
        async with connect(job_settings(open_sandbox, url=proxy.url)) as agent:
            told = await agent.refused("commit_files", branch="busy", **ONE)
    assert rival.pushes == 6
    assert "busy moved each time" in told
    assert "made/6.txt changed last" in told
    assert "mine" not in made.git("log", "--format=%s", "main..busy").splitlines()


async def test_a_branch_that_others_create_meanwhile_is_not_committed_on(
    open_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = History(open_sandbox)
    passing = FaultProxy.next_fault

    def next_fault(proxy: FaultProxy, method: str, path: str) -> str:
        if path.endswith("/info/refs?service=git-receive-pack"):
            made.branch("new", made.main)
        return passing(proxy, method, path)

    monkeypatch.setattr(FaultProxy, "next_fault", next_fault)
    with fault_proxy(open_sandbox.url) as proxy:
        async with connect(job_settings(open_sandbox, url=proxy.url)) as agent:
            told = await agent.refused("commit_files", branch="new", ref="feature/verbose-flag", **ONE)
    assert re.search(rf"already .* at {made.main[:8]}", told)
    assert made.git("rev-parse", "new") == made.main


@pytest.fixture
def empty_sandbox(open_sandbox: Sandbox) -> Sandbox:
    """A sandbox whose project has no commit, and no protected branch."""
    folder = stored(open_sandbox)
    for ref in run(folder, "for-each-ref", "--format=%(refname)").splitlines():
        run(folder, "update-ref", "-d", ref)
    open_sandbox.world.projects[open_sandbox.project_id].protected.clear()
    return open_sandbox


async def test_the_first_commit_of_an_empty_repository_makes_its_branch(empty_sandbox: Sandbox) -> None:
    async with connect(job_settings(empty_sandbox, allow_default_branch=True)) as agent:
        assert "Committed" in await agent.call("commit_files", branch="main", **ONE)
        assert "1" in await agent.call("get_file", path="one.txt")
        two = {"message": "next", "actions": [{"path": "two.txt", "content": "2\n"}]}
        await agent.call("commit_files", branch="main", **two)
    folder = stored(empty_sandbox)
    assert run(folder, "log", "--format=%s %p", "main").split("\n")[-1] == "mine"
    assert run(folder, "ls-tree", "--name-only", "main").split() == ["one.txt", "two.txt"]


async def test_of_two_first_commits_the_second_is_told_of_the_first(
    empty_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    passing = FaultProxy.next_fault
    folder = stored(empty_sandbox)

    def next_fault(proxy: FaultProxy, method: str, path: str) -> str:
        if path.endswith("/info/refs?service=git-receive-pack"):
            tree = run(folder, "hash-object", "-t", "tree", "-w", "/dev/null")
            theirs = run(folder, "-c", "user.name=x", "-c", "user.email=x@x", "commit-tree", tree, "-m", "theirs")
            run(folder, "update-ref", "refs/heads/main", theirs)
        return passing(proxy, method, path)

    monkeypatch.setattr(FaultProxy, "next_fault", next_fault)
    with fault_proxy(empty_sandbox.url) as proxy:
        settings = job_settings(empty_sandbox, url=proxy.url, allow_default_branch=True)
        async with connect(settings) as agent:
            told = await agent.refused("commit_files", branch="main", **ONE)
    assert re.search(rf"already .* at {run(folder, 'rev-parse', 'main')[:8]}", told)
    assert run(folder, "log", "--format=%s", "main") == "theirs"


async def authors(sandbox: Sandbox, settings: Settings) -> str:
    """The author and the committer of a commit that a run with these settings makes."""
    async with connect(settings) as agent:
        await agent.call("commit_files", branch="named", ref="main", **ONE)
    return run(stored(sandbox), "log", "-1", "--format=%an <%ae> %cn <%ce>", "named")


@pytest.mark.parametrize(
    ("name", "shown"),
    [("Dev <b> Eloper", "Dev b Eloper"), ("<Dev>", "Dev"), ("José Ñ", "José Ñ"), ("", "{username}")],
    ids=["inside", "around", "letters", "none"],
)
async def test_whoever_started_the_job_is_the_author_whatever_the_name_holds(
    open_sandbox: Sandbox, name: str, shown: str
) -> None:
    user = get_job_user(open_sandbox)
    user.name = name
    told = await authors(open_sandbox, job_settings(open_sandbox))
    who = re.sub(" +", " ", shown.format(username=user.username))
    assert re.fullmatch(rf"{re.escape(who)} <[^<>]+> {re.escape(who)} <[^<>]+>", re.sub(" +", " ", told))


async def test_an_author_of_the_settings_goes_before_the_user_of_the_job(open_sandbox: Sandbox) -> None:
    told = await authors(open_sandbox, job_settings(open_sandbox, author=Author("A <b>", "a@example.com")))
    assert re.sub(" +", " ", told) == "A b <a@example.com> A b <a@example.com>"


@pytest.mark.parametrize(
    ("addresses", "shown"),
    [
        ({}, "{id}-{username}@users.noreply.127.0.0.1"),
        ({"public_email": "public@example.com"}, "public@example.com"),
        ({"public_email": "public@example.com", "commit_email": "commit@example.com"}, "commit@example.com"),
    ],
    ids=["none, so the noreply one without the port", "public", "for commits"],
)
async def test_the_address_of_the_author_is_what_gitlab_gives_the_user(
    open_sandbox: Sandbox, addresses: dict[str, str], shown: str
) -> None:
    user = get_job_user(open_sandbox)

    def rewrite(path: str, body: bytes) -> bytes:
        if not path.endswith("/api/v4/job"):
            return body
        job = json.loads(body)
        job["user"] = {**job["user"], "public_email": "", "commit_email": "", **addresses}
        return json.dumps(job).encode()

    with fault_proxy(open_sandbox.url) as proxy:
        proxy.rewrite = rewrite
        assert re.search(r":\d+$", proxy.url)
        told = await authors(open_sandbox, job_settings(open_sandbox, url=proxy.url))
    assert told.endswith(f"<{shown.format(id=user.id, username=user.username)}>")


async def test_a_branch_that_is_there_elsewhere_is_not_created_again(open_sandbox: Sandbox) -> None:
    async with connect(job_settings(open_sandbox)) as agent:
        await agent.call("create_branch", branch="again", ref="main")
        tip = get(open_sandbox, "/repository/branches/again")["commit"]["id"]
        told = await agent.refused("create_branch", branch="again", ref="feature/verbose-flag")
    assert re.search(rf"already .* at {tip[:8]}", told)
    assert get(open_sandbox, "/repository/branches/again")["commit"]["id"] == tip


def get_job_user(sandbox: Sandbox) -> User:
    """Who started the job whose token the run has."""
    return sandbox.world.tokens[sandbox.tokens["job"]].user
