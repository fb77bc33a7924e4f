"""Searching, single commits, tags and the end of branches: the same on both backends of a repository."""

from pathlib import Path

import pytest

from gitlab_mcp.config.settings import Settings
from gitlab_mcp.git import grep
from gitlab_mcp.sandbox import Sandbox
from tests.support.agent import connect
from tests.support.backends import BACKENDS
from tests.support.ci_job import allow_job_pushes
from tests.support.git_clones import clone
from tests.support.gitlab_requests import get, writes
from tests.support.seed import SEED
from tests.support.settings import EVERY_TOOLSET, checkout, job_settings, settings_for


def settings(sandbox: Sandbox, backend: str, **more: object) -> Settings:
    """A local run with the developer's access token, or a job that the developer started."""
    if backend == "rest":
        return settings_for(sandbox, "developer", toolsets=EVERY_TOOLSET, **more)
    allow_job_pushes(sandbox)
    return job_settings(sandbox, toolsets=EVERY_TOOLSET, **more)


async def test_lines_that_hold_a_text_come_with_path_and_number_in_any_letter_case(
    sandbox: Sandbox, backend: str
) -> None:
    async with connect(settings(sandbox, backend)) as agent:
        answer = await agent.call("search_code", search="LINES[0]")
    assert answer == (
        '# Code with "LINES[0]": 1 line in 1 file\n```\nsrc/app/config.py:11:     if lines[0].startswith("#!"):\n```'
    )


READS: list[tuple[str, dict[str, object]]] = [
    ("search_code", {"search": "config"}),
    ("search_code", {"search": "config", "page": 2}),
    ("search_code", {"search": "e", "page": 3}),
    ("search_code", {"search": "verbose", "ref": "feature/verbose-flag"}),
    ("search_code", {"search": "logo"}),
    ("search_code", {"search": "übersicht"}),
    ("search_code", {"search": "-x [a-z]* \\"}),
    ("search_code", {"search": "no such words"}),
    ("get_commit", {"ref": "main"}),
    ("get_commit", {"ref": "v1.2.0"}),
    ("get_commit", {"ref": "feature/verbose-flag"}),
    ("list_tags", {}),
    ("list_tags", {"search": "1.2"}),
]


@pytest.mark.parametrize(("tool", "arguments"), READS, ids=[f"{tool} {arguments}" for tool, arguments in READS])
async def test_a_read_gets_the_same_answer_on_both_backends(
    sandbox: Sandbox, tool: str, arguments: dict[str, object]
) -> None:
    answers = []
    for backend in BACKENDS:
        async with connect(settings(sandbox, backend)) as agent:
            answers.append(await agent.call(tool, **arguments))
    assert answers[1] == answers[0]


async def test_the_first_commit_of_a_repository_has_no_parent_and_adds_everything(
    sandbox: Sandbox, backend: str
) -> None:
    first = get(sandbox, "/repository/commits?per_page=100")[-1]
    async with connect(settings(sandbox, backend)) as agent:
        answer = await agent.call("get_commit", ref=first["id"])
    assert answer.startswith(f"# Commit {first['id'][:12]} {first['title']}\nby Maintainer ")
    assert "README.md (new) +" in answer
    assert "parents" not in answer
    assert "compare_refs" not in answer


async def test_what_is_not_there_is_said(sandbox: Sandbox, backend: str) -> None:
    async with connect(settings(sandbox, backend)) as agent:
        for tool in ("search_code", "get_commit"):
            arguments = {"search": "x", "ref": "gone"} if tool == "search_code" else {"ref": "gone"}
            assert "gone" in (told := await agent.refused(tool, **arguments)) or "404 Commit Not Found" in told
        assert "give a text on one line" in await agent.refused("search_code", search=" ")
        assert "There is no branch gone" in await agent.refused("delete_branch", branch="gone")


async def test_a_branch_is_deleted_and_the_answer_says_where_it_was(sandbox: Sandbox, backend: str) -> None:
    async with connect(settings(sandbox, backend)) as agent:
        name = f"old-{backend}"
        await agent.call("create_branch", branch=name)
        was = get(sandbox, f"/repository/branches/{name}")["commit"]["id"]
        answer = await agent.call("delete_branch", branch=name)
        assert answer == f"Deleted branch {name}.\nIt was at {was}: create_branch with that as ref undoes it."
        assert f"There is no branch {name}" in await agent.refused("delete_branch", branch=name)
    assert name not in [branch["name"] for branch in get(sandbox, "/repository/branches?per_page=100")]


async def test_neither_the_default_branch_nor_a_protected_one_is_deleted(sandbox: Sandbox, backend: str) -> None:
    sandbox.world.projects[sandbox.project_id].protected["stale/*"] = 40
    async with connect(settings(sandbox, backend, allow_default_branch=True)) as agent:
        assert "main is the default branch" in await agent.refused("delete_branch", branch="main")
        assert "stale/no-commits is protected" in await agent.refused("delete_branch", branch="stale/no-commits")
    assert [each for each in writes(sandbox) if "receive-pack" in each or "DELETE" in each] == []


@pytest.mark.parametrize("when", ["before", "after"])
async def test_after_a_lost_answer_it_is_looked_up_whether_the_branch_is_gone(
    sandbox: Sandbox, backend: str, when: str
) -> None:
    async with connect(settings(sandbox, backend)) as agent:
        name = f"lost-{backend}-{when}"
        await agent.call("create_branch", branch=name)
        method, path = ("DELETE", f"/branches/{name}") if backend == "rest" else ("POST", "/git-receive-pack")
        sandbox.faults.drop(method, path, when=when)
        answer = await agent.call("delete_branch", branch=name)
        sandbox.faults.clear()
    assert answer.startswith(f"Deleted branch {name}.")
    assert ("a lookup confirmed it" in answer) == (when == "after")


async def test_by_git_a_branch_that_moved_meanwhile_stays(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    async with connect(settings(sandbox, "git")) as agent:
        await agent.call("create_branch", branch="moving", ref="v1.2.0")
        repository = sandbox.world.projects[sandbox.project_id].repository
        stale, main = repository.branch("moving"), repository.branch("main")
        assert stale
        assert main
        # The list of branches is answered as it was a moment ago.
        monkeypatch.setattr(repository, "branches", lambda: {"moving": stale})
        repository.update_ref("refs/heads/moving", main, stale)
        assert "moving moved meanwhile and was not deleted" in await agent.refused("delete_branch", branch="moving")
    assert repository.branch("moving") == main


async def test_by_git_it_is_said_when_there_is_too_much_to_fetch_or_to_show(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(grep, "LINES", 3)
    async with connect(settings(sandbox, "git")) as agent:
        told = await agent.refused("search_code", search="config")
    assert "Too much to search by git: " in told
    assert "lines match" in told
    assert "grep" in told
    monkeypatch.setattr(grep, "FILES", 3)
    async with connect(settings(sandbox, "git")) as agent:
        assert "files would have to be fetched" in await agent.refused("search_code", search="lines[0]")
    # Nothing has to be fetched where the job's clone has it all.
    work = clone(sandbox, "main", tmp_path / "work")
    async with connect(settings(sandbox, "git", working_directory=checkout(work))) as agent:
        assert "src/app/config.py:11: " in await agent.call("search_code", search="lines[0]")


async def test_a_file_with_a_line_break_in_its_name_is_found_and_named(fresh_sandbox: Sandbox, backend: str) -> None:
    repository = fresh_sandbox.world.projects[fresh_sandbox.project_id].repository
    blob = repository.run("hash-object", "-w", "--stdin", stdin=b"one\nneedle two\nthree\n").strip()
    listed = "".join(f"100644 blob {blob}\t{name}\0" for name in ("a\nb.txt", "ok.txt"))
    tree = repository.run("mktree", "-z", stdin=listed.encode()).strip()
    author = ("-c", "user.name=X", "-c", "user.email=x@example.com")
    repository.keep("refs/heads/newline", repository.run(*author, "commit-tree", tree, "-m", "x").strip())
    async with connect(settings(fresh_sandbox, backend)) as agent:
        answer = await agent.call("search_code", search="needle", ref="newline")
    assert answer == (
        '# Code with "needle" at newline: 2 lines in 2 files\n```\na b.txt:2: needle two\nok.txt:2: needle two\n```'
    )


async def test_letters_beyond_a_to_z_are_found_in_any_case_and_blanks_are_looked_for(
    sandbox: Sandbox, backend: str
) -> None:
    allow_job_pushes(sandbox)
    async with connect(settings(sandbox, backend)) as agent:
        actions = [{"path": "f.txt", "content": "Äpfel und\n\n\n\n\n\n\n\n  abc\n\n\n\n\n\n\n\nxabc\n"}]
        await agent.call("commit_files", branch=f"odd-{backend}", ref="main", message="m", actions=actions)
        for words in ("Äpfel", "äpfel", "ÄPFEL"):
            assert "f.txt:1: Äpfel und\n" in await agent.call("search_code", search=words, ref=f"odd-{backend}")
        answer = await agent.call("search_code", search=" abc", ref=f"odd-{backend}")
        assert answer == f'# Code with "abc" at odd-{backend}: 1 line in 1 file\n```\nf.txt:9:   abc\n```'


async def test_an_unpaired_surrogate_is_refused_in_words(sandbox: Sandbox, backend: str) -> None:
    async with connect(settings(sandbox, backend)) as agent:
        told = await agent.refused("search_code", search="a\ud800b")
    assert told == "search_code: search contains an unpaired surrogate (invalid Unicode): leave it out."


async def test_the_answer_says_which_merge_request_a_deleted_branch_closes(
    fresh_sandbox: Sandbox, backend: str
) -> None:
    async with connect(settings(fresh_sandbox, backend)) as agent:
        answer = await agent.call("delete_branch", branch="feature/verbose-flag")
    assert get(fresh_sandbox, SEED.merge_request.path)["state"] == "closed"
    assert answer.endswith(
        "\nGitLab closes !1 with it, which creating the branch again does not undo;"
        " update_merge_request with state: reopen does, once the branch is there again."
    )
