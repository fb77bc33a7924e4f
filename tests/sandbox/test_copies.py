"""--repo: copies of local repositories and of checkouts in CI jobs, which are only read."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from pathlib import Path

import pytest

from gitlab_mcp.sandbox import Sandbox, SandboxError
from tests.sandbox.conftest import Api, clone_url, git
from tests.support.seed import SEED


def make(path: Path, branch: str = "main", commits: int = 3) -> Path:
    path.mkdir(parents=True)
    git(path, "init", "--quiet", f"--initial-branch={branch}")
    for number in range(commits):
        (path / "file.txt").write_text(f"{number}\n")
        git(path, "add", "file.txt")
        git(path, "commit", "--quiet", "-m", f"Commit {number}")
    return path


def fingerprint(path: Path) -> dict[str, tuple[int, int, str]]:
    """The mode, time and content of every file below a path."""
    found = {}
    for name in sorted(path.rglob("*")):
        state = name.lstat()
        content = name.read_bytes() if name.is_file() else b""
        found[str(name)] = (state.st_mode, state.st_mtime_ns, hashlib.sha256(content).hexdigest())
    return found


def titles(sandbox: Sandbox, ref: str = "") -> list[str]:
    api = Api(sandbox, "developer")
    with api.session:
        return [one["title"] for one in api.get("/projects/:p/repository/commits", ref_name=ref)]


def default_branch(sandbox: Sandbox) -> str | None:
    api = Api(sandbox, "developer")
    with api.session:
        found = api.get("/projects/:p")["default_branch"]
        assert found is None or isinstance(found, str)
        return found


def test_a_worktree_is_copied_with_branches_and_tags_and_not_modified(tmp_path: Path) -> None:
    source = make(tmp_path / "My Größe 'quoted' project", branch="trunk")
    git(source, "branch", "feature/ü")
    git(source, "tag", "-a", "v1", "-m", "One")
    before = fingerprint(source)
    with Sandbox(repo=source) as sandbox:
        assert sandbox.project == "acme/my-grosse-quoted-project"
        assert titles(sandbox) == ["Commit 2", "Commit 1", "Commit 0"]
        assert default_branch(sandbox) == "trunk"
        api = Api(sandbox, "developer")
        with api.session:
            assert api.get("/projects/:p")["name"] == "My Größe 'quoted' project"
            assert api.get(f"/projects/{sandbox.project_id}")["path"] == "my-grosse-quoted-project"
            assert {one["name"] for one in api.get("/projects/:p/repository/branches")} == {"trunk", "feature/ü"}
            assert api.get("/projects/:p/repository/branches/trunk")["protected"] is True
            assert [one["name"] for one in api.get("/projects/:p/repository/tags")] == ["v1"]
            issue = api.get(f"/projects/:p{SEED.plan_issue.path}")
            assert (issue["title"], issue["user_notes_count"]) == ("Say who maintains this project", 2)
            api.commit("x", {"action": "create", "file_path": "x", "content": "x"}, start_branch="trunk")
        git(tmp_path, "clone", "--quiet", clone_url(sandbox, "developer"), "clone")
    assert fingerprint(source) == before


def test_nothing_is_shared_with_the_source(tmp_path: Path) -> None:
    source = make(tmp_path / "source")
    with Sandbox(repo=source) as sandbox:
        shutil.rmtree(source)
        assert len(titles(sandbox)) == 3


def test_a_bare_repository_and_a_linked_worktree_are_copied(tmp_path: Path) -> None:
    source = make(tmp_path / "source")
    git(tmp_path, "clone", "--quiet", "--bare", str(source), "bare.git")
    with Sandbox(repo=tmp_path / "bare.git") as sandbox:
        assert sandbox.project == "acme/bare"
        assert len(titles(sandbox)) == 3
    git(source, "worktree", "add", "--quiet", "-b", "side", str(tmp_path / "linked"))
    with Sandbox(repo=tmp_path / "linked") as sandbox:
        assert default_branch(sandbox) == "side"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files to another user")
def test_a_repository_of_another_user_is_copied(tmp_path: Path) -> None:
    source = make(tmp_path / "source")
    for name in [source, *source.rglob("*")]:
        os.chown(name, 1234, 1234)
    with Sandbox(repo=source) as sandbox:
        assert len(titles(sandbox)) == 3


def test_a_shallow_repository_is_copied_up_to_its_boundary(tmp_path: Path) -> None:
    source = make(tmp_path / "source")
    git(tmp_path, "clone", "--quiet", "--depth=2", f"file://{source}", "shallow")
    with Sandbox(repo=tmp_path / "shallow") as sandbox:
        assert titles(sandbox) == ["Commit 2", "Commit 1"]
        api = Api(sandbox, "developer")
        with api.session:
            api.commit("x", {"action": "create", "file_path": "x", "content": "x"}, start_branch="main")
        git(tmp_path, "clone", "--quiet", clone_url(sandbox, "developer"), "clone")


@pytest.mark.parametrize(
    ("refs", "wanted"),
    [
        (("refs/remotes/origin/develop",), "develop"),
        (("refs/remotes/origin/a", "refs/remotes/origin/b"), "main"),
        ((), "main"),
    ],
)
def test_a_checkout_of_a_ci_job_gets_a_default_branch(tmp_path: Path, refs: tuple[str, ...], wanted: str) -> None:
    source = make(tmp_path / "source")
    git(source, "checkout", "--quiet", "--detach")
    git(source, "branch", "-D", "main")
    for ref in refs:
        git(source, "update-ref", ref, "HEAD~1")
    with Sandbox(repo=source) as sandbox:
        assert default_branch(sandbox) == wanted
        assert titles(sandbox) == ["Commit 2", "Commit 1", "Commit 0"]


def test_a_checkout_of_a_ci_job_uses_the_default_branch_of_its_origin(tmp_path: Path) -> None:
    source = make(tmp_path / "source")
    git(source, "checkout", "--quiet", "--detach")
    git(source, "branch", "-D", "main")
    for name in ("next", "stable"):
        git(source, "update-ref", f"refs/remotes/origin/{name}", "HEAD")
    git(source, "symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/stable")
    with Sandbox(repo=source) as sandbox:
        assert default_branch(sandbox) == "stable"


def test_an_empty_repository_becomes_an_empty_project(tmp_path: Path) -> None:
    source = make(tmp_path / "empty", branch="trunk", commits=0)
    with Sandbox(repo=source) as sandbox:
        assert sandbox.project == "acme/empty-2"
        assert default_branch(sandbox) == "trunk"
        api = Api(sandbox, "maintainer")
        with api.session:
            assert api.get("/projects/:p")["empty_repo"] is True
            api.commit("trunk", {"action": "create", "file_path": "x"})
            assert default_branch(sandbox) == "trunk"


@pytest.mark.parametrize(
    ("name", "slug"), [("日本語", "project"), ("..a..", "a"), ("app", "app-2"), ("old-app", "old-app-2")]
)
def test_a_project_path_is_derived_from_any_name(tmp_path: Path, name: str, slug: str) -> None:
    with Sandbox(repo=make(tmp_path / name, commits=1)) as sandbox:
        assert sandbox.project == f"acme/{slug}"


def test_hooks_and_configuration_of_the_source_have_no_effect(tmp_path: Path) -> None:
    source = make(tmp_path / "source")
    mark = tmp_path / "ran"
    for name in ("reference-transaction", "pre-receive", "post-checkout", "post-update"):
        hook = source / ".git" / "hooks" / name
        hook.parent.mkdir(exist_ok=True)
        hook.write_text(f"#!/bin/sh\ntouch {mark}\n")
        hook.chmod(0o755)
    git(source, "config", "core.fsmonitor", f"touch {mark}")
    git(source, "config", "uploadpack.packObjectsHook", f"touch {mark};")
    with Sandbox(repo=source) as sandbox:
        api = Api(sandbox, "developer")
        with api.session:
            api.commit("x", {"action": "create", "file_path": "x"}, start_branch="main")
    assert not mark.exists()


def test_a_path_without_a_repository_is_a_clear_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # A separate directory for temporary files, as other sandboxes may start and stop on this machine meanwhile.
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    inside = make(tmp_path / "source") / "folder"
    inside.mkdir()
    for path in (tmp_path, inside, tmp_path / "none"):
        with pytest.raises(SandboxError, match="git repository"):
            Sandbox(repo=path)
    assert list(temporary.iterdir()) == []
