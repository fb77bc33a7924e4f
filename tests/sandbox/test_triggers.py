"""Trigger tokens, and the pipelines that they start: who may, with which variables and inputs, and with which jobs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from gitlab_mcp.sandbox import Sandbox
from tests.sandbox.conftest import Api, People

TRIGGERS, RUN, PIPELINES = "/projects/:p/triggers", "/projects/:p/trigger/pipeline", "/projects/:p/pipelines"
CI = ".gitlab-ci.yml"
CONFIGURATION = """
spec:
  inputs:
    noteable: {regex: '^(issues|merge_requests)/[0-9]+$'}
    level: {type: number, default: 1, options: [1, 2]}
    dry: {type: boolean, default: false}
    words: {type: array, default: [a]}
---
workflow:
  name: "Claude for $[[ inputs.noteable ]]"
  rules: [{if: '$CI_PIPELINE_SOURCE == "trigger"'}, {when: never}]

claude:
  stage: test
  resource_group: $[[ inputs.noteable ]]
  script: [echo $[[ inputs.level ]] $[[ inputs.dry ]], 'echo $[[ inputs.words ]]']
  rules:
    - if: $SKIP
      when: never
    - if: '$CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH'

other:
  script: [exit]
  rules: [{if: '$CI_PIPELINE_SOURCE == "push"'}]
"""


def configured(maintainer: Api, text: str, branch: str = "main") -> None:
    """Make a text the .gitlab-ci.yml of a branch."""
    maintainer.commit(branch, {"action": "update", "file_path": CI, "content": text}, message="CI [skip ci]")


def token_of(api: Api) -> str:
    """A new trigger token."""
    return str(api.post(TRIGGERS, description="Listener")["token"])


@pytest.fixture
def anonymous(sandbox: Sandbox) -> Iterator[Api]:
    api = Api(sandbox)
    yield api
    api.session.close()


def jobs_of(api: Api, pipeline: dict[str, Any]) -> list[tuple[str, str]]:
    """The names and statuses of the jobs of a pipeline."""
    return [(job["name"], job["status"]) for job in api.get(f"{PIPELINES}/{pipeline['id']}/jobs")]


def test_a_pipeline_is_started_without_login_as_the_owner_of_the_token(people: People, anonymous: Api) -> None:
    maintainer = people["maintainer"]
    configured(maintainer, CONFIGURATION)
    token = token_of(maintainer)
    made = anonymous.post(RUN, ref="main", token=token, inputs={"noteable": "issues/7", "level": 2})
    assert (made["source"], made["status"], made["user"]["username"]) == ("trigger", "created", "maintainer")
    shown = maintainer.get(f"{PIPELINES}/{made['id']}")
    assert (shown["name"], shown["status"]) == ("Claude for issues/7", "pending")
    assert jobs_of(maintainer, made) == [("claude", "pending")]
    assert [one["id"] for one in maintainer.get(PIPELINES, name="Claude for issues/7")] == [made["id"]]
    assert [one["id"] for one in maintainer.get(PIPELINES, source="trigger")] == [made["id"]]
    assert maintainer.get(TRIGGERS)[0]["last_used"] is not None


def test_the_whole_request_without_its_token_is_a_file_variable(people: People, anonymous: Api) -> None:
    token = token_of(people["maintainer"])
    hook = {"object_kind": "note", "object_attributes": {"note": "@claude $HOME"}}
    response = anonymous.call("POST", f"/projects/:p/ref/main/trigger/pipeline?token={token}", json=hook)
    assert response.status_code == 201, response.text
    (variable,) = people["maintainer"].get(f"{PIPELINES}/{response.json()['id']}/variables")
    assert (variable["key"], variable["variable_type"]) == ("TRIGGER_PAYLOAD", "file")
    assert json.loads(variable["value"]) == {**hook, "ref": "main", "id": "acme/app", "variables": {}}


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        pytest.param({"ref": "main"}, 400, {"error": "token is missing"}, id="no-token"),
        pytest.param({"token": "T"}, 400, {"error": "ref is missing"}, id="no-ref"),
        pytest.param({"ref": "main", "token": "wrong"}, 404, {"message": "404 Not Found"}, id="wrong-token"),
        pytest.param({"ref": "no", "token": "T"}, 400, {"message": {"base": ["Reference not found"]}}, id="no-branch"),
        pytest.param(
            {"ref": "main", "token": "T", "variables": "A=b"}, 400, {"error": "variables is invalid"}, id="text"
        ),
        pytest.param(
            {"ref": "main", "token": "T", "variables": {"A": 1}},
            400,
            {"message": "variables needs to be a map of key-valued strings"},
            id="number",
        ),
        pytest.param(
            {"ref": "main", "token": "T", "variables": {"A": "b"}},
            400,
            {"message": {"base": ["Insufficient permissions to set pipeline variables"]}},
            id="variables-of-nobody",
        ),
        pytest.param(
            {"ref": "main", "token": "T", "inputs": {"a": "b"}},
            422,
            {
                "message": {
                    "base": ["Given inputs not defined in the `spec` section of the included configuration file"]
                }
            },
            id="inputs-of-nobody",
        ),
    ],
)
def test_a_request_that_starts_no_pipeline_says_why(
    people: People, anonymous: Api, body: dict[str, Any], status: int, message: object
) -> None:
    token = token_of(people["maintainer"])
    body = {name: token if value == "T" else value for name, value in body.items()}
    assert anonymous.refusal("POST", RUN, **body) == (status, message)


@pytest.mark.parametrize(
    ("role", "who", "status"),
    [("developer", "developer", 201), ("maintainer", "developer", 400), ("maintainer", "maintainer", 201)],
)
def test_a_setting_says_who_may_start_pipelines_with_variables(
    people: People, anonymous: Api, role: str, who: str, status: int
) -> None:
    maintainer, member = people["maintainer"], f"/projects/:p/members/{people['developer'].get('/user')['id']}"
    maintainer.put("/projects/:p", ci_pipeline_variables_minimum_override_role=role)
    maintainer.put(member, access_level=40)
    token = token_of(people[who])
    maintainer.put(member, access_level=30)
    body = {"ref": "feature/verbose-flag", "token": token, "variables": {"AI_FLOW_INPUT": "x"}}
    assert anonymous.call("POST", RUN, json=body).status_code == status


def test_a_form_has_variables_in_brackets(people: People, anonymous: Api) -> None:
    people["maintainer"].put("/projects/:p", ci_pipeline_variables_minimum_override_role="maintainer")
    form = {"token": token_of(people["maintainer"]), "ref": "main", "variables[AI_FLOW_INPUT]": "fix it"}
    made = anonymous.call("POST", RUN, data=form).json()
    variables = {one["key"]: one["value"] for one in people["maintainer"].get(f"{PIPELINES}/{made['id']}/variables")}
    assert variables["AI_FLOW_INPUT"] == "fix it"
    assert json.loads(variables["TRIGGER_PAYLOAD"])["variables"] == {"AI_FLOW_INPUT": "fix it"}


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({}, "`noteable` input: required value has not been provided"),
        ({"noteable": "epics/1"}, "`noteable` input: provided value does not match required RegEx pattern"),
        ({"noteable": "issues/1\n"}, "`noteable` input: provided value does not match required RegEx pattern"),
        ({"noteable": "issues/1", "level": "x"}, "`level` input: provided value is not a number"),
        (
            {"noteable": "issues/1", "level": 3},
            "`level` input: `3` cannot be used because it is not in the list of the allowed options",
        ),
        ({"noteable": "issues/1", "dry": "maybe"}, "`dry` input: provided value is not a boolean"),
        ({"noteable": "issues/1", "words": {}}, "`words` input: provided value is not an array"),
        ({"noteable": "issues/1", "more": "1"}, "unknown input arguments: more"),
    ],
)
def test_an_input_that_does_not_fit_is_refused_and_leaves_a_failed_pipeline(
    people: People, anonymous: Api, inputs: dict[str, Any], message: str
) -> None:
    configured(people["maintainer"], CONFIGURATION)
    body = {"ref": "main", "token": token_of(people["maintainer"]), "inputs": inputs}
    status, refused = anonymous.refusal("POST", RUN, **body)
    assert status == 422
    assert message in refused["message"]["base"][0]
    newest = people["maintainer"].get(PIPELINES)[0]
    assert (newest["status"], newest["source"]) == ("failed", "trigger")


def test_inputs_are_text_of_the_configuration_before_it_is_read(
    sandbox: Sandbox, people: People, anonymous: Api
) -> None:
    configured(people["maintainer"], CONFIGURATION)
    form = {"token": token_of(people["maintainer"]), "ref": "main", "inputs[noteable]": "issues/7"}
    form |= {"inputs[level]": "2", "inputs[dry]": "true", "inputs[words]": '["b", "c"]'}
    assert anonymous.call("POST", RUN, data=form).status_code == 201
    taken = sandbox.take_job()
    assert taken is not None
    job, _ = taken
    assert job.plan is not None
    assert job.plan.definition["script"] == ["echo 2 true", 'echo ["b", "c"]']
    assert job.plan.resource_group == "issues/7"


@pytest.mark.parametrize(
    ("text", "variables", "message"),
    [
        pytest.param(
            CONFIGURATION.replace('"trigger"', '"web"'),
            {},
            "Pipeline filtered out by workflow rules.",
            id="workflow",
        ),
        pytest.param(
            CONFIGURATION,
            {"SKIP": "1"},
            "Pipeline will not run for the selected trigger. "
            "The rules configuration prevented any jobs from being added to the pipeline.",
            id="rules",
        ),
    ],
)
def test_a_pipeline_without_jobs_is_refused_and_leaves_nothing(
    people: People, anonymous: Api, text: str, variables: dict[str, str], message: str
) -> None:
    maintainer = people["maintainer"]
    maintainer.put("/projects/:p", ci_pipeline_variables_minimum_override_role="maintainer")
    configured(maintainer, text)
    before = len(maintainer.get(PIPELINES))
    body = {"ref": "main", "token": token_of(maintainer), "variables": variables, "inputs": {"noteable": "issues/7"}}
    assert anonymous.refusal("POST", RUN, **body) == (400, {"message": {"base": [message]}})
    assert len(maintainer.get(PIPELINES)) == before


def test_the_file_of_the_ref_decides_and_one_that_skips_ci_too(people: People, anonymous: Api) -> None:
    branch = "feature/verbose-flag"
    configured(people["developer"], "hostile: {script: [whoami]}\n", branch)
    body = {"ref": branch, "token": token_of(people["maintainer"])}
    made = anonymous.post(RUN, **body)
    assert jobs_of(people["maintainer"], made) == [("hostile", "pending")]
    assert "hostile" not in dict(jobs_of(people["maintainer"], anonymous.post(RUN, **{**body, "ref": "main"})))


def test_a_configuration_that_is_not_read_here_is_not_implemented(people: People, anonymous: Api) -> None:
    configured(people["maintainer"], "include: [{remote: 'https://example.com/a.yml'}]\na: {script: [x]}\n")
    status, refused = anonymous.refusal("POST", RUN, ref="main", token=token_of(people["maintainer"]))
    assert status == 501
    assert "include" in refused["message"]


def test_a_pipeline_hook_starts_no_pipeline(people: People, anonymous: Api) -> None:
    body = {"ref": "main", "token": token_of(people["maintainer"])}
    headers = {"X-Gitlab-Event": "Pipeline Hook"}
    assert anonymous.call("POST", RUN, json=body, headers=headers).status_code == 403
    assert anonymous.call("POST", RUN, json=body, headers={"X-Gitlab-Event": "Note Hook"}).status_code == 201


def test_a_running_job_starts_a_pipeline_with_its_token(sandbox: Sandbox, anonymous: Api) -> None:
    body = {"ref": "feature/verbose-flag", "token": sandbox.tokens["job"]}
    made = anonymous.post(RUN, **body)
    assert (made["source"], made["user"]["username"]) == ("pipeline", "developer")
    ended = anonymous.refusal("POST", RUN, **{**body, "token": sandbox.tokens["job_ended"]})
    assert ended == (401, {"message": "Job is not running"})


@pytest.mark.parametrize(("who", "status"), [("developer", 403), ("stranger", 403)])
def test_trigger_tokens_are_for_maintainers(people: People, who: str, status: int) -> None:
    assert people[who].refusal("GET", TRIGGERS)[0] == status
    assert people[who].refusal("POST", TRIGGERS, description="Mine")[0] == status


def test_only_its_owner_sees_and_changes_a_trigger_token(people: People, anonymous: Api) -> None:
    maintainer, developer = people["maintainer"], people["developer"]
    made = maintainer.post(TRIGGERS, description="Listener")
    member = developer.get("/user")["id"]
    maintainer.put(f"/projects/:p/members/{member}", access_level=40)
    path = f"{TRIGGERS}/{made['id']}"
    assert made["token"].startswith("glptt-")
    assert developer.get(path)["token"] == made["token"].removeprefix("glptt-")[:4]
    refused = developer.refusal("PUT", path, description="Mine now")
    message = "403 Forbidden - The current user is not authorized to update the pipeline trigger token"
    assert refused == (403, {"message": message})
    assert maintainer.put(path, description="Other")["description"] == "Other"
    assert developer.call("DELETE", path).status_code == 204
    assert anonymous.refusal("POST", RUN, ref="main", token=made["token"])[0] == 404
