"""What a set-up reads before it begins: the version, the plan and the settings of the project."""

from __future__ import annotations

from typing import Any

import pytest

from gitlab_mcp.sandbox import Sandbox
from tests.sandbox.conftest import Api, People

OVERRIDE_ROLE = "ci_pipeline_variables_minimum_override_role"


@pytest.mark.parametrize("version", ["17.11.4-ee", "18.5.1", "19.2.0"])
def test_gitlab_says_its_version(version: str) -> None:
    with Sandbox(version=version) as sandbox:
        developer = Api(sandbox, "developer")
        with developer.session:
            assert developer.get("/metadata")["version"] == developer.get("/version")["version"] == version
            assert developer.get("/metadata")["enterprise"] is False


def test_only_the_owners_of_a_namespace_on_gitlab_com_see_its_plan(people: People) -> None:
    assert "plan" not in people["maintainer"].get("/namespaces/acme")
    people.sandbox.world.plan = "premium"
    shown = people["maintainer"].get("/namespaces/acme")
    assert (shown["full_path"], shown["kind"], shown["plan"]) == ("acme", "group", "premium")
    assert people["maintainer"].get(f"/namespaces/{shown['id']}") == shown
    assert people["maintainer"].get("/metadata")["enterprise"] is True
    assert "plan" not in people["developer"].get("/namespaces/acme")
    missing = (404, {"message": "404 Namespace Not Found"})
    assert people["stranger"].refusal("GET", "/namespaces/acme") == missing
    assert people["maintainer"].refusal("GET", "/namespaces/none") == missing


def test_settings_of_ci_are_shown_to_a_maintainer_and_changed_by_one(people: People) -> None:
    push = "ci_push_repository_for_job_token_allowed"
    shown = people["maintainer"].get("/projects/:p")
    assert (shown[push], shown[OVERRIDE_ROLE], shown["packages_enabled"]) == (False, "no_one_allowed", True)
    changed = people["maintainer"].put("/projects/:p", **{push: True, OVERRIDE_ROLE: "maintainer"})
    assert (changed[push], changed[OVERRIDE_ROLE]) == (True, "maintainer")
    assert push not in people["developer"].get("/projects/:p")
    refused = people["developer"].refusal("PUT", "/projects/:p", **{OVERRIDE_ROLE: "developer"})
    assert refused == (403, {"message": "403 Forbidden"})


@pytest.mark.parametrize(
    ("value", "answer"),
    [
        pytest.param("guest", {"error": f"{OVERRIDE_ROLE} does not have a valid value"}, id="no such role"),
        pytest.param(
            "owner", {"message": f"Changing the {OVERRIDE_ROLE} to the owner role is not allowed"}, id="above their own"
        ),
    ],
)
def test_a_maintainer_may_not_set_any_role_for_variables(people: People, value: str, answer: dict[str, Any]) -> None:
    developer = people["developer"]
    people["maintainer"].put(f"/projects/:p/members/{developer.get('/user')['id']}", access_level=40)
    assert developer.refusal("PUT", "/projects/:p", **{OVERRIDE_ROLE: value}) == (400, answer)
