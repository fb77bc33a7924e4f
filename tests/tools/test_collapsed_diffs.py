"""Files that GitLab collapses in the list of a merge request's diffs are read and commented on like the others."""

from collections.abc import Iterator

import pytest

from gitlab_mcp.api.entity import Entity
from gitlab_mcp.api.reviews.raw_diffs import expanded
from gitlab_mcp.sandbox import Sandbox
from tests.support.agent import connect
from tests.support.gitlab_requests import get
from tests.support.merge_requests import open_for_review, write
from tests.support.settings import settings_for

ROWS = "".join(f"row {number} {'x' * 90}\n" for number in range(1, 301))  # a patch of 30 kB
NAMES = {"plain": "rows.txt", "blanks": "all rows.txt", "not ASCII": "zeilen/größe.txt", "a quote": 'a"b.txt'}


@pytest.fixture(scope="module")
def older() -> Iterator[Sandbox]:
    """A GitLab that collapses files in the list of diffs."""
    with Sandbox(version="19.1.0", fault_injection=True) as one:
        yield one


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
async def test_the_lines_of_a_collapsed_file_are_shown_and_take_a_comment(older: Sandbox, name: str) -> None:
    branch = f"collapsed-{len(name)}"
    number = open_for_review(older, branch, write(name, ROWS), write("short.txt", "x\n"))
    diffs = get(older, f"/merge_requests/{number}/diffs")
    assert {one["new_path"]: one["collapsed"] for one in diffs}[name] is True
    async with connect(settings_for(older)) as agent:
        answer = await agent.call("get_merge_request_diff", iid=number, paths=[name])
        await agent.call(
            "review_merge_request", iid=number, comments=[{"path": name, "line": 299, "body": "Is this row needed?"}]
        )
    assert "1+row 1 x" in answer
    assert "collapsed" not in answer
    notes = [note for thread in get(older, f"/merge_requests/{number}/discussions") for note in thread["notes"]]
    positions = [note["position"] for note in notes if note["type"] == "DiffNote"]
    assert [(one["new_path"], one["new_line"]) for one in positions] == [(name, 299)]


async def test_where_gitlab_refuses_the_raw_diff_the_file_is_named_as_collapsed(older: Sandbox) -> None:
    number = open_for_review(older, "refused", write("rows-again.txt", ROWS), write("short-again.txt", "x\n"))
    older.faults.fail("GET", "/raw_diffs$", status=403)
    async with connect(settings_for(older)) as agent:
        assert "rows-again.txt (collapsed)" in await agent.call("get_merge_request_diff", iid=number)


def test_lines_that_look_like_a_header_stay_lines_of_their_file() -> None:
    raw = (
        "diff --git a/a b/a\nindex 1..2 100644\n--- a/a\n+++ b/a\n@@ -1 +1 @@\n--- a/b\n+++ b/b\n"
        "diff --git a/gone b/gone\ndeleted file mode 100644\n--- a/gone\n+++ /dev/null\n@@ -1 +0,0 @@\n-x\n"
        "diff --git a/logo.bin b/logo.bin\nBinary files a/logo.bin and b/logo.bin differ\n"
    )
    collapsed = [Entity({"new_path": path, "diff": "", "collapsed": True}) for path in ("a", "gone", "logo.bin")]
    assert [one.text("diff") for one in expanded(collapsed, raw)] == [
        "@@ -1 +1 @@\n--- a/b\n+++ b/b\n",
        "@@ -1 +0,0 @@\n-x\n",
        "",
    ]
