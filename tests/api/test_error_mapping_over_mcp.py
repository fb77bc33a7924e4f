"""What a tool call gets when something is wrong: the reason, and what to do; and nothing is lost."""

from typing import Any

import pytest

from gitlab_mcp.config.settings import Credential
from gitlab_mcp.sandbox import Sandbox
from tests.support.agent import connect
from tests.support.seed import SEED
from tests.support.settings import settings_for


async def test_the_reason_of_a_failure_reaches_the_model(sandbox: Sandbox) -> None:
    async with connect(settings_for(sandbox)) as agent:
        told = await agent.refused("get_issue", iid=999)
    assert told == (
        "get_issue failed: GitLab answered 404: 404 Issue Not Found."
        " It does not exist, or this token may not see it: check the name and the project."
    )


async def test_a_wrong_token_names_its_variable_and_does_not_show_it(sandbox: Sandbox) -> None:
    wrong = "glpat-wrong-wrong-wrong"
    credential = Credential("access token", "GITLAB_ACCESS_TOKEN", wrong)
    async with connect(settings_for(sandbox, credential=credential)) as agent:
        told = await agent.refused("create_note", iid=SEED.crash_issue.reference, body="x")
    assert "401" in told
    assert "The token in GITLAB_ACCESS_TOKEN is wrong, expired or revoked" in told
    assert wrong not in told


@pytest.mark.parametrize(("user", "said"), [("expired", "Token is expired"), ("revoked", "Token was revoked")])
async def test_an_expired_or_revoked_token_is_said_to_be(sandbox: Sandbox, user: str, said: str) -> None:
    async with connect(settings_for(sandbox, user)) as agent:
        assert said in await agent.refused("get_issue", iid=SEED.crash_issue.iid)


async def test_a_missing_scope_is_named(sandbox: Sandbox) -> None:
    async with connect(settings_for(sandbox, "read_api")) as agent:
        assert "#7 Crash" in await agent.call("get_issue", iid=SEED.crash_issue.iid)
        assert "lacks a scope: writing needs api" in await agent.refused(
            "create_note", iid=SEED.crash_issue.reference, body="x"
        )


async def test_a_job_token_is_told_what_it_cannot_do(sandbox: Sandbox) -> None:
    credential = Credential("job token", "CI_JOB_TOKEN", "glcbt-64_ended")
    async with connect(settings_for(sandbox, credential=credential)) as agent:
        assert "GITLAB_ACCESS_TOKEN (scope api) is needed" in await agent.refused("get_issue", iid=SEED.crash_issue.iid)


async def test_an_unknown_project_is_said(sandbox: Sandbox) -> None:
    async with connect(settings_for(sandbox, project="acme/nowhere")) as agent:
        assert "404 Project Not Found" in await agent.refused("list_issues")
        assert "404 Project Not Found" in await agent.refused("create_branch", branch="x", ref="main")


async def test_without_any_project_the_argument_is_asked_for(sandbox: Sandbox) -> None:
    async with connect(settings_for(sandbox, project="")) as agent:
        assert 'give project, such as "' in await agent.refused("list_issues")
        assert "#7 Crash" in await agent.call("list_issues", project="acme/app")
        assert "#7 Crash" in await agent.call("list_issues", project=f"{sandbox.url}/acme/app")
        assert "#7 Crash" in await agent.call("list_issues", project=1)


async def test_a_moved_project_is_read_and_a_write_to_it_names_its_new_path(sandbox: Sandbox) -> None:
    async with connect(settings_for(sandbox, project="acme/old-app")) as agent:
        assert "#7 Crash" in await agent.call("get_issue", iid=SEED.crash_issue.iid)
        assert 'Use project: "acme/app".' in await agent.refused(
            "create_note", iid=SEED.crash_issue.reference, body="x"
        )


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("create_branch", {"branch": "x", "ref": "main"}),
        ("create_note", {"iid": SEED.plan_issue.reference, "body": "x"}),
        ("commit_files", {"branch": "main", "message": "m", "actions": [{"path": "x", "content": "x"}]}),
    ],
    ids=["create_branch", "create_note", "commit_files"],
)
async def test_an_archived_project_is_said_to_be_archived(
    sandbox: Sandbox, tool: str, arguments: dict[str, Any]
) -> None:
    async with connect(settings_for(sandbox, project="acme/archive")) as agent:
        assert "acme/archive is archived and takes no writes" in await agent.refused(tool, **arguments)


async def test_maintenance_with_an_html_page_is_said_without_the_page(sandbox: Sandbox) -> None:
    page = "<html><body><h1>GitLab is down</h1></body></html>"
    sandbox.faults.fail("GET", "/issues$", status=503, body=page, content_type="text/html", times=5)
    async with connect(settings_for(sandbox)) as agent:
        told = await agent.refused("list_issues")
    assert told == (
        "list_issues failed: GitLab answered 503."
        " GitLab is overloaded or under maintenance: try again in a few minutes."
    )


async def test_gitlabs_message_is_sanitised_and_shortened(sandbox: Sandbox) -> None:
    body = '{"message": "' + "\\u202e<!-- hidden -->very long " * 500 + '"}'
    sandbox.faults.fail("GET", "/issues$", status=400, body=body, content_type="application/json")
    async with connect(settings_for(sandbox)) as agent:
        told = await agent.refused("list_issues")
    assert len(told.encode()) <= 2000
    assert "\u202e" not in told
    assert "<!-- hidden -->very long" in told  # a message is plain text, of which people see all


async def test_missing_or_mistyped_fields_do_not_fail_a_write_that_took_effect(sandbox: Sandbox) -> None:
    odd = '{"id": null, "body": 7, "author": "somebody", "internal": "yes"}'
    sandbox.faults.fail("POST", "/notes$", status=201, body=odd, content_type="application/json")
    async with connect(settings_for(sandbox)) as agent:
        assert (await agent.call("create_note", iid=SEED.crash_issue.reference, body="x")).startswith("Commented on #7")


async def test_null_stands_for_an_argument_that_is_not_given(sandbox: Sandbox) -> None:
    async with connect(settings_for(sandbox)) as agent:
        assert "#7 Crash" in await agent.call("list_issues", search=None, labels=None, page=None, project=None)


async def test_an_unknown_argument_or_tool_is_named_with_the_nearest(sandbox: Sandbox) -> None:
    async with connect(settings_for(sandbox)) as agent:
        told = await agent.refused("list_issues", serach="x")
        assert 'no argument "serach". Did you mean "search"?' in told
        assert "Did you mean get_issue?" in await agent.refused("get_isue", iid=7)
        assert "page is -1: " in await agent.refused("list_issues", page=-1)
        assert 'state is "open": ' in await agent.refused("list_issues", state="open")
        assert "iid is missing" in await agent.refused("get_issue")
    async with connect(settings_for(sandbox, read_only=True)) as agent:
        assert "switched off in this run" in await agent.refused("create_branch", branch="x")


async def test_a_fault_of_our_own_is_generic_for_the_model_and_a_traceback_in_the_log(
    sandbox: Sandbox, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gitlab_mcp.render.issues.issue_row", None)
    async with connect(settings_for(sandbox)) as agent:
        told = await agent.refused("list_issues")
    assert "internal error in gitlab-mcp-server" in told
    assert "TypeError" not in told
    assert "TypeError" in caplog.text
