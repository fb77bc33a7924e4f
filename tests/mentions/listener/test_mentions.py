"""A mention on its way: from the delivery to the pipeline, and to the end of its note."""

from pathlib import Path
from typing import Any

import pytest

from gitlab_mcp.sandbox import Sandbox
from gitlab_mcp.sandbox.state import runner
from tests.support.gitlab_requests import get, send
from tests.support.listener import (
    GROUP_SIGNING_TOKEN,
    HEADER,
    Listener,
    configure_ci,
    environ_of,
    listening,
    mention,
    new_trigger_token,
    write_config,
)
from tests.support.mentions import pipelines, pipelines_for, reactions, replies, variables
from tests.support.seed import SEED
from tests.support.webhooks import comment, label_hook, note_hook


def take_job(gitlab: Sandbox, pipeline: int) -> Any:
    """Take jobs that wait for a runner until one is of this pipeline; the others end well."""
    while taken := runner.take(gitlab.world, [gitlab.world.projects[gitlab.project_id]]):
        if taken[0].pipeline.id == pipeline:
            return taken[0]
        runner.finish(gitlab.world, taken[0], "success")
    raise AssertionError("no job waits for a runner")


def running(gitlab: Sandbox, listener: Listener, text: str = "@claude fix it") -> tuple[dict[str, Any], int, int]:
    """A mention whose pipeline was started: its note, its number in the store, and the pipeline."""
    note, number = mention(gitlab, listener, text)
    listener.reached("running", number)
    [pipeline] = pipelines_for(gitlab, note)
    return note, number, pipeline


def test_a_mention_starts_one_pipeline_and_has_eyes_and_a_note(gitlab: Sandbox, listener: Listener) -> None:
    note, _, pipeline = running(gitlab, listener, "@claude fix the crash")
    given = variables(gitlab, pipeline)
    assert (given["AI_FLOW_INPUT"], given["GITLAB_MCP_ISSUE"]) == ("fix the crash", "7")
    assert get(gitlab, f"/pipelines/{pipeline}")["ref"] == "main"
    assert reactions(gitlab, note) == ["eyes"]
    assert replies(gitlab, note) == ["Waiting for a runner."]


def test_the_hooks_of_project_and_group_start_one_pipeline(gitlab: Sandbox, tmp_path: Path) -> None:
    group = '[[groups]]\npath = "acme"\nsigning_token_env = "GROUP_SIGNING_TOKEN"\n'
    environ = environ_of(gitlab, new_trigger_token(gitlab))
    with listening(write_config(tmp_path, gitlab, group), environ) as listener:
        note, payload = comment(gitlab, "@claude fix the crash")
        assert listener.deliver(payload, GROUP_SIGNING_TOKEN) == (200, "stored")
        assert [listener.deliver(payload) for _ in range(3)] == [(200, "known")] * 3
        listener.reached("running")
        # What comes last is done last, so that nothing of the first is left to do.
        _, number, _ = running(gitlab, listener)
        assert number != 1
    assert len(pipelines_for(gitlab, note)) == 1


def test_inputs_are_used_where_the_configuration_declares_them(gitlab: Sandbox, listener: Listener) -> None:
    before = [one["id"] for one in pipelines(gitlab)]
    configure_ci(gitlab, HEADER)
    try:
        _, number = mention(gitlab, listener, "@claude fix the crash")
        listener.reached("running", number)
    finally:
        configure_ci(gitlab)
    [pipeline] = [one["id"] for one in pipelines(gitlab) if one["id"] not in before]
    assert variables(gitlab, pipeline) == {}


def test_a_project_that_allows_neither_is_told_what_to_change(gitlab: Sandbox, listener: Listener) -> None:
    configure_ci(gitlab, minimum_role="no_one_allowed")
    try:
        note, number = mention(gitlab, listener, "@claude fix the crash")
        listener.reached("failed", number)
    finally:
        configure_ci(gitlab)
    [answer] = replies(gitlab, note)
    assert "Minimum role to use pipeline variables" in answer
    assert pipelines_for(gitlab, note) == []


def test_a_label_starts_a_run(gitlab: Sandbox, tmp_path: Path) -> None:
    environ = environ_of(gitlab, new_trigger_token(gitlab))
    with listening(write_config(tmp_path, gitlab, project='label = "claude"'), environ) as listener:
        payload = label_hook(gitlab, "claude")
        assert listener.deliver(payload) == (200, "stored")
        assert listener.deliver(payload) == (200, "known")
        listener.reached("running")
    given = variables(gitlab, pipelines(gitlab)[0]["id"])
    assert (given["AI_FLOW_EVENT"], given["GITLAB_MCP_ISSUE"], "AI_FLOW_INPUT" in given) == ("label", "7", False)


IGNORED = {
    "in-a-quote": "> @claude fix it",
    "in-code": "Write `@claude fix it` to start a run.",
    "of-another-user": "@claude-bot fix it",
    "in-an-address": "mail me@claude.ai",
}


@pytest.mark.parametrize("case", IGNORED)
def test_a_mention_that_is_none_is_not_stored(gitlab: Sandbox, listener: Listener, case: str) -> None:
    before = listener.rows()
    _, payload = comment(gitlab, IGNORED[case])
    assert listener.deliver(payload) == (200, "ignored")
    assert listener.rows() == before


def test_an_edited_comment_and_an_internal_one_start_nothing(gitlab: Sandbox, listener: Listener) -> None:
    before = listener.rows()
    note, _ = comment(gitlab, "@claude fix it")
    assert listener.deliver(note_hook(gitlab, note, action="update")) == (200, "ignored")
    _, internal = comment(gitlab, "@claude fix it", internal=True)
    assert listener.deliver(internal) == (200, "ignored")
    assert listener.rows() == before


def test_a_comment_of_the_listeners_own_user_starts_nothing(gitlab: Sandbox, listener: Listener) -> None:
    running(gitlab, listener)  # the listener knows who it is
    _, payload = comment(gitlab, "@claude fix it", "maintainer")
    assert listener.deliver(payload) == (200, "ignored")


def test_a_person_with_a_lower_role_is_answered_once(gitlab: Sandbox, listener: Listener) -> None:
    note, number = mention(gitlab, listener, "@claude fix it", "reporter")
    listener.reached("refused", number)
    [answer] = replies(gitlab, note)
    assert answer.startswith("No run was started: that takes the role Developer")
    assert pipelines_for(gitlab, note) == []


def test_a_stranger_gets_no_answer(gitlab: Sandbox, listener: Listener) -> None:
    note, number = mention(gitlab, listener, "@claude fix it", SEED.stranger)
    listener.reached("ignored", number)
    assert (replies(gitlab, note), reactions(gitlab, note)) == ([], [])


def test_of_100_mentions_of_one_person_ten_start_a_run(gitlab: Sandbox, tmp_path: Path) -> None:
    environ = environ_of(gitlab, new_trigger_token(gitlab))
    with listening(write_config(tmp_path, gitlab), environ) as listener:
        for number in range(100):
            mention(gitlab, listener, f"@claude step {number}")
        ends = ("running", "refused", "ignored")
        states = [listener.reached_one_of(ends, number)["state"] for number in range(1, 101)]
    assert (states.count("running"), len(states)) == (10, 100)


@pytest.mark.parametrize("what", ["comment", "issue"])
def test_what_was_deleted_after_its_delivery_starts_nothing(gitlab: Sandbox, listener: Listener, what: str) -> None:
    issue = send(gitlab, "POST", "/issues", title="To be deleted")
    item = type(SEED.crash_issue)(issue["iid"])
    note, payload = comment(gitlab, "@claude fix it", item=item)
    send(gitlab, "DELETE", f"{item.path}/notes/{note['id']}" if what == "comment" else item.path, "maintainer")
    listener.deliver(payload)
    listener.reached("ignored", listener.number_of(note["id"]))
    assert pipelines_for(gitlab, note) == []


ENDS = {
    "failed": "The job failed before Claude Code could report",
    "success": "no job of it ran Claude Code",
    "canceled": "The pipeline was canceled.",
}


@pytest.mark.parametrize("status", ENDS)
def test_a_note_that_no_run_closed_is_closed(gitlab: Sandbox, listener: Listener, status: str) -> None:
    note, number, pipeline = running(gitlab, listener)
    runner.finish(gitlab.world, take_job(gitlab, pipeline), status)
    listener.reached("done", number)
    [answer] = replies(gitlab, note)
    assert ENDS[status] in answer


def test_the_note_of_a_pipeline_that_was_deleted_says_so(gitlab: Sandbox, listener: Listener) -> None:
    note, number, pipeline = running(gitlab, listener)
    del gitlab.world.projects[gitlab.project_id].pipelines[pipeline]
    listener.reached("done", number)
    assert replies(gitlab, note) == ["The pipeline was deleted before it ended."]


def test_a_note_says_when_no_runner_takes_the_job(gitlab: Sandbox, tmp_path: Path) -> None:
    config = write_config(tmp_path, gitlab, service="answer_seconds = 30.0\nno_runner_seconds = 0.5")
    with listening(config, environ_of(gitlab, new_trigger_token(gitlab))) as listener:
        note, number, pipeline = running(gitlab, listener)
        listener.wait_for(lambda line: line["event"] == "no runner yet")
        [answer] = replies(gitlab, note)
        assert answer.startswith("Still waiting for a runner")
        runner.finish(gitlab.world, take_job(gitlab, pipeline), "failed")
        listener.reached("done", number)
    assert len(replies(gitlab, note)) == 1


def test_a_run_that_could_not_write_is_told_from_one_that_never_was(gitlab: Sandbox, listener: Listener) -> None:
    note, number, pipeline = running(gitlab, listener)
    job = take_job(gitlab, pipeline)
    runner.finish(gitlab.world, job, "success", artifacts={"claude-result.json": b'{"cost_usd": 0.1}'})
    listener.reached("done", number)
    [answer] = replies(gitlab, note)
    assert answer.startswith("The run has ended, and could not say so here")


def test_stop_cancels_the_run_and_says_who_did_it(gitlab: Sandbox, listener: Listener) -> None:
    note, number, pipeline = running(gitlab, listener)
    stop, stop_number = mention(gitlab, listener, "@claude stop")
    listener.reached("stopped", stop_number)
    listener.reached("done", number)
    assert get(gitlab, f"/pipelines/{pipeline}")["status"] == "canceled"
    [answer] = replies(gitlab, note)
    assert answer.startswith("Stopped by developer. The pipeline was canceled.")
    [said] = replies(gitlab, stop)
    assert said.endswith("stopped by developer.")


def test_a_day_that_cost_more_than_its_budget_starts_no_run(gitlab: Sandbox, tmp_path: Path) -> None:
    environ = environ_of(gitlab, new_trigger_token(gitlab))
    with listening(write_config(tmp_path, gitlab, project="daily_budget = 1"), environ) as listener:
        _, number, pipeline = running(gitlab, listener)
        job = take_job(gitlab, pipeline)
        runner.finish(gitlab.world, job, "success", artifacts={"claude-result.json": b'{"cost_usd": 1.25}'})
        listener.reached("done", number)
        note, number = mention(gitlab, listener, "@claude again")
        listener.reached("refused", number)
    [answer] = replies(gitlab, note)
    assert "$1.25" in answer


def test_nothing_that_people_write_reaches_the_log(gitlab: Sandbox, listener: Listener) -> None:
    running(gitlab, listener, "@claude find the flamingo")
    assert "flamingo" not in str(listener.lines)
    assert not any(value in str(listener.lines) for name, value in listener.environ.items() if "TOKEN" in name)
