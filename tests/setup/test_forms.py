"""Setup on GitLabs of other versions and plans, and in projects of other forms."""

import base64
from collections.abc import Iterator
from pathlib import Path

import pytest

from gitlab_mcp.sandbox import Sandbox
from gitlab_mcp.setup.ci_file import read_ci_file
from gitlab_mcp.setup.steps.merge_request import SETUP_BRANCH
from tests.support.gitlab_requests import commit, get, send, writes
from tests.support.setup_command import Maintainer, file_at, stored, things_of


@pytest.fixture
def others(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Maintainer]:
    """A maintainer on a GitLab of another version or plan: the parameter has the arguments of the sandbox."""
    with Sandbox(fault_injection=True, **request.param) as running:
        yield Maintainer(tmp_path, running)


def of(**sandbox: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("others", [sandbox], indirect=True, ids=[" ".join(sandbox.values())])


@pytest.mark.parametrize(
    "others", [{"version": "17.11.0"}, {"version": "18.5.0"}], indirect=True, ids=["17.11", "18.5"]
)
def test_an_older_gitlab_is_set_up_and_taken_back_too(others: Maintainer) -> None:
    before = things_of(others.sandbox)
    assert set(others.sets_up().statuses().values()) == {"done"}
    assert set(others.sets_up().statuses().values()) == {"in place"}
    assert others.sets_up("--undo").code == 0
    assert things_of(others.sandbox) == before


@of(version="16.11.0")
def test_a_gitlab_in_which_jobs_cannot_push_is_refused(others: Maintainer) -> None:
    report = others.runs("--yes")
    assert report.code == 1
    assert "version 16.11" in report.output
    assert writes(others.sandbox) == []


@of(version="17.3.0")
def test_before_17_4_variables_are_masked_and_not_hidden(others: Maintainer) -> None:
    others.sets_up()
    rows = get(others.sandbox, "/variables")
    assert [(row["masked"], row.get("hidden", False)) for row in rows] == [(True, False)] * 2


@of(plan="free")
def test_without_access_tokens_in_the_plan_the_rest_is_done(others: Maintainer) -> None:
    report = others.sets_up()
    assert report.code == 1
    status, text = report.of("access-token")
    assert status == "blocked"
    assert "Premium" in text
    assert "GITLAB_MCP_RUN_TOKEN" in text
    assert {status for step, status in report.statuses().items() if step != "access-token"} == {"done"}


@of(plan="free")
def test_a_token_that_is_given_becomes_that_of_the_runs(others: Maintainer) -> None:
    others.environ["GITLAB_MCP_RUN_TOKEN"] = "glpat-a-token-of-a-person-00"
    assert set(others.sets_up().statuses().values()) == {"done"}
    assert stored(others.sandbox)["GITLAB_ACCESS_TOKEN"] == "glpat-a-token-of-a-person-00"
    assert set(others.sets_up().statuses().values()) == {"in place"}


def test_without_an_access_token_runs_are_set_up_without_comments(maintainer: Maintainer) -> None:
    report = maintainer.sets_up("--no-access-token", "--no-push")
    assert report.statuses().keys() == {"variable ANTHROPIC_API_KEY", "package", "merge-request"}
    assert report.code == 0


def changed(sandbox: Sandbox, **files: str) -> None:
    """Put files on the default branch, and take away those without content."""
    project = sandbox.world.projects[sandbox.project_id]
    project.protected.pop("main", None)
    for path, content in files.items():
        action = {"action": "update", "file_path": path, "content": content}
        commit(sandbox, "main", "", action if content else {"action": "delete", "file_path": path})
    project.protected["main"] = 40


def test_a_job_named_claude_keeps_its_name_and_the_new_one_gets_another(maintainer: Maintainer) -> None:
    changed(maintainer.sandbox, **{".gitlab-ci.yml": "stages: [lint]\nclaude:\n  stage: lint\n  script: [make]\n"})
    report = maintainer.sets_up()
    assert report.code == 0
    include = read_ci_file(file_at(maintainer.sandbox, ".gitlab-ci.yml", SETUP_BRANCH)).include or {}
    assert (include["job_name"], include["stage"]) == ("claude-code", "lint")


def test_a_project_without_a_configuration_gets_one(maintainer: Maintainer) -> None:
    changed(maintainer.sandbox, **{".gitlab-ci.yml": ""})
    assert maintainer.sets_up().code == 0
    text = file_at(maintainer.sandbox, ".gitlab-ci.yml", SETUP_BRANCH)
    assert text.startswith("include:\n  - local: /.gitlab/claude/claude.yml\n")
    maintainer.sets_up("--undo")


RICH = """\
# The pipeline of the app. Keep the order.
default: &default
  image: python:3.13 # the oldest that we support
.rules: &rules
  rules:
    - if: $CI_PIPELINE_SOURCE == "merge_request_event"
include: # from the platform team
  - project: platform/ci
    file: [/base.yml]
stages: [test, deploy]

test:
  <<: *rules
  script: !reference [.rules, script]
"""


def test_comments_anchors_and_order_of_a_rich_configuration_stay(maintainer: Maintainer) -> None:
    changed(maintainer.sandbox, **{".gitlab-ci.yml": RICH})
    assert maintainer.sets_up().of("merge-request")[0] == "done"
    text = file_at(maintainer.sandbox, ".gitlab-ci.yml", SETUP_BRANCH)
    before, _, after = text.partition("  - local: /.gitlab/claude/claude.yml\n")
    assert before == RICH.partition("stages:")[0]
    assert after.endswith("stages:" + RICH.partition("stages:")[2])


BROKEN = {
    "not YAML": ("job:\n\tscript: x\n", "not valid YAML at line 2"),
    "what GitLab refuses": (
        "stages: [test]\njob:\n  stage: nowhere\n  script: [x]\n",
        "stage nowhere does not exist",
    ),
    "a list": ("- a\n", "not a mapping of jobs"),
    "no UTF-8": ("caf\udce9", "not text in UTF-8"),
}


@pytest.mark.parametrize(("text", "reason"), BROKEN.values(), ids=BROKEN)
def test_a_configuration_that_cannot_be_edited_is_named_and_nothing_committed(
    maintainer: Maintainer, text: str, reason: str
) -> None:
    content = text.encode("utf-8", "surrogateescape")
    maintainer.sandbox.world.projects[maintainer.sandbox.project_id].protected.pop("main")
    action = {"action": "update", "file_path": ".gitlab-ci.yml", "encoding": "base64"}
    commit(maintainer.sandbox, "main", "", {**action, "content": base64.b64encode(content).decode()})
    report = maintainer.sets_up("--push-unprotected")
    status, words = report.of("merge-request")
    # GitLab sees the stages of a file only once the included one is there: on the branch, which is deleted again.
    assert (status, report.code) == ("failed" if "stage" in reason else "blocked", 1)
    assert reason in words
    assert SETUP_BRANCH not in things_of(maintainer.sandbox)["branches"]
    assert {status for step, status in report.statuses().items() if step != "merge-request"} == {"done"}


def test_a_branch_of_that_name_that_somebody_else_made_is_left_alone(maintainer: Maintainer) -> None:
    commit(maintainer.sandbox, SETUP_BRANCH, "main", {"action": "create", "file_path": "x", "content": "mine"})
    report = maintainer.sets_up()
    assert report.of("merge-request")[0] == "failed"
    assert "that setup did not make" in report.of("merge-request")[1]
    assert file_at(maintainer.sandbox, "x", SETUP_BRANCH) == "mine"


def test_an_image_is_used_without_a_package(maintainer: Maintainer) -> None:
    report = maintainer.sets_up("--image", "registry.example.com/tools/claude:0.2.0", "--input", "max_turns=20")
    assert "package" not in report.statuses()
    include = read_ci_file(file_at(maintainer.sandbox, ".gitlab-ci.yml", SETUP_BRANCH)).include
    image = {"image": "registry.example.com/tools/claude:0.2.0", "claude_version": ""}
    assert include == {"max_turns": "20", **image}


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ("nothing=1", "has no input nothing"),
        ("max_turns=many", "not a number"),
        ("base_url=file:///x", "does not have its form"),
        ("model", "has no value"),
        ("interruptible=maybe", "not a boolean"),
    ],
)
def test_an_input_that_the_template_would_refuse_is_refused_at_once(
    maintainer: Maintainer, given: str, reason: str
) -> None:
    report = maintainer.runs("--yes", "--input", given)
    assert report.code == 2
    assert reason in report.output
    assert writes(maintainer.sandbox) == []


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"builds_access_level": "disabled"}, "CI/CD is turned off"),
        ({"merge_requests_access_level": "disabled"}, "Merge requests is turned off"),
    ],
    ids=["CI/CD", "merge requests"],
)
def test_what_is_turned_off_in_the_project_is_named(
    maintainer: Maintainer, changes: dict[str, str], reason: str
) -> None:
    send(maintainer.sandbox, "PUT", "", "maintainer", **changes)
    report = maintainer.runs("--yes")
    assert report.code == 1
    assert reason in report.output


@pytest.mark.parametrize("project", ["acme/empty", "acme/archive", "acme/nowhere"])
def test_a_project_in_which_nothing_can_be_set_up_says_why(maintainer: Maintainer, project: str) -> None:
    report = maintainer.runs("--yes", "--project", project)
    assert report.code == 1
    assert len(report.output.splitlines()) == 1
    assert writes(maintainer.sandbox) == []
