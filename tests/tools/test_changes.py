"""Who changed labels, milestone and state, with detail full; and what a commit that skips CI starts."""

import pytest

from gitlab_mcp.sandbox import Sandbox
from tests.support.agent import connect
from tests.support.seed import SEED
from tests.support.settings import settings_for


@pytest.mark.parametrize("noun", ["issue", "merge_request"])
async def test_who_changed_labels_milestone_and_state_is_shown_in_full(fresh_sandbox: Sandbox, noun: str) -> None:
    seeded = SEED.crash_issue if noun == "issue" else SEED.merge_request
    async with connect(settings_for(fresh_sandbox, "developer")) as agent:
        await agent.call(f"update_{noun}", iid=seeded.iid, add_labels=["urgent"], state="close")
        if noun == "issue":
            await agent.call("update_issue", iid=seeded.iid, milestone="")
        await agent.call(f"update_{noun}", iid=seeded.iid, remove_labels=["urgent"], state="reopen")
        concise = await agent.call(f"get_{noun}", iid=seeded.iid)
        full = await agent.call(f"get_{noun}", iid=seeded.iid, detail="full")
    changes = [line[11:] for line in full.partition("\n## Changes of labels, milestone and state")[2].split("\n")[1:]]
    for change in ("added label urgent", "removed label urgent", "closed", "reopened"):
        assert f"@developer {change}" in changes
    assert ("@developer removed milestone 1.4" in changes) == (noun == "issue")
    assert "## Changes" not in concise


@pytest.mark.parametrize("mark", ["[skip ci]", "[ci skip]", "[Skip CI]", "[ci-skip]", "[skip_ci]"])
async def test_a_commit_that_skips_ci_does_not_promise_a_pipeline(sandbox: Sandbox, mark: str) -> None:
    arguments = {
        "branch": f"skips-{mark.encode().hex()}",
        "ref": "main",
        "actions": [{"path": "x.txt", "content": "x"}],
    }
    async with connect(settings_for(sandbox)) as agent:
        answer = await agent.call("commit_files", message=f"Change x {mark}", **arguments)
    assert f"No pipeline runs: the message says {mark}." in answer
    assert "Pipelines start" not in answer
