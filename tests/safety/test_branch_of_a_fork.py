"""A fork's merge request in the target project's job: a branch here that is called like the fork's is not written."""

from pathlib import Path
from typing import Any

import pytest

from gitlab_mcp.config.job_context import JobContext
from gitlab_mcp.sandbox import Sandbox
from tests.support import backends
from tests.support.agent import connect
from tests.support.backends import BACKENDS
from tests.support.ci_job import allow_job_pushes
from tests.support.git_clones import clone
from tests.support.gitlab_requests import send, writes
from tests.support.settings import checkout

BRANCH = "straße/fix"  # the fork's branch, and somebody else's here
JOB = JobContext(noun="merge request", iid=12, branch=BRANCH, target_branch="main", foreign=True, pipeline="501")
ACTIONS = [{"path": "theirs.txt", "content": "x\n"}]
CALLS: dict[str, tuple[str, dict[str, Any]]] = {
    "commit": ("commit_files", {"message": "m", "actions": ACTIONS}),
    "commit on a new branch": ("commit_files", {"message": "m", "actions": ACTIONS, "ref": "main"}),
    "commit from disk": ("commit_files", {"message": "m", "paths": ["**"]}),
    "commit with the project named": ("commit_files", {"message": "m", "actions": ACTIONS, "project": "Acme/App"}),
    "commit with the project's id": ("commit_files", {"message": "m", "actions": ACTIONS, "project": "1"}),
    "create": ("create_branch", {}),
    "delete": ("delete_branch", {}),
}


@pytest.fixture(scope="module")
def gitlab(sandbox: Sandbox) -> Sandbox:
    """The sandbox, with somebody's branch that is called like the fork's."""
    allow_job_pushes(sandbox)
    send(sandbox, "POST", "/repository/branches", branch=BRANCH, ref="main")
    return sandbox


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(("tool", "arguments"), CALLS.values(), ids=CALLS)
async def test_a_branch_named_like_the_forks_is_not_written(
    gitlab: Sandbox, backend: str, tool: str, arguments: dict[str, Any], tmp_path: Path
) -> None:
    work = clone(gitlab, "main", tmp_path / "work")
    (work / "README.md").write_text("edited\n")
    toolsets = ("default", "repository")
    gitlab.faults.clear()
    settings = backends.settings(gitlab, backend, job=JOB, working_directory=checkout(work), toolsets=toolsets)
    async with connect(settings) as agent:
        told = await agent.refused(tool, branch=BRANCH, **arguments)
    assert f"{BRANCH} is the branch of merge request !12 in a fork" in told
    assert "use another name" in told
    assert writes(gitlab) == []


@pytest.mark.parametrize("backend", BACKENDS)
async def test_another_branch_is_written_in_the_job_of_a_forks_merge_request(gitlab: Sandbox, backend: str) -> None:
    async with connect(backends.settings(gitlab, backend, job=JOB)) as agent:
        await agent.call("commit_files", branch=f"own-{backend}", ref="main", message="m", actions=ACTIONS)
        told = await agent.call("get_job_context")
    assert f'branch: "{BRANCH}"' in told
    assert "from another project: its branch cannot be committed to" in told
