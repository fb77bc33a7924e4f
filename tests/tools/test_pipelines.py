"""Reading pipelines and test reports, called as an agent calls it."""

from dataclasses import replace
from typing import Any
from urllib.parse import quote

import pytest

from gitlab_mcp.config.job_context import JobContext
from gitlab_mcp.config.settings import Settings
from gitlab_mcp.sandbox import Sandbox
from gitlab_mcp.sandbox.state.model import Job, Pipeline
from tests.support.agent import connect
from tests.support.gitlab_requests import get
from tests.support.seed import SEED
from tests.support.settings import job_settings, settings_for

BRANCH = "feature/verbose-flag"


@pytest.fixture(scope="module")
def failed(sandbox: Sandbox) -> Pipeline:
    return sandbox.fail_pipeline(BRANCH)


def about(sandbox: Sandbox, **job: Any) -> Settings:
    """The settings of a run that is about something."""
    return replace(settings_for(sandbox), job=JobContext(**job))


async def test_a_pipeline_says_what_failed_and_why_then_its_other_jobs_by_stage(
    sandbox: Sandbox, failed: Pipeline
) -> None:
    compiled, tried, lint, types, release, unit = (job.id for job in failed.jobs)
    async with connect(settings_for(sandbox)) as agent:
        answer = await agent.call("get_pipeline", pipeline_id=failed.id)
    assert answer.splitlines() == [
        f"# Pipeline {failed.id} of {BRANCH} (failed)",
        f"push by @developer 2026-11-23 · commit {failed.sha[:8]} · 6 min 0 s · jobs: 2 failed, 1 skipped, 2 success",
        f"{sandbox.url}/acme/app/-/pipelines/{failed.id}",
        "## Failed",
        f"{unit} unit (test) · script failure · 2 min 0 s",
        f"{lint} lint (test) · script failure · allowed to fail · 2 min 0 s",
        "## Other jobs",
        f"build: success {compiled} compile",
        f"test: success {types} types",
        f"deploy: skipped {release} release",
        f'next: get_job_log {{"job_id": {unit}}} or get_test_report {{"pipeline_id": {failed.id}}}',
    ]
    assert str(tried) not in answer  # it was tried again


async def test_the_latest_pipeline_is_of_the_branch_merge_request_or_default_branch(
    sandbox: Sandbox, failed: Pipeline
) -> None:
    whole = f"# Pipeline {failed.id} of {BRANCH}"
    async with connect(settings_for(sandbox)) as agent:
        assert (await agent.call("get_pipeline", ref=BRANCH)).startswith(whole)
        assert (await agent.call("get_pipeline", iid=SEED.merge_request.reference)).startswith(whole)
        assert (await agent.call("get_pipeline")).startswith(f"# Pipeline {sandbox.job.pipeline.id} of main (running)")
        told = await agent.refused("get_pipeline", ref="stale/no-commits")
        assert "stale/no-commits has no pipeline" in told


@pytest.mark.parametrize("tool", ["get_pipeline", "get_test_report"])
@pytest.mark.parametrize(
    "both",
    [
        {"ref": "main", "iid": SEED.merge_request.reference},
        {"pipeline_id": SEED.pipeline, "ref": "main"},
        {"pipeline_id": SEED.pipeline, "iid": SEED.merge_request.iid},
    ],
    ids=" and ".join,
)
async def test_a_pipeline_is_named_in_one_way_only(sandbox: Sandbox, tool: str, both: dict[str, Any]) -> None:
    async with connect(settings_for(sandbox)) as agent:
        assert "exclude each other" in await agent.refused(tool, **both)


async def test_the_latest_of_a_branch_that_moved_on_says_so(fresh_sandbox: Sandbox) -> None:
    failed = fresh_sandbox.fail_pipeline(BRANCH)
    failed.sha = get(fresh_sandbox, "/repository/commits/main")["id"]
    newest = get(fresh_sandbox, f"/repository/branches/{quote(BRANCH, safe='')}")["commit"]["id"]
    told = f"It is of an older commit: no pipeline ran for {newest[:8]}, the newest."
    async with connect(settings_for(fresh_sandbox)) as agent:
        assert told in (await agent.call("get_pipeline", ref=BRANCH)).splitlines()
        assert told not in await agent.call("get_pipeline", pipeline_id=failed.id)
    async with connect(job_settings(fresh_sandbox)) as agent:
        assert told in await agent.call("get_pipeline", ref=BRANCH)


async def test_a_log_and_a_report_are_found_by_branch_or_merge_request(sandbox: Sandbox, failed: Pipeline) -> None:
    async with connect(settings_for(sandbox)) as agent:
        for named in ({"ref": BRANCH}, {"iid": SEED.merge_request.reference}):
            assert f"# Log of job {failed.jobs[-1].id} " in await agent.call("get_job_log", **named)
            assert f"pipeline {failed.id}" in await agent.call("get_test_report", **named)


@pytest.mark.parametrize(
    ("job", "found"),
    [
        ({"noun": "merge request", "iid": 1}, BRANCH),
        ({"noun": "issue", "iid": 7, "branch": BRANCH}, BRANCH),
        ({"noun": "issue", "iid": 7}, "main"),
    ],
)
async def test_without_arguments_it_is_the_latest_of_what_the_run_is_about(
    sandbox: Sandbox, failed: Pipeline, job: dict[str, Any], found: str
) -> None:
    assert failed.ref == BRANCH
    async with connect(about(sandbox, **job)) as agent:
        assert f" of {found} (" in await agent.call("get_pipeline")


async def test_the_pipeline_that_the_run_is_in_is_called_that(sandbox: Sandbox) -> None:
    own = sandbox.job.pipeline.id
    async with connect(about(sandbox, pipeline=str(own))) as agent:
        assert "this run is part of it" in await agent.call("get_pipeline", pipeline_id=own)


async def test_a_branch_whose_pipelines_are_those_of_its_merge_request_is_found(fresh_sandbox: Sandbox) -> None:
    made = fresh_sandbox.fail_pipeline(BRANCH)
    made.ref = "refs/merge-requests/1/head"
    async with connect(settings_for(fresh_sandbox)) as agent:
        answer = await agent.call("get_pipeline", ref=BRANCH)
    assert answer.startswith(f"# Pipeline {made.id} of refs/merge-requests/1/head")


async def test_a_job_token_reads_pipelines_and_is_told_what_logs_need(sandbox: Sandbox, failed: Pipeline) -> None:
    async with connect(job_settings(sandbox)) as agent:
        assert "allowed to fail" in await agent.call("get_pipeline", pipeline_id=failed.id)
        assert "allowed to fail" in await agent.call("get_pipeline", iid=SEED.merge_request.iid)
        assert "next:" not in await agent.call("get_pipeline", pipeline_id=failed.id)
        for tool in ("get_job_log", "get_test_report"):
            assert f"{tool} needs GITLAB_ACCESS_TOKEN" in await agent.refused(tool)


async def test_a_thousand_jobs_are_counted_and_the_rest_is_named_when_asked_for(fresh_sandbox: Sandbox) -> None:
    failed = fresh_sandbox.fail_pipeline(BRANCH)
    world = fresh_sandbox.world
    start = failed.created_at
    for number in range(1_000):
        failed.jobs.append(Job(world.next_id("job"), f"shard {number}/1000", "test", failed, start, start))
    async with connect(settings_for(fresh_sandbox)) as agent:
        concise = await agent.call("get_pipeline", pipeline_id=failed.id)
        full = await agent.call("get_pipeline", pipeline_id=failed.id, detail="full")
    assert len(concise.encode()) < 2_000
    assert 'and 981 more (detail: "full")' in concise
    assert len(full.encode()) <= 40_000
    assert all(f"shard {number}/1000" in full for number in range(1_000))


async def test_a_pipeline_that_a_downstream_one_failed_says_so_beside_allowed_failures(
    fresh_sandbox: Sandbox,
) -> None:
    failed = fresh_sandbox.fail_pipeline(BRANCH)
    *_, unit = failed.jobs
    unit.state = "success"
    async with connect(settings_for(fresh_sandbox)) as agent:
        allowed = await agent.call("get_pipeline", pipeline_id=failed.id)
        for job in failed.jobs:
            job.state = "success"
        none = await agent.call("get_pipeline", pipeline_id=failed.id)
    said = "a downstream pipeline may have failed; the URL above shows it."
    assert f"All failed jobs are allowed to fail: {said}\nnext: get_job_log" in allowed
    assert none.endswith(f"None of its own jobs failed: {said}")


async def test_all_jobs_that_failed_are_named_when_asked_for(fresh_sandbox: Sandbox) -> None:
    failed = fresh_sandbox.fail_pipeline(BRANCH)
    start = failed.created_at
    made = [Job(fresh_sandbox.world.next_id("job"), f"shard {n}", "test", failed, start, start) for n in range(80)]
    for job in made:
        job.state = "failed"
    failed.jobs += made
    async with connect(settings_for(fresh_sandbox)) as agent:
        concise = await agent.call("get_pipeline", pipeline_id=failed.id)
        full = await agent.call("get_pipeline", pipeline_id=failed.id, detail="full")
    assert 'and 32 more failed (detail: "full")' in concise
    assert all(f"{job.id} {job.name} (test)" in full for job in made)
