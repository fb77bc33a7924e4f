"""Statuses, error bodies and pagination headers, as GitLab sends them."""

from __future__ import annotations

import pytest

from gitlab_mcp.sandbox import Sandbox
from tests.sandbox.conftest import Api, People
from tests.support.seed import SEED

BLANK_NOTE = """400 Bad request - Note {:note=>["can't be blank"]}"""
ISSUES = "/projects/:p/issues"
NOTES = f"/projects/:p{SEED.long_issue.path}/notes"
BRANCHES = "/projects/:p/repository/branches"
COMMITS = "/projects/:p/repository/commits"


def test_a_list_has_pages_of_twenty_with_pagination_headers(developer: Api) -> None:
    response = developer.call("GET", NOTES)
    assert len(response.json()) == 20
    wanted = {"x-page": "1", "x-per-page": "20", "x-next-page": "2", "x-prev-page": "", "x-total": "45"}
    assert {name: response.headers[name] for name in wanted} == wanted
    assert response.headers["x-total-pages"] == "3"
    assert response.links["next"]["url"].endswith("/notes?page=2&per_page=20")
    assert response.links["last"]["url"].endswith("/notes?page=3&per_page=20")


def test_the_last_page_has_no_next(developer: Api) -> None:
    response = developer.call("GET", NOTES, params={"page": 5, "per_page": 10, "sort": "asc"})
    assert len(response.json()) == 5
    assert response.headers["x-next-page"] == ""
    assert set(response.links) == {"prev", "first", "last"}
    assert "sort=asc" in response.links["prev"]["url"]


def test_a_page_has_at_most_a_hundred_items(developer: Api) -> None:
    assert developer.call("GET", NOTES, params={"per_page": 500}).headers["x-per-page"] == "100"


def test_the_total_of_commits_is_not_counted(developer: Api) -> None:
    response = developer.call("GET", COMMITS, params={"per_page": 2})
    assert "x-total" not in response.headers
    assert response.headers["x-next-page"] == "2"
    assert "last" not in response.links


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "wanted"),
    [
        ("GET", "/projects/acme%2Fnone", {}, 404, {"message": "404 Project Not Found"}),
        ("GET", f"{ISSUES}/99", {}, 404, {"message": "404 Issue Not Found"}),
        ("GET", f"{BRANCHES}/none", {}, 404, {"message": "404 Branch Not Found"}),
        ("GET", "/projects/:p/merge_requests/99", {}, 404, {"message": "404 Merge Request Not Found"}),
        ("GET", f"{ISSUES}/7/discussions/none", {}, 404, {"message": "404 Discussion Not Found"}),
        ("GET", "/projects/:p/repository/files/none?ref=main", {}, 404, {"message": "404 File Not Found"}),
        ("GET", "/projects/:p/repository/files/README.md?ref=none", {}, 404, {"message": "404 Commit Not Found"}),
        ("GET", "/projects/:p/repository/files/README.md", {}, 400, {"error": "ref is missing"}),
        ("GET", "/projects/:p/repository/tree?ref=none", {}, 404, {"message": "404 Tree Not Found"}),
        (
            "GET",
            "/projects/:p/repository/tree?path=none",
            {},
            404,
            {"message": "404 invalid revision or path Not Found"},
        ),
        ("GET", "/projects/acme%2Fempty/repository/tree", {}, 404, {"message": "404 Tree Not Found"}),
        ("POST", ISSUES, {"labels": "x"}, 400, {"error": "title is missing"}),
        *(
            (method, path, {**body, "title": title}, 400, {"message": {"title": ["can't be blank"]}})
            for title in ("", None)
            for method, path, body in (
                ("POST", ISSUES, {"labels": "x"}),
                ("POST", "/projects/:p/milestones", {"due_date": "2030-01-31"}),
                ("POST", "/projects/:p/merge_requests", {"source_branch": "main", "target_branch": "x"}),
            )
        ),
        ("PUT", f"{ISSUES}/7", {"title": ""}, 400, {"message": {"title": ["can't be blank"]}}),
        *(
            ("POST", f"{ISSUES}/7/{kind}", {"body": body}, 400, {"message": BLANK_NOTE})
            for kind in ("notes", "discussions")
            for body in ("", " ", None)
        ),
        ("PUT", f"{ISSUES}/7/notes/{SEED.crash_notes.reply}", {"body": ""}, 400, {"message": BLANK_NOTE}),
        (
            "POST",
            f"/projects/:p{SEED.merge_request.path}/draft_notes",
            {"note": ""},
            400,
            {"message": {"note": ["can't be blank"]}},
        ),
        ("POST", BRANCHES, {"branch": "", "ref": "main"}, 400, {"error": "branch is empty"}),
        ("POST", ISSUES, {"title": " "}, 400, {"message": {"title": ["can't be blank"]}}),
        (
            "POST",
            ISSUES,
            {"title": "x" * 256},
            400,
            {"message": {"title": ["is too long (maximum is 255 characters)"]}},
        ),
        (
            "PUT",
            f"{ISSUES}/7",
            {"state_event": "shut"},
            400,
            {"error": "state_event does not have a valid value"},
        ),
        ("PUT", f"{ISSUES}/7", {"due_date": "soon"}, 400, {"error": "due_date is invalid"}),
        ("POST", f"{ISSUES}/7/notes", {"internal": True}, 400, {"error": "body is missing"}),
        (
            "POST",
            f"{ISSUES}/7/notes",
            {"body": "x" * 1_000_001},
            400,
            {"message": '400 Bad request - Note {:note=>["is too long (maximum is 1000000 characters)"]}'},
        ),
        ("POST", BRANCHES, {"branch": "main", "ref": "main"}, 400, {"message": "Branch already exists"}),
        ("POST", BRANCHES, {"branch": "x", "ref": "none"}, 400, {"message": "Invalid reference name: none"}),
        ("POST", BRANCHES, {"branch": "fix 7", "ref": "main"}, 400, {"message": "Branch name is invalid"}),
        ("POST", COMMITS, {"commit_message": "m"}, 400, {"error": "branch is missing, actions is missing"}),
    ],
)  # fmt: skip
def test_an_error_response_has_the_message_of_gitlab(
    developer: Api, method: str, path: str, body: dict[str, object], status: int, wanted: object
) -> None:
    assert developer.refusal(method, path, **body) == (status, wanted)


def test_the_response_to_an_unknown_route_names_the_route(developer: Api) -> None:
    wanted = {"message": "501 Not Implemented: GET /projects/:id/snippets is not part of the sandbox"}
    assert developer.refusal("GET", "/projects/:p/snippets") == (501, wanted)


def test_a_moved_project_redirects_reads_and_rejects_writes(developer: Api, sandbox: Sandbox) -> None:
    response = developer.call("GET", f"/projects/acme%2Fold-app{SEED.crash_issue.path}")
    location = f"{sandbox.url}/api/v4/projects/1{SEED.crash_issue.path}"
    assert (response.status_code, response.headers["location"]) == (301, location)
    assert response.json() == {"message": f"This resource has been moved permanently to {location}"}
    assert developer.refusal("POST", "/projects/acme%2Fold-app/issues", title="x") == (
        405,
        {"message": "Non GET methods are not allowed for moved projects"},
    )


def test_an_archived_project_rejects_writes(maintainer: Api) -> None:
    assert maintainer.get("/projects/acme%2Farchive/repository/tree")[0]["path"] == "README.md"
    refused = (403, {"message": "403 Forbidden"})
    assert maintainer.refusal("POST", "/projects/acme%2Farchive/issues", title="x") == refused
    action = {"action": "create", "file_path": "x"}
    body = {"branch": "main", "commit_message": "m", "actions": [action]}
    assert maintainer.refusal("POST", "/projects/acme%2Farchive/repository/commits", **body) == refused


def test_a_private_project_does_not_exist_for_others(people: People) -> None:
    assert people["maintainer"].get("/projects/acme%2Fprivate-notes")["visibility"] == "private"
    for who in ("developer", "stranger"):
        assert people[who].refusal("GET", "/projects/acme%2Fprivate-notes")[0] == 404


def test_a_confidential_issue_does_not_exist_for_strangers(people: People) -> None:
    assert people["reporter"].get(f"{ISSUES}/4")["confidential"] is True
    assert people[SEED.stranger].refusal("GET", f"{ISSUES}/4")[0] == 404
    assert 4 not in [issue["iid"] for issue in people[SEED.stranger].get(ISSUES)]
    made = people["developer"].post(f"{ISSUES}/7/notes", body="for us", internal=True)
    assert people[SEED.stranger].refusal("GET", f"{ISSUES}/7/notes/{made['id']}")[0] == 404


@pytest.mark.parametrize("kind", ["expired", "revoked"])
def test_an_expired_or_revoked_token_is_reported_as_such(people: People, kind: str) -> None:
    status, body = people[kind].refusal("GET", "/user")
    assert (status, body["error"]) == (401, "invalid_token")
    assert ("expired" if kind == "expired" else "revoked") in body["error_description"]


def test_an_unknown_token_is_rejected_even_where_no_token_is_needed(sandbox: Sandbox) -> None:
    api = Api(sandbox)
    with api.session:
        assert api.call("GET", ISSUES).status_code == 200
        api.session.headers["Authorization"] = "Bearer glpat-not-one-of-them"
        assert api.refusal("GET", ISSUES) == (401, {"message": "401 Unauthorized"})


def test_a_token_without_the_scope_is_told_which_scope_it_needs(people: People) -> None:
    status, body = people["read_api"].refusal("POST", f"{ISSUES}/7/notes", body="x")
    assert (status, body["error"], body["scope"]) == (403, "insufficient_scope", "api")
    assert people["read_api"].get(f"{ISSUES}/7")["iid"] == 7
    assert people["read_repository"].refusal("GET", ISSUES)[0] == 403
    assert people["read_repository"].get("/projects/:p/repository/files/README.md", ref="main")["size"] > 0


def test_anonymous_calls_may_read_public_issues_but_not_notes(sandbox: Sandbox) -> None:
    api = Api(sandbox)
    with api.session:
        assert api.call("GET", f"{ISSUES}/7").status_code == 200
        assert api.refusal("GET", f"{ISSUES}/7/notes") == (401, {"message": "401 Unauthorized"})
        assert api.refusal("POST", ISSUES, title="x") == (401, {"message": "401 Unauthorized"})
        assert api.refusal("POST", BRANCHES, branch="x", ref="main") == (403, {"message": "403 Forbidden"})


def test_roles_decide_who_may_write(people: People) -> None:
    reporter, stranger = people["reporter"], people[SEED.stranger]
    assert reporter.refusal("POST", BRANCHES, branch="x", ref="main") == (403, {"message": "403 Forbidden"})
    assert stranger.post(f"{ISSUES}/7/notes", body="hello")["author"]["username"] == "stranger"
    assert stranger.post(ISSUES, title="mine", labels=["bug"])["labels"] == []
    assert stranger.refusal("PUT", f"{ISSUES}/7", title="taken")[0] == 403
    body = {"branch": "main", "commit_message": "m", "actions": [{"action": "create", "file_path": "x"}]}
    assert people["developer"].refusal("POST", COMMITS, **body) == (
        403,
        {"message": "403 Forbidden - You are not allowed to push into this branch"},
    )


@pytest.mark.parametrize(
    "body",
    [b"{", b'{"title": "\xff"}', b'{"title": "a\\u0000b"}', b'{"title": "\\ud800"}'],
    ids=["cut off", "not UTF-8", "null character", "unpaired surrogate"],
)
def test_a_body_with_invalid_json_or_invalid_unicode_is_rejected(developer: Api, body: bytes) -> None:
    response = developer.call("POST", ISSUES, data=body, headers={"content-type": "application/json"})
    assert response.status_code == 400
    assert len(developer.get(ISSUES)) == 8


def test_form_bodies_work_like_json(developer: Api) -> None:
    response = developer.call("POST", ISSUES, data={"title": "by form", "labels": "bug,p2", "assignee_ids[]": "3"})
    assert response.status_code == 201
    assert response.json()["labels"] == ["bug", "p2"]
    assert response.json()["assignee"]["username"] == "developer"


def test_a_sandbox_below_a_prefix_accepts_paths_that_contain_slashes() -> None:
    with Sandbox(prefix="/gitlab") as sandbox:
        api = Api(sandbox, "developer")
        with api.session:
            assert sandbox.url.endswith("/gitlab")
            assert api.get("/projects/acme%2Fapp")["web_url"] == f"{sandbox.url}/acme/app"
            path = "/projects/acme%2Fapp/repository/files/src%2Fapp%2Fcli.py"
            assert api.get(path, ref="feature/verbose-flag")["file_name"] == "cli.py"
            outside = sandbox.url.removesuffix("/gitlab") + "/api/v4/version"
            assert api.session.get(outside, timeout=10).status_code == 404
