"""Project access tokens: who creates them, what their bots may do, how they end, and where there are none."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import gitlab
import pytest

from gitlab_mcp.sandbox import Sandbox
from tests.sandbox.conftest import Api
from tests.support.seed import SEED

TOKENS = "/projects/:p/access_tokens"
NEW = {"name": "claude", "scopes": ["api"], "access_level": 30}
NO_PERMISSION = "400 Bad request - User does not have permission to create project access token"
UNAUTHORIZED = (401, {"message": "401 Unauthorized"})


def in_days(days: int) -> str:
    """A date, as GitLab writes it."""
    return (datetime.now(UTC).date() + timedelta(days=days)).isoformat()


def refused(text: str) -> tuple[int, Any]:
    """GitLab's 400 with a reason."""
    return 400, {"message": f"400 Bad request - {text}"}


@pytest.fixture
def token(maintainer: Api) -> dict[str, Any]:
    made: dict[str, Any] = maintainer.post(TOKENS, **NEW, expires_at=in_days(30))
    return made


@pytest.fixture
def bot(sandbox: Sandbox, token: dict[str, Any]) -> Iterator[Api]:
    """A client with the token."""
    api = Api(sandbox)
    api.session.headers["PRIVATE-TOKEN"] = token["token"]
    with api.session:
        yield api


def test_only_the_response_to_its_creation_has_the_token(maintainer: Api, token: dict[str, Any]) -> None:
    assert re.fullmatch(r"glpat-[\w-]{20}", token["token"])
    assert (token["name"], token["scopes"], token["access_level"], token["active"]) == ("claude", ["api"], 30, True)
    assert (token["expires_at"], token["resource_type"], token["resource_id"]) == (in_days(30), "project", 1)
    shown = {name: value for name, value in token.items() if name != "token"}
    assert maintainer.get(TOKENS) == [shown]
    assert maintainer.get(f"{TOKENS}/{token['id']}") == shown


def test_the_bot_of_a_token_works_with_it_as_a_developer(bot: Api, token: dict[str, Any], maintainer: Api) -> None:
    me = bot.get("/user")
    assert me["bot"] is True
    assert me["id"] == token["user_id"]
    assert re.fullmatch(r"project_1_bot_[0-9a-f]{32}", me["username"])
    assert bot.get("/personal_access_tokens/self")["scopes"] == ["api"]
    note = bot.post(f"/projects/:p{SEED.crash_issue.path}/notes", body="On it.")
    assert note["author"]["name"] == "claude"
    assert bot.commit("claude/fix", {"action": "create", "file_path": "x", "content": "x"}, start_branch="main")
    assert bot.refusal("PUT", "/projects/:p", description="x")[0] == 403
    assert bot.refusal("GET", "/projects/acme%2Fprivate-notes")[0] == 404
    assert (me["username"], 30) in [
        (one["username"], one["access_level"]) for one in maintainer.get("/projects/:p/members")
    ]


def test_a_token_may_not_make_rotate_or_see_past_its_role(bot: Api, maintainer: Api) -> None:
    assert bot.refusal("POST", TOKENS, **NEW) == (400, {"message": NO_PERMISSION})
    other = maintainer.post(TOKENS, **{**NEW, "access_level": 40})
    strong = Api(bot.sandbox)
    strong.session.headers["PRIVATE-TOKEN"] = other["token"]
    with strong.session:
        assert strong.refusal("POST", TOKENS, **NEW) == (400, {"message": NO_PERMISSION})
        assert strong.refusal("POST", f"{TOKENS}/{other['id']}/rotate") == UNAUTHORIZED
        assert len(strong.get(TOKENS)) == 2


def test_a_developer_makes_sees_and_revokes_no_token(developer: Api, token: dict[str, Any]) -> None:
    assert developer.refusal("POST", TOKENS, **NEW) == (400, {"message": NO_PERMISSION})
    assert developer.refusal("GET", TOKENS) == UNAUTHORIZED
    assert developer.refusal("POST", f"{TOKENS}/{token['id']}/rotate") == UNAUTHORIZED
    assert developer.refusal("DELETE", f"{TOKENS}/{token['id']}") == refused("Developer cannot delete claude")


def test_nobody_makes_a_token_with_a_role_above_their_own(maintainer: Api, developer: Api) -> None:
    maintainer.put(f"/projects/:p/members/{developer.get('/user')['id']}", access_level=40)
    text = "Access level of the token contains permissions not held by the creating user"
    assert developer.refusal("POST", TOKENS, **{**NEW, "access_level": 50}) == refused(text)
    owners = maintainer.post(TOKENS, **{**NEW, "access_level": 50})
    text = "Not eligible to rotate tokens with permissions not held by the user"
    assert developer.refusal("POST", f"{TOKENS}/{owners['id']}/rotate") == refused(text)


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({"scopes": ["api"]}, "name is missing"),
        ({"name": "x"}, "scopes is missing"),
        ({"name": "x", "scopes": ["api", "sudo"]}, "scopes does not have a valid value"),
        ({"name": "x", "scopes": ["api"], "access_level": 35}, "access_level does not have a valid value"),
        ({"name": "x", "scopes": ["api"], "expires_at": "soon"}, "expires_at is invalid"),
    ],
)
def test_parameters_of_a_new_token_are_checked(maintainer: Api, body: dict[str, Any], error: str) -> None:
    assert maintainer.refusal("POST", TOKENS, **body) == (400, {"error": error})


def test_a_token_lives_for_a_year_at_most(maintainer: Api) -> None:
    assert maintainer.post(TOKENS, name="x", scopes=["api"])["expires_at"] == in_days(365)
    late = maintainer.refusal("POST", TOKENS, name="x", scopes=["api"], expires_at=in_days(366))
    assert late == refused(f"Expires at must be before {in_days(365)}")


def test_a_rotated_token_works_in_the_place_of_the_old_one(maintainer: Api, bot: Api, token: dict[str, Any]) -> None:
    rotated = maintainer.call("POST", f"{TOKENS}/{token['id']}/rotate")
    assert rotated.status_code == 200
    new = rotated.json()
    assert (new["expires_at"], new["user_id"], new["access_level"]) == (in_days(7), token["user_id"], 30)
    assert bot.refusal("GET", "/user")[1]["error_description"].startswith("Token was revoked.")
    bot.session.headers["PRIVATE-TOKEN"] = new["token"]
    assert bot.get("/user")["id"] == token["user_id"]
    # A token that was rotated already is taken for stolen: the whole family ends.
    assert maintainer.refusal("POST", f"{TOKENS}/{token['id']}/rotate") == refused("Token already revoked")
    assert bot.refusal("GET", "/user")[0] == 401
    assert [one["active"] for one in maintainer.get(TOKENS)] == [False, False]


def test_a_token_rotates_itself(bot: Api, maintainer: Api) -> None:
    answer = bot.call("POST", f"{TOKENS}/self/rotate", json={"expires_at": in_days(60)})
    assert (answer.status_code, answer.json()["expires_at"]) == (200, in_days(60))
    bot.session.headers["PRIVATE-TOKEN"] = answer.json()["token"]
    assert bot.refusal("POST", "/projects/acme%2Fempty/access_tokens/self/rotate")[0] == 401
    assert maintainer.refusal("POST", f"{TOKENS}/self/rotate")[0] == 405


@pytest.mark.parametrize(("scopes", "status"), [(["read_api"], 403), (["read_api", "self_rotate"], 200)])
def test_rotating_itself_takes_a_scope(maintainer: Api, scopes: list[str], status: int) -> None:
    made = maintainer.post(TOKENS, name="x", scopes=scopes)
    headers = {"PRIVATE-TOKEN": made["token"]}
    assert maintainer.call("POST", f"{TOKENS}/self/rotate", headers=headers).status_code == status


def test_a_revoked_token_is_listed_as_inactive(maintainer: Api, bot: Api, token: dict[str, Any]) -> None:
    assert maintainer.call("DELETE", f"{TOKENS}/{token['id']}").status_code == 204
    assert bot.refusal("GET", "/user")[0] == 401
    assert [one["revoked"] for one in maintainer.get(TOKENS, state="inactive")] == [True]
    assert maintainer.get(TOKENS, state="active") == maintainer.get(TOKENS, revoked=False) == []
    missing = maintainer.refusal("DELETE", f"{TOKENS}/99")
    assert missing == (404, {"message": "404 project Access Token Not Found"})


def test_gitlab_com_has_project_access_tokens_from_premium_on() -> None:
    for plan, status in (("free", 400), ("premium", 201)):
        with Sandbox(plan=plan) as sandbox:
            maintainer = Api(sandbox, "maintainer")
            with maintainer.session:
                answer = maintainer.call("POST", TOKENS, json=NEW)
                assert answer.status_code == status
                if plan == "free":
                    assert answer.json() == {"message": NO_PERMISSION}
                    assert maintainer.refusal("GET", TOKENS) == UNAUTHORIZED


def test_python_gitlab_manages_access_tokens(sandbox: Sandbox) -> None:
    with gitlab.Gitlab(sandbox.url, private_token=sandbox.tokens["maintainer"]) as client:
        tokens = client.projects.get(sandbox.project).access_tokens
        made = tokens.create({**NEW, "expires_at": in_days(30)})
        first = made.token
        made.rotate()
        assert made.token != first
        with gitlab.Gitlab(sandbox.url, private_token=made.token) as bot:
            rotated = bot.projects.get(sandbox.project).access_tokens.rotate("self", expires_at=in_days(9))
        assert isinstance(rotated, dict)
        tokens.delete(rotated["id"])
        assert [one.active for one in tokens.list(get_all=True)] == [False, False, False]
