"""Links and short references that people paste: the tool that means them takes them, the others name that tool."""

import base64
import json
from typing import Any

import pytest

from gitlab_mcp.config.settings import Settings
from gitlab_mcp.sandbox import Sandbox
from tests.support.agent import connect
from tests.support.gitlab_requests import commit
from tests.support.seed import SEED
from tests.support.settings import EVERY_TOOLSET, settings_for

SHA1 = "da39a3ee5e6b4b0d3255bfef95601890afd80709"


def shown(iid: int, full_path: str = "acme/app") -> str:
    """The parameter `show` of a page that shows a work item at its side."""
    return base64.b64encode(json.dumps({"iid": str(iid), "full_path": full_path, "id": 1}).encode()).decode()


ISSUES = {
    "issue": "/acme/app/-/issues/7",
    "work item": "/acme/app/-/work_items/7",
    "incident": "/acme/app/-/issues/incident/7",
    "incident's tab": "/acme/app/-/issues/incident/7/timeline",
    "incidents": "/acme/app/-/incidents/7",
    "designs": "/acme/app/-/issues/7/designs/a.png?version=1",
    "note": "/acme/app/-/issues/7#note_149",
    "query": "/acme/app/-/issues/7?sort=created_date",
    "old address": "/acme/app/issues/7",
    "old address with a note": "/acme/app/issues/7#note_149",
    "at the side of the list": f"/acme/app/-/issues?show={shown(7)}",
    "at the side of a board": f"/acme/app/-/boards/3?show={shown(7)}",
    "at the side of a group's list": f"/groups/acme/-/issues?show={shown(7)}",
    "at the side of a group's list, unpadded": f"/groups/acme/-/work_items?show={shown(7).rstrip('=')}",
    "at the side of the dashboard": f"/dashboard/issues?show={shown(7)}",
    "JSON": "/acme/app/-/issues/7.json",
}
MERGE_REQUESTS = {
    "merge request": "/acme/app/-/merge_requests/1",
    "diffs": "/acme/app/-/merge_requests/1/diffs",
    "a line": f"/acme/app/-/merge_requests/1/diffs#{SHA1}_10_12",
    "a range of lines": f"/acme/app/-/merge_requests/1/diffs?diff_id=3#{SHA1}_10_12-{SHA1}_10_14",
    "a commit": "/acme/app/-/merge_requests/1/diffs?commit_id=abc1234",
    "a note on a diff": "/acme/app/-/merge_requests/1/diffs#note_153",
    "diff": "/acme/app/-/merge_requests/1.diff",
    "patch": "/acme/app/-/merge_requests/1.patch",
    "commits": "/acme/app/-/merge_requests/1/commits",
    "pipelines": "/acme/app/-/merge_requests/1/pipelines",
    "reports": "/acme/app/-/merge_requests/1/reports/code-quality",
    "old address": "/acme/app/merge_requests/1/diffs",
}


def everything(sandbox: Sandbox, **more: Any) -> Settings:
    """A run that lists every tool, in another project than the links."""
    return settings_for(sandbox, project="acme/empty", toolsets=EVERY_TOOLSET, allow_opt_in_tools=True, **more)


@pytest.mark.parametrize("path", ISSUES.values(), ids=list(ISSUES))
async def test_every_address_of_an_issue_names_it(sandbox: Sandbox, path: str) -> None:
    async with connect(everything(sandbox)) as agent:
        assert (await agent.call("get_issue", iid=f"{sandbox.url}{path}")).startswith("# #7 ")


@pytest.mark.parametrize("path", MERGE_REQUESTS.values(), ids=list(MERGE_REQUESTS))
async def test_every_address_of_a_merge_request_names_it(sandbox: Sandbox, path: str) -> None:
    async with connect(everything(sandbox)) as agent:
        assert (await agent.call("get_merge_request", iid=f"{sandbox.url}{path}")).startswith("# !1 ")


@pytest.mark.parametrize(
    ("tool", "reference", "heading"),
    [
        ("get_issue", "acme/app#7", "# #7 "),
        ("get_issue", " acme/app#7+ ", "# #7 "),
        ("get_merge_request", "acme/app!1", "# !1 "),
        ("get_merge_request", "acme/app!1+s", "# !1 "),
        ("list_discussions", "acme/app!1", "# !1: 3 threads"),
    ],
)
async def test_a_short_reference_names_its_project(sandbox: Sandbox, tool: str, reference: str, heading: str) -> None:
    async with connect(everything(sandbox)) as agent:
        assert heading in await agent.call(tool, iid=reference)
        assert 'project "acme/app"' in await agent.refused(tool, iid=reference, project="acme/archive")


@pytest.mark.parametrize(
    ("tool", "arguments", "path", "expected"),
    [
        ("get_job_log", "job_id", f"/-/jobs/{SEED.ended_job}", f"# Log of job {SEED.ended_job} "),
        ("get_job_log", "job_id", f"/-/jobs/{SEED.ended_job}#L3", f"# Log of job {SEED.ended_job} "),
        ("get_job_log", "job_id", f"/-/jobs/{SEED.ended_job}/raw", f"# Log of job {SEED.ended_job} "),
        ("get_job_log", "job_id", f"/builds/{SEED.ended_job}", f"# Log of job {SEED.ended_job} "),
        ("get_pipeline", "pipeline_id", f"/-/pipelines/{SEED.pipeline}", f"# Pipeline {SEED.pipeline} "),
        ("get_pipeline", "pipeline_id", f"/-/pipelines/{SEED.pipeline}/test_report", f"# Pipeline {SEED.pipeline} "),
        ("get_pipeline", "pipeline_id", f"/pipelines/{SEED.pipeline}/builds", f"# Pipeline {SEED.pipeline} "),
        ("get_file", "path", "/-/blob/main/src/app/cli.py", "src/app/cli.py"),
        ("get_file", "path", "/-/blob/main/src/app/cli.py#L2-3", "lines 2-3 of 16"),
        ("get_file", "path", "/-/blob/main/src/app/cli.py?ref_type=heads#L2", "lines 2-2 of 16"),
        ("get_file", "path", "/-/raw/main/README.md?inline=false", "README.md"),
        ("get_file", "path", "/-/blame/main/README.md", "README.md"),
        ("get_file", "path", "/blob/main/README.md", "README.md"),
        ("get_file", "path", "/-/blob/feature/verbose-flag/docs/usage.md#L6", "feature/verbose-flag"),
        ("list_files", "path", "/-/tree/feature/verbose-flag/src", "# Files in src at feature/verbose-flag"),
        ("list_files", "path", "/-/tree/main", "# Files in the root at main"),
        ("list_commits", "path", "/-/commits/main/docs/usage.md", "# Commits of main that changed docs/usage.md"),
        ("list_commits", "ref", "/-/tree/feature/verbose-flag", "# Commits of feature/verbose-flag"),
        ("compare_refs", "base", "/-/compare/main...feature/verbose-flag", "# main...feature/verbose-flag"),
        ("get_commit", "ref", "/-/commits/main", "# Commit "),
        ("get_wiki_page", "slug", "/-/wikis/home", "home"),
        ("list_branches", "project", "/-/branches", "# Branches"),
    ],
)  # fmt: skip
async def test_a_link_is_taken_by_the_tool_that_means_it(
    sandbox: Sandbox, tool: str, arguments: str, path: str, expected: str
) -> None:
    needed = {"head": None} if tool == "compare_refs" else {}
    async with connect(everything(sandbox)) as agent:
        answer = await agent.call(tool, **{arguments: f"{sandbox.url}/acme/app{path}"}, **needed)
    assert expected in answer.split("\n## ")[0]


async def test_the_link_of_a_commit_names_it(sandbox: Sandbox) -> None:
    sha = commit(sandbox, "linked", "main", {"action": "create", "file_path": "l.txt", "content": "x"})["id"]
    async with connect(everything(sandbox)) as agent:
        for tail in ("", ".diff", "#note_5", f"?view=parallel#{SHA1}_0_1"):
            answer = await agent.call("get_commit", ref=f"{sandbox.url}/acme/app/-/commit/{sha}{tail}")
            assert sha[:8] in answer


@pytest.mark.parametrize(
    ("tool", "parameter", "path", "takes"),
    [
        ("get_issue", "iid", f"/acme/app/-/jobs/{SEED.ended_job}", "URL of a job: get_job_log takes it as job_id"),
        ("get_issue", "iid", "/acme/app/-/pipelines/501", "URL of a pipeline: get_pipeline takes it as pipeline_id"),
        ("get_issue", "iid", "/acme/app/-/blob/main/a.py#L10-12", "URL of a file: get_file takes it as path"),
        ("get_merge_request", "iid", "/acme/app/-/tree/main", "URL of a folder: list_files takes it as path"),
        ("get_job_log", "job_id", "/acme/app/-/merge_requests/1", "get_merge_request takes it as iid"),
        ("get_pipeline", "pipeline_id", "/acme/app/-/jobs/602", "get_job_log takes it as job_id"),
        ("get_file", "path", "/acme/app/-/issues/7", "URL of an issue: get_issue takes it as iid"),
        ("list_commits", "ref", "/acme/app/-/blob/main/a.py", "get_file takes it as path"),
        ("get_issue", "iid", "/groups/acme/-/work_items/5", "a page of a group"),
        ("get_issue", "iid", "/groups/acme/-/epics/5", "a page of a group"),
        ("get_issue", "iid", f"/groups/acme/-/issues?show={shown(5, 'acme')}", "a page of a group"),
        ("list_discussions", "iid", "/groups/acme/-/work_items/5#note_4", "a page of a group"),
    ],
)
async def test_a_link_of_another_kind_names_the_tool_that_takes_it(
    sandbox: Sandbox, tool: str, parameter: str, path: str, takes: str
) -> None:
    async with connect(everything(sandbox)) as agent:
        assert takes in await agent.refused(tool, **{parameter: f"{sandbox.url}{path}"})


async def test_a_link_of_another_project_or_gitlab_is_refused(sandbox: Sandbox) -> None:
    link = f"{sandbox.url}/acme/app/-/jobs/{SEED.ended_job}"
    async with connect(everything(sandbox)) as agent:
        for project in ("acme/app", "1", f"{sandbox.url}/acme/app"):
            assert f"job {SEED.ended_job}" in await agent.call("get_job_log", job_id=link, project=project)
        assert "another project than" in await agent.refused("get_job_log", job_id=link, project="acme/empty")
        other = "https://gitlab.com/acme/app/-/blob/main/README.md"
        assert "the only GitLab" in await agent.refused("get_file", path=other)
        gone = f"{sandbox.url}/acme/app/-/blob/no/such/branch/a.py"
        assert "begins with no branch" in await agent.refused("get_file", path=gone)
