"""Concurrent writers do not lose each other's commits."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from gitlab_mcp.sandbox import Sandbox
from tests.sandbox.conftest import Api, clone_url, git

WRITERS = 20


def commit(sandbox: Sandbox, number: int, branch: str, start: str = "") -> str:
    api = Api(sandbox, "developer")
    with api.session:
        action = {"action": "create", "file_path": f"many/{number}.txt", "content": str(number)}
        more = {"start_branch": start} if start else {}
        return str(api.commit(branch, action, message=f"Writer {number}", **more)["id"])


def test_twenty_writers_on_one_branch_lose_nothing(sandbox: Sandbox, developer: Api) -> None:
    developer.post("/projects/:p/repository/branches", branch="shared", ref="main")
    with ThreadPoolExecutor(WRITERS) as pool:
        made = list(pool.map(lambda number: commit(sandbox, number, "shared"), range(WRITERS)))
    assert len(set(made)) == WRITERS
    tree = developer.get("/projects/:p/repository/tree", path="many", ref="shared", per_page=100)
    assert len(tree) == WRITERS
    history = developer.get("/projects/:p/repository/commits", ref_name="shared", per_page=100)
    assert {one["id"] for one in history} >= set(made)
    assert all(len(one["parent_ids"]) <= 1 for one in history)


def test_twenty_writers_each_start_a_branch(sandbox: Sandbox, developer: Api) -> None:
    with ThreadPoolExecutor(WRITERS) as pool:
        made = list(pool.map(lambda number: commit(sandbox, number, f"own-{number}", "main"), range(WRITERS)))
    found = developer.get("/projects/:p/repository/branches", search="^own-", per_page=100)
    assert {one["commit"]["id"] for one in found} == set(made)


def test_one_of_many_writers_that_start_the_same_branch_wins(sandbox: Sandbox, developer: Api) -> None:
    def start(number: int) -> int:
        api = Api(sandbox, "developer")
        with api.session:
            body = {"branch": "same", "ref": "main", "note": number}
            return api.call("POST", "/projects/:p/repository/branches", json=body).status_code

    with ThreadPoolExecutor(WRITERS) as pool:
        statuses = list(pool.map(start, range(WRITERS)))
    assert sorted(statuses) == [201, *[400] * (WRITERS - 1)]
    assert developer.get("/projects/:p/repository/branches/same")["name"] == "same"


def test_pushes_and_commits_to_one_branch_do_not_lose_each_other(
    sandbox: Sandbox, developer: Api, tmp_path: Path
) -> None:
    developer.post("/projects/:p/repository/branches", branch="shared", ref="main")
    git(tmp_path, "clone", "--quiet", "--branch=shared", clone_url(sandbox, "developer"), "work")
    work = tmp_path / "work"

    def push() -> int:
        pushed = 0
        for number in range(3):
            git(work, "pull", "--quiet", "--rebase", "origin", "shared")
            git(work, "commit", "--quiet", "--allow-empty", "-m", f"Pushed {number}")
            pushed += git(work, "push", "--quiet", "origin", "shared", check=False).returncode == 0
        return pushed

    with ThreadPoolExecutor(4) as pool:
        pushing = pool.submit(push)
        made = list(pool.map(lambda number: commit(sandbox, number, "shared"), range(8)))
    history = developer.get("/projects/:p/repository/commits", ref_name="shared", per_page=100)
    assert {one["id"] for one in history} >= set(made)
    assert sum(one["title"].startswith("Pushed") for one in history) >= pushing.result()
