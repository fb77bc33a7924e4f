"""Filters of the lists of issues and merge requests, and their negations."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.sandbox.conftest import Api
from tests.support.seed import SEED

TODAY = datetime.now(UTC).date()
ISSUES = range(1, 9)


def found(api: Api, kind: str, query: dict[str, Any]) -> list[int]:
    return sorted(one["iid"] for one in api.get(f"/projects/:p/{kind}", **query, per_page=100))


@pytest.mark.parametrize(
    ("query", "kept"),
    [
        ({"not[labels]": "feature"}, [2, 4, 5, 6, 7, 8]),
        ({"not[labels]": "feature,p2"}, [2, 4, 5, 6, 8]),
        ({"not[labels]": "Any"}, [6, 8]),
        ({"not[milestone]": "1.4"}, [1, 2, 4, 5, 6, 8]),
        ({"not[milestone_id]": "None"}, [3, 7]),
        ({"milestone_id": "Upcoming"}, [3, 7]),
        ({"not[author_username]": "maintainer"}, [2, 3, 5, 6, 8]),
        ({"not[author_id]": 2}, [2, 3, 5, 6, 8]),
        ({"not[assignee_id]": 3}, [1, 2, 4, 5, 6, 8]),
        ({"not[assignee_username]": "developer"}, [1, 2, 4, 5, 6, 8]),
        ({"assignee_username": "Developer"}, [3, 7]),
        ({"assignee_id": "None"}, [1, 2, 4, 5, 6]),
        ({"not[iids]": "1,2"}, [3, 4, 5, 6, 7, 8]),
        ({"closed_by_id": 4}, [2]),
        ({"my_reaction_emoji": "None"}, list(ISSUES)),
        ({"confidential": "true"}, [4]),
        ({"labels": "p2", "not[labels]": "bug"}, [3]),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else "",
)
def test_issues_are_filtered(maintainer: Api, query: dict[str, Any], kept: list[int]) -> None:
    assert found(maintainer, "issues", query) == kept


@pytest.mark.parametrize(
    ("due", "days"),
    [
        ("overdue", -1),
        ("today", 0),
        ("tomorrow", 1),
        ("week", -TODAY.weekday()),
        ("month", 1 - TODAY.day),
        ("next_month_and_previous_two_weeks", -14),
    ],
)
def test_issues_are_filtered_by_when_they_are_due(maintainer: Api, due: str, days: int) -> None:
    maintainer.put(f"/projects/:p{SEED.plan_issue.path}", due_date=str(TODAY + timedelta(days=days)))
    maintainer.put(f"/projects/:p{SEED.legacy_issue.path}", due_date=str(TODAY + timedelta(days=100)))
    assert found(maintainer, "issues", {"due_date": due}) == [SEED.plan_issue.iid]
    assert found(maintainer, "issues", {"due_date": "any"}) == [SEED.plan_issue.iid, SEED.legacy_issue.iid]
    assert SEED.plan_issue.iid not in found(maintainer, "issues", {"due_date": "0"})
    assert maintainer.refusal("GET", "/projects/:p/issues?due_date=someday")[0] == 400


@pytest.mark.parametrize(
    ("query", "matches"),
    [
        ({"reviewer_username": "maintainer"}, True),
        ({"reviewer_username": "None"}, False),
        ({"not[reviewer_username]": "maintainer"}, False),
        ({"not[reviewer_id]": 2}, False),
        ({"not[labels]": "feature"}, False),
        ({"approved_by_usernames": "maintainer"}, True),
        ({"approved_by_usernames": "maintainer,developer"}, False),
        ({"approved_by_ids": "None"}, False),
        ({"approved_by_ids": "2"}, True),
        ({"approved": "no"}, False),
        ({"source_branch": "feature/verbose-flag", "target_branch": "main"}, True),
        ({"source_project_id": 99}, False),
        ({"merge_user_username": "maintainer"}, False),
        ({"merged_after": "2020-01-01T00:00:00Z"}, False),
        ({"wip": "yes"}, False),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else "",
)
def test_merge_requests_are_filtered(maintainer: Api, query: dict[str, Any], matches: bool) -> None:
    maintainer.post(f"/projects/:p{SEED.merge_request.path}/approve")
    assert found(maintainer, "merge_requests", query) == ([SEED.merge_request.iid] if matches else [])


def test_merged_ones_are_found_by_who_merged_them_and_when(maintainer: Api) -> None:
    merged = maintainer.put(f"/projects/:p{SEED.merge_request.path}/merge")
    for query in ({"merge_user_id": 2}, {"merge_user_username": "maintainer"}, {"merged_after": merged["merged_at"]}):
        assert found(maintainer, "merge_requests", query) == [SEED.merge_request.iid]
    assert found(maintainer, "merge_requests", {"merged_before": "2020-01-01T00:00:00Z"}) == []


def test_several_assignees_cannot_be_asked_for_without_a_licence(maintainer: Api) -> None:
    """lib/api/validations/validators/check_assignees_count.rb"""
    query = "assignee_username[]=developer&assignee_username[]=reporter"
    status, body = maintainer.refusal("GET", f"/projects/:p/issues?{query}")
    assert (status, body) == (400, {"error": "assignee_username allows one value, but found 2: developer, reporter"})
