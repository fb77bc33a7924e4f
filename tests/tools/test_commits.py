"""commit_files with content in the call, looked at through plain git."""

import base64
import subprocess
from pathlib import Path
from typing import Any

import pytest

from gitlab_mcp.sandbox import Sandbox
from tests.support.agent import Agent, connect
from tests.support.git_clones import changes, clone
from tests.support.gitlab_requests import get, writes
from tests.support.settings import settings_for


def head(repository: Path) -> str:
    """The commit that is checked out."""
    command = ["git", "-C", str(repository), "rev-parse", "HEAD"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


async def commit(agent: Agent, branch: str, *actions: dict[str, Any], **more: Any) -> str:
    return await agent.call("commit_files", branch=branch, message="Change files", actions=list(actions), **more)


async def test_a_commit_whose_message_skips_ci_promises_no_pipeline(sandbox: Sandbox) -> None:
    action = {"path": "new.txt", "content": "new\n"}
    async with connect(settings_for(sandbox)) as agent:
        message = "Add a file\n\nNothing to test. [Skip CI]"
        answer = await agent.call("commit_files", branch="skips", message=message, actions=[action], ref="main")
    assert " 1 added. No pipeline runs: the message says [Skip CI].\n" in answer
    assert [one["status"] for one in get(sandbox, "/pipelines?ref=skips")] == ["skipped"]


async def test_a_comparison_of_one_commit_shows_files_that_gitlab_collapses(sandbox: Sandbox) -> None:
    rows = [f"{number} {'x' * 90}" for number in range(300)]
    actions = [{"path": f"long{at}.txt", "content": "\n".join(rows) + "\n"} for at in range(2)]
    async with connect(settings_for(sandbox)) as agent:
        await commit(agent, "collapsed", *actions, ref="main")
        shown = await agent.call("compare_refs", base="main", head="collapsed", paths=["long1.txt"])
        await commit(agent, "collapsed", {"path": "short.txt", "content": "x\n"})
        hidden = await agent.call("compare_refs", base="main", head="collapsed")
    diffs = get(sandbox, "/repository/compare?from=main&to=collapsed")["diffs"]
    assert [one["collapsed"] for one in diffs] == [True, True, False]
    assert "long1.txt (new) +300 -0" in shown
    assert f"+{rows[-1]}\n" in shown
    assert (
        hidden.count("(new, collapsed)\nGitLab collapses it here: compare_refs, commit by commit (list_commits)") == 2
    )
    assert "+x\n" in hidden


async def test_create_update_delete_move_and_chmod_land_in_one_commit(sandbox: Sandbox, tmp_path: Path) -> None:
    async with connect(settings_for(sandbox)) as agent:
        answer = await commit(
            agent,
            "all-kinds",
            {"path": "new.txt", "content": "new\n"},
            {"path": "README.md", "content": "changed\n"},
            {"path": "src/app/legacy.py", "action": "delete"},
            {"path": "docs/use.md", "action": "move", "previous_path": "docs/usage.md"},
            {"path": "scripts/release.sh", "action": "chmod", "executable": False},
            {
                "path": "bin/tool",
                "content": base64.b64encode(b"\x00\xff").decode(),
                "encoding": "base64",
                "executable": True,
            },
            ref="main",
        )
    tree = clone(sandbox, "all-kinds", tmp_path / "clone")
    sha = head(tree)
    assert answer == (
        f"Committed {sha[:8]} to all-kinds (new branch from main):"
        " 2 added, 1 changed, 1 deleted, 1 moved, 1 mode changed. Pipelines start as for any push.\n"
        f"{sandbox.url}/acme/app/-/commit/{sha}"
    )
    assert changes(tree) == {
        "new.txt": "A",
        "README.md": "M",
        "src/app/legacy.py": "D",
        "docs/use.md": "A",
        "docs/usage.md": "D",
        "scripts/release.sh": "M",
        "bin/tool": "A",
    }
    assert (tree / "README.md").read_text() == "changed\n"
    assert (tree / "bin/tool").read_bytes() == b"\x00\xff"
    modes = {name: (tree / name).stat().st_mode & 0o111 for name in ("bin/tool", "scripts/release.sh", "new.txt")}
    assert {name for name, mode in modes.items() if mode} == {"bin/tool"}


async def test_a_second_commit_goes_on_top_of_the_branch(sandbox: Sandbox) -> None:
    async with connect(settings_for(sandbox)) as agent:
        await commit(agent, "on-top", {"path": "a.txt", "content": "a"}, ref="main")
        first = get(sandbox, "/repository/branches/on-top")["commit"]["id"]
        await commit(agent, "on-top", {"path": "b.txt", "content": "b"})
    assert get(sandbox, "/repository/branches/on-top")["commit"]["parent_ids"] == [first]


async def test_a_branch_begins_at_a_branch_tag_or_commit(sandbox: Sandbox) -> None:
    tag = get(sandbox, "/repository/commits/v1.2.0")["id"]
    async with connect(settings_for(sandbox)) as agent:
        for index, ref in enumerate(("v1.2.0", tag, tag[:10])):
            await commit(agent, f"from-{index}", {"path": "x", "content": ref}, ref=ref)
            assert get(sandbox, f"/repository/branches/from-{index}")["commit"]["parent_ids"] == [tag]


async def test_a_merge_request_is_opened_in_the_same_call(sandbox: Sandbox) -> None:
    wanted = {"title": "Add x", "description": "Closes #7", "draft": True, "labels": ["bug"]}
    async with connect(settings_for(sandbox)) as agent:
        answer = await commit(agent, "with-mr", {"path": "x", "content": "x"}, ref="main", merge_request=wanted)
        again = await commit(agent, "with-mr", {"path": "y", "content": "y"}, merge_request={"title": "Other"})
    [opened] = get(sandbox, "/merge_requests?source_branch=with-mr")
    assert answer.endswith(f"\nOpened draft !{opened['iid']} (with-mr -> main): {opened['web_url']}")
    assert (opened["title"], opened["description"], opened["labels"]) == ("Draft: Add x", "Closes #7", ["bug"])
    assert f"\nAlready open: draft !{opened['iid']} " in again


async def test_a_merge_request_that_cannot_be_opened_leaves_the_commit_and_says_so(sandbox: Sandbox) -> None:
    sandbox.faults.fail(
        "POST", "/merge_requests$", status=422, body='{"message":["no"]}', content_type="application/json"
    )
    async with connect(settings_for(sandbox)) as agent:
        told = await agent.refused(
            "commit_files",
            branch="half",
            ref="main",
            message="m",
            actions=[{"path": "x", "content": "x"}],
            merge_request={"title": "T"},
        )
    head = get(sandbox, "/repository/branches/half")["commit"]["short_id"]
    assert f"the commit is done, only the merge request is not. Committed {head} to half" in told
    assert "Do not commit again; create_merge_request opens it." in told


async def test_the_first_commit_of_an_empty_repository_makes_its_branch(fresh_sandbox: Sandbox) -> None:
    async with connect(settings_for(fresh_sandbox, project="acme/empty")) as agent:
        await commit(agent, "main", {"path": "README.md", "content": "hello\n"})
        assert "hello" in await agent.call("get_file", path="README.md")
        await commit(agent, "next", {"path": "README.md", "content": "changed\n"}, ref="main")


async def test_what_is_already_so_is_left_out_and_an_empty_change_is_refused(sandbox: Sandbox) -> None:
    readme = get(sandbox, "/repository/files/README.md?ref=main")
    same = {"path": "README.md", "content": readme["content"], "encoding": "base64"}
    async with connect(settings_for(sandbox)) as agent:
        answer = await commit(agent, "partly", same, {"path": "x", "content": "x"}, ref="main")
        sandbox.faults.clear()
        told = await agent.refused("commit_files", branch="partly", message="m", actions=[same])
        nothing = await agent.refused("commit_files", branch="not-made", ref="main", message="m", actions=[same])
    assert "1 added, 1 file already up to date." in answer
    assert "nothing to commit: partly already has all of this" in told
    assert "nothing to commit" in nothing
    assert writes(sandbox) == []


async def test_a_file_that_changed_since_it_was_read_is_not_overwritten(sandbox: Sandbox) -> None:
    async with connect(settings_for(sandbox)) as agent:
        await commit(agent, "stale-read", {"path": "a.txt", "content": "1"}, ref="main")
        read = get(sandbox, "/repository/files/a.txt?ref=stale-read")["last_commit_id"]
        await commit(agent, "stale-read", {"path": "a.txt", "content": "2"})
        stale = {"path": "a.txt", "content": "3", "last_commit_id": read}
        told = await agent.refused("commit_files", branch="stale-read", message="m", actions=[stale])
    assert "has changed since you started editing it" in told
    content = get(sandbox, "/repository/files/a.txt?ref=stale-read")["content"]
    assert base64.b64decode(content) == b"2"


@pytest.mark.parametrize(
    ("action", "told"),
    [
        ({"path": "../x", "content": ""}, 'actions[0].path is "../x"'),
        ({"path": "/etc/passwd", "content": ""}, "not an absolute one"),
        ({"path": ".git/hooks/post-checkout", "content": ""}, "goes through .git"),
        ({"path": "x", "contents": ""}, "actions[0].contents does not exist; actions takes: path, action, content"),
        ({"path": "x", "action": "remove"}, "actions[0].action"),
        ({"path": "README.md", "action": "create", "content": ""}, "already exists: leave action out"),
        ({"path": "gone", "action": "update", "content": ""}, "nothing to update"),
        ({"path": "gone", "action": "delete"}, "nothing to delete"),
        ({"path": "gone", "action": "chmod", "executable": True}, "nothing to chmod"),
        ({"path": "README.md", "action": "chmod"}, "needs executable"),
        ({"path": "x", "action": "move"}, "needs previous_path"),
        ({"path": "x", "action": "move", "previous_path": "gone"}, "gone does not exist"),
        ({"path": "x", "action": "move", "previous_path": "docs"}, "docs is a folder"),
        ({"path": "x", "previous_path": "README.md", "content": ""}, 'goes with action "move"'),
        ({"path": "docs", "content": ""}, "docs is a folder"),
        ({"path": "docs/latest", "content": ""}, "docs/latest is a symbolic link"),
        ({"path": "docs/latest/x", "content": ""}, "nothing can be below it"),
        ({"path": "README.md/x", "content": ""}, "README.md is a file"),
        ({"path": "vendor/lib", "action": "delete"}, "vendor/lib is a submodule"),
        ({"path": "vendor/lib/x", "content": ""}, "vendor/lib is a submodule"),
        ({"path": "x", "content": "no base64!", "encoding": "base64"}, "is not valid base64"),
        ({"path": "x"}, "no working directory of project acme/app"),
        ({"path": ""}, "empty path"),
    ],
)
async def test_an_action_that_cannot_be_is_refused_and_nothing_is_sent(
    sandbox: Sandbox, action: dict[str, Any], told: str
) -> None:
    good = {"path": "good.txt", "content": "good"}
    async with connect(settings_for(sandbox)) as agent:
        answer = await agent.refused("commit_files", branch="bad", ref="main", message="m", actions=[action, good])
    assert told in answer
    assert writes(sandbox) == []


async def test_a_link_can_be_deleted(sandbox: Sandbox, tmp_path: Path) -> None:
    async with connect(settings_for(sandbox)) as agent:
        await commit(agent, "unlink", {"path": "docs/latest", "action": "delete"}, ref="main")
    assert changes(clone(sandbox, "unlink", tmp_path / "clone")) == {"docs/latest": "D"}


async def test_wrong_calls_are_refused_with_what_to_give(sandbox: Sandbox) -> None:
    one = {"path": "x", "content": "x"}
    async with connect(settings_for(sandbox)) as agent:
        assert "Give actions" in await agent.refused("commit_files", branch="main", message="m")
        both = await agent.refused("commit_files", branch="main", message="m", actions=[one], paths=["x"])
        assert "Give actions" in both
        assert "in actions twice" in await agent.refused("commit_files", branch="main", message="m", actions=[one, one])
        assert "message is empty" in await agent.refused("commit_files", branch="main", message=" ", actions=[one])
        missing = await agent.refused("commit_files", branch="typo", message="m", actions=[one])
        assert 'no branch typo: to create it here give ref, such as "main"' in missing
        there = await agent.refused("commit_files", branch="main", ref="v1.2.0", message="m", actions=[one])
        assert "already exists" in there
        gone = await agent.refused("commit_files", branch="x", ref="gone", message="m", actions=[one])
        assert "404" in gone


async def test_a_protected_branch_and_a_missing_role_are_gitlabs_to_refuse(sandbox: Sandbox) -> None:
    one = {"path": "x", "content": "x"}
    async with connect(settings_for(sandbox, "developer")) as agent:
        assert "You are not allowed to push into this branch" in await agent.refused(
            "commit_files", branch="main", message="m", actions=[one]
        )


async def test_names_with_blanks_and_unicode_arrive_as_they_are(sandbox: Sandbox, tmp_path: Path) -> None:
    names = ["a b/ü ñ.txt", "日本/語.md", "emoji 🎉.txt", "quote'\"s.txt", "percent%2F#?.txt"]
    actions = [{"path": name, "content": name} for name in names]
    async with connect(settings_for(sandbox)) as agent:
        await commit(agent, "umlaut/ä", *actions, ref="main")
        assert "語.md" in await agent.call("get_file", path="日本/語.md", ref="umlaut/ä")
    assert set(changes(clone(sandbox, "umlaut/ä", tmp_path / "clone"))) == set(names)
