"""What is decided about a candidate, from what GitLab and the store say."""

from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from gitlab_mcp.mentions.decision import Enqueue, Ignore, Refuse, Stop
from gitlab_mcp.mentions.judging import Facts, judge
from gitlab_mcp.mentions.screening import ProjectSettings
from gitlab_mcp.safety.mention import BARE_REQUEST
from tests.support import webhook_payloads as payloads
from tests.support.webhook_payloads import RUN_LABEL, Payload, added, candidate_of, with_value

GUEST, REPORTER, DEVELOPER, MAINTAINER, OWNER = 10, 20, 30, 40, 50
SETTINGS = ProjectSettings(label="claude", user="claude", confidential=True, daily_budget=20)
FORK = with_value(payloads.note_on_merge_request(), "merge_request.source_project_id", 2)


candidate = partial(candidate_of, settings=SETTINGS)
MENTION = candidate(payloads.note_on_issue())
LABEL = candidate(payloads.issue_changed(added("labels", [], [RUN_LABEL])))


def facts(**changed: Any) -> Facts:
    return replace(Facts(SETTINGS, DEVELOPER), **changed)


@pytest.mark.parametrize("role", [DEVELOPER, MAINTAINER, OWNER])
def test_a_mention_by_a_developer_starts_a_run(role: int) -> None:
    assert judge(MENTION, facts(role=role)) == Enqueue("fix this")


def test_a_bare_mention_asks_for_what_the_thread_asks() -> None:
    assert judge(candidate(payloads.note_on_issue("@claude")), facts()) == Enqueue(BARE_REQUEST)


def test_a_label_starts_a_run_with_the_prompt_of_the_configuration() -> None:
    assert judge(LABEL, facts()) == Enqueue("")


@pytest.mark.parametrize("role", [GUEST, 15, REPORTER])
def test_a_mention_by_a_guest_is_refused_with_the_role_that_it_takes(role: int) -> None:
    decision = judge(MENTION, facts(role=role))
    assert decision == Refuse("No run was started: that takes the role Developer or a higher one in this project.")


@pytest.mark.parametrize(
    "payload", [payloads.note_on_issue(), payloads.note_on_issue("@claude stop"), FORK], ids=["mention", "stop", "fork"]
)
def test_who_has_no_role_gets_no_answer(payload: Payload) -> None:
    assert judge(candidate(payload), facts(role=5)) == Ignore("The user has no role in the project.")
    assert judge(candidate(payload), facts(role=0)) == Ignore("The user has no role in the project.")


@pytest.mark.parametrize(("role", "name"), [(REPORTER, "Reporter"), (MAINTAINER, "Maintainer"), (OWNER, "Owner")])
def test_another_role_can_be_configured(role: int, name: str) -> None:
    settings = replace(SETTINGS, minimum_role=role)
    assert judge(MENTION, facts(settings=settings, role=role)) == Enqueue("fix this")
    decision = judge(MENTION, facts(settings=settings, role=role - 10))
    assert isinstance(decision, Refuse)
    assert f"the role {name} or a higher one" in decision.answer


def test_a_mention_by_a_bot_that_only_the_api_knows_starts_nothing() -> None:
    assert judge(MENTION, facts(is_human=False)) == Ignore("The user is a bot.")


def test_a_mention_by_our_own_user_starts_nothing() -> None:
    settings = replace(SETTINGS, own_users=(payloads.DEVELOPER["id"],))
    assert isinstance(judge(MENTION, facts(settings=settings)), Ignore)


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        (None, "The configuration does not name the project."),
        (replace(SETTINGS, enabled=False), "The project is switched off in the configuration."),
    ],
    ids=["removed", "switched off"],
)
def test_a_project_switched_off_since_the_delivery_starts_nothing(
    settings: ProjectSettings | None, reason: str
) -> None:
    assert judge(MENTION, facts(settings=settings)) == Ignore(reason)
    assert judge(candidate(payloads.note_on_issue("@claude stop")), facts(settings=settings)) == Ignore(reason)


def test_a_mention_in_an_internal_note_starts_nothing_once_that_is_not_allowed() -> None:
    internal = candidate(payloads.note_on_issue(internal=True))
    assert judge(internal, facts()) == Enqueue("fix this")
    assert isinstance(judge(internal, facts(settings=replace(SETTINGS, confidential=False))), Ignore)


@pytest.mark.parametrize(
    ("changed", "answer"),
    [
        ({"person_runs": 10}, "you have started 10 in the last hour, and the limit is 10 for one person."),
        ({"project_runs": 30}, "30 were started in this project in the last hour, and the limit is 30."),
        ({"spent_today": 20.5}, "the runs of this project have cost $20.50 today, and the limit is $20.00."),
    ],
    ids=["per person", "per project", "budget"],
)
def test_what_is_beyond_the_limits_is_refused_with_the_limit(changed: dict[str, Any], answer: str) -> None:
    decision = judge(MENTION, facts(**changed))
    assert isinstance(decision, Refuse)
    assert decision.answer.startswith(f"No run was started: {answer}")
    assert "try again" in decision.answer
    assert judge(MENTION, facts(**{name: value - 1 for name, value in changed.items()})) == Enqueue("fix this")


def test_without_a_budget_any_cost_is_allowed() -> None:
    settings = replace(SETTINGS, daily_budget=None)
    assert judge(MENTION, facts(settings=settings, spent_today=9_999)) == Enqueue("fix this")


@pytest.mark.parametrize(
    ("payload", "changed"),
    [
        (payloads.note_on_issue(), {"role": GUEST}),
        (payloads.note_on_issue(), {"person_runs": 10}),
        (payloads.note_on_issue("@claude a=b"), {}),
        (FORK, {}),
    ],
    ids=["role", "rate", "option", "fork"],
)
def test_the_second_refusal_of_a_person_in_a_thread_on_a_day_is_silent(
    payload: Payload, changed: dict[str, Any]
) -> None:
    assert isinstance(judge(candidate(payload), facts(**changed)), Refuse)
    assert isinstance(judge(candidate(payload), facts(**changed, was_refused_today=True)), Ignore)


def test_who_was_refused_today_can_still_start_a_run() -> None:
    assert judge(MENTION, facts(was_refused_today=True)) == Enqueue("fix this")


@pytest.mark.parametrize(
    ("payload", "is_fork"),
    [(FORK, None), (FORK, True), (payloads.note_on_merge_request(), True)],
    ids=["by the payload", "by both", "by GitLab"],
)
def test_a_mention_on_a_merge_request_of_a_fork_is_refused(payload: Payload, is_fork: bool | None) -> None:
    decision = judge(candidate(payload), facts(role=OWNER, is_fork=is_fork))
    assert isinstance(decision, Refuse)
    assert "comes from another project, whose code does not run with the secrets of this one" in decision.answer


def test_what_gitlab_says_of_a_fork_counts_more_than_the_payload() -> None:
    assert judge(candidate(FORK), facts(is_fork=False)) == Enqueue("fix this")


def test_a_review_request_on_a_merge_request_of_a_fork_is_refused() -> None:
    changes = added("reviewers", [], [payloads.CLAUDE])
    fork = candidate(payloads.merge_request_changed(changes, source_project_id=2))
    assert isinstance(judge(fork, facts()), Refuse)


def test_an_option_that_is_not_allowed_is_refused_with_a_sentence() -> None:
    decision = judge(candidate(payloads.note_on_issue("@claude max_turns=999 fix")), facts())
    assert decision == Refuse(
        "No run was started: `max_turns` has to be a number from 1 to 60. Please write a new comment."
    )


def test_stop_in_a_thread_stops_the_runs_of_that_thread() -> None:
    stop = candidate(payloads.note_on_issue("@claude stop", type="DiscussionNote"))
    assert judge(stop, facts()) == Stop(payloads.DISCUSSION)


def test_stop_in_a_comment_that_stands_alone_stops_all_runs_on_the_issue() -> None:
    assert judge(candidate(payloads.note_on_issue("@claude stop")), facts()) == Stop("")


def test_stop_works_beyond_the_limits_and_on_forks() -> None:
    beyond = facts(person_runs=99, project_runs=99, spent_today=99, was_refused_today=True)
    assert judge(candidate(payloads.note_on_issue("@claude stop")), beyond) == Stop("")
    fork = with_value(payloads.note_on_merge_request("@claude stop"), "merge_request.source_project_id", 2)
    assert judge(candidate(fork), facts()) == Stop("")


def test_stop_by_who_may_not_start_runs_is_refused() -> None:
    assert isinstance(judge(candidate(payloads.note_on_issue("@claude stop")), facts(role=GUEST)), Refuse)


def test_a_mention_on_an_issue_with_our_open_merge_request_goes_on_with_it() -> None:
    assert judge(MENTION, facts(own_merge_request=12)) == Enqueue("fix this", follow_up=12)
    assert judge(LABEL, facts(own_merge_request=12)) == Enqueue("", follow_up=12)
    on_merge_request = candidate(payloads.note_on_merge_request())
    assert judge(on_merge_request, facts(own_merge_request=12)) == Enqueue("fix this")
