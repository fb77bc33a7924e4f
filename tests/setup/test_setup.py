"""One command sets a project up: it looks, shows a plan, asks once, applies it and reads everything back."""

from pathlib import Path

import pytest

from gitlab_mcp.setup.ci_file import read_ci_file
from gitlab_mcp.setup.own_files import LOCK, WHEEL, packed_server
from gitlab_mcp.setup.steps.merge_request import SETUP_BRANCH
from tests.support.gitlab_requests import commit, get, send, writes
from tests.support.setup_command import KEY, Maintainer, file_at, merge, stored, things_of

STEPS = ["variable ANTHROPIC_API_KEY", "push-switch", "access-token", "package", "merge-request"]


def test_the_plan_names_every_change_and_changes_nothing(maintainer: Maintainer) -> None:
    before = things_of(maintainer.sandbox)
    maintainer.sandbox.faults.clear()
    report = maintainer.plans()
    assert report.code == 0
    assert report.statuses() == dict.fromkeys(STEPS, "change")
    settings = [row["setting"] for row in report.data["steps"]]
    assert settings == [
        "Settings > CI/CD > Variables > ANTHROPIC_API_KEY",
        "Settings > CI/CD > Job token permissions > Allow Git push requests to the repository",
        "Settings > Access tokens > Add new token",
        f"Deploy > Package registry > gitlab-mcp-server {packed_server().version}",
        "Merge request into main",
    ]
    assert [line for line in writes(maintainer.sandbox) if not line.endswith("/ci/lint")] == []
    assert things_of(maintainer.sandbox) == before
    assert not list(maintainer.home.rglob("*"))


def test_one_command_and_one_answer_set_a_project_up(maintainer: Maintainer) -> None:
    sandbox = maintainer.sandbox
    report = maintainer.runs(answers="y\n")
    assert report.code == 0
    assert "5 of 5 changes made and read back." in report.output
    assert report.output.splitlines()[-1] == f"Open {sandbox.url}/acme/app/-/merge_requests/2"
    assert get(sandbox, "")["ci_push_repository_for_job_token_allowed"] is True
    variables = {row["key"]: row for row in get(sandbox, "/variables")}
    for row in variables.values():
        assert (row["masked"], row["hidden"], row["raw"], row["protected"]) == (True, True, True, False)
        assert row["value"] is None
    assert variables.keys() == {"ANTHROPIC_API_KEY", "GITLAB_ACCESS_TOKEN"}
    [token] = get(sandbox, "/access_tokens?state=active")
    assert (token["name"], token["access_level"], token["scopes"]) == ("Claude", 30, ["api"])
    values = stored(sandbox)
    assert values["ANTHROPIC_API_KEY"] == KEY
    assert sandbox.world.tokens[values["GITLAB_ACCESS_TOKEN"]].id == token["id"]


def test_the_merge_request_brings_the_job_and_says_what_to_check(maintainer: Maintainer) -> None:
    sandbox = maintainer.sandbox
    old = file_at(sandbox, ".gitlab-ci.yml", "main")
    maintainer.sets_up()
    [opened] = get(sandbox, f"/merge_requests?state=opened&source_branch={SETUP_BRANCH}")
    assert opened["target_branch"] == "main"
    assert "Check before you merge" in opened["description"]
    text = file_at(sandbox, ".gitlab-ci.yml", SETUP_BRANCH)
    assert text.startswith(old)
    include = read_ci_file(text).include or {}
    packed = packed_server()
    folder = f"/projects/{sandbox.project_id}/packages/generic/gitlab-mcp-server/{packed.version}"
    assert include["server_wheel"] == f"$CI_API_V4_URL{folder}/{WHEEL}"
    assert set(include) == {"server_wheel", "server_wheel_sha256", "server_lock_sha256"}
    template = Path(__file__).parents[2] / "templates" / "claude.yml"
    assert file_at(sandbox, ".gitlab/claude/claude.yml", SETUP_BRANCH) == template.read_text()
    assert "# app\n" in file_at(sandbox, "CLAUDE.md", SETUP_BRANCH)
    [package] = get(sandbox, "/packages")
    files = get(sandbox, f"/packages/{package['id']}/package_files")
    sums = {row["file_name"]: row["file_sha256"] for row in files}
    assert sums == {WHEEL: include["server_wheel_sha256"], LOCK: include["server_lock_sha256"]}


def test_a_second_run_finds_everything_in_place_and_writes_nothing(maintainer: Maintainer) -> None:
    maintainer.sets_up()
    maintainer.sandbox.faults.clear_requests()
    report = maintainer.sets_up()
    assert report.code == 0
    assert report.statuses() == dict.fromkeys(STEPS, "in place")
    assert writes(maintainer.sandbox) == []


def test_after_the_merge_everything_is_in_place(maintainer: Maintainer) -> None:
    maintainer.sets_up()
    merge(maintainer.sandbox)
    assert maintainer.sets_up().statuses() == dict.fromkeys(STEPS, "in place")


def test_an_answer_of_no_changes_nothing(maintainer: Maintainer) -> None:
    before = things_of(maintainer.sandbox)
    report = maintainer.runs(answers="n\n")
    assert report.code == 1
    assert "Nothing was changed." in report.output
    assert things_of(maintainer.sandbox) == before


def test_without_anybody_to_answer_nothing_is_changed(maintainer: Maintainer) -> None:
    before = things_of(maintainer.sandbox)
    assert maintainer.runs().code == 1
    assert maintainer.runs("--json").code == 2
    assert things_of(maintainer.sandbox) == before


HALF_THERE = {
    "the key": lambda sandbox: send(
        sandbox, "POST", "/variables", "maintainer", key="ANTHROPIC_API_KEY", value="somebody-elses-key"
    ),
    "the switch": lambda sandbox: send(sandbox, "PUT", "", "maintainer", ci_push_repository_for_job_token_allowed=True),
    "an access token of theirs": lambda sandbox: send(
        sandbox, "POST", "/variables", "maintainer", key="GITLAB_ACCESS_TOKEN", value="glpat-their-own-token-00"
    ),
    "the include": lambda sandbox: commit(
        sandbox, "main", "", {"action": "update", "file_path": ".gitlab-ci.yml", "content": INCLUDED}
    ),
}
PLACES = dict(zip(HALF_THERE, [STEPS[0], STEPS[1], STEPS[2]], strict=False))
INCLUDED = """\
stages: [test]
include:
  - component: $CI_SERVER_FQDN/tools/gitlab-mcp-server/claude@main
    inputs: {max_turns: 7}
job: {script: [make]}
"""


@pytest.mark.parametrize("name", PLACES)
def test_what_is_there_already_is_left_as_it_is(maintainer: Maintainer, name: str) -> None:
    HALF_THERE[name](maintainer.sandbox)
    values = stored(maintainer.sandbox)
    statuses = maintainer.sets_up().statuses()
    assert statuses == {step: "in place" if step == PLACES[name] else "done" for step in STEPS}
    assert {**stored(maintainer.sandbox), **values} == stored(maintainer.sandbox)


def test_an_include_that_is_there_gets_the_server_and_keeps_its_inputs(maintainer: Maintainer) -> None:
    send(maintainer.sandbox, "DELETE", "/protected_branches/main", "maintainer")
    HALF_THERE["the include"](maintainer.sandbox)
    assert maintainer.sets_up("--push-unprotected").code == 0
    text = file_at(maintainer.sandbox, ".gitlab-ci.yml", SETUP_BRANCH)
    include = read_ci_file(text).include or {}
    assert include["max_turns"] == "7"
    assert include["server_wheel_sha256"]
    assert text.count("include:") == 1
    names = [row["path"] for row in get(maintainer.sandbox, f"/repository/tree?ref={SETUP_BRANCH}")]
    assert "CLAUDE.md" not in names


@pytest.mark.parametrize(
    ("who", "reason"),
    [("developer", "Your role in acme/app is Developer"), ("reporter", "Reporter"), ("read_api", "needs api")],
)
def test_somebody_who_may_not_is_told_so_and_nothing_is_changed(maintainer: Maintainer, who: str, reason: str) -> None:
    before = things_of(maintainer.sandbox)
    maintainer.who = who
    report = maintainer.runs("--yes")
    assert report.code == 1
    assert reason in report.output
    assert things_of(maintainer.sandbox) == before


def test_a_token_of_the_project_is_refused(maintainer: Maintainer) -> None:
    sandbox = maintainer.sandbox
    made = send(sandbox, "POST", "/access_tokens", "maintainer", name="x", scopes=["api"], expires_at="2026-12-01")
    maintainer.environ["GITLAB_ACCESS_TOKEN"] = made["token"]
    report = maintainer.runs("--yes")
    assert report.code == 1
    assert "cannot create access tokens" in report.output


def test_in_a_ci_job_it_is_refused(maintainer: Maintainer) -> None:
    maintainer.environ["CI"] = "true"
    report = maintainer.runs("--yes")
    assert report.code == 2
    assert "on your own machine" in report.output


def test_without_a_key_the_rest_is_done_and_the_key_is_named(maintainer: Maintainer) -> None:
    maintainer.environ.clear()
    report = maintainer.sets_up()
    assert report.code == 1
    assert report.statuses() == {step: "blocked" if step == STEPS[0] else "done" for step in STEPS}
    assert "Export ANTHROPIC_API_KEY" in report.of(STEPS[0])[1]


@pytest.mark.parametrize("key", ["short", "has a blank in it", "größer-als-acht"], ids=["short", "blank", "not ASCII"])
def test_a_key_that_gitlab_could_not_mask_is_refused(maintainer: Maintainer, key: str) -> None:
    maintainer.environ["ANTHROPIC_API_KEY"] = key
    report = maintainer.sets_up()
    assert report.of(STEPS[0])[0] == "failed"
    assert "cannot mask it" in report.of(STEPS[0])[1]
    assert "ANTHROPIC_API_KEY" not in stored(maintainer.sandbox)


def test_an_unprotected_default_branch_needs_a_yes_of_its_own(maintainer: Maintainer) -> None:
    send(maintainer.sandbox, "DELETE", "/protected_branches/main", "maintainer")
    report = maintainer.sets_up()
    assert report.of("push-switch")[0] == "left out"
    assert get(maintainer.sandbox, "")["ci_push_repository_for_job_token_allowed"] is False
    assert any("not protected" in note for note in report.data["notes"])
    assert "main is not protected" in maintainer.runs(answers="y\nn\n").output
    assert maintainer.runs(answers="y\ny\n").code == 0
    assert get(maintainer.sandbox, "")["ci_push_repository_for_job_token_allowed"] is True


def test_protected_secrets_are_made_so_and_their_reach_is_told(maintainer: Maintainer) -> None:
    report = maintainer.sets_up("--protected", "--variable", "NPM_PASSWORD")
    assert report.of("variable NPM_PASSWORD")[0] == "blocked"
    [key] = [row for row in report.data["steps"] if row["step"] == STEPS[0]]
    assert 'not where the listener has ref = "source"' in key["purpose"]
    maintainer.environ["NPM_PASSWORD"] = "a-password-of-npm"
    report = maintainer.sets_up("--protected", "--variable", "NPM_PASSWORD")
    assert report.of("variable NPM_PASSWORD")[0] == "done"
    assert [row["protected"] for row in get(maintainer.sandbox, "/variables")] == [True, True, True]


def test_a_project_without_a_runner_is_told_so_first(maintainer: Maintainer) -> None:
    maintainer.sandbox.world.runner_status = ""
    assert "No runner of this project is online" in maintainer.plans().data["notes"][0]
