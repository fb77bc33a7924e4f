"""Checks of what the run is about."""

import json

import pytest

from gitlab_mcp.sandbox import Sandbox
from tests.support.doctor import Place, only
from tests.support.gitlab_requests import send


def test_a_run_that_is_about_nothing_is_pointed_out_in_a_job_only(sandbox: Sandbox, place: Place) -> None:
    status, told = only(place, place.job(sandbox), "context")
    assert status == "warn"
    assert "AI_FLOW_CONTEXT" in told
    assert "merge_request_event" in told
    assert "context" not in place.examine(place.local(sandbox.url)).checks


def test_the_words_of_a_flow_are_never_printed(sandbox: Sandbox, place: Place) -> None:
    context = json.dumps({"iid": 7, "title": "HOSTILE title", "issue_comments": "HOSTILE comment"})
    flow = {"AI_FLOW_INPUT": "HOSTILE input", "AI_FLOW_EVENT": "HOSTILE", "AI_FLOW_CONTEXT": context}
    job = place.job(sandbox, **flow, TRIGGER_PAYLOAD="HOSTILE payload", CI_COMMIT_BRANCH="HOSTILE branch")
    report = place.examine(job)
    status, told = report.of("context")
    assert status == "pass"
    assert "issue #7" in told
    assert "AI_FLOW_INPUT, AI_FLOW_CONTEXT" in told
    assert "HOSTILE" not in report.text
    assert "HOSTILE" not in place.prints(job)[0]


def test_a_merge_request_from_a_fork_is_pointed_out(sandbox: Sandbox, place: Place) -> None:
    fork = {"CI_MERGE_REQUEST_IID": "12", "CI_MERGE_REQUEST_SOURCE_PROJECT_ID": "999"}
    status, told = only(place, place.job(sandbox, **fork), "context")
    assert status == "warn"
    assert "forks" in told


def test_an_input_that_claude_would_take_for_options_is_pointed_out(sandbox: Sandbox, place: Place) -> None:
    status, told = only(place, place.job(sandbox, AI_FLOW_INPUT="--settings={}"), "flow-input")
    assert status == "warn"
    assert "standard input" in told
    assert "--settings" not in told
    assert "flow-input" not in place.examine(place.job(sandbox, AI_FLOW_INPUT="fix it")).checks


@pytest.mark.parametrize(("author", "status"), [("developer", "pass"), ("maintainer", "warn")], ids=["same", "another"])
def test_a_listener_that_writes_as_another_user_is_pointed_out(
    fresh_sandbox: Sandbox, place: Place, author: str, status: str
) -> None:
    note = send(fresh_sandbox, "POST", "/issues/7/notes", author, body="Working on it")["id"]
    token = {"GITLAB_ACCESS_TOKEN": fresh_sandbox.tokens["developer"]}
    job = place.job(fresh_sandbox, GITLAB_MCP_ISSUE="7", GITLAB_MCP_TRACKING_NOTE=str(note), **token)
    found, told = only(place, job, "tracking-note")
    assert found == status
    assert ("job_user" in told) is (status == "warn")
