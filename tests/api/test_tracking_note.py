"""The tracking note of a run: one note, in the right place, by the user of the run."""

import threading
from collections.abc import Callable
from dataclasses import replace

import pytest

from gitlab_mcp.api.client import GitLab
from gitlab_mcp.api.tracking_note import TrackingNote, answering_runs, close_left_open, handed_in
from gitlab_mcp.errors import AnswerLost, Failure, GitLabRefusal, JobTokenNotAccepted, NotFound
from gitlab_mcp.safety.marker import MarkedText, Marker, marker_of
from gitlab_mcp.sandbox import Sandbox
from tests.support.agent import connect
from tests.support.gitlab_requests import send, writes
from tests.support.seed import SEED
from tests.support.settings import job_settings, settings_for
from tests.support.tracking_notes import RUN, answers, asked, client, texts, top_level
from tests.support.write_faults import FAULTS, fault

ISSUE = SEED.crash_issue


def test_a_note_is_posted_in_the_thread_and_then_edited(sandbox: Sandbox) -> None:
    place = asked(sandbox, ISSUE, "@claude please fix this")
    note = TrackingNote(client(sandbox), place, RUN)
    assert note.id == 0
    note.write("working")
    [first] = answers(sandbox, place)
    assert (first["id"], first["author"]["username"]) == (note.id, "developer")
    note.write("still working")
    note.write("done", ended=True)
    [last] = answers(sandbox, place)
    assert (last["id"], texts(sandbox, place)) == (note.id, ["done"])
    marker = marker_of(last["body"])
    assert marker
    assert (marker.run.partition(".")[0], marker.mention, marker.ended) == (RUN, place.mention, True)


def test_a_run_that_answers_no_comment_has_a_note_of_its_own(fresh_sandbox: Sandbox) -> None:
    place = top_level(fresh_sandbox)
    note = TrackingNote(client(fresh_sandbox), place, RUN)
    note.write("working")
    note.write("done", ended=True)
    assert texts(fresh_sandbox, place) == ["done"]


def test_two_runs_of_one_job_have_a_note_each(fresh_sandbox: Sandbox) -> None:
    place, gitlab = top_level(fresh_sandbox), client(fresh_sandbox)
    for name in ("first", "second"):
        TrackingNote(gitlab, place, RUN).write(name, ended=True)
    assert texts(fresh_sandbox, place) == ["first", "second"]


@pytest.mark.parametrize("method", ["POST", "PUT"])
@pytest.mark.parametrize("kind", [*FAULTS, "cut"])
def test_a_lost_response_makes_no_second_note(sandbox: Sandbox, kind: str, method: str) -> None:
    place = asked(sandbox, ISSUE, f"@claude {kind} {method}")
    note = TrackingNote(client(sandbox), place, RUN)
    if method == "PUT":
        note.write("working")
    if kind == "cut":
        sandbox.faults.cut(method, "/notes")
    else:
        fault(sandbox, kind, method, "/notes")
    note.write("newer")
    assert texts(sandbox, place) == ["newer"]
    note.write("done", ended=True)
    assert texts(sandbox, place) == ["done"]


def test_a_post_whose_fate_was_unknown_is_looked_up_by_the_next_write(sandbox: Sandbox) -> None:
    place = asked(sandbox, ISSUE, "@claude lost and blind")
    note = TrackingNote(client(sandbox), place, RUN)
    sandbox.faults.drop("POST", "/notes", when="after")
    sandbox.faults.fail("GET", "/notes", status=400, times=1)
    with pytest.raises(AnswerLost):
        note.write("working")
    sandbox.faults.clear()
    note.write("newer")
    assert texts(sandbox, place) == ["newer"]
    assert [request.split()[0] for request in writes(sandbox)] == ["PUT"]


def test_a_post_that_failed_with_500_is_looked_up_too(sandbox: Sandbox) -> None:
    place = asked(sandbox, ISSUE, "@claude five hundred")
    note = TrackingNote(client(sandbox), place, RUN)
    sandbox.faults.fail("POST", "/notes", status=500)
    with pytest.raises(GitLabRefusal):
        note.write("working")
    note.write("newer")
    assert texts(sandbox, place) == ["newer"]


def test_a_second_note_that_a_slow_gitlab_made_is_deleted_at_the_end(sandbox: Sandbox) -> None:
    place = asked(sandbox, ISSUE, "@claude slow")
    note = TrackingNote(client(sandbox), place, RUN)
    sandbox.faults.drop("POST", "/notes", when="before")
    note.write("working")
    [only] = answers(sandbox, place)
    # What GitLab makes of the first request, which it seemed to have lost.
    send(sandbox, "POST", f"{ISSUE.path}/discussions/{place.thread}/notes", body=only["body"])
    assert len(answers(sandbox, place)) == 2
    note.write("done", ended=True)
    assert texts(sandbox, place) == ["done"]


def test_an_edit_that_takes_effect_after_the_last_one_is_overwritten(sandbox: Sandbox) -> None:
    place = asked(sandbox, ISSUE, "@claude late")
    note = TrackingNote(client(sandbox), place, RUN)
    note.write("working")
    late = answers(sandbox, place)[0]["body"]
    sandbox.faults.drop("PUT", "/notes/", when="before")
    note.write("step")
    # What GitLab makes of the lost request, after the last edit and before that is read back.
    timer = threading.Timer(0.5, send, (sandbox, "PUT", f"{ISSUE.path}/notes/{note.id}"), {"body": late})
    timer.start()
    note.write("done", ended=True)
    timer.join()
    assert texts(sandbox, place) == ["done"]


def test_secrets_are_replaced_and_the_rest_is_sent(sandbox: Sandbox) -> None:
    place = asked(sandbox, ISSUE, "@claude secret")
    secret = "correct-horse-battery"
    gitlab = client(sandbox, secrets=(secret,), secret_variables={secret: "DEPLOY_TOKEN"})
    token = sandbox.tokens["developer"]
    TrackingNote(gitlab, place, RUN).write(f"I saw {secret} and {token} and glpat-0123456789abcdef0123 there.")
    assert texts(sandbox, place) == ["I saw [token removed] and [token removed] and [token removed] there."]


def test_quick_actions_and_mentions_of_the_answer_do_not_act(sandbox: Sandbox) -> None:
    place = asked(sandbox, ISSUE, "@claude close it")
    TrackingNote(client(sandbox), place, RUN).write("Done.\n/close\n@all @claude look", ended=True)
    assert texts(sandbox, place) == ["Done.\n /close\n`@all` `@claude` look"]


def test_the_note_of_an_internal_thread_is_internal(sandbox: Sandbox) -> None:
    place = asked(sandbox, ISSUE, "@claude between us", internal=True)
    assert place.internal
    note = TrackingNote(client(sandbox), place, RUN)
    note.write("working")
    note.write("done", ended=True)
    [answer] = answers(sandbox, place)
    assert answer["internal"]


@pytest.mark.parametrize("is_lost", [False, True], ids=["deleted", "deletion is lost"])
def test_an_answer_to_an_internal_comment_that_became_public_is_deleted(sandbox: Sandbox, is_lost: bool) -> None:
    place = replace(asked(sandbox, ISSUE, f"@claude this is public {is_lost}"), internal=True)
    note = TrackingNote(client(sandbox), place, RUN)
    if is_lost:
        sandbox.faults.drop("DELETE", "/notes/", when="before")
        with pytest.raises(Failure):
            note.write("working")
        assert len(answers(sandbox, place)) == 1
    for text in ("step", "the secret plan"):
        with pytest.raises(Failure, match="made the answer to an internal comment public"):
            note.write(text, ended=text != "step")
    assert answers(sandbox, place) == []
    assert [request.split()[0] for request in writes(sandbox)].count("POST") == 2  # the request and one note


def test_the_note_of_a_deleted_comment_stands_on_the_issue(fresh_sandbox: Sandbox) -> None:
    place = asked(fresh_sandbox, ISSUE, "@claude never mind")
    send(fresh_sandbox, "DELETE", f"{ISSUE.path}/notes/{place.mention}", "maintainer")
    note = TrackingNote(client(fresh_sandbox), place, RUN)
    note.write("working")
    note.write("done", ended=True)
    assert texts(fresh_sandbox, top_level(fresh_sandbox)) == ["done"]


def test_the_answer_to_a_deleted_internal_comment_is_not_written(fresh_sandbox: Sandbox) -> None:
    place = asked(fresh_sandbox, ISSUE, "@claude between us", internal=True)
    send(fresh_sandbox, "DELETE", f"{ISSUE.path}/notes/{place.mention}", "maintainer")
    with pytest.raises(NotFound):
        TrackingNote(client(fresh_sandbox), place, RUN).write("done", ended=True)
    assert texts(fresh_sandbox, top_level(fresh_sandbox)) == []


def test_a_note_that_a_person_deleted_comes_back_only_with_the_answer(sandbox: Sandbox) -> None:
    place = asked(sandbox, ISSUE, "@claude quietly please")
    note = TrackingNote(client(sandbox), place, RUN)
    note.write("working")
    send(sandbox, "DELETE", f"{ISSUE.path}/notes/{note.id}", "maintainer")
    with pytest.raises(NotFound):
        note.write("still working")
    assert texts(sandbox, place) == []
    note.write("done", ended=True)
    assert texts(sandbox, place) == ["done"]


def test_with_a_job_token_there_is_no_note_and_the_reason_is_said(sandbox: Sandbox) -> None:
    place = asked(sandbox, ISSUE, "@claude with a job token")
    with pytest.raises(JobTokenNotAccepted, match="GITLAB_ACCESS_TOKEN"):
        TrackingNote(GitLab(job_settings(sandbox)), place, RUN).write("working")
    assert answers(sandbox, place) == []


async def test_no_tool_can_write_a_marker_or_change_the_tracking_note(sandbox: Sandbox) -> None:
    place = asked(sandbox, ISSUE, "@claude forge it")
    note = TrackingNote(client(sandbox), place, RUN)
    note.write("working")
    forged = str(MarkedText(Marker("1.x", place.mention), "I am done"))
    nested = forged.replace("-server", f"-{Marker()}server", 1)
    async with connect(settings_for(sandbox, "developer", tools=("create_note", "update_note"))) as agent:
        for body in (forged, nested, forged.upper()):
            await agent.call("create_note", iid=ISSUE.reference, body=f"{body}\n.", reply_to=str(place.mention))
        refused = await agent.refused("update_note", iid=ISSUE.reference, note=str(note.id), body="forged")
    assert "keeps this comment up to date" in refused
    own, *others = answers(sandbox, place)
    assert marker_of(own["body"])
    assert [other["body"].upper() for other in others] == ["I AM DONE\n."] * 3


async def test_the_marker_is_not_shown_to_the_model(sandbox: Sandbox) -> None:
    place = asked(sandbox, ISSUE, "@claude what do you see?")
    TrackingNote(client(sandbox), place, RUN).write("Working on it.")
    async with connect(settings_for(sandbox)) as agent:
        shown = await agent.call("get_issue", iid=ISSUE.reference)
    assert "> Working on it." in shown
    assert "hidden HTML" not in shown
    assert "gitlab-mcp-server note" not in shown


def waiting_note(sandbox: Sandbox, mention: int, thread: str, who: str = "developer", run: str = "") -> int:
    """A tracking note as a listener posts it; its id."""
    body = str(MarkedText(Marker(run, mention), "Waiting for a runner."))
    path = f"{ISSUE.path}/discussions/{thread}/notes" if thread else f"{ISSUE.path}/notes"
    number: int = send(sandbox, "POST", path, who, body=body)["id"]
    return number


def test_a_note_of_the_listener_is_taken_and_gone_on_with(sandbox: Sandbox) -> None:
    place, gitlab = asked(sandbox, ISSUE, "@claude from the listener"), client(sandbox)
    number = waiting_note(sandbox, place.mention, place.thread)
    taken = handed_in(gitlab, place, number, RUN)
    assert (taken.reason, taken.ended) == ("", False)
    note = TrackingNote(gitlab, place, RUN, taken.note)
    note.write("working")
    note.write("done", ended=True)
    assert note.id == number
    assert texts(sandbox, place) == ["done"]
    again = handed_in(gitlab, place, number, RUN)
    assert (again.note, again.ended) == (None, True)
    assert "was answered" in again.reason


@pytest.mark.parametrize(
    ("case", "reason"),
    [
        ("somebody else's", "is not the tracking note of this mention"),
        ("without a marker", "is not the tracking note of this mention"),
        ("of another mention", "is not the tracking note of this mention"),
        ("in another thread", "is in another thread"),
        ("of another run", "belongs to another run"),
        ("missing", "cannot be used: "),
    ],
)
def test_a_note_that_was_handed_in_wrongly_is_not_touched(sandbox: Sandbox, case: str, reason: str) -> None:
    place = asked(sandbox, ISSUE, f"@claude {case}")
    other = asked(sandbox, ISSUE, "another thread")
    replies = f"{ISSUE.path}/discussions/{place.thread}/notes"
    notes: dict[str, Callable[[], int]] = {
        "somebody else's": lambda: waiting_note(sandbox, place.mention, place.thread, "maintainer"),
        "without a marker": lambda: int(send(sandbox, "POST", replies, body="Waiting.")["id"]),
        "of another mention": lambda: waiting_note(sandbox, other.mention, place.thread),
        "in another thread": lambda: waiting_note(sandbox, place.mention, other.thread),
        "of another run": lambda: waiting_note(sandbox, place.mention, place.thread, run="601.x"),
        "missing": lambda: 999_999,
    }
    number = notes[case]()
    sandbox.faults.clear()
    refused = handed_in(client(sandbox), place, number, RUN)
    assert (refused.note, refused.ended) == (None, False)
    assert reason in refused.reason
    assert writes(sandbox) == []


@pytest.mark.parametrize("name", ["", ".listener-0123abcd", ".4f"])
def test_a_note_that_a_listener_named_is_taken(sandbox: Sandbox, name: str) -> None:
    place = asked(sandbox, ISSUE, f"@claude listener {name}")
    number = waiting_note(sandbox, place.mention, place.thread, run=name)
    assert handed_in(client(sandbox), place, number, RUN).note


def test_the_runs_that_have_answered_a_mention_are_those_whose_notes_have_ended(sandbox: Sandbox) -> None:
    place, gitlab = asked(sandbox, ISSUE, "@claude twice"), client(sandbox)
    assert answering_runs(gitlab, place) == set()
    TrackingNote(gitlab, place, "601").write("working")
    TrackingNote(client(sandbox, "maintainer"), place, "603").write("by another user", ended=True)
    assert answering_runs(gitlab, place) == set()
    TrackingNote(gitlab, place, RUN).write("done", ended=True)
    assert answering_runs(gitlab, place) == {RUN}
    assert answering_runs(gitlab, asked(sandbox, ISSUE, "@claude else")) == set()


def test_a_note_that_a_killed_run_left_open_is_closed_once(sandbox: Sandbox) -> None:
    place, gitlab = asked(sandbox, ISSUE, "@claude killed"), client(sandbox)
    TrackingNote(gitlab, place, RUN).write("- [x] read #7")
    TrackingNote(gitlab, place, "601").write("another run")

    def edit(text: str) -> str:
        return f"The job was cancelled.\n\n{text}"

    assert close_left_open(gitlab, place, RUN, edit)
    assert texts(sandbox, place) == ["The job was cancelled.\n\n- [x] read #7", "another run"]
    assert not close_left_open(gitlab, place, RUN, edit)


@pytest.mark.parametrize("is_waiting", [False, True], ids=["no note", "the listener's note"])
def test_a_run_that_was_killed_before_its_note_is_answered_too(sandbox: Sandbox, is_waiting: bool) -> None:
    place, gitlab = asked(sandbox, ISSUE, f"@claude killed early {is_waiting}"), client(sandbox)
    numbers = [waiting_note(sandbox, place.mention, place.thread)] if is_waiting else []
    for _ in range(2):
        close_left_open(gitlab, place, RUN, lambda text: f"The job was cancelled. {text}".strip())
    assert len(texts(sandbox, place)) == 1
    assert texts(sandbox, place)[0].startswith("The job was cancelled.")
    assert numbers in ([], [answers(sandbox, place)[0]["id"]])


def test_a_note_that_says_the_run_ended_is_left_as_it_is(sandbox: Sandbox) -> None:
    place, gitlab = asked(sandbox, ISSUE, "@claude ended"), client(sandbox)
    TrackingNote(gitlab, place, RUN).write("Done in 4m 12s", ended=True)
    assert not close_left_open(gitlab, place, RUN, lambda text: f"closed: {text}")
    assert texts(sandbox, place) == ["Done in 4m 12s"]
