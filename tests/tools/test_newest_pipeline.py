"""Which pipeline is the latest of a branch or a merge request, and whether it is that of the newest commit."""

from typing import Any
from urllib.parse import quote

import pytest

from gitlab_mcp.sandbox import Sandbox
from gitlab_mcp.sandbox.state.model import Pipeline
from tests.support.agent import connect
from tests.support.gitlab_requests import commit, get
from tests.support.seed import SEED
from tests.support.settings import job_settings, settings_for

BRANCH = "feature/verbose-flag"
BACKENDS = {"access token": settings_for, "job token": job_settings}


def head(sandbox: Sandbox) -> str:
    return str(get(sandbox, f"/repository/branches/{quote(BRANCH, safe='')}")["commit"]["id"])


def of_merge_request(sandbox: Sandbox, ref: str, sha: str) -> Pipeline:
    """A pipeline of the merge request !1 that went well."""
    world, project = sandbox.world, sandbox.world.projects[sandbox.project_id]
    number, now = world.next_id("pipeline"), world.now()
    user = next(iter(project.pipelines.values())).user
    made = Pipeline(number, number, project, ref, sha, user, now, "success", "merge_request_event", [], now)
    project.pipelines[number] = made
    return made


def move_on(sandbox: Sandbox) -> str:
    """A commit on the branch for which no pipeline runs."""
    pipelines = sandbox.world.projects[sandbox.project_id].pipelines
    before = set(pipelines)
    commit(sandbox, BRANCH, "", {"action": "create", "file_path": "more.txt", "content": "x"})
    for number in set(pipelines) - before:
        del pipelines[number]
    return head(sandbox)


@pytest.mark.parametrize("backend", BACKENDS)
async def test_the_latest_of_a_branch_may_be_that_of_its_merge_requests_newest_commit(
    fresh_sandbox: Sandbox, backend: str
) -> None:
    fresh_sandbox.fail_pipeline(BRANCH)
    newest = move_on(fresh_sandbox)
    made = of_merge_request(fresh_sandbox, "refs/merge-requests/1/head", newest)
    async with connect(BACKENDS[backend](fresh_sandbox)) as agent:
        for named in ({"ref": BRANCH}, {"iid": SEED.merge_request.reference}):
            answer = await agent.call("get_pipeline", **named)
            assert answer.startswith(f"# Pipeline {made.id} of refs/merge-requests/1/head (success)")
            assert "older commit" not in answer


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("named", [{"ref": BRANCH}, {"iid": SEED.merge_request.reference}])
async def test_the_pipeline_of_an_older_commit_is_called_that(
    fresh_sandbox: Sandbox, named: dict[str, Any], backend: str
) -> None:
    failed = fresh_sandbox.fail_pipeline(BRANCH)
    newest = move_on(fresh_sandbox)
    told = f"of an older commit: no pipeline ran for {newest[:8]}, the newest"
    async with connect(BACKENDS[backend](fresh_sandbox)) as agent:
        answer = await agent.call("get_pipeline", **named)
        assert answer.startswith(f"# Pipeline {failed.id} of {BRANCH} (failed)")
        assert f"It is {told}." in answer.splitlines()
        assert "older" not in await agent.call("get_pipeline", pipeline_id=failed.id)
        shown = f"pipeline: failed (id {failed.id}, of an older commit)"
        assert shown in await agent.call("get_merge_request", iid=SEED.merge_request.iid)
        if backend == "access token":
            assert f" · its pipeline is {told} · " in await agent.call("get_job_log", **named)
            report = await agent.call("get_test_report", **named)
            assert report.startswith(f"# Tests of pipeline {failed.id}, {told}: 4 cases")
            for job in failed.jobs:
                job.state = "success"
            refused = await agent.refused("get_job_log", **named)
            assert f"of an older commit than {newest[:8]}, failed" in refused


async def test_a_merged_results_pipeline_has_its_own_commit_and_is_not_called_older(
    fresh_sandbox: Sandbox,
) -> None:
    fresh_sandbox.fail_pipeline(BRANCH)
    move_on(fresh_sandbox)
    made = of_merge_request(fresh_sandbox, "refs/merge-requests/1/merge", "c" * 40)
    shown = get(fresh_sandbox, SEED.merge_request.path)
    shown["head_pipeline"] = get(fresh_sandbox, f"/pipelines/{made.id}")
    fresh_sandbox.faults.fail("GET", f"{SEED.merge_request.path}$", 200, shown, times=2)
    async with connect(settings_for(fresh_sandbox)) as agent:
        for named in ({"ref": BRANCH}, {"iid": SEED.merge_request.reference}):
            answer = await agent.call("get_pipeline", **named)
            assert answer.startswith(f"# Pipeline {made.id} of refs/merge-requests/1/merge (success)")
            assert "older commit" not in answer


async def test_a_forks_merge_request_with_the_same_branch_name_is_not_the_branchs(
    fresh_sandbox: Sandbox,
) -> None:
    failed = fresh_sandbox.fail_pipeline(BRANCH)
    newest = move_on(fresh_sandbox)
    of_merge_request(fresh_sandbox, "refs/merge-requests/1/head", newest)
    rows = get(fresh_sandbox, "/merge_requests?state=opened")
    forked = [{**row, "source_project_id": 99} for row in rows if row["iid"] == 1]
    fresh_sandbox.faults.fail("GET", "/merge_requests$", 200, forked)
    async with connect(settings_for(fresh_sandbox)) as agent:
        assert (await agent.call("get_pipeline", ref=BRANCH)).startswith(f"# Pipeline {failed.id} of {BRANCH} (failed)")
