"""What follows for merge requests when a branch moves or goes: MergeRequests::RefreshService."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gitlab_mcp.sandbox import Sandbox
from tests.sandbox.conftest import Api, clone_url, git

REQUESTS = "/projects/:p/merge_requests"


def opened(developer: Api, branch: str, target: str = "main") -> int:
    """The iid of a new merge request of a new branch with one commit."""
    action = {"action": "create", "file_path": f"{branch}.txt", "content": "one\ntwo\nthree\n"}
    developer.commit(branch, action, start_branch="main", message=f"Add {branch}")
    number = developer.post(REQUESTS, title=branch, source_branch=branch, target_branch=target)["iid"]
    assert isinstance(number, int)
    return number


def system_notes(api: Api, number: int) -> list[str]:
    notes = api.get(f"{REQUESTS}/{number}/notes", sort="asc", per_page=100)
    return [note["body"] for note in notes if note["system"]]


def states(api: Api, path: str) -> list[dict[str, Any]]:
    listed = api.get(f"/projects/:p{path}/resource_state_events")
    assert isinstance(listed, list)
    return listed


@pytest.fixture
def clone(sandbox: Sandbox, tmp_path: Path) -> Path:
    git(tmp_path, "clone", "-q", clone_url(sandbox, "maintainer"), "clone")
    return tmp_path / "clone"


def by_rest(maintainer: Api, _: Path, branch: str) -> None:
    assert maintainer.call("DELETE", f"/projects/:p/repository/branches/{branch}").status_code == 204


def by_push(_: Api, clone: Path, branch: str) -> None:
    git(clone, "push", "-q", "origin", f":{branch}")


@pytest.mark.parametrize("delete", [by_rest, by_push], ids=["REST", "push"])
def test_deleting_a_source_branch_closes_its_open_merge_requests(
    maintainer: Api, developer: Api, clone: Path, delete: Callable[[Api, Path, str], None]
) -> None:
    number = opened(developer, "gone")
    developer.post("/projects/:p/repository/branches", branch="release", ref="main")
    second = developer.post(REQUESTS, title="2", source_branch="gone", target_branch="release")["iid"]
    other = opened(developer, "stays")
    delete(maintainer, clone, "gone")
    for each in (number, second):
        found = developer.get(f"{REQUESTS}/{each}")
        assert (found["state"], found["closed_by"]["username"]) == ("closed", "maintainer")
        assert found["detailed_merge_status"] == "not_open"
        assert system_notes(developer, each) == ["deleted source branch `gone`"]
        assert [event["state"] for event in states(developer, f"/merge_requests/{each}")] == ["closed"]
    assert developer.get(f"{REQUESTS}/{other}")["state"] == "opened"


def test_a_merge_that_removes_the_branch_closes_its_other_merge_requests(maintainer: Api, developer: Api) -> None:
    number = opened(developer, "both")
    developer.post("/projects/:p/repository/branches", branch="release", ref="main")
    second = developer.post(REQUESTS, title="2", source_branch="both", target_branch="release")["iid"]
    maintainer.put(f"{REQUESTS}/{number}/merge", should_remove_source_branch=True)
    assert developer.get(f"{REQUESTS}/{number}")["state"] == "merged"
    assert developer.get(f"{REQUESTS}/{second}")["state"] == "closed"


def test_a_closed_merge_request_stays_closed_when_its_branch_comes_back(maintainer: Api, developer: Api) -> None:
    number = opened(developer, "returns")
    head = developer.get(f"{REQUESTS}/{number}")["sha"]
    maintainer.call("DELETE", "/projects/:p/repository/branches/returns")
    developer.post("/projects/:p/repository/branches", branch="returns", ref=head)
    assert developer.get(f"{REQUESTS}/{number}")["state"] == "closed"
    assert developer.put(f"{REQUESTS}/{number}", state_event="reopen")["state"] == "opened"


@pytest.mark.parametrize(("way", "direct"), [(("--ff-only",), True), (("--no-ff", "-m", "Merge"), False)])
def test_a_push_of_the_merge_marks_it_merged_with_the_merge_commit(
    developer: Api, clone: Path, way: tuple[str, ...], direct: bool
) -> None:
    """Gitlab::BranchPushMergeCommitAnalyzer: the commit on the target branch that brought the head, or the head."""
    number = opened(developer, "pushed")
    git(clone, "fetch", "-q")
    git(clone, "merge", "-q", *way, "origin/pushed")
    merge = git(clone, "rev-parse", "HEAD").stdout.strip()
    git(clone, "commit", "-q", "--allow-empty", "-m", "After it")
    git(clone, "push", "-q", "origin", "main")
    found = developer.get(f"{REQUESTS}/{number}")
    assert (found["state"], found["merge_commit_sha"]) == ("merged", found["sha"] if direct else merge)
    assert found["merged_by"]["username"] == "maintainer"
    (event,) = states(developer, f"/merge_requests/{number}")
    assert (event["state"], event["source_commit"]) == ("merged", found["merge_commit_sha"])
    assert system_notes(developer, number) == []


def test_a_push_of_part_of_the_commits_merges_nothing(developer: Api, clone: Path) -> None:
    number = opened(developer, "longer")
    first = developer.get(f"{REQUESTS}/{number}")["sha"]
    developer.commit("longer", {"action": "create", "file_path": "more.txt", "content": "x\n"})
    git(clone, "fetch", "-q")
    git(clone, "push", "-q", "origin", f"{first}:main")
    found = developer.get(f"{REQUESTS}/{number}")
    assert (found["state"], found["merge_commit_sha"]) == ("opened", None)


def test_commits_of_the_target_in_a_push_are_told_apart(developer: Api, maintainer: Api, clone: Path) -> None:
    number = opened(developer, "behind")
    maintainer.commit("main", {"action": "create", "file_path": "base.txt", "content": "x\n"}, message="On <main>")
    git(clone, "pull", "-q")
    before = developer.get(f"{REQUESTS}/{number}")["sha"]
    git(clone, "checkout", "-q", "behind")
    git(clone, "merge", "-q", "-m", "Take <main> in", "main")
    git(clone, "push", "-q", "origin", "behind")
    base, head = (git(clone, "rev-parse", "--short=8", name).stdout.strip() for name in ("main", "behind"))
    (note,) = system_notes(developer, number)
    assert note.startswith("added 2 commits\n\n<ul>")
    assert f"<li>{base} - 1 commit from branch <code>main</code></li>" in note
    assert f"<li>{head} - Take &lt;main&gt; in</li></ul>" in note
    assert f"start_sha={before})" in note
