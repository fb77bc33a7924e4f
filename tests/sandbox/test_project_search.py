"""Searching a project in every scope that GitLab has without advanced search (lib/api/search.rb)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.sandbox.conftest import Api, People
from tests.support.seed import SEED

SEARCH = "/projects/:p/search"


@pytest.mark.parametrize(
    ("scope", "words", "field", "expected"),
    [
        ("issues", "CRASH when", "iid", [SEED.crash_issue.iid]),
        ("merge_requests", "verbose", "iid", [SEED.merge_request.iid]),
        ("milestones", "1.", "title", ["1.4"]),
        ("users", "develop", "username", ["developer"]),
        ("notes", "Should an empty file be an error", "id", [SEED.crash_notes.reply]),
    ],
)
def test_each_scope_finds_its_own_entities(
    developer: Api, scope: str, words: str, field: str, expected: list[Any]
) -> None:
    found = developer.get(SEARCH, scope=scope, search=words)
    assert [one[field] for one in found] == expected
    assert developer.get("/projects/:p/-/search", scope=scope, search=words) == found


def test_commits_are_searched_in_a_ref_and_carry_their_status(developer: Api) -> None:
    made = developer.commit(
        "one", {"action": "create", "file_path": "x", "content": "x"}, start_branch="main", message="Odd one out"
    )
    (found,) = developer.get(SEARCH, scope="commits", search="oDD one", ref="one")
    assert (found["id"], found["status"]) == (made["id"], "created")


def test_issues_are_found_by_state_and_oldest_first_on_request(developer: Api) -> None:
    everything = developer.get(SEARCH, scope="issues", search="e", sort="asc")
    assert [one["iid"] for one in everything] == sorted(one["iid"] for one in everything)
    closed = developer.get(SEARCH, scope="issues", search="e", state="closed")
    assert [one["iid"] for one in closed] == [SEED.german_issue.iid]


def test_nobody_finds_what_they_may_not_read(people: People) -> None:
    confidential = people["developer"].get(f"/projects/:p{SEED.confidential_issue.path}")["title"]
    assert people["developer"].get(SEARCH, scope="issues", search=confidential) != []
    assert people["stranger"].get(SEARCH, scope="issues", search=confidential) == []


def test_a_scope_that_the_sandbox_lacks_is_501_and_an_unknown_one_400(developer: Api) -> None:
    assert developer.refusal("GET", f"{SEARCH}?scope=wiki_blobs&search=x")[0] == 501
    assert developer.refusal("GET", f"{SEARCH}?scope=snippets&search=x") == (
        400,
        {"error": "scope does not have a valid value"},
    )
