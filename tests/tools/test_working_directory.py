"""commit_files with files that an agent edited on disk, in a clone as a job has it."""

import asyncio
import base64
import os
import subprocess
from pathlib import Path

import pytest

from gitlab_mcp.config.settings import Settings
from gitlab_mcp.sandbox import Sandbox
from tests.support.agent import connect
from tests.support.git_clones import changes, clone, snapshot
from tests.support.gitlab_requests import get, writes
from tests.support.settings import checkout, settings_for


@pytest.fixture
def work(sandbox: Sandbox, tmp_path: Path) -> Path:
    """A clone of main; whatever a test does with it through the server, the server leaves it as it was."""
    return clone(sandbox, "main", tmp_path / "work")


def settings(sandbox: Sandbox, work: Path) -> Settings:
    return settings_for(sandbox, working_directory=checkout(work))


def git(work: Path, *arguments: str) -> str:
    done = subprocess.run(["git", "-C", str(work), *arguments], check=True, capture_output=True, text=True)
    return done.stdout.strip()


async def test_an_action_without_content_takes_bytes_and_executable_bit_from_disk(
    sandbox: Sandbox, work: Path, tmp_path: Path
) -> None:
    (work / "README.md").write_bytes(b"edited \xff\x00\n")
    (work / "run.sh").write_text("#!/bin/sh\n")
    (work / "run.sh").chmod(0o755)
    before = snapshot(work)
    async with connect(settings(sandbox, work)) as agent:
        actions = [{"path": "README.md"}, {"path": "run.sh"}]
        answer = await agent.call("commit_files", branch="from-disk", ref="main", message="m", actions=actions)
    assert snapshot(work) == before
    landed = clone(sandbox, "from-disk", tmp_path / "landed")
    assert ": 1 added, 1 changed." in answer
    assert (landed / "README.md").read_bytes() == b"edited \xff\x00\n"
    assert (landed / "run.sh").stat().st_mode & 0o111


async def test_paths_commit_whatever_differs_deletions_included(sandbox: Sandbox, work: Path, tmp_path: Path) -> None:
    (work / "src/app/config.py").write_text("changed\n")
    (work / "src/app/legacy.py").unlink()
    (work / "src/app/new file ü.py").write_text("new\n")
    (work / "scripts/release.sh").chmod(0o644)
    (work / "README.md").write_text("changed, but not asked for\n")
    before = snapshot(work)
    async with connect(settings(sandbox, work)) as agent:
        paths = ["src/**", "scripts"]
        answer = await agent.call("commit_files", branch="by-paths", ref="main", message="m", paths=paths)
    assert snapshot(work) == before
    assert ": 1 added, 1 changed, 1 deleted, 1 mode changed." in answer
    assert changes(clone(sandbox, "by-paths", tmp_path / "landed")) == {
        "src/app/config.py": "M",
        "src/app/legacy.py": "D",
        "src/app/new file ü.py": "A",
        "scripts/release.sh": "M",
    }


async def test_a_second_commit_takes_what_was_edited_since_the_first(sandbox: Sandbox, work: Path) -> None:
    async with connect(settings(sandbox, work)) as agent:
        (work / "README.md").write_text("once\n")
        (work / "docs/usage.md").unlink()
        await agent.call("commit_files", branch="two-steps", ref="main", message="one", paths=["**"])
        (work / "README.md").write_text("twice\n")
        (work / "docs/usage.md").write_text("back again\n")
        answer = await agent.call("commit_files", branch="two-steps", message="two", paths=["."])
        assert "1 added, 1 changed" in answer
        assert "nothing to commit" in await agent.refused(
            "commit_files", branch="two-steps", message="three", paths=["**"]
        )


async def test_what_changed_only_on_the_branch_is_not_undone(sandbox: Sandbox, work: Path, tmp_path: Path) -> None:
    async with connect(settings(sandbox, work)) as agent:
        moved_on = [
            {"path": "CHANGELOG.md", "content": "somebody else's\n"},
            {"path": "theirs.txt", "content": "new on the branch\n"},
            {"path": "src/app/legacy.py", "action": "delete"},
        ]
        await agent.call("commit_files", branch="moved-on", ref="main", message="theirs", actions=moved_on)
        (work / "README.md").write_text("mine\n")
        await agent.call("commit_files", branch="moved-on", message="mine", paths=["**"])
    landed = clone(sandbox, "moved-on", tmp_path / "landed")
    assert git(landed, "diff", "--name-status", "HEAD~1..HEAD") == "M\tREADME.md"


async def test_what_changed_on_both_sides_is_named_and_nothing_is_sent(sandbox: Sandbox, work: Path) -> None:
    async with connect(settings(sandbox, work)) as agent:
        theirs = [{"path": "README.md", "content": "theirs\n"}]
        await agent.call("commit_files", branch="both", ref="main", message="theirs", actions=theirs)
    (work / "README.md").write_text("mine\n")
    sandbox.faults.clear()
    async with connect(settings(sandbox, work)) as agent:  # another run, which did not make that commit
        told = await agent.refused("commit_files", branch="both", message="mine", paths=["**"])
        assert writes(sandbox) == []
        assert "Changed on the branch since this checkout, and here too: README.md." in told
        await agent.call("commit_files", branch="both", message="mine", actions=[{"path": "README.md"}])


async def test_commits_that_were_made_locally_are_taken_too(sandbox: Sandbox, work: Path) -> None:
    (work / "README.md").write_text("committed here\n")
    git(work, "-c", "user.name=x", "-c", "user.email=x@example.com", "commit", "-qam", "local")
    async with connect(settings(sandbox, work)) as agent:
        answer = await agent.call("commit_files", branch="local", ref="main", message="m", paths=["**"])
    assert ": 1 changed." in answer


async def test_a_shallow_detached_clone_owned_by_another_user_serves_as_well(sandbox: Sandbox, tmp_path: Path) -> None:
    scheme, _, host = sandbox.url.partition("://")
    url = f"{scheme}://maintainer:{sandbox.tokens['maintainer']}@{host}/acme/app.git"
    work = tmp_path / "work"
    git(tmp_path, "clone", "-q", "--depth=1", url, str(work))
    git(work, "checkout", "-q", "--detach")
    git(work, "branch", "-qD", "main")
    (work / "README.md").write_text("edited\n")
    if os.geteuid() == 0:  # as in a job, where the runner's helper has cloned as root and the job is somebody else
        for path in (work, *work.rglob("*")):
            os.lchown(path, 12345, 12345)
    before = snapshot(work)
    async with connect(settings(sandbox, work)) as agent:
        answer = await agent.call("commit_files", branch="shallow", ref="main", message="m", paths=["**"])
    assert ": 1 changed." in answer
    assert snapshot(work) == before


async def test_what_git_ignores_is_left_out_of_paths_and_refused_in_actions(sandbox: Sandbox, work: Path) -> None:
    (work / ".gitignore").write_text("*.log\nbuild/\n")
    (work / ".git/info/exclude").write_text("private.txt\n")
    (work / "build").mkdir()
    for name in ("debug.log", "build/out.txt", "private.txt", "seen.txt"):
        (work / name).write_text("x\n")
    async with connect(settings(sandbox, work)) as agent:
        told = await agent.refused(
            "commit_files", branch="ignored", ref="main", message="m", actions=[{"path": "debug.log"}]
        )
        assert "debug.log: git ignores this" in told
        answer = await agent.call("commit_files", branch="ignored", ref="main", message="m", paths=["**"])
    assert ": 2 added." in answer
    names = {entry["path"] for entry in get(sandbox, "/repository/tree?ref=ignored&per_page=100")}
    assert names & {"debug.log", "private.txt", "build", "seen.txt", ".gitignore"} == {"seen.txt", ".gitignore"}


async def test_a_tracked_file_that_matches_an_ignore_rule_is_committed(sandbox: Sandbox, work: Path) -> None:
    (work / ".git/info/exclude").write_text("README.md\n")
    (work / "README.md").write_text("edited\n")
    async with connect(settings(sandbox, work)) as agent:
        answer = await agent.call(
            "commit_files", branch="tracked", ref="main", message="m", actions=[{"path": "README.md"}]
        )
    assert ": 1 changed." in answer


@pytest.fixture
def linked(work: Path, tmp_path: Path) -> Path:
    """A clone of main with links to a file in it, and to a file and a folder outside of it."""
    secret = tmp_path / "secret.txt"
    secret.write_text("secret\n")
    (work / "out.txt").symlink_to(secret)
    (work / "folder").symlink_to(tmp_path)
    (work / "inside.txt").symlink_to("README.md")
    return work


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("out.txt", "a symbolic link out of the working directory"),
        ("folder/secret.txt", "a symbolic link out of the working directory"),
        ("inside.txt", "it is a symbolic link"),
        ("src", "src is a folder"),
        ("gone.txt", "there is no such file"),
    ],
)
async def test_a_link_out_of_the_working_directory_is_refused(
    sandbox: Sandbox, linked: Path, path: str, told: str
) -> None:
    sandbox.faults.clear()
    async with connect(settings(sandbox, linked)) as agent:
        answer = await agent.refused("commit_files", branch="links", ref="main", message="m", actions=[{"path": path}])
    assert told in answer
    assert writes(sandbox) == []


async def test_links_that_a_glob_matches_are_left_out_and_named(sandbox: Sandbox, linked: Path) -> None:
    (linked / "README.md").write_text("edited\n")
    async with connect(settings(sandbox, linked)) as agent:
        answer = await agent.call("commit_files", branch="links", ref="main", message="m", paths=["**"])
    assert ": 1 changed." in answer
    assert "inside.txt (a symbolic link)" in answer
    assert "folder, out.txt (a symbolic link out of the working directory)" in answer
    assert "secret" not in str(get(sandbox, "/repository/tree?ref=links&recursive=true&per_page=100"))


async def test_a_link_of_the_repository_and_a_submodule_stay_as_they_are(sandbox: Sandbox, work: Path) -> None:
    (work / "README.md").write_text("edited\n")
    (work / "vendor/lib").mkdir(parents=True, exist_ok=True)
    (work / "vendor/lib/file.c").write_text("x\n")
    async with connect(settings(sandbox, work)) as agent:
        answer = await agent.call("commit_files", branch="stay", ref="main", message="m", paths=["**"])
    assert ": 1 changed." in answer


async def test_line_endings_are_normalised_as_git_does(sandbox: Sandbox, work: Path) -> None:
    (work / ".gitattributes").write_text("*.bat text eol=crlf\n")
    (work / "run.bat").write_bytes(b"@echo off\r\n")
    async with connect(settings(sandbox, work)) as agent:
        await agent.call("commit_files", branch="crlf", ref="main", message="m", paths=["**"])
        assert "nothing to commit" in await agent.refused("commit_files", branch="crlf", message="m", paths=["**"])
    assert get(sandbox, "/repository/files/run.bat?ref=crlf")["size"] == len("@echo off\n")


async def test_files_left_out_of_a_sparse_checkout_are_not_deleted(sandbox: Sandbox, work: Path) -> None:
    git(work, "sparse-checkout", "set", "src")
    assert not (work / "docs").exists()
    (work / "src/app/config.py").write_text("edited\n")
    async with connect(settings(sandbox, work)) as agent:
        answer = await agent.call("commit_files", branch="sparse", ref="main", message="m", paths=["**"])
    assert ": 1 changed." in answer


@pytest.mark.parametrize(
    ("glob", "told"),
    [
        ("nope/**", "No file matches nope/**"),
        ("../**", "give globs from the root of the repository"),
        ("/etc/*", "give globs from the root of the repository"),
        (":(exclude)src", "give globs from the root of the repository"),
        ("**", "nothing to commit"),
    ],
)
async def test_globs_that_match_no_change_or_leave_the_directory_are_refused(
    sandbox: Sandbox, work: Path, glob: str, told: str
) -> None:
    async with connect(settings(sandbox, work)) as agent:
        assert told in await agent.refused("commit_files", branch="globs", ref="main", message="m", paths=[glob])


async def test_another_projects_files_are_not_taken_from_here(sandbox: Sandbox, work: Path) -> None:
    async with connect(settings(sandbox, work)) as agent:
        told = await agent.refused(
            "commit_files", project="acme/empty", branch="main", message="m", actions=[{"path": "README.md"}]
        )
        assert "no working directory of project acme/empty" in told
        (work / "x.txt").write_text("x\n")
        action = {"path": "x.txt"}
        await agent.call("commit_files", project="1", branch="by-id", ref="main", message="m", actions=[action])


async def test_a_hostile_configuration_of_the_clone_runs_nothing(sandbox: Sandbox, work: Path, tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    (work / ".gitattributes").write_text("* diff=evil\n*.bin filter=evil\n")
    for key in ("filter.evil.clean", "core.fsmonitor", "core.sshCommand", "diff.evil.textconv", "core.pager"):
        git(work, "config", key, f"touch {mark}; cat")
    (work / "README.md").write_text("edited\n")
    async with connect(settings(sandbox, work)) as agent:
        await agent.call("commit_files", branch="hostile", ref="main", message="m", paths=["**"])
    assert not mark.exists()


async def test_a_thousand_files_go_in_one_call(sandbox: Sandbox, work: Path) -> None:
    for number in range(1000):
        file = work / f"generated/{number // 100}/{number}.txt"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{number}\n")
    async with connect(settings(sandbox, work)) as agent:
        answer = await agent.call("commit_files", branch="thousand", ref="main", message="m", paths=["generated"])
    assert ": 1000 added." in answer


async def test_what_a_linked_work_tree_and_the_users_own_configuration_ignore_is_left_out(
    sandbox: Sandbox, work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    linked, home = tmp_path / "linked", tmp_path / "home"
    git(work, "worktree", "add", "-q", "--detach", str(linked))
    (work / ".git/info/exclude").write_text("private.txt\n")
    home.mkdir()
    (home / ".gitconfig").write_text(f"[core]\n\texcludesFile = {home / 'ignored'}\n")
    (home / "ignored").write_text(".env\n")
    monkeypatch.setenv("HOME", str(home))
    for name in ("private.txt", ".env", "seen.txt"):
        (linked / name).write_text("x\n")
    async with connect(settings(sandbox, linked)) as agent:
        answer = await agent.call("commit_files", branch="linked", ref="main", message="m", paths=["**"])
        assert ": 1 added." in answer
        told = await agent.refused("commit_files", branch="linked", message="m", actions=[{"path": ".env"}])
        assert "git ignores this" in told


async def test_what_lfs_stores_is_left_out_of_paths_and_refused_in_actions(sandbox: Sandbox, work: Path) -> None:
    (work / ".gitattributes").write_text("*.psd filter=lfs diff=lfs merge=lfs -text\n")
    (work / "picture.psd").write_bytes(b"\x00" * 100)
    async with connect(settings(sandbox, work)) as agent:
        answer = await agent.call("commit_files", branch="lfs", ref="main", message="m", paths=["**"])
        assert "Left out: picture.psd (stored by a filter such as LFS: commit it with git)" in answer
        told = await agent.refused("commit_files", branch="lfs", message="m", actions=[{"path": "picture.psd"}])
        assert "picture.psd: .gitattributes gives this to a filter" in told


async def test_odd_but_lawful_names_are_committed(sandbox: Sandbox, work: Path, tmp_path: Path) -> None:
    names = [
        "no-break\u00a0space.txt",
        "-dash.txt",
        ":(top)magic.txt",
        'quo"te.txt',
        "back\\slash.txt",
        "tab*glob?.txt",
    ]
    for name in names:
        (work / name).write_text(name)
    async with connect(settings(sandbox, work)) as agent:
        await agent.call("commit_files", branch="odd", ref="main", message="m", paths=["*.txt"])
        await agent.call(
            "commit_files", branch="odd2", ref="main", message="m", actions=[{"path": name} for name in names]
        )
    for branch in ("odd", "odd2"):
        assert set(changes(clone(sandbox, branch, tmp_path / branch))) == set(names)


async def test_a_name_in_quotes_cannot_make_git_read_another_file(sandbox: Sandbox, work: Path, tmp_path: Path) -> None:
    for name in ('"\\056git/config"', '"q', '"/etc/passwd"'):
        path = work / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"own content of {path.name}\n")
    async with connect(settings(sandbox, work)) as agent:
        await agent.call("commit_files", branch="quoted", ref="main", message="m", paths=["**"])
        action = {"path": '"\\056git/config"'}
        await agent.call("commit_files", branch="quoted2", ref="main", message="m", actions=[action])
    landed = clone(sandbox, "quoted", tmp_path / "landed")
    assert (landed / '"\\056git' / 'config"').read_text() == 'own content of config"\n'
    assert (landed / '"' / "etc" / 'passwd"').read_text() == 'own content of passwd"\n'


async def test_a_working_directory_without_a_checkout_deletes_nothing(
    sandbox: Sandbox, work: Path, tmp_path: Path
) -> None:
    bare = tmp_path / "no-git"
    bare.mkdir()
    (bare / "x.txt").write_text("x\n")
    arguments = {"ref": "main", "message": "m", "paths": ["**"]}
    async with connect(settings(sandbox, bare)) as agent:
        told = await agent.refused("commit_files", branch="no-git", **arguments)
        assert "name the files in actions" in told
        await agent.call("commit_files", branch="no-git", ref="main", message="m", actions=[{"path": "x.txt"}])
    empty = tmp_path / "empty"
    git(tmp_path, "clone", "-q", "--no-checkout", str(work), str(empty))
    async with connect(settings(sandbox, empty)) as agent:
        assert "nothing to commit" in await agent.refused("commit_files", branch="empty", **arguments)


async def test_others_work_is_kept_in_merge_request_pipelines_without_a_remote_branch(
    sandbox: Sandbox, work: Path, tmp_path: Path
) -> None:
    git(work, "checkout", "-q", "--detach")
    git(work, "update-ref", "refs/pipelines/1", "HEAD")
    for ref in git(work, "for-each-ref", "--format=%(refname)", "refs/heads", "refs/remotes").splitlines():
        git(work, "update-ref", "-d", ref)
    async with connect(settings_for(sandbox)) as agent:
        theirs = [{"path": "theirs.txt", "content": "x"}, {"path": "CHANGELOG.md", "content": "theirs"}]
        await agent.call("commit_files", branch="pipeline", ref="main", message="theirs", actions=theirs)
    (work / "README.md").write_text("mine\n")
    async with connect(settings(sandbox, work)) as agent:
        await agent.call("commit_files", branch="pipeline", message="mine", paths=["**"])
    landed = clone(sandbox, "pipeline", tmp_path / "landed")
    assert git(landed, "diff", "--name-status", "HEAD~1..HEAD") == "M\tREADME.md"


async def test_of_two_commits_to_the_same_file_at_once_one_lands_and_the_other_is_told(sandbox: Sandbox) -> None:
    async with connect(settings_for(sandbox)) as agent:
        await agent.call("create_branch", branch="race")
        sandbox.faults.clear()
        sandbox.faults.delay("POST", "/repository/commits$", seconds=2.0, times=2)  # both have looked before one lands
        one, other = [{"path": "README.md", "content": "one"}], [{"path": "README.md", "content": "other"}]
        calls = [
            agent.client.call_tool("commit_files", {"branch": "race", "message": "m", "actions": actions})
            for actions in (one, other)
        ]
        results = await asyncio.gather(*calls)
    assert sorted(result.is_error for result in results) == [False, True]
    [told] = [str(result.content[0]) for result in results if result.is_error]
    assert "changed since" in told
    winner = b"one" if not results[0].is_error else b"other"
    assert base64.b64decode(get(sandbox, "/repository/files/README.md?ref=race")["content"]) == winner


async def test_links_that_took_the_place_of_files_or_folders_are_left_out(
    sandbox: Sandbox, work: Path, tmp_path: Path
) -> None:
    (work / "docs/latest").unlink()
    (work / "docs/latest").write_text("now a file\n")
    (work / "src").rename(tmp_path / "elsewhere")
    (work / "src").symlink_to(tmp_path / "elsewhere")
    (work / "README.md").write_text("edited\n")
    async with connect(settings(sandbox, work)) as agent:
        answer = await agent.call("commit_files", branch="swapped", ref="main", message="m", paths=["**"])
    assert ": 1 changed." in answer
    assert "docs/latest" in answer
    assert "src/app/cli.py" in answer


async def test_files_that_the_checkout_or_git_takes_for_unchanged_are_left_alone(sandbox: Sandbox, work: Path) -> None:
    git(work, "update-index", "--skip-worktree", "LICENSE")
    (work / "LICENSE").unlink()
    git(work, "update-index", "--assume-unchanged", "CHANGELOG.md")
    (work / "CHANGELOG.md").write_text("local only\n")
    git(work, "config", "core.fileMode", "false")
    (work / "docs/usage.md").chmod(0o755)
    (work / "README.md").write_text("edited\n")
    async with connect(settings(sandbox, work)) as agent:
        answer = await agent.call("commit_files", branch="untouched", ref="main", message="m", paths=["**"])
    assert ": 1 changed." in answer


async def test_a_merge_request_that_cannot_be_is_refused_before_anything_is_committed(
    sandbox: Sandbox,
) -> None:
    one = {"message": "m", "actions": [{"path": "x", "content": "x"}]}
    async with connect(settings_for(sandbox)) as agent:
        told = await agent.refused("commit_files", branch="main", merge_request={"title": "T"}, **one)
        assert "cannot be merged into itself" in told
        gone = {"title": "T", "target_branch": "gone"}
        assert "404" in await agent.refused("commit_files", branch="stale/no-commits", merge_request=gone, **one)
    assert writes(sandbox) == []
