"""The rate limit of GitLab: one wait for all requests of a run, few tries, and then when to come back is said."""

import pytest

from gitlab_mcp.api.rate_limit import TRIES
from gitlab_mcp.config.settings import DEFAULT_CONNECTIONS
from gitlab_mcp.sandbox import Sandbox
from tests.support.agent import connect
from tests.support.gitlab_requests import get
from tests.support.seed import SEED
from tests.support.settings import settings_for

FOR_EVER = 10_000


def limited(sandbox: Sandbox) -> int:
    """How many requests GitLab refused."""
    return [each["status"] for each in sandbox.faults.requests()].count(429)


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("get_merge_request", {"iid": SEED.merge_request.iid}),
        ("list_my_work", {}),
        ("create_note", {"iid": SEED.crash_issue.reference, "body": "Later"}),
        ("update_issue", {"iid": SEED.crash_issue.iid, "assignees": ["developer", "maintainer"]}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_a_limit_that_lasts_is_met_by_few_requests_and_said(
    sandbox: Sandbox, tool: str, arguments: dict[str, object]
) -> None:
    sandbox.faults.rate_limit(retry_after=1, times=FOR_EVER)
    async with connect(settings_for(sandbox)) as agent:
        told = await agent.refused(tool, **arguments)
        first = limited(sandbox)
        again = await agent.refused(tool, **arguments)
    assert "GitLab answered 429: Retry later. GitLab asks to wait 1 s: try again then." in told
    assert "asks to wait 1 s" in again
    assert first < DEFAULT_CONNECTIONS + TRIES
    assert limited(sandbox) <= first + 1


async def test_after_one_wait_all_requests_of_a_call_are_answered(sandbox: Sandbox) -> None:
    async with connect(settings_for(sandbox)) as agent:
        sandbox.faults.rate_limit(retry_after=1, times=TRIES - 1)
        assert (await agent.call("get_merge_request", iid=SEED.merge_request.iid)).startswith("# !1 ")
        assert limited(sandbox) == TRIES - 1
        sandbox.faults.rate_limit("POST", retry_after=1, times=1)
        await agent.call("create_note", iid=SEED.legacy_issue.reference, body="After a wait")
    assert [note["body"] for note in get(sandbox, f"{SEED.legacy_issue.path}/notes")] == ["After a wait"]
