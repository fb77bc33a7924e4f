"""Parameters that GitLab has: each is implemented or answered with 501, and none is dropped."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from gitlab_mcp.sandbox.http.routing import Route, all_routes
from gitlab_mcp.sandbox.http.undone import UNDONE
from tests.sandbox.conftest import Api

CONTRACT = Path(__file__).parents[1] / "contract" / "gitlab-rest-contract.json"
# Without effect in a project of a user's own, or without groups, merge trains, forks and administrators, who alone see
# custom attributes (with_custom_attributes of lib/api/helpers/custom_attributes.rb); or read elsewhere.
WITHOUT_EFFECT = {
    "page",
    "per_page",
    "cursor",
    "allow_maintainer_to_push",
    "skip_merge_train",
    "include_ancestors",
    "include_parent_milestones",
    "file",
    "not",
    "with_custom_attributes",
}


def key(method: str, path: str) -> tuple[str, str]:
    return method, re.sub(r"\{[^}]+\}|:\w+", "*", path)


def contract_routes() -> list[tuple[Route, set[str]]]:
    """The implemented routes that are in the contract, each with the names of its parameters there."""
    endpoints = json.loads(CONTRACT.read_text(encoding="utf-8"))["endpoints"]
    names = {
        key(one["method"], one["path"]): {*one.get("query", {}), *one.get("body", {})} - {*one.get("path_params", {})}
        for one in endpoints
    }
    routes = [(route, names.get(key(route.method, route.template))) for route in all_routes()]
    return [(route, found) for route, found in routes if found is not None]


def test_every_parameter_of_the_contract_is_implemented_or_refused() -> None:
    missing = []
    for route, names in contract_routes():
        declared = {parameter.name for parameter in route.parameters}
        known = {*declared, *UNDONE.get((route.method, route.template), "").split(), *WITHOUT_EFFECT}
        in_path = set(re.findall(r":(\w+)", route.template))
        left = {name for name in names - known - in_path if name.partition("[")[0] not in declared}
        missing += [f"{route.method} {route.template}: {name}" for name in sorted(left)]
    assert missing == []


def test_no_implemented_parameter_is_refused() -> None:
    routes = {(route.method, route.template): {one.name for one in route.parameters} for route in all_routes()}
    assert set(UNDONE) <= set(routes)
    assert {name for at, names in UNDONE.items() for name in names.split() if name in routes[at]} == set()


@pytest.mark.parametrize(
    ("path", "query"),
    [
        pytest.param("/issues", {"weight": "3"}, id="weight of issues"),
        pytest.param("/issues", {"not[weight]": "3"}, id="negated weight"),
        pytest.param("/merge_requests", {"environment": "production"}, id="environment of merge requests"),
        pytest.param("/issues", {"order_by": "weight"}, id="an order"),
    ],
)
def test_a_parameter_that_is_not_implemented_answers_501(developer: Api, path: str, query: dict[str, str]) -> None:
    response = developer.call("GET", f"/projects/:p{path}", params=query)
    assert response.status_code == 501
    assert "is not part of the sandbox" in response.json()["message"]


def test_a_parameter_that_gitlab_does_not_know_is_ignored(developer: Api) -> None:
    assert developer.get("/projects/:p/issues", colour="red") == developer.get("/projects/:p/issues")
    assert developer.get("/projects/:p/issues", weight="") == developer.get("/projects/:p/issues")
