"""Access tokens without the scope api, and the token of a Duo flow."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gitlab_mcp.sandbox import Sandbox
from tests.sandbox.conftest import Api, People, clone_url, git
from tests.support.seed import SEED

NOTES = f"/projects/:p{SEED.crash_issue.path}/notes"


def flow(sandbox: Sandbox) -> Api:
    api = Api(sandbox)
    api.session.headers["Authorization"] = f"Bearer {sandbox.tokens['flow']}"
    return api


@pytest.mark.parametrize("path", ["/projects/:p/issues", "/user", "/projects/:p/repository/files/README.md?ref=main"])
def test_a_token_with_only_git_scopes_has_no_api_access(people: People, path: str) -> None:
    status, body = people["write_repository"].refusal("GET", path)
    assert (status, body["error"]) == (403, "insufficient_scope")


def test_a_token_with_only_git_scopes_pushes(sandbox: Sandbox, tmp_path: Path, developer: Api) -> None:
    git(tmp_path, "clone", "--quiet", clone_url(sandbox, "write_repository"), "work")
    git(tmp_path / "work", "push", "--quiet", "origin", "HEAD:refs/heads/pushed")
    assert developer.get("/projects/:p/repository/branches/pushed")["name"] == "pushed"


def test_a_token_with_read_user_reads_nothing_else(people: People) -> None:
    assert people["read_user"].get("/user")["username"] == "maintainer"
    assert people["read_user"].get("/personal_access_tokens/self")["scopes"] == ["read_user"]
    assert people["read_user"].refusal("GET", "/projects/:p/issues")[0] == 403


def test_a_token_with_read_api_does_not_clone_a_private_project(sandbox: Sandbox, tmp_path: Path) -> None:
    address = clone_url(sandbox, "read_api", "acme/private-notes")
    assert "not allowed to download code" in git(tmp_path, "clone", address, "x", check=False).stderr


def test_the_token_of_a_flow_writes_only_as_a_bearer_token(sandbox: Sandbox, people: People) -> None:
    assert re.fullmatch(r"[0-9a-f]{64}", sandbox.tokens["flow"])
    assert people["flow"].refusal("GET", "/user") == (401, {"message": "401 Unauthorized"})
    api = flow(sandbox)
    with api.session:
        assert api.get("/user")["username"] == "developer"
        assert api.post(NOTES, body="from a flow")["author"]["username"] == "developer"
        assert api.refusal("GET", "/personal_access_tokens/self")[0] == 401


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", NOTES, {"body": "text\n/label ~bug"}),
        ("POST", f"/projects/:p{SEED.crash_issue.path}/discussions", {"body": "/close"}),
        ("POST", "/projects/:p/issues", {"title": "x", "description": "/label ~bug"}),
        ("PUT", f"/projects/:p{SEED.crash_issue.path}", {"description": "/close"}),
        ("PUT", f"/projects/:p{SEED.merge_request.path}", {"description": "/close"}),
        (
            "POST",
            "/projects/:p/merge_requests",
            {"title": "x", "source_branch": "stale/no-commits", "target_branch": "main", "description": "/draft"},
        ),
    ],
)
def test_a_flow_may_not_use_quick_actions(
    sandbox: Sandbox, method: str, path: str, body: dict[str, object], developer: Api
) -> None:
    api = flow(sandbox)
    before = [developer.get(f"/projects/:p/{kind}") for kind in ("issues", "merge_requests")]
    with api.session:
        text = "403 Forbidden - Quick actions cannot be used with AI workflows."
        assert api.refusal(method, path, **body) == (403, {"message": text})
    assert [developer.get(f"/projects/:p/{kind}") for kind in ("issues", "merge_requests")] == before
    assert sandbox.executed_quick_actions == []


def test_tokens_are_new_at_each_start() -> None:
    with Sandbox() as one, Sandbox() as other:
        assert not set(one.tokens.values()) & set(other.tokens.values())
        assert set(one.tokens) == set(other.tokens)
