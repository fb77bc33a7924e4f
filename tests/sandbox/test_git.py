"""Plain git against the sandbox: clone, push, and rejected pushes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gitlab_mcp.sandbox import Sandbox
from tests.sandbox.conftest import Api, People, clone_url, git
from tests.support.seed import SEED


def cloned(sandbox: Sandbox, where: Path, who: str = "developer", project: str = "") -> Path:
    git(where, "clone", "--quiet", clone_url(sandbox, who, project), "work")
    return where / "work"


def test_a_clone_has_the_full_history_with_symlinks_modes_and_names(sandbox: Sandbox, tmp_path: Path) -> None:
    work = cloned(sandbox, tmp_path)
    assert len(git(work, "log", "--format=%an", "main").stdout.splitlines()) == 5
    assert (work / "docs" / "latest").is_symlink()
    assert os.access(work / "scripts" / "release.sh", os.X_OK)
    assert (work / "docs" / "übersicht der optionen.md").exists()
    assert git(work, "tag").stdout.split() == ["v1.2.0", "v1.3.0"]
    assert git(work, "fsck", "--strict").returncode == 0


def test_a_public_project_is_cloned_without_a_token_and_a_private_one_is_not(sandbox: Sandbox, tmp_path: Path) -> None:
    git(tmp_path, "clone", "--quiet", f"{sandbox.url}/acme/app.git", "public")
    private = f"{sandbox.url}/acme/private-notes.git"
    assert "could not read Username" in git(tmp_path, "clone", private, "private", check=False).stderr
    for who, message in (("stranger", "not found"), ("expired", "Authentication failed")):
        refused = git(tmp_path, "clone", clone_url(sandbox, who, "acme/private-notes"), "private", check=False)
        assert message in refused.stderr
    git(tmp_path, "clone", "--quiet", clone_url(sandbox, "read_repository", "acme/private-notes"), "private")


def test_a_push_moves_the_branch_and_prints_where_to_open_a_merge_request(
    sandbox: Sandbox, tmp_path: Path, developer: Api
) -> None:
    work = cloned(sandbox, tmp_path)
    git(work, "switch", "--quiet", "-c", "from-git")
    (work / "new.txt").write_text("x\n")
    git(work, "add", "new.txt")
    git(work, "commit", "--quiet", "-m", "From git, see #7")
    pushed = git(work, "push", "-o", "ci.skip", "origin", "from-git")
    assert "remote: To create a merge request for from-git, visit:" in pushed.stderr
    assert "/-/merge_requests/new?merge_request%5Bsource_branch%5D=from-git" in pushed.stderr
    head = git(work, "rev-parse", "HEAD").stdout.strip()
    assert developer.get("/projects/:p/repository/branches/from-git")["commit"]["id"] == head
    bodies = [note["body"] for note in developer.get(f"/projects/:p{SEED.crash_issue.path}/notes")]
    assert f"mentioned in commit {head}" in bodies


def test_a_push_to_a_merge_request_changes_its_diff(sandbox: Sandbox, tmp_path: Path, developer: Api) -> None:
    work = cloned(sandbox, tmp_path)
    git(work, "switch", "--quiet", "feature/verbose-flag")
    (work / "new.txt").write_text("x\n")
    git(work, "add", "new.txt")
    git(work, "commit", "--quiet", "-m", "One more")
    pushed = git(work, "push", "origin", "HEAD")
    assert "remote: View merge request for feature/verbose-flag:" in pushed.stderr
    assert f"{sandbox.url}/acme/app/-{SEED.merge_request.path}" in pushed.stderr
    found = developer.get(f"/projects/:p{SEED.merge_request.path}")
    assert (found["changes_count"], found["sha"]) == ("3", git(work, "rev-parse", "HEAD").stdout.strip())
    notes = developer.get(f"/projects/:p{SEED.merge_request.path}/notes", activity_filter="only_activity")
    assert notes[0]["body"].startswith("added 1 commit\n\n<ul><li>")


SHA = "0123456789abcdef0123456789abcdef01234567"
HEX_BRANCH = "GitLab: You cannot create a branch with a 40-character hexadecimal branch name."


@pytest.mark.parametrize(
    ("who", "refspec", "message"),
    [
        ("developer", "HEAD:main", "GitLab: You are not allowed to push code to protected branches on this project."),
        ("reporter", "HEAD:x", "You are not allowed to push code to this project."),
        ("stranger", "HEAD:x", "You are not allowed to push code to this project."),
        ("read_repository", "HEAD:x", "You are not allowed to push code to this project."),
        ("maintainer", ":main", "GitLab: The default branch of a project cannot be deleted."),
        ("maintainer", "+v1.2.0^{commit}:main", "You are not allowed to force push code to a protected branch"),
        ("maintainer", "HEAD:refs/merge-requests/9/head", "deny updating a hidden ref"),
        ("developer", f"HEAD:{SHA}", HEX_BRANCH),
        ("developer", f"HEAD:refs/heads/{SHA}/x", HEX_BRANCH),
        ("developer", f"HEAD:refs/heads/{SHA.upper()}-/x", HEX_BRANCH),
        ("developer", f"HEAD:refs/tags/{SHA}-x", "GitLab: You cannot create a tag with a SHA-1 or SHA-256 tag name."),
        ("developer", "HEAD:refs/tags/main", "GitLab: You cannot use default branch name to create a tag"),
    ],
)
def test_a_rejected_push_says_why(sandbox: Sandbox, tmp_path: Path, who: str, refspec: str, message: str) -> None:
    work = cloned(sandbox, tmp_path, who)
    git(work, "commit", "--quiet", "--allow-empty", "-m", "Empty")
    refused = git(work, "push", "origin", refspec, check=False)
    assert refused.returncode != 0
    assert message in refused.stderr


def test_notes_and_names_that_only_resemble_a_sha_may_be_pushed(sandbox: Sandbox, tmp_path: Path) -> None:
    work = cloned(sandbox, tmp_path, "developer")
    git(work, "notes", "add", "-m", "Measured.", "HEAD")
    names = [f"refs/heads/{SHA}x", f"refs/heads/x-{SHA}", f"refs/tags/v{SHA}"]
    git(work, "push", "--quiet", "origin", "refs/notes/commits", *(f"HEAD:{name}" for name in names))
    listed = git(work, "ls-remote", "origin").stdout
    assert all(f"\t{name}\n" in listed for name in ("refs/notes/commits", *names))


def test_a_maintainer_pushes_to_the_default_branch_and_closes_an_issue(
    sandbox: Sandbox, tmp_path: Path, maintainer: Api
) -> None:
    work = cloned(sandbox, tmp_path, "maintainer")
    git(work, "commit", "--quiet", "--allow-empty", "-m", "Look at it\n\nFixes #7 and #8")
    git(work, "push", "--quiet", "origin", "main")
    assert maintainer.get(f"/projects/:p{SEED.crash_issue.path}")["state"] == "closed"
    assert maintainer.get(f"/projects/:p{SEED.legacy_issue.path}")["closed_by"]["username"] == "maintainer"


def test_an_archived_project_rejects_pushes(sandbox: Sandbox, tmp_path: Path) -> None:
    work = cloned(sandbox, tmp_path, "maintainer", "acme/archive")
    refused = git(work, "push", "origin", "HEAD:x", check=False)
    assert "You can't push code to an archived project." in refused.stderr


def test_the_first_push_to_an_empty_project_sets_its_default_branch(
    sandbox: Sandbox, tmp_path: Path, maintainer: Api
) -> None:
    work = cloned(sandbox, tmp_path, "maintainer", "acme/empty")
    git(work, "switch", "--quiet", "-c", "trunk")
    (work / "a.bin").write_bytes(os.urandom(3_000_000))  # more than git's post buffer, so the body comes in chunks
    git(work, "add", "a.bin")
    git(work, "commit", "--quiet", "-m", "First")
    git(work, "push", "--quiet", "origin", "trunk")
    assert maintainer.get("/projects/acme%2Fempty")["default_branch"] == "trunk"


def test_a_clone_from_the_old_path_still_works(sandbox: Sandbox, people: People, tmp_path: Path) -> None:
    assert people["developer"].get("/projects/:p")["http_url_to_repo"] == f"{sandbox.url}/acme/app.git"
    git(tmp_path, "clone", "--quiet", "--depth=1", clone_url(sandbox, "developer", "acme/old-app"), "old")
    git(tmp_path, "clone", "--quiet", "--filter=blob:none", clone_url(sandbox, "developer"), "partial")
