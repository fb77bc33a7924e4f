"""The git backend where things are odd: cut histories, clones that lack objects or change, slow or endless git."""

import asyncio
import os
import resource
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Self

import pytest

from gitlab_mcp.git import objects
from gitlab_mcp.git.process import GitError, environment, run_git, until
from gitlab_mcp.git.remote import Remote
from gitlab_mcp.git.scratch_repository import ScratchRepository
from gitlab_mcp.git.session import GitSession
from gitlab_mcp.sandbox import Sandbox
from tests.proofs.fault_proxy import FaultProxy, fault_proxy
from tests.support.agent import Agent, connect
from tests.support.ci_job import allow_job_pushes
from tests.support.fake_git import fake_git
from tests.support.git_clones import git, job_clone
from tests.support.git_history import History, stored
from tests.support.gitlab_requests import get
from tests.support.settings import checkout, job_settings, settings_for

ONE = {"message": "m", "actions": [{"path": "one.txt", "content": "1\n"}]}


@pytest.fixture
def open_sandbox(fresh_sandbox: Sandbox) -> Sandbox:
    """A sandbox that lets jobs push."""
    allow_job_pushes(fresh_sandbox)
    return fresh_sandbox


@pytest.fixture
def scratch(open_sandbox: Sandbox) -> Iterator[ScratchRepository]:
    """A scratch repository without a clone, as the server would make it."""
    url, token = f"{open_sandbox.url}/{open_sandbox.project}.git", open_sandbox.tokens["job"]
    with closing(ScratchRepository(Remote(url, token))) as repository:
        yield repository


@pytest.fixture
def session(scratch: ScratchRepository) -> GitSession:
    """Git in that repository."""
    return GitSession(scratch, until(300))


async def alike(sandbox: Sandbox, clone: Path | None, tool: str, **arguments: object) -> str:
    """What both backends answer; that it is not the same fails the test."""
    async with connect(settings_for(sandbox)) as agent:
        over_rest = await agent.call(tool, **arguments)
    directory = checkout(clone) if clone else None
    async with connect(job_settings(sandbox, working_directory=directory)) as agent:
        assert await agent.call(tool, **arguments) == over_rest
    return over_rest


CLONES: list[Callable[[Sandbox, Path], Path | None]] = [
    lambda _sandbox, _folder: None,
    lambda sandbox, folder: job_clone(sandbox, folder, "--depth=20", ref="trunk"),
]


@pytest.mark.parametrize("make", CLONES, ids=["no clone", "shallow"])
async def test_a_better_ancestor_behind_the_cut_is_the_one_that_counts(
    open_sandbox: Sandbox, tmp_path: Path, make: Callable[[Sandbox, Path], Path | None]
) -> None:
    made = History(open_sandbox)
    early = made.chain("early", 3, made.main)
    fork = made.chain("between", 4, early)
    trunk = made.chain("trunk", 60, fork)
    topic = made.commit("topic", early)
    made.branch("trunk", made.commit("after", made.commit("merge topic", trunk, topic)))
    made.branch("own", made.commit("feature", fork))
    clone = make(open_sandbox, tmp_path / "clone")
    said = await alike(open_sandbox, clone, "compare_refs", base="trunk", head="own")
    assert "1 commit, 1 file changed" in said


async def test_what_was_merged_behind_the_cut_is_not_counted_as_new(open_sandbox: Sandbox) -> None:
    made = History(open_sandbox)
    start = made.commit("start", made.main)
    old = made.commit("old", start)
    shared = made.commit("shared", start)
    trunk = made.commit("merge old", made.chain("trunk", 60, shared), old)
    made.branch("trunk", made.commit("more", trunk))
    made.branch("own", made.commit("merge trunk", made.commit("feature", shared), trunk))
    said = await alike(open_sandbox, None, "compare_refs", base="trunk", head="own")
    assert "2 commits" in said


async def test_histories_that_begin_apart_are_joined_as_they_are(open_sandbox: Sandbox) -> None:
    made = History(open_sandbox)
    apart = made.chain("apart", 2)
    made.branch("apart", apart)
    made.branch("joined", made.commit("join", made.chain("long", 70, made.main), apart))
    said = await alike(open_sandbox, None, "compare_refs", base="apart", head="joined", paths=["made/1.txt"])
    assert "76 commits" in said
    await alike(open_sandbox, None, "compare_refs", base="main", head="apart", paths=["made/1.txt"])


async def test_the_newest_commits_are_the_newest_on_every_side_of_a_merge(
    open_sandbox: Sandbox, tmp_path: Path
) -> None:
    made = History(open_sandbox)
    side = made.chain("long ago", 30, made.main, folder="old")
    trunk = made.chain("trunk", 30, made.main)
    made.branch("trunk", made.commit("merge", made.chain("late", 5, side, folder="old"), trunk))
    clone = job_clone(open_sandbox, tmp_path / "clone", "--depth=12", ref="trunk")
    for arguments in ({}, {"page": 2}, {"page": 3}, {"path": "old"}, {"path": "made", "page": 2}):
        await alike(open_sandbox, clone, "list_commits", ref="trunk", **arguments)


async def test_a_history_that_somebody_deepens_is_never_cut_off_for_others(
    open_sandbox: Sandbox, session: GitSession
) -> None:
    made = History(open_sandbox)
    below = made.chain("one", 80, made.main)
    session.fetch([below], 70)
    above = made.chain("two", 3, below)
    session.fetch([above], 20)
    count = ("rev-list", "--count")
    assert session.run(*count, below).strip() == b"70"
    assert session.run(*count, above).strip() == b"73"


@pytest.mark.parametrize(("fault", "titles"), [("503 before", ["mine", "theirs"]), ("after", ["theirs", "mine"])])
async def test_a_lost_push_is_looked_up_also_where_somebody_else_pushed_meanwhile(
    open_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, fault: str, titles: list[str]
) -> None:
    made = History(open_sandbox)
    made.branch("busy", made.main)
    faults = FaultProxy.next_fault
    pushing = threading.Event()

    def next_fault(proxy: FaultProxy, method: str, path: str) -> str:
        if pushing.is_set() and path.startswith("/acme/app.git/info/refs?service=git-upload-pack"):
            pushing.clear()  # it looks the lost push up
            made.branch("busy", made.commit("theirs", made.git("rev-parse", "busy")))
        if fault_now := faults(proxy, method, path):
            pushing.set()
        return fault_now

    monkeypatch.setattr(FaultProxy, "next_fault", next_fault)
    with fault_proxy(open_sandbox.url) as proxy:
        async with connect(job_settings(open_sandbox, url=proxy.url)) as agent:
            await agent.call("list_files", ref="busy")
            proxy.writes[:] = [fault]
            actions = [{"path": "one.txt", "content": "1\n"}]
            await agent.call("commit_files", branch="busy", message="mine", actions=actions)
    assert made.git("log", "--format=%s", "main..busy").splitlines() == titles


async def ask_all(agent: Agent) -> None:
    """Ask what needs the history of `topic`."""
    assert "# Commits of topic: 10 commits" in await agent.call("list_commits", ref="topic")
    assert "5 commits, 5 files changed" in await agent.call("compare_refs", base="main", head="topic")
    assert "last commit" in await agent.call("get_file", path="made/1.txt", ref="topic")


@pytest.mark.parametrize("options", [["--depth=1"], ["--depth=20"], []], ids=["one deep", "shallow", "whole"])
async def test_a_fetch_in_the_clone_during_the_run_breaks_nothing(
    open_sandbox: Sandbox, tmp_path: Path, options: list[str]
) -> None:
    made = History(open_sandbox)
    made.branch("topic", made.chain("topic", 5, made.main))
    clone = job_clone(open_sandbox, tmp_path / "clone", *options)
    async with connect(job_settings(open_sandbox, working_directory=checkout(clone))) as agent:
        await agent.call("list_files")
        git(clone, "fetch", "-q", "--depth=1", "origin", "topic")
        await ask_all(agent)
        git(clone, "fetch", "-q", "--depth=2", "origin", "topic")
        await ask_all(agent)
        await agent.call("commit_files", branch="topic", **ONE)


async def test_what_earlier_jobs_left_in_a_clone_that_is_used_again_is_no_obstacle(
    open_sandbox: Sandbox, tmp_path: Path
) -> None:
    made = History(open_sandbox)
    made.branch("topic", made.chain("topic", 5, made.main))
    clone = job_clone(open_sandbox, tmp_path / "clone", "--depth=1", ref="topic")
    git(clone, "fetch", "-q", "origin", "--depth=1", "+refs/heads/main:refs/remotes/origin/main")
    git(clone, "checkout", "-q", "--detach", "origin/main")
    git(clone, "update-ref", "-d", "refs/remotes/origin/topic")
    (clone / ".git" / "shallow").write_text(f"{git(clone, 'rev-parse', 'HEAD')}\n")
    async with connect(job_settings(open_sandbox, working_directory=checkout(clone))) as agent:
        await ask_all(agent)


async def test_a_clone_without_folders_or_with_one_missing_is_completed(open_sandbox: Sandbox, tmp_path: Path) -> None:
    treeless = job_clone(open_sandbox, tmp_path / "treeless", "--filter=tree:0", ref="feature/verbose-flag")
    torn = job_clone(open_sandbox, tmp_path / "torn")
    tree = git(torn, "rev-parse", "HEAD:src")
    (torn / ".git/objects" / tree[:2] / tree[2:]).unlink()
    for number, clone in enumerate((treeless, torn)):
        await alike(open_sandbox, clone, "list_files", recursive=True)
        await alike(open_sandbox, clone, "list_commits", path="src")
        await alike(open_sandbox, clone, "compare_refs", base="v1.2.0", head="main")
        await alike(open_sandbox, clone, "list_files", path="src", ref="v1.3.0")
        async with connect(job_settings(open_sandbox, working_directory=checkout(clone))) as agent:
            actions = [{"path": "src/app/new.py", "content": "1"}]
            await agent.call("commit_files", branch=f"new-{number}", ref="main", message="m", actions=actions)
            assert "src/app/cli.py" in await agent.call("list_files", ref=f"new-{number}", recursive=True)


def test_of_what_git_says_without_end_its_beginning_and_its_end_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flood = "head -c 30000000 /dev/zero | tr '\\0' A | fold -w 60000 | sed 's/^/remote: /' >&2"
    fake_git(tmp_path, monkeypatch, f"echo first >&2\n{flood}\necho >&2\necho fatal: last >&2\nexit 3\n")
    ended = run_git("push", environment=environment(), time_left=until(60))
    assert (ended.status, ended.lines[0], ended.lines[-1]) == (3, "first", "fatal: last")
    assert sum(map(len, ended.lines)) < 500_000
    assert all(line.startswith("remote: A") for line in ended.lines[1:-1])


def test_a_git_that_prints_without_end_is_ended_with_a_clear_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_git(tmp_path, monkeypatch, "exec yes\n")
    with pytest.raises(GitError, match="git printed more than 1,000,000 bytes"):
        run_git("log", environment=environment(), time_left=until(60), most=1_000_000)


def test_a_git_that_reads_and_prints_much_at_once_or_reads_nothing_does_not_hang(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = b"0123456789abcde\n" * 500_000
    fake_git(tmp_path, monkeypatch, 'for last; do :; done; [ "$last" = copy ] && exec cat\nexit 5\n')
    assert run_git("copy", environment=environment(), time_left=until(60), stdin=text).output == text
    assert run_git("none", environment=environment(), time_left=until(60), stdin=text).status == 5


def test_a_git_that_is_silent_is_ended_when_its_time_is_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number, script in enumerate(("exec sleep 60\n", "exec >&- 2>&- <&-\nexec sleep 60\n")):
        folder = tmp_path / str(number)
        folder.mkdir()
        fake_git(folder, monkeypatch, script)
        began = time.monotonic()
        with pytest.raises(GitError, match="git did not finish within 1 s"):
            run_git("log", environment=environment(), time_left=until(1))
        assert time.monotonic() - began < 10


class HeldFetch:
    """A git whose next fetch begins when it may. Both sides wait for each other at named pipes."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._begun, self._go = folder / "begun", folder / "go"
        os.mkfifo(self._begun)
        os.mkfifo(self._go)
        held = f'case " $* " in *" fetch "*) [ -e {self._go} ] && echo > {self._begun} && cat {self._go};; esac\n'
        fake_git(folder, monkeypatch, held + 'exec REAL "$@"\n')

    def wait(self) -> None:
        """Wait until the fetch was asked for."""
        self._begun.read_bytes()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.go()

    def go(self) -> None:
        """Let it begin, and all later ones without waiting."""
        both = os.open(self._go, os.O_RDWR)  # opening it only to write would wait where nobody reads
        self._go.unlink()
        os.close(both)


async def test_while_a_fetch_is_slow_what_is_here_is_read_at_once(
    open_sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with connect(job_settings(open_sandbox, deadline=5.0)) as agent:
        await agent.call("get_file", path="README.md")
        with HeldFetch(tmp_path, monkeypatch) as held:
            slow = asyncio.create_task(agent.call("list_files", ref="feature/verbose-flag"))
            await asyncio.to_thread(held.wait)
            assert "# app" in await agent.call("get_file", path="README.md")
            assert "src/app/" in await agent.call("list_files", recursive=True)
            assert not slow.done()
        assert "src/" in await slow


def test_who_waits_for_the_fetch_of_another_gives_up_when_its_own_time_is_over(
    open_sandbox: Sandbox,
    scratch: ScratchRepository,
    session: GitSession,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    main, tag = git(stored(open_sandbox), "rev-parse", "main", "v1.2.0^{}").split()
    session.directory()
    with HeldFetch(tmp_path, monkeypatch) as held:
        slow = threading.Thread(target=session.fetch, args=([main],))
        slow.start()
        held.wait()
        with pytest.raises(GitError, match="git did not finish within 1 s"):
            GitSession(scratch, until(1)).fetch([tag])
        assert slow.is_alive()
    slow.join(60)
    assert session.missing([main, tag]) == [tag]


def test_a_fetch_that_was_ended_in_the_middle_does_not_stand_in_the_way_of_the_next(
    open_sandbox: Sandbox, session: GitSession
) -> None:
    main = git(stored(open_sandbox), "rev-parse", "main")
    (session.directory() / "shallow.lock").touch()
    session.fetch([main])
    assert session.missing([main]) == []


async def test_the_default_branch_is_what_head_names_and_no_other_symbolic_ref(open_sandbox: Sandbox) -> None:
    folder = stored(open_sandbox)
    git(folder, "branch", "trunk", "main")
    git(folder, "symbolic-ref", "HEAD", "refs/heads/trunk")
    git(folder, "update-ref", "refs/remotes/origin/other", "main")
    git(folder, "symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/other")
    async with connect(job_settings(open_sandbox)) as agent:
        assert "# Files in the root at trunk" in await agent.call("list_files")
        assert "nothing is written to trunk" in await agent.refused("commit_files", branch="trunk", **ONE)


async def test_an_id_that_is_no_commits_names_none_and_a_tags_names_its_commit(open_sandbox: Sandbox) -> None:
    folder = stored(open_sandbox)
    git(folder, "-c", "user.name=x", "-c", "user.email=x@x", "tag", "-a", "-m", "t", "annotated", "v1.2.0^{}")
    tree, blob, tag, commit = git(
        folder, "rev-parse", "main^{tree}", "main:README.md", "annotated", "annotated^{}"
    ).split()
    async with connect(job_settings(open_sandbox)) as agent:
        for identity in (tree, blob, "0" * 39 + "1"):
            assert "no such commit" in await agent.refused("list_commits", ref=identity)
            assert "no such commit" in await agent.refused("create_branch", branch="b", ref=identity)
        assert f" {commit[:8]} " in f" {(await agent.call('list_commits', ref=tag)).splitlines()[1]} "
        assert "src/" in await agent.call("list_files", ref=tag)
        await agent.call("create_branch", branch="from-a-tag", ref=tag)
    assert git(folder, "rev-parse", "from-a-tag") == commit


async def test_a_commit_for_which_the_disk_has_no_room_is_refused_in_one_sentence(open_sandbox: Sandbox) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    big = [{"path": "big.txt", "content": "0123456789abcde\n" * 500_000}]
    async with connect(job_settings(open_sandbox)) as agent:
        await agent.call("list_files")
        resource.setrlimit(resource.RLIMIT_FSIZE, (4_000_000, limits[1]))
        try:
            told = await agent.refused("commit_files", branch="big", ref="main", message="m", actions=big)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert "the files that git works with cannot be read or written (File too large)" in told


async def test_what_the_disk_refuses_is_said_in_one_sentence(
    open_sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clone = job_clone(open_sandbox, tmp_path / "clone")
    (clone / ".git" / "shallow").mkdir()
    async with connect(job_settings(open_sandbox, working_directory=checkout(clone))) as agent:
        told = await agent.refused("list_files")
    assert "the files that git works with cannot be read or written" in told
    assert "Is a directory" in told
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "nowhere"))
    async with connect(job_settings(open_sandbox)) as agent:
        told = await agent.refused("list_files")
    assert "nowhere" in told
    assert "No such file or directory" in told
    assert "\n" not in told


async def test_a_clone_whose_git_file_names_nothing_is_no_obstacle(open_sandbox: Sandbox, tmp_path: Path) -> None:
    (tmp_path / ".git").write_bytes(b"\xff\x00gitdir: \x00")
    async with connect(job_settings(open_sandbox, working_directory=checkout(tmp_path))) as agent:
        assert "src/" in await agent.call("list_files")


def test_half_a_character_is_refused_by_name(open_sandbox: Sandbox, session: GitSession) -> None:
    main = git(stored(open_sandbox), "rev-parse", "main")
    session.fetch([main])
    with pytest.raises(GitError, match="cannot be passed on a command line"):
        objects.list_tree(session, main, ["a\ud800b"])
    with pytest.raises(GitError, match="cannot be passed on a command line"):
        session.refs(["refs/heads/a\ud800b"])


async def test_thousands_of_folders_are_written_though_no_command_line_holds_them(
    open_sandbox: Sandbox,
) -> None:
    actions = [{"path": f"{number:04d}{'d' * 190}/{'e' * 200}/f", "content": "1"} for number in range(4000)]
    async with connect(job_settings(open_sandbox, deadline=120.0)) as agent:
        await agent.call("commit_files", branch="wide", ref="main", message="m", actions=actions)
    assert len(get(open_sandbox, "/repository/commits?ref_name=main..wide")) == 1


@pytest.mark.parametrize(
    "paths",
    [["src/app/"], ["src"], ["README.md", "src/app/cli.py"], ["docs/", "src/app"], ["gone/x", "LICENSE"]],
    ids=" ".join,
)
def test_many_paths_list_what_few_do(open_sandbox: Sandbox, session: GitSession, paths: list[str]) -> None:
    main = git(stored(open_sandbox), "rev-parse", "main")
    session.fetch([main])
    few = objects.list_tree(session, main, paths)
    many = objects.list_tree(session, main, [*paths, *(f"none/{number}/" for number in range(300))])
    assert sorted(many, key=lambda entry: entry.path) == sorted(few, key=lambda entry: entry.path)
