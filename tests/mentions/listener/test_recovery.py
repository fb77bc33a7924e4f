"""A mention is worked on once, whatever breaks: the listener, its connection to GitLab, or GitLab."""

import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from gitlab_mcp.sandbox import Sandbox
from tests.support.listener import (
    HEADER,
    Listener,
    configure_ci,
    environ_of,
    listening,
    mention,
    new_trigger_token,
    write_config,
)
from tests.support.mentions import pipelines, pipelines_for, reactions, replies
from tests.support.webhooks import comment

WAITING = ["Waiting for a runner."]


def command(listener: Listener, *arguments: str) -> str:
    """What another `gitlab-mcp-server listen` with the same configuration prints."""
    line = [sys.executable, "-m", "gitlab_mcp", "listen", "--config", str(listener.config), *arguments]
    return subprocess.run(
        line, env=dict(listener.environ), check=True, capture_output=True, text=True, timeout=60
    ).stdout


LOST = {
    "role": ("GET", "/members/all/"),
    "reaction": ("POST", "/award_emoji"),
    "note": ("POST", "/discussions/[0-9a-f]+/notes"),
    "pipeline": ("POST", "/trigger/pipeline"),
}


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("step", LOST)
def test_a_step_whose_answer_is_lost_is_done_once(gitlab: Sandbox, listener: Listener, step: str, when: str) -> None:
    method, path = LOST[step]
    gitlab.faults.drop(method, path, when)
    note, number = mention(gitlab, listener)
    listener.reached("running", number)
    assert (len(pipelines_for(gitlab, note)), reactions(gitlab, note), replies(gitlab, note)) == (1, ["eyes"], WAITING)


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_pipeline_that_was_started_by_inputs_is_found_again(gitlab: Sandbox, listener: Listener, when: str) -> None:
    configure_ci(gitlab, HEADER)
    try:
        before = len(pipelines(gitlab))
        gitlab.faults.drop("POST", "/trigger/pipeline", when)
        _, number = mention(gitlab, listener)
        listener.reached("running", number)
        assert len(pipelines(gitlab)) == before + 1
    finally:
        configure_ci(gitlab)


@pytest.mark.parametrize("status", [429, 500, 502, 503])
def test_a_mention_waits_while_gitlab_is_away(gitlab: Sandbox, listener: Listener, status: int) -> None:
    note, payload = comment(gitlab, "@claude fix it")
    gitlab.faults.fail(path="/projects/", status=status, times=12)
    listener.deliver(payload)
    listener.reached("running", listener.number_of(note["id"]))
    gitlab.faults.clear_faults()
    assert (len(pipelines_for(gitlab, note)), reactions(gitlab, note), replies(gitlab, note)) == (1, ["eyes"], WAITING)


@pytest.mark.parametrize("state", ["accepted", "seen", "announced", "starting", "running"])
def test_a_listener_that_is_killed_goes_on_where_it_was(gitlab: Sandbox, listener: Listener, state: str) -> None:
    gitlab.faults.delay("POST", seconds=0.2, times=3)
    note, number = mention(gitlab, listener)
    listener.reached(state, number)
    listener.end(signal.SIGKILL)
    listener.start()
    listener.reached("running", number)
    assert (len(pipelines_for(gitlab, note)), reactions(gitlab, note), replies(gitlab, note)) == (1, ["eyes"], WAITING)


def test_a_listener_that_is_asked_to_end_drains_and_ends_with_0(gitlab: Sandbox, listener: Listener) -> None:
    note, number = mention(gitlab, listener)
    assert listener.end(signal.SIGTERM) == 0
    assert [line["drained"] for line in listener.lines if line["event"] == "ended"][-1:] == [True]
    listener.start()
    listener.reached("running", number)
    assert len(pipelines_for(gitlab, note)) == 1


def test_a_delivery_that_the_disk_does_not_take_is_answered_with_503(gitlab: Sandbox, tmp_path: Path) -> None:
    config = write_config(tmp_path, gitlab, service="answer_seconds = 0.5")
    note, payload = comment(gitlab, "@claude fix it")
    with (
        listening(config, environ_of(gitlab, new_trigger_token(gitlab))) as listener,
        closing(sqlite3.connect(tmp_path / "mentions.db", isolation_level=None)) as other,
    ):
        other.execute("BEGIN EXCLUSIVE")
        assert listener.deliver(payload) == (503, "unavailable")
        assert listener.request("GET", "/readyz") == (503, "The database cannot be written.\n")
        assert listener.request("GET", "/healthz")[0] == 200
        other.execute("ROLLBACK")
        listener.reached("running")
        assert len(pipelines_for(gitlab, note)) == 1


def test_a_second_listener_does_not_work_on_the_same_file(listener: Listener) -> None:
    with pytest.raises(subprocess.CalledProcessError) as ended:
        command(listener)
    assert ended.value.returncode == 2
    assert "Another listener uses the database" in ended.value.stderr


def test_a_dead_letter_is_listed_and_begins_again(gitlab: Sandbox, tmp_path: Path) -> None:
    with listening(write_config(tmp_path, gitlab), environ_of(gitlab, new_trigger_token(gitlab))) as listener:
        assert command(listener, "dead-letters") == "No mention was given up.\n"
        configure_ci(gitlab, minimum_role="no_one_allowed")
        try:
            note, number = mention(gitlab, listener)
            listener.reached("failed", number)
        finally:
            configure_ci(gitlab)
        listed = command(listener, "dead-letters")
        assert listed.startswith(f"{number}\t")
        assert "allows no pipeline variables" in listed
        assert "allows no pipeline variables" in replies(gitlab, note)[0]
        command(listener, "retry", str(number))
        listener.reached("running", number)
    assert (len(pipelines_for(gitlab, note)), replies(gitlab, note)) == (1, WAITING)


def test_a_mention_that_was_not_given_up_is_not_retried(gitlab: Sandbox, listener: Listener) -> None:
    _, number = mention(gitlab, listener)
    with pytest.raises(subprocess.CalledProcessError) as ended:
        command(listener, "retry", str(number))
    assert (ended.value.returncode, "No mention that was given up" in ended.value.stderr) == (2, True)


def test_a_project_is_switched_off_without_a_restart(gitlab: Sandbox, tmp_path: Path) -> None:
    with listening(write_config(tmp_path, gitlab), environ_of(gitlab, new_trigger_token(gitlab))) as listener:
        write_config(tmp_path, gitlab, project="enabled = false")
        _, payload = comment(gitlab, "@claude fix it")
        listener.wait_for(lambda line: line["event"] == "configuration reloaded")
        assert listener.deliver(payload) == (200, "ignored")
