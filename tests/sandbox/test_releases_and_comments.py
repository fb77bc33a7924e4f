"""Releases with their assets and milestones, comments on commits, protected branches and trailers."""

from __future__ import annotations

import pytest

from tests.sandbox.conftest import Api, People
from tests.support.seed import SEED

RELEASES = "/projects/:p/releases"
COMMITS = "/projects/:p/repository/commits"
PROTECTED = "/projects/:p/protected_branches"


def test_a_release_is_created_with_assets_read_changed_and_deleted(developer: Api) -> None:
    """lib/api/releases.rb; the four archives of the source count among the assets."""
    links = [{"name": "Wheel", "url": "https://example.com/app.whl", "link_type": "package"}]
    (milestone,) = developer.get("/projects/:p/milestones")
    body = {"tag_name": "v9", "ref": "main", "milestones": [milestone["title"]], "assets": {"links": links}}
    developer.post(RELEASES, **body)
    found = developer.get(f"{RELEASES}/v9")
    assert [one["format"] for one in found["assets"]["sources"]] == ["zip", "tar.gz", "tar.bz2", "tar"]
    assert (found["assets"]["count"], found["assets"]["links"][0]["name"]) == (5, "Wheel")
    assert [one["title"] for one in found["milestones"]] == [milestone["title"]]
    assert developer.put(f"{RELEASES}/v9", name="Nine", milestones=[])["name"] == "Nine"
    assert "milestones" not in developer.get(f"{RELEASES}/v9")
    assert developer.call("DELETE", f"{RELEASES}/v9").json()["name"] == "Nine"
    assert developer.refusal("GET", f"{RELEASES}/v9") == (404, {"message": "404 Not Found"})
    assert developer.get("/projects/:p/repository/tags/v9")["name"] == "v9"


def test_a_release_of_an_unknown_milestone_or_an_invalid_tag_is_refused(developer: Api) -> None:
    unknown = developer.refusal("POST", RELEASES, tag_name="v9", ref="main", milestones=["none"])
    assert unknown == (400, {"message": "Milestone(s) not found: none"})
    assert developer.refusal("POST", RELEASES, tag_name="a..b", ref="main")[0] == 400


def test_a_release_that_creates_its_tag_starts_a_pipeline(developer: Api) -> None:
    developer.post(RELEASES, tag_name="v9", ref="main")
    assert developer.get("/projects/:p/pipelines")[0]["ref"] == "v9"


def test_comments_and_threads_on_a_commit_are_read_and_answered(people: People) -> None:
    developer = people["developer"]
    sha = developer.get(f"{COMMITS}/feature%2Fverbose-flag")["id"]
    one = f"{COMMITS}/{sha}"
    developer.post(f"{one}/comments", note="Why?", path="docs/usage.md", line=1)
    thread = developer.post(f"{one}/discussions", body="A thread")
    people["maintainer"].post(f"{one}/discussions/{thread['id']}/notes", body="A reply")
    assert [each["note"] for each in developer.get(f"{one}/comments")] == ["Why?", "A thread", "A reply"]
    single, found = developer.get(f"{one}/discussions")
    assert (single["individual_note"], [note["body"] for note in found["notes"]]) == (True, ["A thread", "A reply"])
    assert (found["notes"][0]["noteable_type"], found["notes"][0]["commit_id"]) == ("Commit", sha)
    refused = developer.refusal("POST", f"{one}/discussions/{single['id']}/notes", body="x")
    assert refused == (400, {"message": "400 Bad request - Discussion can not be replied to."})
    assert developer.refusal("GET", f"{one}/signature") == (404, {"message": "404 Signature Not Found"})


def test_a_branch_is_protected_and_opened_again_by_a_maintainer(people: People) -> None:
    maintainer, developer = people["maintainer"], people["developer"]
    assert [one["name"] for one in maintainer.get(PROTECTED)] == ["main"]
    made = maintainer.post(PROTECTED, name="feature/*")
    assert made["push_access_levels"][0]["access_level_description"] == "Maintainers"
    action = {"action": "create", "file_path": "x", "content": "x"}
    body = {"branch": "feature/verbose-flag", "commit_message": "m", "actions": [action]}
    assert developer.refusal("POST", COMMITS, **body)[0] == 403
    assert developer.refusal("GET", PROTECTED)[0] == 403
    taken = maintainer.refusal("POST", PROTECTED, name="feature/*")
    assert taken == (409, {"message": "Protected branch 'feature/*' already exists"})
    assert maintainer.refusal("POST", PROTECTED, name="x", push_access_level=0)[0] == 501
    assert maintainer.call("DELETE", f"{PROTECTED}/feature%2F*").status_code == 204
    developer.post(COMMITS, **body)
    assert maintainer.refusal("GET", f"{PROTECTED}/feature%2F*") == (404, {"message": "404 Not Found"})


@pytest.mark.parametrize("asked", [True, False])
def test_trailers_are_read_where_they_are_asked_for(developer: Api, asked: bool) -> None:
    message = "A change\n\nWith a body.\n\nReviewed-by: A <a@b.c>\nReviewed-by: B <b@b.c>\nChangelog: added"
    developer.commit(
        "one", {"action": "create", "file_path": "x", "content": "x"}, start_branch="main", message=message
    )
    found = developer.get(COMMITS, ref_name="one", trailers=asked)[0]
    extended = {"Reviewed-by": ["A <a@b.c>", "B <b@b.c>"], "Changelog": ["added"]}
    assert found["extended_trailers"] == (extended if asked else {})
    assert found["trailers"] == ({"Reviewed-by": "B <b@b.c>", "Changelog": "added"} if asked else {})


def test_a_reply_makes_a_thread_of_a_single_comment_and_updates_it(people: People) -> None:
    """spec/services/notes/create_service_spec.rb, "converts existing note to DiscussionNote"."""
    notes = f"/projects/:p{SEED.crash_issue.path}/notes"
    single = people["developer"].post(notes, body="Why?")
    discussions = people["developer"].get(f"/projects/:p{SEED.crash_issue.path}/discussions", per_page=100)
    thread = next(each["id"] for each in discussions if each["notes"][0]["id"] == single["id"])
    path = f"/projects/:p{SEED.crash_issue.path}/discussions/{thread}/notes"
    replies = [people["maintainer"].post(path, body=body) for body in ("Because.", "I see.")]
    after = people["developer"].get(f"{notes}/{single['id']}")
    assert (single["type"], after["type"]) == (None, "DiscussionNote")
    assert single["updated_at"] < after["updated_at"]
    assert replies[0]["created_at"] < after["updated_at"] < replies[1]["created_at"]
