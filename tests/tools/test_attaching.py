"""create_note and create_issue with `attach`: files of the working directory are uploaded and linked, each once."""

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gitlab_mcp.config.settings import Settings
from gitlab_mcp.sandbox import Sandbox
from tests.support.agent import connect
from tests.support.git_clones import clone
from tests.support.gitlab_requests import get, writes
from tests.support.pictures import png
from tests.support.seed import SEED
from tests.support.settings import checkout, settings_for
from tests.support.write_faults import FAULTS, fault

NOTES = f"{SEED.crash_issue.path}/notes"
ADDRESS = r"/uploads/[0-9a-f]{32}/"


@pytest.fixture
def work(sandbox: Sandbox, tmp_path: Path) -> Path:
    folder = clone(sandbox, "main", tmp_path / "work")
    (folder / "shots").mkdir()
    (folder / "shots" / "after.png").write_bytes(png(9, 9))
    (folder / "run.log").write_text("done\n")
    sandbox.faults.clear_requests()
    return folder


def settings(sandbox: Sandbox, work: Path, **changes: Any) -> Settings:
    return settings_for(sandbox, working_directory=checkout(work), **changes)


def newest(sandbox: Sandbox) -> str:
    return str(get(sandbox, f"{NOTES}?sort=desc&activity_filter=only_comments")[0]["body"])


async def test_files_are_uploaded_and_linked_at_the_end_of_a_comment(sandbox: Sandbox, work: Path) -> None:
    files = ["shots/after.png", "run.log"]
    async with connect(settings(sandbox, work)) as agent:
        answer = await agent.call("create_note", iid=SEED.crash_issue.reference, body="Fixed.\n", attach=files)
        assert answer.startswith("Commented on #7: n")
        body = newest(sandbox)
        assert re.fullmatch(rf"Fixed\.\n\n!\[after\]\({ADDRESS}after\.png\)\n\n\[run\.log\]\({ADDRESS}run\.log\)", body)
        [address] = re.findall(rf"{ADDRESS}after\.png", body)
        _, _, shown = await agent.picture("get_attachment", url=address)
    assert shown == png(9, 9)
    assert [each.rsplit("/", 1)[1] for each in writes(sandbox)] == ["uploads", "uploads", "notes"]


async def test_a_link_to_the_path_in_the_text_becomes_one_to_the_upload(sandbox: Sandbox, work: Path) -> None:
    body = "Before\n![how it looks](shots/after.png)\nafter"
    async with connect(settings(sandbox, work)) as agent:
        await agent.call("create_note", iid=SEED.crash_issue.reference, body=body, attach=["shots/after.png"])
    assert re.fullmatch(rf"Before\n!\[how it looks\]\({ADDRESS}after\.png\)\nafter", newest(sandbox))


@pytest.mark.parametrize(
    "link", ["(shots/a b.png)", "(<shots/a b.png>)", "(shots/a%20b.png)", "(./shots/a%20b.png)", "(<./shots/a b.png>)"]
)
async def test_a_link_to_the_path_may_be_spelled_as_markdown_allows(sandbox: Sandbox, work: Path, link: str) -> None:
    (work / "shots" / "a b.png").write_bytes(png(9, 9))
    async with connect(settings(sandbox, work)) as agent:
        body = f"![after]{link} is how it looks"
        await agent.call("create_note", iid=SEED.crash_issue.reference, body=body, attach=["./shots/a b.png"])
    assert re.fullmatch(rf"!\[after\]\({ADDRESS}a_b\.png\) is how it looks", newest(sandbox))


@pytest.mark.parametrize("description", ["", "See below."], ids=["alone", "below a text"])
async def test_an_issue_is_created_with_the_files_in_its_description(
    sandbox: Sandbox, work: Path, description: str
) -> None:
    async with connect(settings(sandbox, work)) as agent:
        answer = await agent.call("create_issue", title="With files", description=description, attach=["run.log"])
    [number] = re.findall(r"#(\d+)", answer)
    stored = get(sandbox, f"/issues/{number}")["description"]
    assert re.fullmatch(rf"({re.escape(description)}\n\n)?\[run\.log\]\({ADDRESS}run\.log\)", stored)


async def test_a_call_that_is_repeated_uploads_and_posts_nothing_twice(sandbox: Sandbox, work: Path) -> None:
    call = {"iid": SEED.crash_issue.reference, "body": "Once, with a file", "attach": ["run.log"]}
    async with connect(settings(sandbox, work)) as agent:
        await agent.call("create_note", **call)
        assert "Already posted minutes ago: n" in await agent.call("create_note", **call)
        assert len(writes(sandbox)) == 2
        (work / "run.log").write_text("another run\n")
        assert (await agent.call("create_note", **call)).startswith("Commented on #7: n")


@pytest.mark.parametrize(
    ("path", "kind"),
    [*(("/uploads$", kind) for kind in FAULTS), ("/notes$", "drop before"), ("/notes$", "drop after")],
)
async def test_a_comment_with_a_file_is_posted_once_whatever_happens(
    sandbox: Sandbox, work: Path, path: str, kind: str
) -> None:
    body = f"With a file and {kind} at {path}"
    fault(sandbox, kind, "POST", path)
    async with connect(settings(sandbox, work, deadline=10.0)) as agent:
        await agent.call("create_note", iid=SEED.crash_issue.reference, body=body, attach=["run.log"])
    notes = get(sandbox, f"{NOTES}?per_page=100&sort=desc&activity_filter=only_comments")
    [stored] = [note["body"] for note in notes if note["body"].startswith(body)]
    [address] = re.findall(rf"{ADDRESS}run\.log", stored)
    async with connect(settings(sandbox, work)) as agent:
        assert "> done" in await agent.call("get_attachment", url=address)


@pytest.mark.parametrize("path", ["/uploads$", "/notes$"], ids=["upload", "note"])
async def test_a_call_that_failed_can_be_repeated_and_posts_once(sandbox: Sandbox, work: Path, path: str) -> None:
    call = {"iid": SEED.crash_issue.reference, "body": f"Again after {path}", "attach": ["run.log"]}
    async with connect(settings(sandbox, work, deadline=10.0)) as agent:
        sandbox.faults.drop("POST", path, when="after", times=9)
        sandbox.faults.drop("GET", "/notes", times=9)
        await agent.refused("create_note", **call)
        sandbox.faults.clear()
        await agent.call("create_note", **call)
    notes = get(sandbox, f"{NOTES}?per_page=100&sort=desc&activity_filter=only_comments")
    assert sum(note["body"].startswith(call["body"]) for note in notes) == 1


SECRET = "s3cret-of-the-run"
REFUSED = {
    "no file": (["none.log"], "none.log is not read from the working directory: there is no such file."),
    "a folder": (["shots"], "shots is not read from the working directory: it is a folder."),
    "a link": (["link.log"], "it is a symbolic link out of the working directory"),
    "behind a link": (["linked/passwd"], "it is a symbolic link out of the working directory"),
    "a path that leads out": (["../x"], 'no ".", ".." or empty part'),
    "an absolute path": (["/etc/passwd"], "not an absolute one"),
    "git's own files": ([".git/config"], "no path in a repository goes through .git"),
    "ignored by git": ([".env"], ".env: git ignores this here, or it is in another repository, so that it is not"),
    "too large": (["large.bin"], "large.bin is larger than the 10,000,000 bytes that can be attached."),
    "too large together": (["half.bin", "run.log"], "half.bin, run.log: together this is larger than the 10,000,000"),
    "a secret": (["run.log", "secret.txt"], "The text contains the value of a secret of this run, DEPLOY_KEY"),
    "too many": ([f"{number}.txt" for number in range(11)], "attach"),
}


@pytest.mark.parametrize(("paths", "message"), REFUSED.values(), ids=REFUSED)
@pytest.mark.parametrize("tool", ["create_note", "create_issue"])
async def test_what_is_not_to_be_read_or_shared_is_refused_before_anything_is_sent(
    sandbox: Sandbox, work: Path, tool: str, paths: list[str], message: str
) -> None:
    (work / "link.log").symlink_to("/etc/passwd")
    (work / "linked").symlink_to("/etc")
    (work / ".git/info/exclude").write_text(".env\n")
    (work / ".env").write_text("KEY=1\n")
    (work / "large.bin").write_bytes(b"x" * 10_000_001)
    (work / "half.bin").write_bytes(b"x" * 9_999_998)
    (work / "secret.txt").write_bytes(f"key: {SECRET}\n".encode())
    call = {"title": "T"} if tool == "create_issue" else {"iid": SEED.crash_issue.reference, "body": "x"}
    async with connect(settings(sandbox, work, secrets=(SECRET,), secret_variables={SECRET: "DEPLOY_KEY"})) as agent:
        assert message in await agent.refused(tool, **call, attach=paths)
    assert writes(sandbox) == []


def become_link_out(work: Path) -> None:
    (work / "shots").rename(work / "before")
    (work / "shots").symlink_to(work.parent)


def become_pipe(work: Path) -> None:
    (work / "shots" / "after.png").unlink()
    os.mkfifo(work / "shots" / "after.png")


def become_link(work: Path) -> None:
    (work / "shots" / "after.png").unlink()
    (work / "shots" / "after.png").symlink_to(work.parent / "after.png")


def become_nothing(work: Path) -> None:
    (work / "shots" / "after.png").unlink()


@pytest.mark.parametrize("become", [become_link_out, become_pipe, become_link, become_nothing])
async def test_a_file_that_changes_after_it_was_looked_at_is_refused(
    sandbox: Sandbox, work: Path, become: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    (work.parent / "after.png").write_bytes(b"outside")
    monkeypatch.setattr("gitlab_mcp.repository.worktree._refuse_ignored", lambda *_: become(work))
    async with connect(settings(sandbox, work)) as agent:
        call = {"iid": SEED.crash_issue.reference, "body": "x", "attach": ["shots/after.png"]}
        told = await agent.refused("create_note", **call)
    assert "shots/after.png is not read from the working directory: " in told
    assert writes(sandbox) == []


async def test_a_secret_in_the_text_is_refused_before_a_file_is_uploaded(sandbox: Sandbox, work: Path) -> None:
    async with connect(settings(sandbox, work, secrets=(SECRET,), secret_variables={SECRET: "DEPLOY_KEY"})) as agent:
        told = await agent.refused("create_note", iid=SEED.crash_issue.reference, body=SECRET, attach=["run.log"])
    assert "DEPLOY_KEY" in told
    assert writes(sandbox) == []


async def test_without_a_working_directory_of_the_project_nothing_can_be_attached(sandbox: Sandbox, work: Path) -> None:
    async with connect(settings_for(sandbox)) as agent:
        told = await agent.refused("create_note", iid=SEED.crash_issue.reference, body="x", attach=["run.log"])
    assert "There is no working directory of project acme/app to take files from" in told
    async with connect(settings(sandbox, work)) as agent:
        call = {"title": "x", "attach": ["run.log"], "project": "acme/private-notes"}
        assert "There is no working directory" in await agent.refused("create_issue", **call)
    assert writes(sandbox) == []


async def test_a_file_that_git_stores_with_lfs_is_uploaded_as_it_is_on_disk(sandbox: Sandbox, work: Path) -> None:
    (work / ".gitattributes").write_text("*.png filter=lfs\n")
    async with connect(settings(sandbox, work)) as agent:
        await agent.call("create_note", iid=SEED.crash_issue.reference, body="LFS", attach=["shots/after.png"])
        [address] = re.findall(rf"{ADDRESS}after\.png", newest(sandbox))
        assert (await agent.picture("get_attachment", url=address))[2] == png(9, 9)
