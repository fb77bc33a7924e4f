"""Pipelines that GitLab creates for pushes and merge requests, but not for the push of a job."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gitlab_mcp.sandbox import Sandbox
from tests.sandbox.conftest import Api, clone_url, git
from tests.support.seed import SEED

PIPELINES = "/projects/:p/pipelines"
FILE = ".gitlab-ci.yml"
FOR_MERGE_REQUESTS = "test:\n  rules:\n    - if: $CI_PIPELINE_SOURCE == 'merge_request_event'\n  script: pytest\n"


def new_pipelines(api: Api, sandbox: Sandbox) -> list[dict[str, Any]]:
    """The pipelines that are not in the seed data, oldest first."""
    found: list[dict[str, Any]] = api.get(PIPELINES, sort="asc")
    assert found[0]["id"] == sandbox.job.pipeline.id
    return found[1:]


def cloned(sandbox: Sandbox, where: Path, who: str) -> Path:
    address = clone_url(sandbox, who)
    if who == "job":
        address = address.replace("anyone:", "gitlab-ci-token:")
    git(where, "clone", "--quiet", address, who)
    return where / who


def commit(work: Path, text: str = "", name: str = FILE) -> str:
    """Commit a file, or nothing, and return the sha."""
    if text:
        (work / name).write_text(text, encoding="utf-8")
        git(work, "add", name)
    git(work, "commit", "--quiet", "--allow-empty", "-m", "A change")
    return git(work, "rev-parse", "HEAD").stdout.strip()


@pytest.fixture
def work(sandbox: Sandbox, tmp_path: Path) -> Path:
    return cloned(sandbox, tmp_path, "developer")


@pytest.fixture
def job_work(sandbox: Sandbox, maintainer: Api, tmp_path: Path) -> Path:
    maintainer.put("/projects/:p", ci_push_repository_for_job_token_allowed=True)
    return cloned(sandbox, tmp_path, "job")


def test_a_push_creates_a_pipeline_for_each_branch(sandbox: Sandbox, work: Path, developer: Api) -> None:
    sha = commit(work)
    git(work, "push", "--quiet", "origin", "HEAD:refs/heads/one", "HEAD:refs/heads/two")
    one, two = new_pipelines(developer, sandbox)
    assert [(each["ref"], each["sha"], each["source"], each["status"]) for each in (one, two)] == [
        ("one", sha, "push", "created"),
        ("two", sha, "push", "created"),
    ]
    whole = developer.get(f"{PIPELINES}/{one['id']}")
    assert (whole["user"]["username"], whole["started_at"], whole["iid"]) == ("developer", None, 2)
    assert developer.get(f"{PIPELINES}/{one['id']}/jobs") == []


def test_deletions_and_refs_without_configuration_create_no_pipeline(
    sandbox: Sandbox, work: Path, developer: Api
) -> None:
    git(work, "rm", "--quiet", FILE)
    commit(work)
    git(work, "push", "--quiet", "origin", "HEAD:refs/heads/one", "HEAD:refs/tags/t1", ":stale/no-commits")
    assert new_pipelines(developer, sandbox) == []


def test_a_tag_that_is_pushed_or_created_over_rest_creates_a_pipeline(
    sandbox: Sandbox, work: Path, developer: Api
) -> None:
    git(work, "tag", "-a", "-m", "Nine", "v9")
    git(work, "push", "--quiet", "origin", "v9")
    developer.post("/projects/:p/repository/tags", tag_name="v10", ref="main")
    sha = git(work, "rev-parse", "HEAD").stdout.strip()
    assert [(each["ref"], each["sha"]) for each in new_pipelines(developer, sandbox)] == [("v9", sha), ("v10", sha)]
    assert [developer.get(f"{PIPELINES}/{each['id']}")["tag"] for each in new_pipelines(developer, sandbox)] == [
        True,
        True,
    ]
    assert [each["ref"] for each in developer.get(PIPELINES, scope="tags")] == ["v10", "v9"]


@pytest.mark.parametrize("ref", ["refs/heads/one", "refs/tags/one"])
def test_a_push_with_ci_skip_creates_a_skipped_pipeline(sandbox: Sandbox, work: Path, developer: Api, ref: str) -> None:
    commit(work)
    git(work, "push", "--quiet", "-o", "ci.skip", "origin", f"HEAD:{ref}")
    assert [each["status"] for each in new_pipelines(developer, sandbox)] == ["skipped"]


@pytest.mark.parametrize(
    ("mark", "status"),
    [
        ("[skip ci]", "skipped"),
        ("[ci skip]", "skipped"),
        ("[CI-SKIP]", "skipped"),
        ("[skip_ci]", "skipped"),
        ("[skip  ci]", "created"),
        ("skip ci", "created"),
    ],
)
def test_a_mark_in_the_commit_message_skips_the_pipeline(
    sandbox: Sandbox, developer: Api, mark: str, status: str
) -> None:
    """Gitlab::Ci::Pipeline::Chain::Skip."""
    action = {"action": "create", "file_path": "new.txt", "content": "x"}
    developer.commit("one", action, start_branch="main", message=f"A change\n\nNo need. {mark}")
    assert [each["status"] for each in new_pipelines(developer, sandbox)] == [status]
    assert developer.post("/projects/:p/pipeline", ref="one")["status"] == "created"  # ignore_skip_ci


def test_a_skipped_pipeline_needs_no_configuration(sandbox: Sandbox, developer: Api) -> None:
    """In Ci::CreatePipelineService::SEQUENCE the step Skip comes before Config::Content."""
    developer.commit("one", {"action": "delete", "file_path": FILE}, start_branch="main", message="Go [skip ci]")
    assert [each["status"] for each in new_pipelines(developer, sandbox)] == ["skipped"]


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("test:\n\tscript: x\n", "(<unknown>): found character that cannot start any token"),
        ("test: {script: x\n", "(<unknown>): did not find expected ',' or '}' while parsing a flow mapping"),
        ("test: {script: [x, y\n", "(<unknown>): did not find expected ',' or ']' while parsing a flow sequence"),
        ("just words\n", "Invalid configuration format"),
        ("test:\n    stage: test\n", "jobs test config should implement the script:, run:, or trigger: keyword"),
    ],
    ids=["tab", "unclosed mapping", "unclosed list", "not a mapping", "no script"],
)
def test_an_invalid_configuration_gives_a_failed_pipeline(
    sandbox: Sandbox, developer: Api, text: str, error: str
) -> None:
    """Gitlab::Ci::Pipeline::Chain::Config::Process, for pipelines that nobody requested."""
    action = {"action": "update", "file_path": FILE, "content": text}
    developer.commit("one", action, start_branch="main")
    (made,) = new_pipelines(developer, sandbox)
    whole = developer.get(f"{PIPELINES}/{made['id']}")
    assert whole["yaml_errors"].startswith(error)
    assert (whole["status"], whole["started_at"], whole["detailed_status"]["text"]) == ("failed", None, "Failed")
    assert developer.get(f"{PIPELINES}/{made['id']}/jobs") == []


@pytest.mark.parametrize(
    "text",
    [
        "include: [{local: /ci/test.yml}]\n",
        ".base: &base\n    script: pytest\ntest:\n    <<: *base\n    stage: test\n",
        "stages: [check]\n.base:\n  stage: check\n  script: x\ntest:\n  extends: .base\n",
        "test:\n    script:\n        - 'echo \"a: [b\"'\n",
        ".base: {stage: none}\ntest: {script: x, stage: !reference [.base, stage]}\nmore: !reference [.base]\n",
    ],
    ids=["include", "anchor", "extends", "four spaces", "reference"],
)
def test_what_a_configuration_inherits_is_no_error(sandbox: Sandbox, developer: Api, text: str) -> None:
    developer.commit("one", {"action": "update", "file_path": FILE, "content": text}, start_branch="main")
    assert [each["status"] for each in new_pipelines(developer, sandbox)] == ["created"]


def test_commits_and_branches_created_over_rest_create_pipelines(sandbox: Sandbox, developer: Api) -> None:
    developer.post("/projects/:p/repository/branches", branch="one", ref="main")
    made = developer.commit("one", {"action": "create", "file_path": "new.txt", "content": "x"})
    first, second = new_pipelines(developer, sandbox)
    assert (first["ref"], second["ref"], second["sha"]) == ("one", "one", made["id"])
    assert {each["source"] for each in (first, second)} == {"push"}


def test_the_push_of_a_job_creates_no_pipeline(sandbox: Sandbox, job_work: Path, developer: Api) -> None:
    commit(job_work)
    git(job_work, "push", "--quiet", "origin", "HEAD:refs/heads/one")
    assert new_pipelines(developer, sandbox) == []


def test_a_merge_request_gets_a_pipeline_if_the_configuration_mentions_it(
    sandbox: Sandbox, work: Path, developer: Api
) -> None:
    sha = commit(work, FOR_MERGE_REQUESTS)
    git(work, "push", "--quiet", "origin", "HEAD:refs/heads/one", "HEAD~1:refs/heads/two")
    before = len(new_pipelines(developer, sandbox))
    for branch in ("one", "two"):
        developer.post("/projects/:p/merge_requests", title=branch, source_branch=branch, target_branch="main")
    (pipeline,) = new_pipelines(developer, sandbox)[before:]
    assert (pipeline["source"], pipeline["sha"], pipeline["status"]) == ("merge_request_event", sha, "created")
    assert pipeline["ref"] == "refs/merge-requests/2/head"
    shown = developer.get(f"/projects/:p{SEED.next_merge_request.path}/pipelines")
    assert [each["source"] for each in shown] == ["merge_request_event", "push"]


def test_a_job_that_creates_a_merge_request_creates_only_its_pipeline(
    sandbox: Sandbox, job_work: Path, developer: Api
) -> None:
    sha = commit(job_work, FOR_MERGE_REQUESTS)
    git(job_work, "push", "--quiet", "-o", "merge_request.create", "origin", "HEAD:refs/heads/one")
    (pipeline,) = new_pipelines(developer, sandbox)
    assert (pipeline["source"], pipeline["sha"]) == ("merge_request_event", sha)
    assert developer.get(f"{PIPELINES}/{pipeline['id']}")["user"]["username"] == "developer"
    commit(job_work, "x\n", "new.txt")
    git(job_work, "push", "--quiet", "-o", "merge_request.title=x", "origin", "HEAD:refs/heads/one")
    assert len(new_pipelines(developer, sandbox)) == 1
