"""Threads on diff lines after a push: Discussions::UpdateDiffPositionService and its LineStrategy."""

from __future__ import annotations

from typing import Any

import pytest

from gitlab_mcp.sandbox import Sandbox
from tests.sandbox.conftest import Api
from tests.support.merge_requests import AFTER, NEW, OLD, open_for_review, text

REQUESTS = "/projects/:p/merge_requests"
# Lines of the merge request: 4 and 5 are added, 33 of the old version is removed, 21 is unchanged and was 20.
ADDED = {"new_line": 5}
REMOVED = {"old_line": 33}
UNCHANGED = {"old_line": 20, "new_line": 21}


@pytest.fixture
def maintainer(sandbox: Sandbox) -> Api:
    return Api(sandbox, "maintainer")


def refs(api: Api, number: int) -> dict[str, str]:
    found = api.get(f"{REQUESTS}/{number}")["diff_refs"]
    return {name: found[name] for name in ("base_sha", "start_sha", "head_sha")}


def thread(api: Api, number: int, shas: dict[str, str], **lines: Any) -> str:
    position = {**shas, "position_type": "text", "old_path": OLD, "new_path": NEW, **lines}
    made = api.post(f"{REQUESTS}/{number}/discussions", body="Why?", position=position)
    api.post(f"{REQUESTS}/{number}/discussions/{made['id']}/notes", body="Because.")
    return str(made["id"])


def push(api: Api, branch: str, lines: list[str], path: str = NEW) -> None:
    api.commit(branch, {"action": "update", "file_path": path, "content": text(lines)}, message="A push")


def notes(api: Api, number: int, discussion: str) -> list[dict[str, Any]]:
    listed = api.get(f"{REQUESTS}/{number}/discussions/{discussion}")["notes"]
    assert isinstance(listed, list)
    return listed


@pytest.mark.parametrize(
    ("lines", "after"),
    [
        pytest.param(ADDED, (None, 7), id="an added line"),
        pytest.param(REMOVED, (33, None), id="a removed line"),
        pytest.param(UNCHANGED, (20, 23), id="an unchanged line"),
    ],
)
def test_a_thread_moves_with_its_line(
    sandbox: Sandbox, maintainer: Api, lines: dict[str, int], after: tuple[int | None, int | None]
) -> None:
    number = open_for_review(sandbox, "moving")
    discussion = thread(maintainer, number, refs(maintainer, number), **lines)
    push(maintainer, "moving", ["new first", "new second", *AFTER])
    now = refs(maintainer, number)
    for note in notes(maintainer, number, discussion):
        position = note["position"]
        assert {name: position[name] for name in now} == now
        assert (position["old_line"], position["new_line"]) == after
        assert (position["old_path"], position["new_path"]) == (OLD, NEW)
    assert [note["system"] for note in notes(maintainer, number, discussion)] == [False, False]


@pytest.mark.parametrize(
    ("lines", "changed"),
    [
        pytest.param(ADDED, [*AFTER[:4], "another", *AFTER[5:]], id="an added line that is another now"),
        pytest.param(REMOVED, [*AFTER[:33], "line 33", *AFTER[33:]], id="a removed line that is back"),
        pytest.param(UNCHANGED, [*AFTER[:20], *AFTER[21:]], id="an unchanged line that is removed"),
    ],
)
def test_a_thread_whose_line_changed_is_outdated(
    sandbox: Sandbox, maintainer: Api, lines: dict[str, int], changed: list[str]
) -> None:
    number = open_for_review(sandbox, "outdated")
    before = refs(maintainer, number)
    discussion = thread(maintainer, number, before, **lines)
    push(maintainer, "outdated", changed)
    first, reply, told = notes(maintainer, number, discussion)
    for note in (first, reply):
        assert {name: note["position"][name] for name in before} == before
        assert note["resolved"] is False
    assert (told["system"], told["type"]) == (True, "DiffNote")
    assert told["body"].startswith("changed this line in [version 2 of the diff](/acme/app/-/merge_requests/")
    push(maintainer, "outdated", AFTER)
    assert len(notes(maintainer, number, discussion)) == 3  # an outdated thread stays where it is


def test_outdated_threads_are_resolved_where_the_project_says_so(sandbox: Sandbox, maintainer: Api) -> None:
    number = open_for_review(sandbox, "resolving")
    maintainer.put("/projects/:p", resolve_outdated_diff_discussions=True)
    discussion = thread(maintainer, number, refs(maintainer, number), **ADDED)
    push(maintainer, "resolving", AFTER[:3])
    assert maintainer.get(f"{REQUESTS}/{number}/discussions/{discussion}")["resolved"] is True


def test_a_comment_on_an_earlier_version_is_put_where_its_line_is_now(sandbox: Sandbox, maintainer: Api) -> None:
    """DiffNote#update_position traces the position of a new note, and of a draft that is published."""
    number = open_for_review(sandbox, "earlier")
    before = refs(maintainer, number)
    push(maintainer, "earlier", ["new first", *AFTER])
    discussion = thread(maintainer, number, before, **ADDED)
    position = notes(maintainer, number, discussion)[0]["position"]
    assert (position["head_sha"], position["new_line"]) == (refs(maintainer, number)["head_sha"], 6)
    drafted = {**before, "position_type": "text", "old_path": OLD, "new_path": NEW, **ADDED}
    maintainer.post(f"{REQUESTS}/{number}/draft_notes", note="drafted", position=drafted)
    maintainer.call("POST", f"{REQUESTS}/{number}/draft_notes/bulk_publish")
    listed = maintainer.get(f"{REQUESTS}/{number}/notes", per_page=100)
    (published,) = [note["position"] for note in listed if note["body"] == "drafted"]
    assert published["new_line"] == 6


def test_a_thread_follows_a_rename_and_a_rebase(sandbox: Sandbox, maintainer: Api) -> None:
    number = open_for_review(sandbox, "renamed")
    discussion = thread(maintainer, number, refs(maintainer, number), **ADDED)
    move = {"action": "move", "file_path": "src/app/leaves.py", "previous_path": NEW, "content": text(["x", *AFTER])}
    maintainer.commit("renamed", move)
    maintainer.commit("renamed-base", {"action": "create", "file_path": "base.txt", "content": "x\n"})
    assert maintainer.call("PUT", f"{REQUESTS}/{number}/rebase").status_code == 202
    position = notes(maintainer, number, discussion)[0]["position"]
    assert {name: position[name] for name in refs(maintainer, number)} == refs(maintainer, number)
    assert (position["old_path"], position["new_path"], position["new_line"]) == (OLD, "src/app/leaves.py", 6)
