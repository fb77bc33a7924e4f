"""What the payloads of GitLab's webhooks tell, and that no payload can make the reader fail."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitlab_mcp.mentions.context import flow_context, pipeline_inputs, pipeline_variables
from gitlab_mcp.mentions.decision import Enqueue, Ignore
from gitlab_mcp.mentions.events import NoteEvent, SubjectChange, SubjectEvent, read_event
from gitlab_mcp.mentions.judging import Facts, judge
from gitlab_mcp.mentions.screening import Candidate, ProjectSettings, screen
from tests.support import webhook_payloads as payloads
from tests.support.seed import SEED
from tests.support.webhook_payloads import BUG, CLAUDE, COMMIT, DEVELOPER, RUN_LABEL, Payload, added, with_value

SETTINGS = ProjectSettings(label="claude", user="claude", confidential=True)


def note_event(payload: object) -> NoteEvent:
    event = read_event(payload)
    assert isinstance(event, NoteEvent), event
    return event


def subject_event(payload: object) -> SubjectEvent:
    event = read_event(payload)
    assert isinstance(event, SubjectEvent), event
    return event


def reason(payload: object) -> str:
    event = read_event(payload)
    assert isinstance(event, Ignore), event
    return event.reason


@pytest.mark.parametrize(
    ("payload", "noteable", "title"),
    [
        (payloads.note_on_issue(), f"issues/{SEED.crash_issue.iid}", "Crash when the configuration file is empty"),
        (payloads.note_on_work_item(), f"issues/{SEED.crash_issue.iid}", "Crash when the configuration file is empty"),
        (payloads.note_on_merge_request(), f"merge_requests/{SEED.merge_request.iid}", "Add --verbose"),
        (payloads.note_on_diff_line(), f"merge_requests/{SEED.merge_request.iid}", "Add --verbose"),
        (payloads.note_on_commit(), f"commits/{COMMIT}", "Add --verbose"),
    ],
    ids=["issue", "work item", "merge request", "diff line", "commit"],
)
def test_a_new_comment_is_an_event_about_what_it_is_on(payload: Payload, noteable: str, title: str) -> None:
    event = note_event(payload)
    assert (event.subject.noteable, event.subject.title) == (noteable, title)
    assert (event.note, event.text, event.discussion) == (payloads.NOTE, "@claude fix this", payloads.DISCUSSION)
    assert (event.person.id, event.person.username) == (DEVELOPER["id"], "developer")
    assert event.created_at == "2026-11-28T09:30:00+00:00"
    assert (event.project.id, event.project.path, event.project.default_branch) == (1, "acme/app", "main")
    assert not event.confidential
    assert not event.subject.is_fork


def test_a_work_item_whose_comment_comes_as_one_on_an_issue_is_one_too() -> None:
    payload = with_value(payloads.note_on_issue(), "object_attributes.noteable_type", "WorkItem")
    assert note_event(payload).subject.noteable == f"issues/{SEED.crash_issue.iid}"


@pytest.mark.parametrize("form", ["2026-11-28 09:30:00 UTC", "2026-11-28T09:30:00.000Z", "2026-11-28T10:30:00+01:00"])
def test_times_are_read_in_every_form_that_gitlab_has(form: str) -> None:
    event = note_event(payloads.note_on_issue(created_at=form, updated_at=form))
    assert event.created_at.startswith(("2026-11-28T09:30:00", "2026-11-28T10:30:00+01:00"))


@pytest.mark.parametrize(("kind", "is_reply"), [(None, False), ("DiscussionNote", True), ("DiffNote", True)])
def test_a_comment_in_a_thread_is_told_from_one_that_stands_alone(kind: str | None, is_reply: bool) -> None:
    assert note_event(payloads.note_on_issue(type=kind)).is_reply == is_reply


@pytest.mark.parametrize(
    "payload",
    [
        payloads.note_on_issue(action="update"),
        payloads.note_on_issue(action="update", updated_at="2026-11-28 09:31:00 UTC"),
        payloads.note_on_issue(action=None, updated_at="2026-11-28 09:31:00 UTC"),
        payloads.note_on_issue(action="delete"),
    ],
    ids=["by its action", "later", "before GitLab 16.11", "an unknown action"],
)
def test_an_edited_comment_starts_nothing(payload: Payload) -> None:
    assert reason(payload) == "The comment is not new: it was edited."


def test_a_new_comment_of_a_gitlab_before_16_11_has_no_action() -> None:
    payload = payloads.note_on_issue()
    del payload["object_attributes"]["action"]
    assert note_event(payload).note == payloads.NOTE


@pytest.mark.parametrize(
    "payload",
    [
        payloads.note_on_issue(internal=True),
        payloads.note_on_issue(confidential=True),
        with_value(payloads.note_on_issue(), "event_type", "confidential_note"),
        with_value(payloads.note_on_issue(), "issue.confidential", True),
    ],
    ids=["internal", "confidential before 15.5", "by the type of the event", "on a confidential issue"],
)
def test_an_internal_note_and_one_on_a_confidential_issue_are_confidential(payload: Payload) -> None:
    assert note_event(payload).confidential


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (payloads.note_on_issue(system=True), "It is a system note."),
        (payloads.note_on_snippet(), "The comment is not on an issue, a merge request or a commit."),
        (payloads.note_on_issue(noteable_type="Epic"), "The comment is not on an issue, a merge request or a commit."),
        ({"object_kind": "emoji"}, "The event is not about a comment, an issue or a merge request."),
        ([], "The event is not about a comment, an issue or a merge request."),
        (None, "The event is not about a comment, an issue or a merge request."),
        ({"object_kind": "note"}, "The payload has no object_attributes."),
        (payloads.note_on_issue(project_id=2), "The payload does not name one project"),
        (with_value(payloads.note_on_issue(), "project.id", 2), "The payload does not name one project"),
        (with_value(payloads.note_on_issue(), "issue.project_id", 2), "The payload does not name one project"),
        (
            with_value(payloads.note_on_merge_request(), "merge_request.target_project_id", 2),
            "The payload does not name one project",
        ),
        (payloads.note_on_issue(author_id=5), "The payload does not name the author of the comment."),
        (payloads.note_on_issue(author_id=None), "The payload does not name the author of the comment."),
        (with_value(payloads.note_on_issue(), "user.username", "a b"), "The payload does not name the user."),
        (payloads.note_on_issue(created_at="now", updated_at="now"), "The payload does not name the comment, its time"),
        (payloads.note_on_issue(id=-1), "The payload does not name the comment"),
        (payloads.note_on_issue(id=10**19), "The payload does not name the comment"),
        (with_value(payloads.note_on_issue(), "issue.iid", "7/../8"), "The payload does not name the comment"),
        (with_value(payloads.note_on_commit(), "commit.id", "main"), "The payload does not name the comment"),
        (payloads.issue_changed({}), "The event adds no label, assignee or reviewer."),
        (
            payloads.issue_changed(added("labels", [], [BUG]), updated_at=None),
            "The payload does not name the issue or merge request, or its time.",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_starts_nothing_is_ignored_with_the_reason(payload: object, expected: str) -> None:
    assert reason(payload).startswith(expected)


def test_a_merge_request_from_another_project_is_a_fork() -> None:
    fork = with_value(payloads.note_on_merge_request(), "merge_request.source_project_id", 2)
    assert note_event(fork).subject.is_fork


@pytest.mark.parametrize("source", [None, 0, "", {}], ids=repr)
def test_a_merge_request_whose_source_project_is_not_named_counts_as_a_fork(source: object) -> None:
    unknown = with_value(payloads.note_on_merge_request(), "merge_request.source_project_id", source)
    assert note_event(unknown).subject.is_fork


@pytest.mark.parametrize(
    ("payload", "change"),
    [
        (
            payloads.issue_changed(added("labels", [BUG], [BUG, RUN_LABEL])),
            SubjectChange("label", ("claude",)),
        ),
        (
            payloads.issue_changed(added("assignees", [DEVELOPER], [DEVELOPER, CLAUDE])),
            SubjectChange("assignee", ("claude",)),
        ),
        (
            payloads.merge_request_changed(added("labels", [], [RUN_LABEL])),
            SubjectChange("label", ("claude",)),
        ),
        (
            payloads.merge_request_changed(added("reviewers", [], [{**CLAUDE, "state": "unreviewed"}])),
            SubjectChange("reviewer", ("claude",)),
        ),
        (
            with_value(payloads.issue_changed(added("labels", [], [RUN_LABEL])), "object_kind", "work_item"),
            SubjectChange("label", ("claude",)),
        ),
        (
            payloads.issue_changed(added("labels", [{"title": "a"}], [{"title": "a"}, {"title": "b"}])),
            SubjectChange("label", ("b",)),
        ),
    ],
    ids=["label", "assignee", "label of a merge request", "reviewer", "label of a task", "labels without ids"],
)
def test_only_what_the_event_added_is_told(payload: Payload, change: SubjectChange) -> None:
    event = subject_event(payload)
    assert event.added == (change,)
    assert event.person.username == "developer"


@pytest.mark.parametrize(
    "payload",
    [
        payloads.issue_changed(added("labels", [RUN_LABEL], [RUN_LABEL])),
        payloads.issue_changed(added("labels", [RUN_LABEL, BUG], [RUN_LABEL])),
        payloads.issue_changed(added("title", [], []), labels=[RUN_LABEL]),
        payloads.merge_request_changed(
            added("reviewers", [{**CLAUDE, "state": "unreviewed"}], [{**CLAUDE, "state": "reviewed"}])
        ),
        payloads.issue_changed({"labels": {"current": [RUN_LABEL]}}),
        payloads.issue_changed({"labels": [RUN_LABEL]}),
    ],
    ids=["the same", "another removed", "the title", "the state of a reviewer", "without previous", "a list"],
)
def test_what_was_there_before_the_event_starts_nothing(payload: Payload) -> None:
    assert reason(payload) == "The event adds no label, assignee or reviewer."


def test_an_issue_that_is_created_with_a_label_has_it_added_by_this_event() -> None:
    event = subject_event(payloads.issue_changed({}, action="open", labels=[BUG, RUN_LABEL]))
    assert event.added == (SubjectChange("label", ("bug", "claude")),)


def test_a_confidential_issue_hook_is_confidential() -> None:
    payload = payloads.issue_changed(added("labels", [], [RUN_LABEL]), confidential=True)
    assert subject_event({**payload, "event_type": "confidential_issue"}).confidential


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
ODD = JSON | st.sampled_from(["9" * 5000, "\ud800\x00", "$CI_JOB_TOKEN %CI_JOB_TOKEN%", "9999-12-31 23:59:59 UTC", "٣"])
WHOLE: list[Callable[[], Payload]] = [
    payloads.note_on_issue,
    payloads.note_on_work_item,
    payloads.note_on_diff_line,
    payloads.note_on_commit,
    payloads.note_on_snippet,
    lambda: payloads.issue_changed(added("labels", [BUG], [BUG, RUN_LABEL])),
    lambda: payloads.merge_request_changed(added("reviewers", [], [CLAUDE])),
]


def places(value: object, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of every value in a payload."""
    inner: list[tuple[Any, Any]] = []
    if isinstance(value, dict):
        inner = list(value.items())
    elif isinstance(value, list):
        inner = list(enumerate(value))
    return [path, *(place for key, each in inner for place in places(each, (*path, key)))]


@st.composite
def mutated(draw: st.DrawFn) -> object:
    """A payload of which some values are others, or are missing."""
    payload: Any = draw(st.sampled_from(WHOLE))()
    for _ in range(draw(st.integers(0, 4))):
        path = draw(st.sampled_from(places(payload)))
        if not path:
            return draw(ODD)
        place = payload
        for key in path[:-1]:
            place = place[key]
        if draw(st.booleans()):
            place[path[-1]] = draw(ODD)
        elif isinstance(place, dict):
            del place[path[-1]]
    return payload


@settings(max_examples=1500)
@given(mutated(), st.integers(0, 50), st.none() | st.booleans())
def test_no_payload_makes_the_core_fail(payload: object, role: int, is_fork: bool | None) -> None:
    event = read_event(payload)
    if isinstance(event, Ignore):
        assert event.reason
        return
    candidate = screen(event, SETTINGS)
    if isinstance(candidate, Ignore):
        assert candidate.reason
        return
    assert isinstance(candidate, Candidate)
    decision = judge(candidate, Facts(SETTINGS, role, is_fork=is_fork))
    if isinstance(decision, Enqueue):
        variables = pipeline_variables(candidate, decision, 5)
        for value in (*variables.values(), *pipeline_inputs(candidate, 5).values()):
            assert "\x00" not in value
            value.encode()
        assert json.loads(flow_context(candidate))["title"] is not None
