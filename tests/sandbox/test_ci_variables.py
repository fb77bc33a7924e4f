"""CI/CD variables of a project: who may read and write them, what is masked and hidden, and what is refused."""

from __future__ import annotations

from typing import Any

import gitlab
import pytest

from gitlab_mcp.sandbox import Sandbox
from tests.sandbox.conftest import Api, People

VARIABLES = "/projects/:p/variables"
SECRET = "sk-ant-api03-0123456789_ab"
SCOPED = "There are multiple variables with provided parameters. Please use 'filter[environment_scope]'"
SCOPE = "can contain only letters, digits, '-', '_', '/', '$', '{', '}', '.', '*' and spaces"


def test_a_variable_is_created_read_changed_and_deleted(maintainer: Api) -> None:
    made = maintainer.post(VARIABLES, key="REGION", value="eu-central-1")
    assert made == {
        "variable_type": "env_var",
        "key": "REGION",
        "value": "eu-central-1",
        "hidden": False,
        "protected": False,
        "masked": False,
        "raw": False,
        "environment_scope": "*",
        "description": None,
    }
    assert maintainer.get(VARIABLES) == [made]
    changed = maintainer.put(f"{VARIABLES}/REGION", value="eu-west-1", protected=True, description="Of the model")
    assert changed == {**made, "value": "eu-west-1", "protected": True, "description": "Of the model"}
    assert maintainer.get(f"{VARIABLES}/REGION") == changed
    assert maintainer.call("DELETE", f"{VARIABLES}/REGION").status_code == 204
    assert maintainer.refusal("GET", f"{VARIABLES}/REGION") == (404, {"message": "404 Variable Not Found"})


def test_no_response_has_the_value_of_a_hidden_variable(maintainer: Api) -> None:
    made = maintainer.post(VARIABLES, key="ANTHROPIC_API_KEY", value=SECRET, masked_and_hidden=True, raw=True)
    assert (made["value"], made["masked"], made["hidden"], made["raw"]) == (None, True, True, True)
    changed = maintainer.put(f"{VARIABLES}/ANTHROPIC_API_KEY", value=f"{SECRET}2", protected=True)
    assert (changed["value"], changed["protected"]) == (None, True)
    assert maintainer.get(VARIABLES) == [changed]


def test_a_hidden_variable_stays_hidden(maintainer: Api) -> None:
    maintainer.post(VARIABLES, key="KEY", value=SECRET, masked_and_hidden=True)
    text = "The visibility setting cannot be changed for masked and hidden variables."
    assert maintainer.refusal("PUT", f"{VARIABLES}/KEY", masked=False) == (400, {"message": {"base": [text]}})
    # A parameter of the creation only: an update ignores it, as GitLab ignores every parameter that it does not know.
    maintainer.post(VARIABLES, key="PLAIN", value=SECRET)
    assert maintainer.put(f"{VARIABLES}/PLAIN", masked_and_hidden=True)["hidden"] is False


def test_a_gitlab_before_17_4_ignores_that_a_variable_is_to_be_hidden() -> None:
    with Sandbox(version="17.3.7") as old:
        maintainer = Api(old, "maintainer")
        with maintainer.session:
            made = maintainer.post(VARIABLES, key="KEY", value=SECRET, masked_and_hidden=True)
    assert (made["value"], made["masked"]) == (SECRET, False)
    assert "hidden" not in made


@pytest.mark.parametrize(
    ("body", "message"),
    [
        pytest.param({"key": "K", "value": "short", "masked": True}, {"value": ["is invalid"]}, id="masked, short"),
        pytest.param({"key": "K", "value": "with space", "masked": True}, {"value": ["is invalid"]}, id="space"),
        pytest.param({"key": "K", "value": "12345678\n9", "masked": True}, {"value": ["is invalid"]}, id="two lines"),
        pytest.param({"key": "K", "value": "p%ss!word", "masked": True}, {"value": ["is invalid"]}, id="expanded"),
        pytest.param({"key": "K", "value": "", "masked_and_hidden": True}, {"value": ["is invalid"]}, id="empty"),
        pytest.param(
            {"key": "K", "value": "a b c d e f", "masked_and_hidden": True, "raw": True},
            {"value": ["is invalid"]},
            id="raw with spaces",
        ),
        pytest.param(
            {"key": "K", "value": "x" * 10_001},
            {"value": ["The value of the provided variable exceeds the 10000 character limit"]},
            id="too long",
        ),
        pytest.param({"key": "A-B", "value": "x"}, {"key": ["can contain only letters, digits and '_'."]}, id="key"),
        pytest.param(
            {"key": "K" * 256, "value": "x"}, {"key": ["is too long (maximum is 255 characters)"]}, id="long key"
        ),
        pytest.param({"key": "TAKEN", "value": "x"}, {"key": ["(TAKEN) has already been taken"]}, id="taken"),
        pytest.param(
            {"key": "K", "value": "x", "environment_scope": "a;b"}, {"environment_scope": [SCOPE]}, id="scope"
        ),
    ],
)
def test_a_variable_that_gitlab_refuses(maintainer: Api, body: dict[str, Any], message: dict[str, Any]) -> None:
    maintainer.post(VARIABLES, key="TAKEN", value="x")
    assert maintainer.refusal("POST", VARIABLES, **body) == (400, {"message": message})
    assert [one["key"] for one in maintainer.get(VARIABLES)] == ["TAKEN"]


def test_a_raw_value_may_have_any_character_but_a_space(maintainer: Api) -> None:
    assert maintainer.post(VARIABLES, key="K", value="p%ss!$word", masked=True, raw=True)["masked"] is True


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({"key": "K"}, "value is missing"),
        ({"value": "x"}, "key is missing"),
        ({"key": "K", "value": "x", "variable_type": "secret"}, "variable_type does not have a valid value"),
    ],
)
def test_parameters_are_checked_first(maintainer: Api, body: dict[str, Any], error: str) -> None:
    assert maintainer.refusal("POST", VARIABLES, **body) == (400, {"error": error})


def test_variables_of_one_key_are_told_apart_by_their_environment(maintainer: Api) -> None:
    maintainer.post(VARIABLES, key="URL", value="a")
    maintainer.post(VARIABLES, key="URL", value="b", environment_scope="production")
    assert maintainer.refusal("GET", f"{VARIABLES}/URL") == (409, {"message": SCOPED})
    assert maintainer.refusal("PUT", f"{VARIABLES}/URL", value="c") == (409, {"message": SCOPED})
    production = {"filter[environment_scope]": "production"}
    assert maintainer.get(f"{VARIABLES}/URL", **production)["value"] == "b"
    body = {"value": "c", "filter": {"environment_scope": "production"}}
    assert maintainer.put(f"{VARIABLES}/URL", **body)["value"] == "c"
    assert maintainer.call("DELETE", f"{VARIABLES}/URL", params=production).status_code == 204
    assert maintainer.get(f"{VARIABLES}/URL")["value"] == "a"
    missing = maintainer.call("GET", f"{VARIABLES}/URL", params={"filter[environment_scope]": "staging"})
    assert missing.status_code == 404


@pytest.mark.parametrize(
    ("method", "path"), [("GET", ""), ("POST", ""), ("GET", "/K"), ("PUT", "/K"), ("DELETE", "/K")]
)
def test_only_a_maintainer_sees_and_changes_variables(people: People, method: str, path: str) -> None:
    people["maintainer"].post(VARIABLES, key="K", value="x")
    body = {"key": "L", "value": "y"}
    refused = people["developer"].call(method, VARIABLES + path, json=body)
    assert (refused.status_code, refused.json()) == (403, {"message": "403 Forbidden"})
    anonymous = Api(people.sandbox)
    with anonymous.session:
        assert anonymous.call(method, VARIABLES + path, json=body).status_code == 401


def test_python_gitlab_manages_variables(sandbox: Sandbox) -> None:
    with gitlab.Gitlab(sandbox.url, private_token=sandbox.tokens["maintainer"]) as client:
        variables = client.projects.get(sandbox.project).variables
        made = variables.create({"key": "KEY", "value": SECRET, "masked_and_hidden": True})
        made.description = "For Claude"
        made.save()
        variables.create({"key": "KEY", "value": "x", "environment_scope": "production"})
        scoped = {"environment_scope": "production"}
        assert variables.get("KEY", filter=scoped).value == "x"
        variables.update("KEY", {"value": "y"}, filter=scoped)
        variables.delete("KEY", filter=scoped)
        assert [(one.key, one.value, one.description) for one in variables.list(get_all=True)] == [
            ("KEY", None, "For Claude")
        ]
