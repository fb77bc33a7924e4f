"""GitLab's limits on diffs: files that are collapsed, too large or left out, by the route that lists them.

Gitlab::Git::Diff and DiffCollection; lib/api/merge_requests.rb, commits.rb, repositories.rb and lib/api/entities.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from gitlab_mcp.sandbox import Sandbox
from tests.sandbox.conftest import Api

MERGE_REQUESTS = "/projects/:p/merge_requests"
ROW = f"{'x' * 99}\n"
NONE, COLLAPSED, TOO_LARGE = (False, False), (True, False), (False, True)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(fault_injection=True) as one:
        yield one


@pytest.fixture(scope="module")
def api(sandbox: Sandbox) -> Iterator[Api]:
    client = Api(sandbox, "developer")
    yield client
    client.session.close()


def opened(api: Api, branch: str, files: dict[str, str]) -> int:
    """The iid of a merge request of one commit that adds files."""
    actions = [{"action": "create", "file_path": path, "content": text} for path, text in files.items()]
    api.commit(branch, *actions, start_branch="main")
    made = api.post(MERGE_REQUESTS, title=branch, source_branch=branch, target_branch="main")
    assert isinstance(made["iid"], int)
    return made["iid"]


def shown(diffs: list[dict[str, Any]]) -> list[tuple[bool, bool]]:
    """Whether each file is collapsed and whether it is too large; the patch is there if it is neither."""
    assert all(bool(one["diff"]) != (one["collapsed"] or one["too_large"]) for one in diffs)
    return [(one["collapsed"], one["too_large"]) for one in diffs]


@pytest.fixture(scope="module")
def sizes(api: Api) -> int:
    """A merge request with files whose patches have 2, 25 and 250 kB."""
    return opened(api, "sizes", {"a.txt": ROW * 20, "b.txt": ROW * 250, "c.txt": ROW * 2500})


def test_a_merge_request_expands_all_files_but_those_that_are_too_large(api: Api, sizes: int) -> None:
    one = f"{MERGE_REQUESTS}/{sizes}"
    assert shown(api.get(f"{one}/diffs")) == [NONE, NONE, TOO_LARGE]
    (version,) = api.get(f"{one}/versions")
    assert shown(api.get(f"{one}/versions/{version['id']}")["diffs"]) == [NONE, NONE, TOO_LARGE]
    assert len(version["patch_id_sha"]) == 40
    assert api.call("GET", f"{one}/raw_diffs").text.count(f"+{ROW}") == 2770


def test_changes_and_comparisons_collapse_files_and_the_diff_of_a_commit_does_not(api: Api, sizes: int) -> None:
    changes = api.get(f"{MERGE_REQUESTS}/{sizes}/changes")
    assert (shown(changes["changes"]), changes["overflow"]) == ([NONE, COLLAPSED, TOO_LARGE], False)
    raw = api.get(f"{MERGE_REQUESTS}/{sizes}/changes", access_raw_diffs=True)
    assert shown(raw["changes"]) == [NONE, NONE, TOO_LARGE]
    compared = api.get("/projects/:p/repository/compare", **{"from": "main", "to": "sizes"})
    assert (shown(compared["diffs"]), compared["compare_timeout"]) == ([NONE, COLLAPSED, TOO_LARGE], False)
    assert shown(api.get("/projects/:p/repository/commits/sizes/diff")) == [NONE, NONE, TOO_LARGE]


def test_the_only_file_of_a_list_is_not_collapsed(api: Api) -> None:
    alone = opened(api, "alone", {"a.txt": ROW * 250})
    assert shown(api.get(f"{MERGE_REQUESTS}/{alone}/changes")["changes"]) == [NONE]


@pytest.mark.parametrize(
    ("branch", "files", "rows"),
    [("many", 102, 1), ("long", 6, 1200), ("heavy", 60, 50)],
    ids=["100 files", "5,000 lines", "500 kB"],
)
def test_behind_the_limits_of_all_files_together_the_rest_is_collapsed(
    api: Api, branch: str, files: int, rows: int
) -> None:
    text = {"many": ROW, "long": "x\n" * rows, "heavy": f"{'x' * 199}\n" * rows}[branch]
    number = opened(api, branch, {f"{at:03}.txt": text for at in range(files)})
    found = shown(api.get(f"{MERGE_REQUESTS}/{number}/changes")["changes"])
    whole = {"many": 100, "long": 5, "heavy": 51}[branch]
    assert found == [NONE] * whole + [COLLAPSED] * (files - whole)
    assert set(shown(api.get(f"{MERGE_REQUESTS}/{number}/diffs", per_page=100))) == {NONE}


def test_a_list_ends_where_all_files_together_are_too_large(api: Api) -> None:
    number = opened(api, "endless", {f"{at}.txt": "x\n" * 18_000 for at in range(4)})
    whole = api.get(f"{MERGE_REQUESTS}/{number}/diffs")
    assert shown(whole) == [NONE, NONE]
    assert len(api.get("/projects/:p/repository/commits/endless/diff")) == 2


def test_gitlab_before_19_2_collapses_files_of_a_merge_request_too() -> None:
    """In 19.2 the route began to ask for expanded diffs (gitlab-org/gitlab, 44f6517c)."""
    with Sandbox(version="19.1.0") as older:
        api = Api(older, "developer")
        number = opened(api, "sizes", {"a.txt": ROW * 20, "b.txt": ROW * 250, "c.txt": ROW * 2500})
        assert shown(api.get(f"{MERGE_REQUESTS}/{number}/diffs")) == [NONE, COLLAPSED, TOO_LARGE]
        assert api.get("/version")["version"] == "19.1.0"
        api.session.close()
