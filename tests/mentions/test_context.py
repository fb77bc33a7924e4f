"""What a pipeline is started with: inputs, variables, and what stands in AI_FLOW_CONTEXT."""

import json
import re
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitlab_mcp.api.mention_digest import mention_digest
from gitlab_mcp.config.job_context import read_job
from gitlab_mcp.mentions.context import (
    CONTEXT_BYTES,
    REQUEST_BYTES,
    REST_IS_CUT,
    ThreadNote,
    flow_context,
    pipeline_inputs,
    pipeline_variables,
)
from gitlab_mcp.mentions.decision import Enqueue
from gitlab_mcp.mentions.screening import Candidate, ProjectSettings
from tests.support import webhook_payloads as payloads
from tests.support.seed import SEED
from tests.support.webhook_payloads import COMMIT, DISCUSSION, NOTE, RUN_LABEL, Payload, added, candidate_of, with_value

SETTINGS = ProjectSettings(label="claude", user="claude", confidential=True)
INJECTION = "@claude $CI_JOB_TOKEN ${CI_JOB_TOKEN} %CI_JOB_TOKEN% $$x `id` $(id)\n  script: [evil]\n--model x \"';"


candidate = partial(candidate_of, settings=SETTINGS)
MENTION = candidate(payloads.note_on_issue())


def note(number: int, text: str, created_at: str = "2026-11-27T08:00:00.123Z", **changed: Any) -> ThreadNote:
    return ThreadNote(number, "reporter", created_at, text, **changed)


def context(on: Candidate = MENTION, *notes: ThreadNote) -> dict[str, Any]:
    parsed: dict[str, Any] = json.loads(flow_context(on, notes))
    return parsed


def in_the_job(value: str) -> str:
    """The value of a variable as a runner makes it: GitLab leaves $$, and a runner makes $ of it."""
    assert not re.search(r"%[A-Za-z_]\w*%", value), "GitLab would replace it by the value of a variable"
    return re.sub(r"\$(\$|\w+|\{[^}]*\})", lambda match: "$" if match[1] == "$" else "REPLACED", value)


def test_inputs_are_ids_and_a_hash_only() -> None:
    assert pipeline_inputs(MENTION, 1302) == {
        "claude_noteable": f"issues/{SEED.crash_issue.iid}",
        "claude_note": str(NOTE),
        "claude_tracking_note": "1302",
        "claude_digest": mention_digest(
            "@claude fix this", "Crash when the configuration file is empty", "It ends with a traceback."
        ),
    }


def test_a_comment_made_to_inject_yaml_puts_nothing_of_it_into_inputs() -> None:
    hostile = with_value(payloads.note_on_issue(INJECTION), "issue.title", 'x", script: [evil] $[[ inputs.x ]]')
    for value in pipeline_inputs(candidate(hostile), 0).values():
        assert re.fullmatch(r"(issues/\d+)?|\d+|[0-9a-f]{64}", value)


def test_inputs_of_a_label_name_no_note() -> None:
    label = candidate(payloads.issue_changed(added("labels", [], [RUN_LABEL])))
    assert pipeline_inputs(label, 0)["claude_note"] == ""
    assert pipeline_inputs(label, 0)["claude_tracking_note"] == ""
    assert pipeline_inputs(label, 0)["claude_digest"] == mention_digest(
        "", "Crash when the configuration file is empty", "It ends with a traceback."
    )


def test_a_commit_is_named_by_its_id_and_its_message_is_not_in_the_digest() -> None:
    inputs = pipeline_inputs(candidate(payloads.note_on_commit()), 0)
    assert inputs["claude_noteable"] == f"commits/{COMMIT}"
    assert inputs["claude_digest"] == mention_digest("@claude fix this", "", "")


def test_the_digest_of_a_payload_is_that_of_the_texts_in_gitlabs_api() -> None:
    image = "![a](/uploads/0123456789abcdef0123456789abcdef/a.png)"
    absolute = image.replace("(", "(https://gitlab.example.com/acme/app")
    on = candidate(with_value(payloads.note_on_issue(), "issue.description", absolute))
    assert pipeline_inputs(on, 0)["claude_digest"] == mention_digest(on.text, on.subject.title, image)


def test_variables_say_what_the_run_is_about() -> None:
    variables = pipeline_variables(MENTION, Enqueue("fix this"), 1302)
    assert json.loads(variables.pop("AI_FLOW_CONTEXT"))["iid"] == SEED.crash_issue.iid
    assert variables == {
        "AI_FLOW_INPUT": "fix this",
        "AI_FLOW_EVENT": "mention",
        "AI_FLOW_DISCUSSION_ID": DISCUSSION,
        "GITLAB_MCP_ISSUE": str(SEED.crash_issue.iid),
        "GITLAB_MCP_NOTE": str(NOTE),
        "GITLAB_MCP_TRACKING_NOTE": "1302",
        "GITLAB_MCP_DIGEST": pipeline_inputs(MENTION, 0)["claude_digest"],
    }


@pytest.mark.parametrize(
    ("payload", "event", "subject"),
    [
        (payloads.issue_changed(added("labels", [], [RUN_LABEL])), "label", "GITLAB_MCP_ISSUE"),
        (payloads.issue_changed(added("assignees", [], [payloads.CLAUDE])), "assign", "GITLAB_MCP_ISSUE"),
        (
            payloads.merge_request_changed(added("reviewers", [], [payloads.CLAUDE])),
            "assign_reviewer",
            "GITLAB_MCP_MERGE_REQUEST",
        ),
    ],
    ids=["label", "assignee", "reviewer"],
)
def test_a_run_without_a_comment_has_no_input_and_says_why_it_runs(payload: Payload, event: str, subject: str) -> None:
    variables = pipeline_variables(candidate(payload), Enqueue(""), 0)
    assert set(variables) == {"AI_FLOW_CONTEXT", "AI_FLOW_EVENT", subject, "GITLAB_MCP_DIGEST"}
    assert variables["AI_FLOW_EVENT"] == event


@pytest.mark.parametrize(
    "payload",
    [payloads.note_on_issue(), payloads.note_on_diff_line(), payloads.note_on_work_item()],
    ids=["issue", "diff line", "work item"],
)
def test_a_job_reads_from_the_variables_what_was_asked_where(payload: Payload) -> None:
    on = candidate(payload)
    variables = pipeline_variables(on, Enqueue("fix this"), 0, [note(5, "An earlier comment")])
    ci = {"GITLAB_CI": "true", "CI_PROJECT_PATH": "acme/app", "CI_PROJECT_ID": "1"}
    job = read_job({name: in_the_job(value) for name, value in variables.items()} | ci)
    assert (job.sign, job.event, job.input) == (
        f"{'#' if job.noun == 'issue' else '!'}{job.iid}",
        "mention",
        "fix this",
    )
    assert str(job.iid) == on.subject.reference
    assert (job.title, job.description) == (on.subject.title, on.subject.description)
    assert job.discussion == DISCUSSION
    assert job.comments == "@reporter 2026-11-27T08:00:00.123Z\nAn earlier comment"


@pytest.mark.parametrize("event", ["label", "assign", "assign_reviewer", "mention"])
def test_a_job_knows_every_event_that_the_listener_names(event: str) -> None:
    assert read_job({"GITLAB_CI": "true", "AI_FLOW_EVENT": event}).event == event


def test_a_comment_made_to_inject_variables_reaches_the_job_as_it_was_written() -> None:
    hostile = payloads.note_on_issue(INJECTION)
    for field in ("issue.title", "issue.description"):
        hostile = with_value(hostile, field, INJECTION)
    on = candidate(hostile)
    assert on.comment
    variables = pipeline_variables(on, Enqueue(on.comment.request), 0, [note(5, INJECTION)])
    for name, value in variables.items():
        assert "REPLACED" not in in_the_job(value), name
    asked = in_the_job(variables["AI_FLOW_INPUT"])
    assert asked == INJECTION.removeprefix("@claude ").replace("%CI", "% CI")
    read = json.loads(in_the_job(variables["AI_FLOW_CONTEXT"]))
    assert read["title"] == read["description"] == INJECTION
    assert read["issue_comments"][0].endswith(INJECTION)


def test_the_context_is_flat_and_has_title_and_description_of_the_payload() -> None:
    assert context(MENTION, note(5, "A"), note(6, "B", "2026-11-28T08:00:00Z")) == {
        "id": 207,
        "iid": SEED.crash_issue.iid,
        "project_id": 1,
        "author_id": 3,
        "state": "opened",
        "created_at": "2026-11-20 08:00:00 UTC",
        "updated_at": "2026-11-28 09:30:00 UTC",
        "confidential": False,
        "labels": ["bug"],
        "title": "Crash when the configuration file is empty",
        "description": "It ends with a traceback.",
        "web_url": f"/acme/app/-/issues/{SEED.crash_issue.iid}",
        "issue_comments": ["@reporter 2026-11-28T08:00:00Z\nB", "@reporter 2026-11-27T08:00:00.123Z\nA"],
    }


def test_the_context_of_a_merge_request_names_its_branches() -> None:
    read = context(candidate(payloads.note_on_merge_request()), note(5, "A"))
    assert (read["source_branch"], read["target_branch"]) == ("3-verbose", "main")
    assert read["mr_comments"] == ["@reporter 2026-11-27T08:00:00.123Z\nA"]


def test_the_context_of_a_commit_has_its_message() -> None:
    read = context(candidate(payloads.note_on_commit()))
    assert (read["id"], read["description"]) == (COMMIT, "Add --verbose\n\nFor #3")
    assert read["web_url"] == f"/acme/app/-/commit/{COMMIT}"


@pytest.mark.parametrize(
    ("other", "is_there"),
    [
        (note(5, "x", "2026-11-28T09:29:59.999Z"), True),
        (note(NOTE - 1, "x", "2026-11-28T09:30:00.100Z"), True),
        (note(NOTE, "x", "2026-11-28T09:30:00.200Z"), False),
        (note(NOTE + 1, "x", "2026-11-28T09:30:00.300Z"), False),
        (note(5, "x", "2026-11-28T09:30:01.000Z"), False),
        (note(5, "x", "2026-11-28T10:29:00+01:00"), True),
        (note(5, "x", updated_at="2026-11-28T09:30:01.500Z"), True),
        (note(5, "x", updated_at="2026-11-28T09:30:02.000Z"), False),
        (note(5, "x", updated_at="2026-11-28T11:00:00.000Z"), False),
        (note(5, "x", updated_at="soon"), False),
        (note(5, "x", "yesterday"), False),
        (note(5, "x", "2026-11-27T08:00:00"), False),
        (note(5, "x", system=True), False),
        (note(5, "x", internal=True), False),
    ],
    ids=[
        *("before", "before in the same second", "the one that asks", "after in the same second", "after"),
        *("before in another zone", "updated by the reply", "edited soon after", "edited after"),
        *("without a time of its edit", "without a time", "without a zone", "system note", "internal"),
    ],
)
def test_only_comments_that_were_there_before_the_event_are_in_the_context(other: ThreadNote, is_there: bool) -> None:
    assert bool(context(MENTION, other)["issue_comments"]) == is_there


def test_internal_comments_are_in_the_context_of_an_internal_mention() -> None:
    internal = candidate(payloads.note_on_issue(internal=True))
    assert context(internal, note(5, "secret", internal=True))["issue_comments"]


def test_the_oldest_comments_are_left_out_first() -> None:
    notes = [note(number, f"{number} {'x' * 1000}", f"2026-11-27T08:{number:02}:00Z") for number in range(60)]
    taken = [int(text.split()[2]) for text in context(MENTION, *notes)["issue_comments"]]
    assert taken == list(range(59, 59 - len(taken), -1))
    assert 50 < len(taken) < 60


def test_a_comment_that_is_too_long_is_cut_and_the_description_is_whole() -> None:
    long = candidate(with_value(payloads.note_on_issue(), "issue.description", "d" * 50_000))
    read = context(long, note(5, "c" * 50_000))
    assert read["description"] == "d" * 50_000
    assert read["issue_comments"][0].endswith(f"c{REST_IS_CUT}")


def test_a_description_that_is_too_long_alone_is_cut_and_says_so() -> None:
    long = candidate(with_value(payloads.note_on_issue(), "issue.description", "\U0001f600" * 500_000))
    read = context(long, note(5, "A"))
    assert len(flow_context(long)) <= CONTEXT_BYTES
    assert read["description"].endswith(f"\U0001f600{REST_IS_CUT}")
    assert read["title"] == "Crash when the configuration file is empty"
    assert read["issue_comments"] == []


def test_a_request_that_is_too_long_is_cut_and_says_so() -> None:
    asked = pipeline_variables(MENTION, Enqueue("$x " * 100_000), 0)["AI_FLOW_INPUT"]
    assert len(asked.encode()) <= REQUEST_BYTES
    assert in_the_job(asked).startswith("$x $x ")
    assert asked.endswith(REST_IS_CUT)


TEXTS = st.text(max_size=40) | st.sampled_from(["\x00", "\ud800", "\udfff\ud800", "$A ${A} %A% $$ %%", '"\\', "\u2028"])
LONG = st.builds(lambda text, times: text * times, TEXTS, st.sampled_from([0, 1, 3, 2_000, 40_000]))


@settings(max_examples=300)
@given(LONG, LONG, st.lists(LONG, max_size=4), st.lists(st.tuples(TEXTS, LONG), max_size=6), LONG)
def test_any_texts_become_valid_variables_within_the_limits(
    title: str, description: str, labels: list[str], notes: list[tuple[str, str]], asked: str
) -> None:
    subject = replace(MENTION.subject, title=title, description=description, labels=tuple(labels))
    on = replace(MENTION, subject=subject)
    threads = [ThreadNote(number, author, "2026-11-27T08:00:00Z", text) for number, (author, text) in enumerate(notes)]
    variables = pipeline_variables(on, Enqueue(asked), 0, threads)
    for value in variables.values():
        assert len(value.encode()) <= 60_000
        assert "\x00" not in value
        assert in_the_job(value).count("REPLACED") == value.count("REPLACED")
    read = json.loads(variables["AI_FLOW_CONTEXT"])
    assert read["title"] == "".join(re.sub("[\ud800-\udfff]", "\ufffd", title).replace("\x00", ""))[:1_000]
    if read["issue_comments"]:
        assert REST_IS_CUT not in read["description"]
