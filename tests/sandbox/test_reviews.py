"""Reviews: draft notes on a renamed file with two hunks, bulk publishing, and the state of the reviewer."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from gitlab_mcp.sandbox import Sandbox
from tests.sandbox.conftest import Api
from tests.support.merge_requests import NEW, OLD, open_for_review


@pytest.fixture
def maintainer(sandbox: Sandbox) -> Api:
    return Api(sandbox, "maintainer")


def code(old: int, new: int, path: str = NEW) -> str:
    """GitLab's line code for a line."""
    return f"{hashlib.sha1(path.encode(), usedforsecurity=False).hexdigest()}_{old}_{new}"


def at(api: Api, number: int, **lines: Any) -> dict[str, Any]:
    refs = api.get(f"/projects/:p/merge_requests/{number}")["diff_refs"]
    return {**refs, "position_type": "text", "old_path": OLD, "new_path": NEW, **lines}


def test_a_draft_has_the_line_code_of_an_added_removed_or_unchanged_line(sandbox: Sandbox, maintainer: Api) -> None:
    number = open_for_review(sandbox, "codes")
    drafts = f"/projects/:p/merge_requests/{number}/draft_notes"

    def line_code(**lines: Any) -> Any:
        return maintainer.post(drafts, note="x", position=at(maintainer, number, **lines))["line_code"]

    assert line_code(new_line=4) == code(5, 4)
    assert line_code(old_line=33) == code(33, 34)
    assert line_code(new_line=35) == code(36, 35)
    assert line_code(old_line=3, new_line=3) == code(3, 3)
    assert line_code(old_line=20, new_line=21) == code(20, 21)
    for wrong in ({"new_line": 20}, {"old_line": 20, "new_line": 20}, {"new_line": 4, "old_path": NEW}):
        assert line_code(**wrong) is None


def test_a_range_without_line_codes_is_accepted(sandbox: Sandbox, maintainer: Api) -> None:
    number = open_for_review(sandbox, "range-without-codes")
    line_range = {"start": {"type": "new", "new_line": 4}, "end": {"type": "new", "new_line": 5}}
    position = at(maintainer, number, new_line=5, line_range=line_range)
    thread = maintainer.post(f"/projects/:p/merge_requests/{number}/discussions", body="Both", position=position)
    assert thread["notes"][0]["position"]["line_range"]["start"]["new_line"] == 4


def test_published_drafts_become_threads_and_those_without_a_line_are_lost(sandbox: Sandbox, maintainer: Api) -> None:
    number = open_for_review(sandbox, "published")
    drafts = f"/projects/:p/merge_requests/{number}/draft_notes"
    suggestion = "Better:\n```suggestion:-1+0\none\ntwo\n```"
    line_range = {
        "start": {"line_code": code(5, 4), "type": "new", "new_line": 4},
        "end": {"line_code": code(5, 5), "type": "new", "new_line": 5},
    }
    good = at(maintainer, number, new_line=5, line_range=line_range)
    maintainer.post(drafts, note=suggestion, position=good)
    maintainer.post(drafts, note="lost", position=at(maintainer, number, new_line=20))
    maintainer.post(drafts, note="In all: fine.")
    response = maintainer.call("POST", f"{drafts}/bulk_publish", json={"reviewer_state": "requested_changes"})
    assert (response.status_code, maintainer.get(drafts)) == (204, [])
    threads = maintainer.get(f"/projects/:p/merge_requests/{number}/discussions")
    on_line, summary = (each["notes"][0] for each in threads if not each["notes"][0]["system"])
    assert (on_line["type"], on_line["position"]["new_line"]) == ("DiffNote", 5)
    [made] = on_line["suggestions"]
    assert (made["from_line"], made["to_line"]) == (4, 5)
    assert (made["from_content"], made["to_content"]) == ("line 4, new\nline 4, more\n", "one\ntwo\n")
    assert summary["body"] == "In all: fine."
    [reviewer] = maintainer.get(f"/projects/:p/merge_requests/{number}/reviewers")
    assert (reviewer["user"]["username"], reviewer["state"]) == ("maintainer", "requested_changes")


def test_requesting_changes_withdraws_the_approval(sandbox: Sandbox, maintainer: Api) -> None:
    number = open_for_review(sandbox, "approved")
    one = f"/projects/:p/merge_requests/{number}"
    assert maintainer.call("POST", f"{one}/approve", json={"sha": "0" * 40}).status_code == 409
    maintainer.post(f"{one}/approve", sha=maintainer.get(one)["sha"])
    assert maintainer.get(f"{one}/reviewers")[0]["state"] == "approved"
    maintainer.call("POST", f"{one}/draft_notes/bulk_publish", json={"reviewer_state": "reviewed"})
    assert maintainer.get(f"{one}/reviewers")[0]["state"] == "approved"
    maintainer.call("POST", f"{one}/draft_notes/bulk_publish", json={"reviewer_state": "requested_changes"})
    assert maintainer.get(f"{one}/approvals")["approved"] is False
    wrong = maintainer.call("POST", f"{one}/draft_notes/bulk_publish", json={"reviewer_state": "approved"})
    assert wrong.status_code == 400
