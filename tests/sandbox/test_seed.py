"""The names in tests/support/seed.py mean what a new sandbox holds."""

from __future__ import annotations

from tests.sandbox.conftest import Api, People
from tests.support.seed import SEED, SeededItem


def title(api: Api, item: SeededItem) -> str:
    """The title of an issue or a merge request."""
    found = api.get(f"/projects/:p{item.path}")
    assert found["references"]["short"] == item.reference
    return str(found["title"])


def comments(api: Api, item: SeededItem) -> list[tuple[int, str]]:
    """The id and the author of each comment, oldest first."""
    notes = api.get(f"/projects/:p{item.path}/notes", sort="asc", per_page=100)
    return [(note["id"], note["author"]["username"]) for note in notes if not note["system"]]


def threads(api: Api, item: SeededItem) -> list[list[int]]:
    """The ids of the comments of each thread that has more than one."""
    found = api.get(f"/projects/:p{item.path}/discussions")
    return [[note["id"] for note in thread["notes"]] for thread in found if len(thread["notes"]) > 1]


def test_the_named_issues_are_all_that_there_are(maintainer: Api) -> None:
    titles = {
        SEED.plan_issue: "Plan the release 1.4",
        SEED.german_issue: "Document the options in German",
        SEED.verbose_issue: "Say what is read with --verbose",
        SEED.confidential_issue: "Rotate the deploy key",
        SEED.long_issue: "Which file formats should the app read?",
        SEED.crash_issue: "Crash when the config file is empty",
        SEED.legacy_issue: "Remove src/app/legacy.py",
    }
    assert {item: title(maintainer, item) for item in titles} == titles
    assert title(maintainer, SEED.hostile_issue).startswith("Please read")
    every = maintainer.get("/projects/:p/issues", per_page=100)
    assert {one["iid"] for one in every} == {item.iid for item in titles} | {SEED.hostile_issue.iid}
    assert [one["iid"] for one in every if one["state"] == "closed"] == [SEED.german_issue.iid]
    assert [one["iid"] for one in every if one["confidential"]] == [SEED.confidential_issue.iid]
    assert [one["iid"] for one in every if one["author"]["username"] == SEED.stranger] == [SEED.hostile_issue.iid]


def test_the_named_upload_is_the_only_one(maintainer: Api) -> None:
    assert [one["filename"] for one in maintainer.get("/projects/:p/uploads")] == ["screenshot.png"]
    assert maintainer.call("GET", f"/projects/:p{SEED.screenshot}").content.startswith(b"\x89PNG")


def test_the_comments_on_the_issues_have_the_named_ids_and_authors(maintainer: Api) -> None:
    notes = SEED.crash_notes
    assert comments(maintainer, SEED.crash_issue) == [
        (notes.first, "maintainer"),
        (notes.reply, "developer"),
        (notes.by_stranger, SEED.stranger),
    ]
    assert threads(maintainer, SEED.crash_issue) == [[notes.first, notes.reply]]
    assert len(comments(maintainer, SEED.long_issue)) == 45


def test_the_merge_request_has_the_named_comments_and_one_open_thread(maintainer: Api) -> None:
    assert title(maintainer, SEED.merge_request) == "Add --verbose"
    assert [one["iid"] for one in maintainer.get("/projects/:p/merge_requests", state="all")] == [1]
    closes = maintainer.get(f"/projects/:p{SEED.merge_request.path}/closes_issues")
    assert [one["iid"] for one in closes] == [SEED.verbose_issue.iid]
    notes = SEED.review_notes
    assert sorted(comments(maintainer, SEED.merge_request)) == [
        (notes.praise, "reporter"),
        (notes.stderr, "maintainer"),
        (notes.stderr_reply, "developer"),
        (notes.full_stop, "maintainer"),
    ]
    assert threads(maintainer, SEED.merge_request) == [[notes.stderr, notes.stderr_reply]]
    found = maintainer.get(f"/projects/:p{SEED.merge_request.path}/notes", per_page=100)
    resolved = {note["id"]: note["resolved"] for note in found if note["resolvable"]}
    assert resolved == {notes.stderr: False, notes.stderr_reply: False, notes.full_stop: True}


def test_the_pipeline_of_main_has_an_ended_and_a_running_job(maintainer: Api) -> None:
    assert [(one["id"], one["ref"]) for one in maintainer.get("/projects/:p/pipelines")] == [(SEED.pipeline, "main")]
    jobs = maintainer.get(f"/projects/:p/pipelines/{SEED.pipeline}/jobs")
    assert {job["id"]: job["status"] for job in jobs} == {SEED.ended_job: "success", SEED.running_job: "running"}


def test_the_stranger_has_no_role(people: People, maintainer: Api) -> None:
    assert people[SEED.stranger].get("/user")["username"] == SEED.stranger
    members = {one["username"] for one in maintainer.get("/projects/:p/members/all")}
    assert members == {"maintainer", "developer", "reporter"}


def test_what_a_test_creates_first_has_the_next_number(developer: Api) -> None:
    assert developer.post("/projects/:p/issues", title="New")["iid"] == SEED.next_issue.iid
    developer.commit("new", {"action": "create", "file_path": "new.txt", "content": "x"}, start_branch="main")
    made = developer.post("/projects/:p/merge_requests", source_branch="new", target_branch="main", title="New")
    assert made["iid"] == SEED.next_merge_request.iid
