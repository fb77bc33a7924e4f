"""What a requested pipeline consists of: includes, extends, defaults, references, rules, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from gitlab_mcp.sandbox import Sandbox
from gitlab_mcp.sandbox.text.ci_rules import matches
from gitlab_mcp.sandbox.text.yaml import Unreadable
from tests.sandbox.conftest import Api, People

NOTES = "/projects/acme%2Fprivate-notes"
VARIABLES = {"SOURCE": "trigger", "EMPTY": "", "BRANCH": "feature/x", "PATTERN": "/^feat/"}


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ('$SOURCE == "trigger"', True),
        ("$SOURCE == 'web' || $SOURCE == 'trigger'", True),
        ("$SOURCE == 'web' && $NONE || $BRANCH", True),
        ("$BRANCH || $SOURCE == 'web' && $NONE", True),
        ("($BRANCH || $SOURCE) && $NONE", False),
        ("$NONE", False),
        ("$EMPTY", False),
        ("$EMPTY == ''", True),
        ("$EMPTY == null", False),
        ("$NONE == null", True),
        ("$NONE != null", False),
        ("null == $NONE", True),
        ("$SOURCE != $BRANCH", True),
        ("$BRANCH =~ /^feature\\//", True),
        ("$BRANCH =~ /FEATURE/i", True),
        ("$BRANCH !~ /main/", True),
        ("$BRANCH =~ $PATTERN", True),
        ("$NONE =~ /x/", False),
        ("$NONE !~ /x/", True),
        ("${SOURCE} == 'trigger'", True),
    ],
)
def test_an_expression_is_true_or_not(expression: str, value: bool) -> None:
    assert matches(expression, VARIABLES) is value


@pytest.mark.parametrize("expression", ["$A ==", "== 'a'", "($A", "$A $B", "$A = 'b'", "a == b", "$A =~ /b"])
def test_an_expression_that_is_not_valid_is_not_read(expression: str) -> None:
    with pytest.raises(Unreadable):
        matches(expression, {})


def commit(api: Api, path: str, **files: str) -> None:
    """Write files to main of a project; two underscores stand for a slash, and the CI file is called `ci`."""
    existing = {one["path"] for one in api.get(f"{path}/repository/tree", recursive=True, per_page=100)}
    names = {name: ".gitlab-ci.yml" if name == "ci" else f"{name.replace('__', '/')}.yml" for name in files}
    actions = [
        {"action": "update" if names[name] in existing else "create", "file_path": names[name], "content": text}
        for name, text in files.items()
    ]
    api.post(f"{path}/repository/commits", branch="main", commit_message="CI [skip ci]", actions=actions)


def planned(sandbox: Sandbox, api: Api, **more: Any) -> dict[str, dict[str, Any]]:
    """The keywords of the jobs of a new pipeline of main, by name."""
    made = api.post("/projects/:p/pipeline", ref="main", **more)
    jobs = sandbox.world.projects[sandbox.project_id].pipelines[made["id"]].jobs
    return {job.name: job.plan.definition for job in jobs if job.plan}


def test_a_job_has_what_it_extends_and_what_is_the_default(sandbox: Sandbox, maintainer: Api) -> None:
    text = """
default: {image: alpine, before_script: [prepare], interruptible: true}
variables: {A: "1", B: {value: two, description: A choice}}
.base: {variables: {C: "3", D: "4"}, script: [base], tags: [x]}
.more: {variables: {D: "5"}}
own: {extends: [.base, .more], script: [!reference [.base, script], own], before_script: []}
plain: {script: [plain], image: debian}
"""
    commit(maintainer, "/projects/:p", ci=text)
    jobs = planned(sandbox, maintainer)
    assert jobs["own"]["script"] == ["base", "own"]
    assert (jobs["own"]["variables"], jobs["own"]["before_script"]) == ({"C": "3", "D": "5"}, [])
    assert (jobs["own"]["image"], jobs["own"]["tags"]) == ("alpine", ["x"])
    assert (jobs["plain"]["image"], jobs["plain"]["before_script"]) == ("debian", ["prepare"])


def test_files_of_this_and_other_projects_are_included_with_inputs(sandbox: Sandbox, maintainer: Api) -> None:
    header = "spec: {inputs: {name: {regex: '^[a-z]+$'}, text: {default: hello}}}\n---\n"
    job = "'$[[ inputs.name ]]': {script: ['echo $[[ inputs.text ]]']}\n"
    commit(maintainer, NOTES, jobs=header + job, templates__part=header + job)
    include = """
include:
  - local: /ci/local.yml
  - {project: acme/private-notes, file: jobs.yml, ref: main, inputs: {name: other}}
  - {component: $CI_SERVER_FQDN/acme/private-notes/part@main, inputs: {name: component, text: hi}}
own: {script: [own]}
base: {script: [replaced]}
"""
    commit(maintainer, "/projects/:p", ci=include, ci__local="base: {script: [base], tags: [x]}\n")
    jobs = planned(sandbox, maintainer)
    assert {name: job["script"] for name, job in jobs.items()} == {
        "base": ["replaced"],
        "other": ["echo hello"],
        "component": ["echo hi"],
        "own": ["own"],
    }
    assert jobs["base"]["tags"] == ["x"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("include: none.yml\na: {script: [x]}\n", "Local file `none.yml` does not exist!"),
        (
            "include: {project: acme/private-notes, file: none.yml}\na: {script: [x]}\n",
            "Project `acme/private-notes` file `none.yml` does not exist!",
        ),
        (
            "include: {project: acme/secret, file: a.yml}\na: {script: [x]}\n",
            "Project `acme/secret` not found or access denied!",
        ),
        ("a: {stage: nowhere, script: [x]}\n", "a job: chosen stage nowhere does not exist; "),
        (".a: {script: [x]}\n", "jobs config should contain at least one visible job"),
        ("a: {stage: test}\n", "jobs a config should implement the script:, run:, or trigger: keyword"),
        ("a: [b\n", "(<unknown>): did not find expected ',' or ']'"),
        ("a: [\n", "(<unknown>): did not find expected node content while parsing a flow node at line 2 column 1"),
        ("a: *none\n", "An alias referenced an unknown anchor: none"),
        ("spec: [\n---\na: {script: [x]}\n", "(<unknown>): did not find expected node content"),
        ("- a\n", "Invalid configuration format"),
    ],
)
def test_an_invalid_configuration_is_refused_in_gitlabs_words(maintainer: Api, text: str, message: str) -> None:
    commit(maintainer, "/projects/:p", ci=text)
    status, refused = maintainer.refusal("POST", "/projects/:p/pipeline", ref="main")
    assert (status, refused["message"]["base"][0].startswith(message)) == (400, True), refused


def test_a_project_that_the_user_may_not_read_is_not_included(people: People) -> None:
    commit(people["maintainer"], NOTES, jobs="a: {script: [x]}\n")
    commit(people["maintainer"], "/projects/:p", ci="include: {project: acme/private-notes, file: jobs.yml}\n")
    people["maintainer"].post("/projects/:p/repository/branches", branch="topic", ref="main")
    status, refused = people["developer"].refusal("POST", "/projects/:p/pipeline", ref="topic")
    message = "Project `acme/private-notes` not found or access denied!"
    assert (status, refused) == (400, {"message": {"base": [message]}})


@pytest.mark.parametrize(
    "keyword", ["only: [main]", "parallel: 2", "when: delayed", "rules: [{exists: [a]}]", "tags: !set {a}"]
)
def test_a_keyword_that_is_not_read_is_not_implemented(maintainer: Api, keyword: str) -> None:
    commit(maintainer, "/projects/:p", ci=f"a: {{script: [x], {keyword}}}\n")
    assert maintainer.refusal("POST", "/projects/:p/pipeline", ref="main")[0] == 501


def test_the_configuration_may_have_another_path_and_begin_with_dashes(sandbox: Sandbox, maintainer: Api) -> None:
    commit(maintainer, "/projects/:p", ci__main="---\nown: {script: [x]}\n")
    maintainer.put("/projects/:p", ci_config_path="ci/main.yml")
    assert set(planned(sandbox, maintainer)) == {"own"}
    maintainer.put("/projects/:p", ci_config_path="main.yml@acme/private-notes")
    assert maintainer.refusal("POST", "/projects/:p/pipeline", ref="main")[0] == 501


def test_the_first_rule_that_matches_counts(sandbox: Sandbox, maintainer: Api) -> None:
    maintainer.put("/projects/:p", ci_pipeline_variables_minimum_override_role="maintainer")
    text = """
workflow:
  name: "$KIND of $CI_COMMIT_BRANCH"
  rules: [{if: $KIND, variables: {FROM: workflow}}, {when: always}]
a: {script: [x], rules: [{if: '$KIND == "skip"', when: never}, {if: '$FROM == "workflow"'}]}
b: {script: [x], rules: [{if: '$KIND == "hand"', when: manual, allow_failure: true}, {when: on_failure}]}
"""
    commit(maintainer, "/projects/:p", ci=text)

    def statuses(kind: str) -> dict[str, str]:
        variables = [{"key": "KIND", "value": kind}] if kind else []
        made = maintainer.post("/projects/:p/pipeline", ref="main", variables=variables)
        found = maintainer.get(f"/projects/:p/pipelines/{made['id']}")
        assert found["name"] == f"{kind} of main"
        return {job["name"]: job["status"] for job in maintainer.get(f"/projects/:p/pipelines/{made['id']}/jobs")}

    assert statuses("run") == {"a": "pending", "b": "skipped"}
    assert statuses("hand") == {"a": "pending", "b": "manual"}
    assert statuses("skip") == {"b": "skipped"}
    assert statuses("") == {"b": "skipped"}
    assert sandbox.take_job() is not None
