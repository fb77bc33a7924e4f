"""The to-do list, by the rules of GitLab's TodoService (app/services/todo_service.rb)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.sandbox.conftest import Api, People
from tests.support.seed import SEED

CRASH = f"/projects/:p{SEED.crash_issue.path}"
REQUEST = f"/projects/:p{SEED.merge_request.path}"


@pytest.fixture(autouse=True)
def empty_lists(people: People) -> None:
    """The seed's own to-do items are done."""
    for who in ("maintainer", "developer", "reporter", "stranger"):
        assert people[who].call("POST", "/todos/mark_as_done").status_code == 204


def items(api: Api, **filters: Any) -> list[tuple[str, str]]:
    """The to-do items of a user as (action, reference of the target), newest first."""
    return [(one["action_name"], one["target"]["references"]["short"]) for one in api.get("/todos", **filters)]


def created(api: Api, title: str = "New", **fields: Any) -> str:
    """Create an issue; returns its reference."""
    return str(api.post("/projects/:p/issues", title=title, **fields)["references"]["short"])


def user_id(api: Api) -> int:
    return int(api.get("/user")["id"])


def test_an_assigned_issue_is_on_the_list_of_its_assignee(people: People) -> None:
    reference = created(people["maintainer"], assignee_ids=[user_id(people["developer"])])
    (todo,) = people["developer"].get("/todos")
    assert (todo["action_name"], todo["state"], todo["body"]) == ("assigned", "pending", "New")
    assert (todo["author"]["username"], todo["target_type"]) == ("maintainer", "Issue")
    assert todo["project"]["path_with_namespace"] == "acme/app"
    assert todo["target_url"] == todo["target"]["web_url"]
    assert todo["target"]["references"]["short"] == reference
    assert items(people["maintainer"]) == []


def test_only_new_assignees_get_an_item(people: People) -> None:
    developer, reporter = (user_id(people[who]) for who in ("developer", "reporter"))
    reference = created(people["maintainer"], assignee_ids=[developer])
    people["developer"].call("POST", "/todos/mark_as_done")
    people["maintainer"].put(f"/projects/:p/issues/{reference[1:]}", assignee_ids=[developer])
    assert items(people["developer"]) == []
    people["maintainer"].put(f"/projects/:p/issues/{reference[1:]}", assignee_ids=[reporter])
    assert items(people["reporter"]) == [("assigned", reference)]


def test_a_new_reviewer_gets_an_item(people: People) -> None:
    people["developer"].put(REQUEST, reviewer_ids=[user_id(people["reporter"])])
    assert items(people["reporter"]) == [("review_requested", SEED.merge_request.reference)]


@pytest.mark.parametrize(
    ("text", "action"),
    [
        pytest.param("@developer please look", "directly_addressed", id="at the beginning"),
        pytest.param("First.\n\n@reporter @developer please look", "directly_addressed", id="begins a paragraph"),
        pytest.param("This is for @developer", "mentioned", id="in a sentence"),
        pytest.param("`@developer`", None, id="in code"),
        pytest.param("@Developer", "directly_addressed", id="another case"),
        pytest.param("@all look", "directly_addressed", id="everybody"),
        pytest.param("@developers", None, id="another name"),
    ],
)
@pytest.mark.parametrize("where", ["comment", "description"])
def test_a_mention_creates_an_item(people: People, where: str, text: str, action: str | None) -> None:
    if where == "comment":
        note = people["maintainer"].post(f"{CRASH}/notes", body=text)
        target, ending = SEED.crash_issue.reference, f"#note_{note['id']}"
    else:
        target, ending = created(people["maintainer"], description=text), ""
    expected = [] if action is None else [(action, target)]
    assert items(people["developer"]) == expected
    assert all(one["target_url"].endswith(ending) for one in people["developer"].get("/todos"))


def test_there_is_no_second_item_for_a_target_while_one_is_pending(people: People) -> None:
    people["maintainer"].post(f"{CRASH}/notes", body="For @developer")
    people["maintainer"].post(f"{CRASH}/notes", body="@developer again")
    assert items(people["developer"]) == [("mentioned", SEED.crash_issue.reference)]
    people["developer"].call("POST", "/todos/mark_as_done")
    people["maintainer"].post(f"{CRASH}/notes", body="@developer once more")
    assert items(people["developer"]) == [("directly_addressed", SEED.crash_issue.reference)]


def test_who_cannot_read_the_target_gets_no_item(people: People) -> None:
    confidential = f"/projects/:p{SEED.confidential_issue.path}/notes"
    people["maintainer"].post(confidential, body="@stranger @reporter")
    people["maintainer"].post(f"{CRASH}/notes", body="@stranger", internal=True)
    assert items(people["stranger"]) == []
    assert items(people["reporter"]) == [("directly_addressed", SEED.confidential_issue.reference)]


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        pytest.param("POST", f"{CRASH}/notes", {"body": "I see."}, id="a comment"),
        pytest.param("POST", f"{CRASH}/award_emoji", {"name": "eyes"}, id="a reaction to the issue"),
        pytest.param(
            "POST",
            f"{CRASH}/notes/{SEED.crash_notes.first}/award_emoji",
            {"name": "eyes"},
            id="a reaction to a comment",
        ),
        pytest.param("PUT", CRASH, {"add_labels": "docs"}, id="an update"),
        pytest.param("PUT", CRASH, {"state_event": "close"}, id="closing"),
    ],
)
def test_what_the_user_does_with_a_target_finishes_its_items(
    people: People, method: str, path: str, body: dict[str, Any]
) -> None:
    people["maintainer"].post(f"{CRASH}/notes", body="For @developer and @reporter")
    assert people["developer"].call(method, path, json=body).ok
    assert items(people["developer"]) == []
    assert items(people["developer"], state="done")[0] == ("mentioned", SEED.crash_issue.reference)
    assert items(people["reporter"]) == [("mentioned", SEED.crash_issue.reference)]


def test_a_reply_finishes_only_the_items_about_its_thread(people: People) -> None:
    threads = [people["maintainer"].post(f"{CRASH}/discussions", body=text)["id"] for text in ("@developer", "Other")]
    people["developer"].post(f"{CRASH}/discussions/{threads[1]}/notes", body="About the other")
    assert items(people["developer"]) == [("directly_addressed", SEED.crash_issue.reference)]
    people["developer"].post(f"{CRASH}/discussions/{threads[0]}/notes", body="About this")
    assert items(people["developer"]) == []


def test_an_edit_mentions_only_who_was_not_mentioned_before(people: People) -> None:
    note = people["maintainer"].post(f"{CRASH}/notes", body="@developer")["id"]
    people["developer"].call("POST", "/todos/mark_as_done")
    people["maintainer"].put(f"{CRASH}/notes/{note}", body="@developer and @reporter")
    assert items(people["developer"]) == []
    assert items(people["reporter"]) == [("mentioned", SEED.crash_issue.reference)]


def test_approving_and_merging_finish_the_users_own_items(people: People) -> None:
    people["developer"].post(f"{REQUEST}/notes", body="@maintainer @reporter")
    people["maintainer"].post(f"{REQUEST}/approve")
    assert items(people["maintainer"]) == []
    people["developer"].post(f"{REQUEST}/notes", body="@maintainer")
    people["maintainer"].put(f"{REQUEST}/merge")
    assert items(people["maintainer"]) == []
    assert items(people["reporter"]) == [("directly_addressed", SEED.merge_request.reference)]


def test_a_failed_pipeline_is_on_the_list_of_the_author(people: People) -> None:
    people["developer"].sandbox.fail_pipeline("feature/verbose-flag")
    assert items(people["developer"]) == [("build_failed", SEED.merge_request.reference)]
    pipeline = people["developer"].get(f"{REQUEST}/pipelines")[0]["id"]
    job = next(
        one for one in people["developer"].get(f"/projects/:p/pipelines/{pipeline}/jobs") if one["name"] == "unit"
    )
    people["developer"].post(f"/projects/:p/jobs/{job['id']}/retry")
    assert items(people["developer"]) == []


def test_the_list_is_filtered(people: People) -> None:
    people["maintainer"].post(f"{CRASH}/notes", body="For @developer")
    people["reporter"].post(f"{REQUEST}/notes", body="@developer")
    developer, author = people["developer"], user_id(people["reporter"])
    crash, request = ("mentioned", SEED.crash_issue.reference), ("directly_addressed", SEED.merge_request.reference)
    assert items(developer) == [request, crash]
    assert items(developer, action="mentioned") == [crash]
    assert items(developer, type="MergeRequest") == [request]
    assert items(developer, author_id=author) == [request]
    assert items(developer, project_id=1) == [request, crash]
    assert items(developer, project_id=99) == []
    assert items(developer, per_page=1, page=2) == [crash]
    assert developer.refusal("GET", "/todos?state=all") == (400, {"error": "state does not have a valid value"})


def test_items_are_set_to_done_one_by_one(people: People) -> None:
    people["maintainer"].post(f"{CRASH}/notes", body="@developer @reporter")
    (todo,) = people["developer"].get("/todos")
    response = people["developer"].call("POST", f"/todos/{todo['id']}/mark_as_done")
    assert (response.status_code, response.json()["state"]) == (201, "done")
    assert people["reporter"].refusal("POST", f"/todos/{todo['id']}/mark_as_done") == (
        404,
        {"message": "404 Not found"},
    )
    assert items(people["reporter"]) == [("directly_addressed", SEED.crash_issue.reference)]


def test_a_user_adds_an_item_by_hand_once(people: People) -> None:
    todo = people["reporter"].post(f"{CRASH}/todo")
    assert (todo["action_name"], todo["author"]["username"]) == ("marked", "reporter")
    assert people["reporter"].call("POST", f"{CRASH}/todo").status_code == 304


def test_deleted_targets_and_comments_leave_the_list(people: People) -> None:
    note = people["maintainer"].post(f"{CRASH}/notes", body="@developer")["id"]
    reference = created(people["maintainer"], assignee_ids=[user_id(people["developer"])])
    assert len(items(people["developer"])) == 2
    people["maintainer"].call("DELETE", f"{CRASH}/notes/{note}")
    people["maintainer"].call("DELETE", f"/projects/:p/issues/{reference[1:]}")
    assert items(people["developer"]) == []
