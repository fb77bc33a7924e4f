"""Which files commit_files takes from disk: brackets in paths, modes, conflicts, and what it says that it left out."""

import asyncio
import subprocess
from pathlib import Path
from typing import Any

import pytest

from gitlab_mcp.config.settings import Settings
from gitlab_mcp.sandbox import Sandbox
from tests.support.agent import connect
from tests.support.git_clones import changes, clone, git
from tests.support.gitlab_requests import writes
from tests.support.settings import checkout, settings_for


@pytest.fixture
def work(sandbox: Sandbox, tmp_path: Path) -> Path:
    folder = clone(sandbox, "main", tmp_path / "work")
    sandbox.faults.clear_requests()
    return folder


def settings(sandbox: Sandbox, work: Path) -> Settings:
    return settings_for(sandbox, working_directory=checkout(work))


def write(work: Path, *names: str) -> None:
    for name in names:
        (work / name).parent.mkdir(parents=True, exist_ok=True)
        (work / name).write_text(f"{name}\n")


ROUTES = ("app/[id]/page.tsx", "app/[id]/deep/x.tsx", "app/i/page.tsx", "app/d/page.tsx", "app/[...slug]/page.tsx")
BRACKETS: dict[str, tuple[str, tuple[str, ...], set[str]]] = {
    "a folder and **": ("app/[id]/**", ROUTES, {"app/[id]/page.tsx", "app/[id]/deep/x.tsx"}),
    "a folder alone": ("app/[id]", ROUTES, {"app/[id]/page.tsx", "app/[id]/deep/x.tsx"}),
    "a folder and a slash": ("app/[id]/", ROUTES, {"app/[id]/page.tsx", "app/[id]/deep/x.tsx"}),
    "a folder and a star": ("app/[id]/*.tsx", ROUTES, {"app/[id]/page.tsx"}),
    "a file": ("app/[id]/page.tsx", ROUTES, {"app/[id]/page.tsx"}),
    "dots": ("app/[...slug]/*", ROUTES, {"app/[...slug]/page.tsx"}),
    "the beginning of a name": ("app/[id]*/page.tsx", ROUTES, {"app/[id]/page.tsx"}),
    "after a wildcard": ("**/[id]/*", ROUTES, {"app/[id]/page.tsx"}),
    "two": ("[a]/[b]/*", ("[a]/[b]/x", "a/b/x", "[a]/b/x"), {"[a]/[b]/x"}),
    "one literal, one a class": ("[a]/[bc].py", ("[a]/b.py", "[a]/c.py", "a/b.py"), {"[a]/b.py", "[a]/c.py"}),
    "a class": ("app/[id]/**", ROUTES[2:4], {"app/i/page.tsx", "app/d/page.tsx"}),
    "a class of files": ("[ab].txt", ("a.txt", "b.txt", "c.txt"), {"a.txt", "b.txt"}),
    "a file and a class": ("[ab].txt", ("[ab].txt", "a.txt"), {"[ab].txt"}),
    "a question mark": ("what?.md", ("what?.md", "whats.md"), {"what?.md"}),
    "a star in a name": ("a*b.txt", ("a*b.txt", "axb.txt"), {"a*b.txt"}),
}


@pytest.mark.parametrize(("glob", "files", "taken"), BRACKETS.values(), ids=BRACKETS)
async def test_brackets_mean_the_name_that_exists_and_the_answer_names_the_files(
    sandbox: Sandbox, work: Path, tmp_path: Path, glob: str, files: tuple[str, ...], taken: set[str], request: Any
) -> None:
    write(work, *files)
    branch = f"brackets-{list(BRACKETS).index(request.node.callspec.id)}"
    async with connect(settings(sandbox, work)) as agent:
        answer = await agent.call("commit_files", branch=branch, ref="main", message="m", paths=[glob])
    assert set(changes(clone(sandbox, branch, tmp_path / "landed"))) == taken
    assert f"Files: {', '.join(sorted(taken))}" in answer


async def test_a_folder_whose_files_are_all_ignored_is_meant_by_its_name(sandbox: Sandbox, work: Path) -> None:
    write(work, "app/[id]/x.log", "app/i/page.tsx")
    (work / ".git/info/exclude").write_text("*.log\n")
    async with connect(settings(sandbox, work)) as agent:
        told = await agent.refused("commit_files", branch="x", ref="main", message="m", paths=["app/[id]/**"])
    assert "Left out: app/[id]/ (ignored by git)" in told
    assert writes(sandbox) == []


TAKEN: dict[str, dict[str, Any]] = {
    "paths": {"paths": ["scripts", "new.sh"]},
    "actions": {"actions": [{"path": "scripts/release.sh"}, {"path": "scripts/plain.txt"}, {"path": "new.sh"}]},
}


@pytest.mark.parametrize("how", TAKEN)
@pytest.mark.parametrize("mode", [0o644, 0o777], ids=oct)
async def test_without_file_modes_a_known_file_keeps_its_mode_and_a_new_one_has_none(
    sandbox: Sandbox, work: Path, tmp_path: Path, how: str, mode: int
) -> None:
    """core.fileMode=false, as on Windows mounts and SMB, where every file has the same mode."""
    start = f"modes-{how}-{mode}"
    write(work, "scripts/plain.txt")
    git(work, "add", "-A")
    git(work, "-c", "user.name=x", "-c", "user.email=x@x", "commit", "-qm", "plain")
    git(work, "push", "-q", "origin", f"HEAD:refs/heads/{start}")
    git(work, "config", "core.fileMode", "false")
    for name in ("scripts/release.sh", "scripts/plain.txt", "new.sh"):
        (work / name).write_text("edited\n")
        (work / name).chmod(mode)
    async with connect(settings(sandbox, work)) as agent:
        answer = await agent.call("commit_files", branch=f"{start}-done", ref=start, message="m", **TAKEN[how])
    assert ": 1 added, 2 changed." in answer
    landed = git(clone(sandbox, f"{start}-done", tmp_path / "landed"), "ls-files", "-s", "scripts", "new.sh")
    modes = {line.split("\t")[1]: line[:6] for line in landed.splitlines()}
    assert modes == {"scripts/release.sh": "100755", "scripts/plain.txt": "100644", "new.sh": "100644"}


async def test_without_file_modes_a_moved_file_keeps_its_mode(sandbox: Sandbox, work: Path, tmp_path: Path) -> None:
    git(work, "config", "core.fileMode", "false")
    (work / "scripts/release.sh").rename(work / "scripts/moved.sh")
    (work / "scripts/moved.sh").chmod(0o644)
    action = {"action": "move", "path": "scripts/moved.sh", "previous_path": "scripts/release.sh"}
    async with connect(settings(sandbox, work)) as agent:
        await agent.call("commit_files", branch="moved-mode", ref="main", message="m", actions=[action])
    landed = git(clone(sandbox, "moved-mode", tmp_path / "landed"), "ls-files", "-s", "scripts/moved.sh")
    assert landed[:6] == "100755"


async def test_without_file_modes_a_mode_that_is_staged_is_committed(
    sandbox: Sandbox, work: Path, tmp_path: Path
) -> None:
    git(work, "config", "core.fileMode", "false")
    write(work, "tool.sh")
    git(work, "add", "tool.sh")
    git(work, "update-index", "--chmod=+x", "tool.sh", "README.md")
    async with connect(settings(sandbox, work)) as agent:
        answer = await agent.call("commit_files", branch="staged-mode", ref="main", message="m", paths=["**"])
    assert ": 1 added, 1 mode changed." in answer
    landed = git(clone(sandbox, "staged-mode", tmp_path / "landed"), "ls-files", "-s", "tool.sh", "README.md")
    assert [line[:6] for line in landed.splitlines()] == ["100755", "100755"]


@pytest.fixture
def conflicted(work: Path) -> Path:
    """A clone in the middle of a merge, with a file that both sides changed and one that a side deleted."""
    identity = ("-c", "user.name=x", "-c", "user.email=x@example.com")
    git(work, "checkout", "-q", "-b", "theirs")
    (work / "README.md").write_text("theirs\n")
    git(work, "rm", "-q", "docs/usage.md")
    git(work, *identity, "commit", "-qam", "theirs")
    git(work, "checkout", "-q", "main")
    (work / "README.md").write_text("ours\n")
    (work / "docs/usage.md").write_text("ours\n")
    git(work, *identity, "commit", "-qam", "ours")
    subprocess.run(["git", "-C", str(work), *identity, "merge", "-q", "theirs"], capture_output=True, check=False)
    assert "<<<<<<< HEAD" in (work / "README.md").read_text()
    write(work, "other.txt")
    return work


UNMERGED: dict[str, tuple[dict[str, Any], str]] = {
    "paths": ({"paths": ["**"]}, "README.md, docs/usage.md"),
    "a path": ({"paths": ["README.md"]}, "README.md"),
    "a folder": ({"paths": ["docs"]}, "docs/usage.md"),
    "an action": ({"actions": [{"path": "README.md"}, {"path": "other.txt"}]}, "README.md"),
    "an update": ({"actions": [{"path": "docs/usage.md", "action": "update"}]}, "docs/usage.md"),
}


@pytest.mark.parametrize(("given", "named"), UNMERGED.values(), ids=UNMERGED)
async def test_unmerged_files_are_not_committed_and_named(
    sandbox: Sandbox, conflicted: Path, given: dict[str, Any], named: str
) -> None:
    async with connect(settings(sandbox, conflicted)) as agent:
        told = await agent.refused("commit_files", branch="unmerged", ref="main", message="m", **given)
    assert f"Unmerged, with a conflict to resolve: {named}. Resolve it" in told
    assert writes(sandbox) == []


async def test_beside_unmerged_files_others_and_given_content_are_committed(sandbox: Sandbox, conflicted: Path) -> None:
    async with connect(settings(sandbox, conflicted)) as agent:
        await agent.call("commit_files", branch="beside", ref="main", message="m", paths=["other.txt"])
        actions = [{"path": "README.md", "content": "resolved\n"}, {"path": "docs/usage.md", "action": "delete"}]
        await agent.call("commit_files", branch="given", ref="main", message="m", actions=actions)
        (conflicted / "README.md").write_text("resolved\n")
        git(conflicted, "add", "README.md")
        await agent.call("commit_files", branch="resolved", ref="main", message="m", paths=["README.md"])


LEFT_OUT: dict[str, tuple[str, str]] = {
    "ignored by a rule": ("x.log", "x.log (ignored by git)"),
    "in an ignored folder": ("build/out/a.js", "build/ (ignored by git)"),
    "ignored by the clone": ("private.txt", "private.txt (ignored by git)"),
    "a filter": ("picture.psd", "picture.psd (stored by a filter such as LFS: commit it with git)"),
    "a repository": ("nested/x.txt", "nested/ (another git repository)"),
    "marked": ("CHANGELOG.md", "CHANGELOG.md (marked skip-worktree or assume-unchanged)"),
    "a link": ("link.txt", "link.txt (a symbolic link)"),
}


@pytest.mark.parametrize(("name", "told"), LEFT_OUT.values(), ids=LEFT_OUT)
@pytest.mark.parametrize("glob", ["**", "name"])
async def test_what_is_left_out_is_named_with_the_reason_in_answer_and_refusal(
    sandbox: Sandbox, work: Path, name: str, told: str, glob: str
) -> None:
    (work / ".git/info/exclude").write_text("private.txt\n*.log\nbuild/\n")
    (work / ".git/info/attributes").write_text("")
    (work / ".gitattributes").write_text("*.psd filter=lfs\n")
    if name.startswith("nested"):
        (work / "nested").mkdir()
        await asyncio.to_thread(git, work / "nested", "init", "-q")
    if name.startswith("link"):
        (work / name).symlink_to("README.md")
    else:
        write(work, name)
    if name == "CHANGELOG.md":
        git(work, "update-index", "--assume-unchanged", name)
    branch = f"left-{'all' if glob == '**' else 'one'}-{name.split('/')[0]}"
    glob = name.split("/")[0] if glob == "name" else glob
    async with connect(settings(sandbox, work)) as agent:
        arguments = {"branch": branch, "message": "m", "paths": [glob, ".gitattributes"]}
        answer = await agent.call("commit_files", ref="main", **arguments)
        assert told in answer.partition("Left out: ")[2]
        refusal = await agent.refused("commit_files", **arguments)
        assert f"nothing to commit: {branch} already has the rest of what these paths match. Left out: " in refusal
        assert told in refusal
        assert "all of this" not in refusal


@pytest.mark.parametrize("edited", [True, False], ids=["beside a file", "alone"])
async def test_a_submodule_at_another_commit_is_left_out_by_name(sandbox: Sandbox, work: Path, edited: bool) -> None:
    who = ("-c", "user.name=Somebody", "-c", "user.email=somebody@example.com")
    git(work / "vendor/lib", "init", "-q")
    git(work / "vendor/lib", *who, "commit", "-q", "--allow-empty", "--message", "Moved on")
    told = "Left out: vendor/lib (a submodule at another commit: commit it with git)."
    arguments = {"branch": f"submodule-{edited}", "ref": "main", "message": "m", "paths": ["vendor/**", "new.txt"]}
    if not edited:
        arguments["paths"] = ["vendor/**"]
    async with connect(settings(sandbox, work)) as agent:
        if edited:
            write(work, "new.txt")
            answer = await agent.call("commit_files", **arguments)
            assert "1 added" in answer
        else:
            answer = await agent.refused("commit_files", **arguments)
    assert told in answer
