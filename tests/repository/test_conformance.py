"""One suite over both backends: the same calls get the same answers, over REST with an access token and over git with a
job token, and leave the same in the repository."""

import asyncio
from pathlib import Path

import pytest

from gitlab_mcp.sandbox import Sandbox
from tests.support.agent import connect
from tests.support.backends import both, settings
from tests.support.git_clones import changes, clone
from tests.support.gitlab_requests import get
from tests.support.settings import checkout

READS: list[tuple[str, dict[str, object]]] = [
    ("list_branches", {}),
    ("list_branches", {"search": "verbose"}),
    ("list_files", {}),
    ("list_files", {"path": "docs"}),
    ("list_files", {"path": "src", "recursive": True}),
    ("list_files", {"recursive": True}),
    ("list_files", {"path": "README.md"}),
    ("list_files", {"path": "nowhere"}),
    ("list_files", {"path": "vendor/lib"}),
    ("list_files", {"ref": "gone"}),
    ("get_file", {"path": "README.md"}),
    ("get_file", {"path": "src/app/cli.py", "ref": "feature/verbose-flag", "line_numbers": True}),
    ("get_file", {"path": "src/app/cli.py", "ref": "v1.2.0", "start_line": 3, "end_line": 5}),
    ("get_file", {"path": "docs/logo.png"}),
    ("get_file", {"path": "docs/übersicht der optionen.md"}),
    ("get_file", {"path": "scripts/release.sh"}),
    ("get_file", {"path": "docs/latest"}),
    ("get_file", {"path": "vendor/lib"}),
    ("get_file", {"path": "docs"}),
    ("get_file", {"path": "docs/usage.txt"}),
    ("get_file", {"path": "src/app/Config.py"}),
    ("get_file", {"path": "README.md", "ref": "gone"}),
    ("get_file", {"path": "README.md", "ref": "0123456789012345678901234567890123456789"}),
    ("get_file", {"path": "src/app/cli.py", "ref": "feature/verbose-flag", "detail": "full"}),
    ("get_file", {"path": "CHANGELOG.md", "detail": "full", "start_line": 2, "end_line": 3}),
    ("list_commits", {}),
    ("list_commits", {"path": "src/app/cli.py", "ref": "feature/verbose-flag"}),
    ("list_commits", {"path": "docs", "ref": "v1.3.0"}),
    ("list_commits", {"path": "nowhere"}),
    ("list_commits", {"page": 9}),
    ("compare_refs", {"base": "main", "head": "feature/verbose-flag"}),
    ("compare_refs", {"base": "v1.2.0", "head": "main"}),
    ("compare_refs", {"base": "v1.2.0", "head": "main", "paths": ["docs/**"]}),
    ("compare_refs", {"base": "main", "head": "v1.2.0"}),
    ("compare_refs", {"base": "main", "head": "main"}),
    ("list_issues", {}),
    ("list_merge_requests", {"state": "all"}),
]


@pytest.mark.parametrize(("tool", "arguments"), READS, ids=[f"{tool} {arguments}" for tool, arguments in READS])
async def test_a_read_gets_the_same_answer_on_both_backends(
    sandbox: Sandbox, tool: str, arguments: dict[str, object]
) -> None:
    rest, git = await both(sandbox, tool, **arguments)
    assert git == rest


async def test_a_file_is_read_at_a_branch_a_tag_and_a_commit_whole_or_short(backend: str, sandbox: Sandbox) -> None:
    async with connect(settings(sandbox, backend)) as agent:
        commit = get(sandbox, "/repository/commits/v1.2.0")["id"]
        texts = {await agent.call("get_file", path="README.md", ref=ref) for ref in ("v1.2.0", commit, commit[:10])}
        assert len({text.partition("\n")[2] for text in texts}) == 1


async def test_every_kind_of_change_lands_in_one_commit(sandbox: Sandbox, backend: str, tmp_path: Path) -> None:
    async with connect(settings(sandbox, backend)) as agent:
        answer = await agent.call(
            "commit_files",
            branch=f"kinds-{backend}",
            ref="main",
            message="Change files\n\nWith a body: ü.",
            actions=[
                {"path": "new ü'\".txt", "content": "new\n"},
                {"path": "README.md", "content": "changed\n"},
                {"path": "src/app/legacy.py", "action": "delete"},
                {"path": "docs/use.md", "action": "move", "previous_path": "docs/usage.md"},
                {"path": "moved.sh", "action": "move", "previous_path": "scripts/release.sh", "content": "x\n"},
                {"path": "LICENSE", "action": "chmod", "executable": True},
                {"path": "bin/tool", "content": "AP8=", "encoding": "base64", "executable": True},
            ],
        )
        tree = clone(sandbox, f"kinds-{backend}", tmp_path / "clone")
        assert ": 2 added, 1 changed, 1 deleted, 2 moved, 1 mode changed." in answer
        assert changes(tree) == {
            "new ü'\".txt": "A",
            "README.md": "M",
            "src/app/legacy.py": "D",
            "docs/use.md": "A",
            "docs/usage.md": "D",
            "moved.sh": "A",
            "scripts/release.sh": "D",
            "LICENSE": "M",
            "bin/tool": "A",
        }
        modes = {name: bool((tree / name).stat().st_mode & 0o111) for name in ("LICENSE", "bin/tool", "moved.sh")}
        assert modes == {"LICENSE": True, "bin/tool": True, "moved.sh": True}
        assert (tree / "bin/tool").read_bytes() == b"\x00\xff"
        commit = get(sandbox, f"/repository/commits/kinds-{backend}")
        assert commit["message"].strip() == "Change files\n\nWith a body: ü."
        assert commit["author_name"] == "Developer"


async def test_a_commit_on_top_has_the_tip_as_its_parent(sandbox: Sandbox, backend: str) -> None:
    async with connect(settings(sandbox, backend)) as agent:
        branch = f"on-top-{backend}"
        await agent.call("create_branch", branch=branch)
        one = {"path": "a.txt", "content": "a"}
        await agent.call("commit_files", branch=branch, message="m", actions=[one])
        first = get(sandbox, f"/repository/branches/{branch}")["commit"]["id"]
        await agent.call("commit_files", branch=branch, message="m", actions=[{**one, "content": "b"}])
        assert get(sandbox, f"/repository/branches/{branch}")["commit"]["parent_ids"] == [first]


REFUSALS: list[tuple[dict[str, object], str]] = [
    ({"branch": "nowhere"}, "There is no branch nowhere: to create it here give ref"),
    ({"branch": "stale/no-commits", "ref": "main"}, "The branch stale/no-commits already exists, at "),
    ({"branch": "r", "ref": "main", "actions": [{"path": "gone.txt", "action": "delete"}]}, "nothing to delete"),
    ({"branch": "r", "ref": "main", "actions": [{"path": "docs/latest", "content": "x"}]}, "is a symbolic link"),
    ({"branch": "r", "ref": "main", "actions": [{"path": "vendor/lib", "content": "x"}]}, "is a submodule"),
    ({"branch": "r", "ref": "main", "actions": [{"path": "docs", "content": "x"}]}, "is a folder"),
    ({"branch": "r", "ref": "main", "actions": [{"path": "README.md/x", "content": "x"}]}, "README.md is a file"),
    ({"branch": "main"}, "In CI nothing is written to main"),
    ({"branch": "r", "ref": "main", "actions": [{"path": ".gitlab-ci.yml", "content": "x"}]}, "--allow-files"),
    ({"branch": "r", "ref": "main", "actions": [{"path": "x.txt", "action": "move"}]}, "needs previous_path"),
    (
        {"branch": "r", "ref": "main", "merge_request": {"title": "t", "target_branch": "gone"}},
        "There is no branch gone to merge into",
    ),
]


@pytest.mark.parametrize(("arguments", "told"), REFUSALS, ids=[told for _, told in REFUSALS])
async def test_what_cannot_be_committed_is_said_and_changes_nothing(
    backend: str, sandbox: Sandbox, arguments: dict[str, object], told: str
) -> None:
    async with connect(settings(sandbox, backend)) as agent:
        before = {each["name"]: each["commit"]["id"] for each in get(sandbox, "/repository/branches?per_page=100")}
        one = {"message": "m", "actions": [{"path": "x.txt", "content": "x"}]}
        assert told in await agent.refused("commit_files", **{**one, **arguments})
        after = {each["name"]: each["commit"]["id"] for each in get(sandbox, "/repository/branches?per_page=100")}
        assert after == before


async def test_a_file_that_changed_since_it_was_read_is_not_overwritten(sandbox: Sandbox, backend: str) -> None:
    async with connect(settings(sandbox, backend)) as agent:
        branch = f"pinned-{backend}"
        await agent.call("create_branch", branch=branch)
        seen = get(sandbox, f"/repository/files/README.md?ref={branch}")["last_commit_id"]
        one = {"path": "README.md", "content": "mine\n", "last_commit_id": seen}
        await agent.call("commit_files", branch=branch, message="first", actions=[one])
        told = await agent.refused(
            "commit_files", branch=branch, message="second", actions=[{**one, "content": "mine again\n"}]
        )
        assert "README.md" in told


async def test_an_existing_branch_is_success_at_the_same_commit_and_an_error_at_another(
    sandbox: Sandbox, backend: str
) -> None:
    async with connect(settings(sandbox, backend)) as agent:
        branch = f"twice-{backend}"
        assert (await agent.call("create_branch", branch=branch)).startswith(f"Created branch {branch} (")
        assert "already exists, at main; nothing was changed" in await agent.call("create_branch", branch=branch)
        told = await agent.refused("create_branch", branch=branch, ref="feature/verbose-flag")
        assert "that is not where feature/verbose-flag is" in told
        assert "Invalid reference name: gone" in await agent.refused("create_branch", branch="x", ref="gone")


async def test_a_merge_request_is_opened_in_the_same_call_once(sandbox: Sandbox, backend: str) -> None:
    async with connect(settings(sandbox, backend)) as agent:
        branch = f"with-mr-{backend}"
        description = 'Closes #7\n\n- a "quoted" word\n\n```\n/close\n```\nü\n/close\na \\n/close'
        wanted = {"title": "Add x", "description": description, "draft": True, "labels": ["bug", "brand new"]}
        one = {"path": f"{backend}.txt", "content": "x"}
        answer = await agent.call(
            "commit_files", branch=branch, ref="main", message="m", actions=[one], merge_request=wanted
        )
        again = await agent.call(
            "commit_files",
            branch=branch,
            message="m",
            actions=[{**one, "content": "y"}],
            merge_request={"title": "Other", "description": "Other"},
        )
        [opened] = get(sandbox, f"/merge_requests?source_branch={branch}")
        assert f"\nOpened draft !{opened['iid']} ({branch} -> main): {opened['web_url']}" in answer
        assert f"\nAlready open: draft !{opened['iid']} " in again
        assert (opened["title"], sorted(opened["labels"])) == ("Draft: Add x", ["brand new", "bug"])
        assert opened["description"].startswith('Closes #7\n\n- a "quoted" word\n\n```\n /close\n```\nü\n /close\na \\')
        assert opened["state"] == "opened"
        assert sandbox.executed_quick_actions == []
        assert len(get(sandbox, f"/repository/commits?ref_name=main..{branch}")) == 2


async def test_a_merge_request_for_a_branch_that_is_there_is_opened_once(sandbox: Sandbox, backend: str) -> None:
    async with connect(settings(sandbox, backend)) as agent:
        branch = f"later-mr-{backend}"
        one = {"path": f"{branch}.txt", "content": "x"}
        await agent.call("commit_files", branch=branch, ref="main", message="m", actions=[one])
        wanted = {"source_branch": branch, "title": "Later", "description": "Closes #7", "assignees": ["maintainer"]}
        answers = await asyncio.gather(*(agent.call("create_merge_request", **wanted) for _ in range(3)))
        [opened] = get(sandbox, f"/merge_requests?source_branch={branch}")
        assert sum(answer.startswith(f"Opened !{opened['iid']} ({branch} -> main): ") for answer in answers) == 1
        assert sum(answer.startswith(f"Already open, unchanged: !{opened['iid']} ") for answer in answers) == 2
        assert [each["username"] for each in opened["assignees"]] == ["maintainer"]
        assert len(get(sandbox, f"/repository/commits?ref_name=main..{branch}")) == (2 if backend == "git" else 1)
        told = await agent.refused("create_merge_request", source_branch="stale/no-commits", title="t")
        assert "stale/no-commits has no commits that main lacks" in told


async def test_a_merge_request_is_changed(sandbox: Sandbox, backend: str) -> None:
    async with connect(settings(sandbox, backend)) as agent:
        branch = f"changed-{backend}"
        one = {"path": f"{branch}.txt", "content": "x"}
        await agent.call(
            "commit_files", branch=branch, ref="main", message="m", actions=[one], merge_request={"title": "Before"}
        )
        iid = get(sandbox, f"/merge_requests?source_branch={branch}")[0]["iid"]
        text = {"title": "After", "description": "One\n\nTwo", "draft": True}
        people = {"assignees": ["maintainer"], "squash": True, "remove_source_branch": True}
        answer = await agent.call("update_merge_request", iid=iid, add_labels=["bug", "p2"], **text, **people)
        assert answer.startswith(f"Updated draft !{iid} ({branch} -> main): ")
        await agent.call("update_merge_request", iid=iid, remove_labels=["p2"], draft=False)
        now = get(sandbox, f"/merge_requests/{iid}")
        assert (now["title"], now["description"], now["labels"]) == ("After", "One\n\nTwo", ["bug"])
        assert ([each["username"] for each in now["assignees"]], now["squash"]) == (["maintainer"], True)


async def test_what_was_edited_on_disk_is_committed_from_there(sandbox: Sandbox, backend: str, tmp_path: Path) -> None:
    work = clone(sandbox, "main", tmp_path / "work")
    (work / "src/app/config.py").write_text("changed\n")
    (work / "src/app/legacy.py").unlink()
    (work / "src/app/new file ü.py").write_text("new\n")
    (work / "scripts/release.sh").chmod(0o644)
    async with connect(settings(sandbox, backend, working_directory=checkout(work))) as agent:
        answer = await agent.call(
            "commit_files", branch=f"disk-{backend}", ref="main", message="m", paths=["src/**", "scripts"]
        )
    assert ": 1 added, 1 changed, 1 deleted, 1 mode changed." in answer
    assert changes(clone(sandbox, f"disk-{backend}", tmp_path / "landed")) == {
        "src/app/config.py": "M",
        "src/app/legacy.py": "D",
        "src/app/new file ü.py": "A",
        "scripts/release.sh": "M",
    }


async def test_a_path_that_a_filter_stores_is_named_when_read_and_refused_when_written(
    sandbox: Sandbox, backend: str
) -> None:
    async with connect(settings(sandbox, backend)) as agent:
        branch = f"lfs-{backend}"
        pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"
        actions = [
            {"path": "assets/big.bin", "content": pointer},
            {"path": "assets/.gitattributes", "content": "*.bin filter=lfs diff=lfs merge=lfs -text\n"},
        ]
        await agent.call("commit_files", branch=branch, ref="main", message="m", actions=actions)
        shown = await agent.call("get_file", path="assets/big.bin", ref=branch)
        assert "stored with LFS: this is the LFS pointer, not the content" in shown
        for path in ("assets/big.bin", "assets/deep/er/new.bin"):
            told = await agent.refused(
                "commit_files", branch=branch, message="m", actions=[{"path": path, "content": "x"}]
            )
            assert f"{path}: .gitattributes gives this to a filter such as LFS" in told
        await agent.call("commit_files", branch=branch, message="m", actions=[{"path": "assets/a.txt", "content": "x"}])


async def test_answers_say_whether_a_pipeline_starts_and_that_is_so(sandbox: Sandbox, backend: str) -> None:
    async with connect(settings(sandbox, backend)) as agent:
        branch = f"pipelines-{backend}"
        one = {"path": f"{branch}.txt", "content": "x"}
        answer = await agent.call("commit_files", branch=branch, ref="main", message="m", actions=[one])
        started = get(sandbox, f"/pipelines?ref={branch}")
        if backend == "git":
            assert "No pipeline starts for a push with CI_JOB_TOKEN." in answer
            assert started == []
        else:
            assert "Pipelines start as for any push." in answer
            assert len(started) == 1
