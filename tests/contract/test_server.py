"""The server against the REST contract: what it asks for is in it, and what it reads is in it and in the sandbox."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest

from gitlab_mcp.api import client, job_token, response_body
from gitlab_mcp.sandbox import Sandbox
from gitlab_mcp.sandbox.http.routing import all_routes
from gitlab_mcp.tools import TOOLS
from gitlab_mcp.tools.definition import ToolDefinition
from tests.contract.contract import Contract, endpoint
from tests.support.agent import Agent, connect
from tests.support.ci_job import allow_job_pushes, declare_inputs
from tests.support.git_clones import clone
from tests.support.gitlab_requests import commit, get, send
from tests.support.merge_requests import NEW, open_for_review
from tests.support.seed import SEED
from tests.support.settings import EVERY_TOOLSET, checkout, job_settings, settings_for
from tests.support.tool_arguments import example

CONTRACT = Contract()
# There only where CI ran, or only on a comment on a line of a diff.
CONDITIONAL = ("head_pipeline.status", "head_pipeline.id", "position", "position.new_line", "position.old_line")
WRITES_FILES = ("POST", "/projects/{id}/repository/commits")


class Read(dict[str, Any]):
    """An object of an answer that keeps which of its keys were looked at, as a path from the top, and not there."""

    def __init__(self, data: dict[str, Any], top: str, path: str, seen: dict[str, dict[str, bool]]) -> None:
        super().__init__({key: wrap(value, top, f"{path}{key}.", seen) for key, value in data.items()})
        self._keys = seen.setdefault(top, {})
        self._path = path

    def get(self, key: str, default: Any = None) -> Any:
        name = f"{self._path}{key}"
        self._keys[name] = self._keys.get(name, False) or key in self
        return super().get(key, default)


def wrap(value: Any, top: str, path: str, seen: dict[str, dict[str, bool]]) -> Any:
    if isinstance(value, dict):
        return Read(value, top, path, seen)
    return [wrap(item, top, path, seen) for item in value] if isinstance(value, list) else value


async def use_every_tool(sandbox: Sandbox, work: Path) -> None:
    """Call every tool, with every argument at least once."""
    file = {"path": "one.txt", "content": "1\n"}
    every_kind = [
        {"path": "bin", "content": "eA==", "encoding": "base64", "executable": True},
        {"path": "docs/use.md", "action": "move", "previous_path": "docs/usage.md"},
        {"path": "README.md", "action": "update", "content": "x", "last_commit_id": ""},
        {"path": "src/app/legacy.py", "action": "delete"},
        {"path": "scripts/release.sh", "action": "chmod", "executable": False},
    ]
    (work / "README.md").write_text("edited\n")
    async with connect(settings_for(sandbox, toolsets=EVERY_TOOLSET, working_directory=checkout(work))) as agent:
        by = {"author": "maintainer", "labels": ["bug"], "search": "e"}
        await agent.call("get_job_context")
        await agent.call("list_issues", **by, state="all", assignee="developer", milestone="1.4")
        await agent.call("list_issues", page=1, project="1")
        for iid in (3, 5, 7):
            await agent.call("get_issue", iid=iid, page=1, detail="full")
        await agent.call("create_note", iid=SEED.crash_issue.reference, body="x", internal=True)
        await agent.call("create_note", iid=SEED.crash_issue.reference, body="x", reply_to=str(SEED.crash_notes.first))
        await agent.call("create_note", iid=SEED.merge_request.reference, body="x", attach=["README.md"])
        await agent.picture("get_attachment", url=SEED.screenshot)
        await agent.call("list_branches", search="main")
        await agent.call("create_branch", branch="made", ref="main")
        await agent.call("create_branch", branch="made")
        await agent.call("list_files", path="src", ref="main", recursive=True)
        await agent.call("get_file", path="README.md", ref="main")
        await agent.refused("get_file", path="docs/latest")
        await agent.call("get_file", path="README.md", detail="full", start_line=1, end_line=2)
        await agent.call("list_commits", ref="main", path="src")
        await agent.call("compare_refs", base="main", head="feature/verbose-flag", paths=["src/**"])
        await agent.call("commit_files", branch="made", message="m", actions=every_kind)
        opened = {"title": "T", "description": "Closes #7", "draft": True, "labels": ["bug"], "target_branch": "main"}
        await agent.call("commit_files", branch="n", ref="main", message="m", actions=[file], merge_request=opened)
        await agent.call("commit_files", branch="disk", ref="main", message="m", paths=["**"])
        filters = {"source_branch": "n", "target_branch": "main", "reviewer": "x", "assignee": "y"}
        await agent.call("list_merge_requests", **by, **filters, state="all")
        await agent.call("list_merge_requests")
        await agent.call("get_merge_request", iid=SEED.merge_request.iid, detail="full")
        people = {"assignees": ["developer"], "reviewers": ["maintainer"]}
        switches = {"squash": True, "remove_source_branch": True}
        await agent.call("create_merge_request", source_branch="disk", title="T", **people, **switches)
        texts = {"title": "N", "description": "d", "target_branch": "main", "state": "close", "draft": True}
        labels = {"add_labels": ["a"], "remove_labels": ["b"]}
        await agent.call("update_merge_request", iid=SEED.merge_request.iid, **texts, **labels, **people, **switches)
        await agent.refused("create_note", project="acme/archive", iid=SEED.plan_issue.reference, body="x")
        await use_issues_and_project(agent)
        await use_pipelines(agent, sandbox)
        await review(agent, sandbox)
        await use_by_examples(agent, (tool for tool in TOOLS if tool.name not in agent.called))


async def use_by_examples(agent: Agent, tools: Iterable[ToolDefinition]) -> None:
    """Call tools with the examples of their parameters: with what they need, which must do, and with every argument.

    A tool whose `iid` may be left out in a job needs one here.
    """
    for tool in tools:
        every = example(tool, every=True)
        iid = SEED.merge_request.iid if "merge_request" in tool.name else SEED.crash_issue.iid
        await agent.call(tool.name, **example(tool), **({"iid": iid} if "iid" in every else {}))
        await agent.client.call_tool(tool.name, every)


async def use_issues_and_project(agent: Agent) -> None:
    """Call every tool for issues and what stands beside the code."""
    labels = {"add_labels": ["a"], "remove_labels": ["b"]}
    issue = {"assignees": ["developer"], "milestone": "1.4", "due_date": "2027-01-31", "confidential": True}
    await agent.call("create_issue", title="T", description="d", labels=["bug"], **issue)
    await agent.call("search_code", search="config", ref="main")
    await agent.refused("search_code", search="config", ref="gone")
    await agent.call("get_commit", ref="main")
    await agent.call("list_tags", search="v1")
    await agent.call("delete_branch", branch="made")
    await agent.call("get_project")
    await agent.call("list_labels", search="bug")
    await agent.call("list_milestones", search="1")
    await agent.call("list_milestones", state="all")
    await agent.call("search_members", search="dev")
    await agent.call("list_releases")
    await agent.call("list_wiki_pages")
    await agent.call("get_wiki_page", slug="home")
    await agent.call("list_projects", search="app", mine=False)
    await agent.call("list_my_work")
    await agent.call(
        "update_issue", iid=SEED.legacy_issue.iid, title="N", description="d", state="close", **labels, **issue
    )


async def use_pipelines(agent: Agent, sandbox: Sandbox) -> None:
    """Call every tool for pipelines."""
    failed = sandbox.fail_pipeline("feature/verbose-flag")
    await agent.call("get_pipeline", pipeline_id=failed.id, detail="full")
    await agent.call("get_pipeline", iid=SEED.merge_request.iid)
    await agent.refused("get_pipeline", ref="v1.2.0")
    await agent.call("get_job_log", job_id=failed.jobs[-1].id)
    await agent.refused("get_job_log")
    await use_artifacts(agent, failed.jobs[-1].id)
    await agent.call("get_test_report", pipeline_id=failed.id)
    sandbox.faults.fail("GET", "/test_report$", 200, "<html></html>")
    await agent.call("get_test_report", pipeline_id=failed.id)
    await agent.call("list_pipelines", ref="main", status="running", author="developer")
    await agent.call("lint_ci_config")
    await agent.call("lint_ci_config", ref="main")
    sandbox.world.projects[1].settings["ci_pipeline_variables_minimum_override_role"] = "developer"
    declare_inputs(sandbox, c="number")
    await agent.call("run_pipeline", ref="main", variables={"A": "b"}, inputs={"c": 1})
    await agent.call("retry_job", job_id=failed.jobs[-1].id)
    await agent.call("cancel_pipeline", pipeline_id=failed.id)


async def use_artifacts(agent: Agent, job: int) -> None:
    """Call every tool for the artifacts of a job."""
    await agent.call("list_job_artifacts", job_id=job)
    await agent.call("list_job_artifacts", job_id=job, path="coverage", recursive=True)
    await agent.call("get_job_artifact", job_id=job, path="report.txt")


async def review(agent: Agent, sandbox: Sandbox) -> None:
    """Call every tool for merge requests under review."""
    number = open_for_review(sandbox, "reviewed")
    await agent.call("get_merge_request_diff", iid=number, paths=["**"], page=1)
    comment = {"path": NEW, "line": 5, "start_line": 4, "body": "x", "suggestion": "y"}
    await agent.call("list_discussions", iid=SEED.merge_request.reference, unresolved=True)
    await agent.call("list_discussions", iid=SEED.crash_issue.reference, page=1)
    await agent.call("resolve_discussion", iid=SEED.merge_request.reference, thread=str(SEED.review_notes.stderr))
    await agent.call(
        "update_note", iid=SEED.merge_request.reference, note=str(SEED.review_notes.stderr), body="Changed."
    )
    await agent.call("review_merge_request", iid=number, comments=[{**comment, "body": "draft"}], submit=False)
    for verdict in ("comment", "request_changes", "approve"):
        comment["body"] = verdict
        await agent.call("review_merge_request", iid=number, summary=verdict, comments=[comment], verdict=verdict)
    onto = get(sandbox, f"/merge_requests/{number}")["target_branch"]
    commit(sandbox, onto, "", {"action": "create", "file_path": "moved.txt", "content": "x"})
    await agent.call("rebase_merge_request", iid=number)
    how = {"auto_merge": False, "squash": True, "remove_source_branch": False}
    await agent.call("merge_merge_request", iid=number, sha=get(sandbox, f"/merge_requests/{number}")["sha"], **how)
    number = open_for_review(sandbox, "reviewed-too")
    send(sandbox, "POST", f"/merge_requests/{number}/draft_notes", "maintainer", note="left")
    await agent.call("review_merge_request", iid=number, comments=[{**comment, "body": "one by one"}])


@pytest.fixture
def work(fresh_sandbox: Sandbox, tmp_path: Path) -> Path:
    return clone(fresh_sandbox, "main", tmp_path / "work")


async def test_every_request_uses_a_method_path_and_parameters_of_the_contract(
    fresh_sandbox: Sandbox, work: Path
) -> None:
    fresh_sandbox.faults.clear()
    await use_every_tool(fresh_sandbox, work)
    asked = [each for each in fresh_sandbox.faults.requests() if each["path"].startswith("/api/")]
    assert len(asked) > 50
    wrong = []
    for each in asked:
        entry = endpoint(each["method"], each["path"])
        given = set(each["query"] if isinstance(each["query"], dict) else parse_qs(each["query"]))
        wrong += [f"{entry['path']}?{name}" for name in given - set(entry.get("query") or {}) - {"page", "per_page"}]
        if (entry["method"], entry["path"]) == WRITES_FILES:
            continue  # the contract knows only its multipart form; the sandbox holds the JSON form to GitLab's rules
        body = each["body"] if isinstance(each["body"], dict) else {}
        wrong += [f"{entry['path']}: {name}" for name in set(body) - set(entry.get("body") or {})]
    assert sorted(set(wrong)) == []


async def test_all_that_is_read_is_in_the_contract_and_in_what_the_sandbox_answers(
    fresh_sandbox: Sandbox, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: dict[str, dict[str, bool]] = {}
    parse = response_body.parsed

    def parsed(response: Any, method: str, path: str) -> object:
        entry = endpoint(method.upper(), f"/api/v4{path}")
        return wrap(parse(response, method, path), f"{entry['method']} {entry['path']}", "", seen)

    monkeypatch.setattr(client, "parsed", parsed)
    await use_every_tool(fresh_sandbox, work)
    assert len(seen) > 15
    unknown, absent = [], []
    for top, keys in seen.items():
        method, path = top.split(" ")
        expected = CONTRACT.find(method, path)
        assert expected, top
        for key, found in keys.items():
            if not in_contract(expected.entity or "", key):
                unknown.append(f"{top}: {key}")
            if not found:
                absent.append(f"{top}: {key}")
    # GitLab declares another entity for it than it answers with; the contract says so.
    unknown = [each for each in unknown if "closes_issues" not in each]
    assert unknown == []
    assert [each for each in absent if not each.endswith(CONDITIONAL)] == []


async def use_every_tool_of_a_job(sandbox: Sandbox, work: Path) -> None:
    """Call every tool that a run with nothing but a job token has."""
    one = {"message": "m", "actions": [{"path": "one.txt", "content": "1\n"}]}
    async with connect(job_settings(sandbox, toolsets=EVERY_TOOLSET, working_directory=checkout(work))) as agent:
        calls: dict[str, dict[str, Any]] = {
            "get_job_context": {},
            "list_issues": {"search": "e"},
            "get_issue": {"iid": SEED.crash_issue.iid, "detail": "full"},
            "list_merge_requests": {"state": "all"},
            "get_merge_request": {"iid": SEED.merge_request.iid, "detail": "full"},
            "get_merge_request_diff": {"iid": SEED.merge_request.iid},
            "list_branches": {},
            "create_branch": {"branch": "made"},
            "list_files": {"recursive": True},
            "get_file": {"path": "README.md", "detail": "full"},
            "list_commits": {"path": "src"},
            "compare_refs": {"base": "main", "head": "feature/verbose-flag"},
            "commit_files": {"branch": "new", "ref": "v1.3.0", **one, "merge_request": {"title": "T", "draft": True}},
            "create_merge_request": {"source_branch": "feature/verbose-flag", "title": "T"},
            "update_merge_request": {
                "iid": SEED.next_merge_request.iid,
                "title": "N",
                "description": "d",
                "add_labels": ["bug"],
            },
            "get_pipeline": {},
            "list_pipelines": {"status": "running"},
            "search_code": {"search": "config"},
            "get_commit": {"ref": "main"},
            "list_tags": {},
            "list_releases": {},
            "delete_branch": {"branch": "made"},
        }
        listed = {tool.name for tool in (await agent.client.list_tools()).tools}
        assert listed >= set(calls)
        for tool, arguments in calls.items():
            await agent.call(tool, **arguments)
        await use_artifacts(agent, sandbox.fail_pipeline("feature/verbose-flag").jobs[-1].id)
        await use_by_examples(agent, (tool for tool in TOOLS if tool.name in listed - agent.called))
        short = get(sandbox, "/repository/commits/main")["id"][:9]
        await agent.call("get_file", path="README.md", ref=short)


async def test_with_a_job_token_only_routes_that_accept_one_are_requested(fresh_sandbox: Sandbox, work: Path) -> None:
    allow_job_pushes(fresh_sandbox)
    fresh_sandbox.world.projects[fresh_sandbox.project_id].visibility = "private"
    fresh_sandbox.faults.clear()
    await use_every_tool_of_a_job(fresh_sandbox, work)
    asked = [
        each
        for each in fresh_sandbox.faults.requests()
        if each["headers"].get("authorization", "").endswith(fresh_sandbox.tokens["job"])
    ]
    assert len(asked) > 10
    for each in asked:
        path = each["path"].removeprefix("/api/v4")
        assert job_token.accepts(each["method"].lower(), path), path
        assert each["status"] == 200, each
        entry = endpoint(each["method"], each["path"])
        assert set(parse_qs(each["query"])) <= {*(entry.get("query") or {}), "page", "per_page"}


# Routes that GitLab accepts a job token on, and that no tool needs so far.
ASKED_BY_NO_TOOL = {
    "/projects/:x/jobs/:x/artifacts",
    "/projects/:x/jobs/artifacts/:x/download",
    "/projects/:x/jobs/artifacts/:x/raw/*artifact_path",
    "/projects/:x/packages",
    "/projects/:x/packages/:x",
    "/projects/:x/packages/:x/package_files",
    "/projects/:x/packages/:x/package_files/:x",
    "/projects/:x/packages/generic/:x/:x/:x",
    "/projects/:x/releases/:x",
}


def test_the_routes_that_take_a_job_token_are_those_of_the_sandbox() -> None:
    def plain(path: str) -> str:
        return re.sub(r":\w+", ":x", path)

    asked = {plain(path) for path in job_token.READABLE}
    assert not asked & ASKED_BY_NO_TOOL
    assert asked | ASKED_BY_NO_TOOL == {plain(route.template) for route in all_routes() if route.job_token}


def in_contract(entity: str, key: str) -> bool:
    """Whether a path of keys exists in an entity."""
    first, _, rest = key.partition(".")
    fields = CONTRACT.entities.get(entity, {})
    kind = fields.get(first)
    if kind is None:
        return False
    inner = kind.rstrip("*").removesuffix("[]")
    return not rest or inner not in CONTRACT.entities or in_contract(inner, rest)
