"""Which events start or stop a run by the settings of their project, before anything is asked."""

import pytest

from gitlab_mcp.mentions.decision import Ignore
from gitlab_mcp.mentions.events import read_event
from gitlab_mcp.mentions.screening import Candidate, ProjectSettings, screen
from tests.support import webhook_payloads as payloads
from tests.support.seed import SEED
from tests.support.webhook_payloads import BUG, CLAUDE, DEVELOPER, RUN_LABEL, Payload, added, with_value

SETTINGS = ProjectSettings(label="claude", user="claude", own_users=(CLAUDE["id"],))
MARKER = "<!-- gitlab-mcp-server note run= mention=1301 state=open -->\n"


def screened(payload: Payload, settings: ProjectSettings | None = SETTINGS) -> Candidate | Ignore:
    event = read_event(payload)
    assert not isinstance(event, Ignore), event
    return screen(event, settings)


def candidate(payload: Payload, settings: ProjectSettings = SETTINGS) -> Candidate:
    found = screened(payload, settings)
    assert isinstance(found, Candidate), found
    return found


def reason(payload: Payload, settings: ProjectSettings | None = SETTINGS) -> str:
    found = screened(payload, settings)
    assert isinstance(found, Ignore), found
    return found.reason


def by(user: Payload, payload: Payload) -> Payload:
    """The payload as of another user."""
    if payload["object_kind"] == "note":
        payload = with_value(payload, "object_attributes.author_id", user["id"])
    return {**payload, "user": user}


def test_a_comment_with_the_handle_is_a_candidate_named_by_its_note() -> None:
    found = candidate(payloads.note_on_issue("@claude model=opus fix this", type="DiscussionNote"))
    assert found.unit == f"note/{payloads.NOTE}"
    assert found.comment
    assert (found.comment.request, found.comment.options) == ("fix this", {"model": "opus"})
    assert (found.text, found.note, found.is_reply) == ("@claude model=opus fix this", payloads.NOTE, True)
    assert found.thread == payloads.DISCUSSION


def test_a_comment_without_a_discussion_is_answered_on_the_issue() -> None:
    assert candidate(payloads.note_on_issue(discussion_id=None)).thread == f"issues/{SEED.crash_issue.iid}"


@pytest.mark.parametrize(
    ("payload", "change", "unit"),
    [
        (
            payloads.issue_changed(added("labels", [], [BUG, RUN_LABEL])),
            "label",
            f"issues/{SEED.crash_issue.iid}/label/2026-11-28T09:30:00+00:00",
        ),
        (
            payloads.issue_changed(added("assignees", [], [{**CLAUDE, "username": "Claude"}])),
            "assignee",
            f"issues/{SEED.crash_issue.iid}/assignee/2026-11-28T09:30:00+00:00",
        ),
        (
            payloads.merge_request_changed(added("reviewers", [DEVELOPER], [DEVELOPER, CLAUDE])),
            "reviewer",
            f"merge_requests/{SEED.merge_request.iid}/reviewer/2026-11-28T09:30:00+00:00",
        ),
    ],
    ids=["label", "assignee", "reviewer"],
)
def test_what_was_added_is_a_candidate_without_a_comment(payload: Payload, change: str, unit: str) -> None:
    found = candidate(payload)
    assert (found.change, found.unit, found.comment, found.note) == (change, unit, None, 0)
    assert found.person.username == "developer"


def test_a_project_hook_and_a_group_hook_name_the_same_unit() -> None:
    assert candidate(payloads.note_on_issue()).unit == candidate({**payloads.note_on_issue(), "hook": "group"}).unit


def test_one_event_that_adds_several_things_is_one_unit() -> None:
    changes = added("labels", [], [RUN_LABEL]) | added("assignees", [], [CLAUDE])
    assert candidate(payloads.issue_changed(changes)).change == "label"


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        pytest.param(payloads.note_on_issue("fix this"), "The comment does not mention the handle.", id="no mention"),
        pytest.param(payloads.note_on_issue("> @claude fix"), "The comment does not mention", id="in a quote"),
        pytest.param(payloads.note_on_issue("`@claude fix`"), "The comment does not mention", id="in code"),
        pytest.param(payloads.note_on_issue("@claude-bot fix"), "The comment does not mention", id="another user"),
        pytest.param(payloads.note_on_issue(internal=True), "The issue is confidential or", id="internal note"),
        pytest.param(
            with_value(payloads.note_on_issue(), "issue.confidential", True),
            "The issue is confidential or",
            id="confidential issue",
        ),
        pytest.param(by(CLAUDE, payloads.note_on_issue()), "The event is by a user of this service", id="our own user"),
        pytest.param(
            by(CLAUDE, payloads.issue_changed(added("labels", [], [RUN_LABEL]))),
            "The event is by a user of this service",
            id="a label by our own user",
        ),
        pytest.param(
            payloads.note_on_issue(f"{MARKER}@claude fix"), "The comment is the tracking note of a run.", id="our note"
        ),
        pytest.param(
            payloads.issue_changed(added("labels", [], [BUG])), "The event does not add the label", id="another label"
        ),
        pytest.param(
            payloads.issue_changed(added("assignees", [], [DEVELOPER])),
            "The event does not add the label, assignee",
            id="another assignee",
        ),
        pytest.param(
            payloads.issue_changed(added("labels", [], [{**RUN_LABEL, "title": "claude::done"}])),
            "The event does not add the label",
            id="a longer label",
        ),
    ],
)
def test_what_starts_nothing_is_ignored_with_the_reason(payload: Payload, expected: str) -> None:
    assert reason(payload).startswith(expected)


@pytest.mark.parametrize(
    "username",
    [
        *("project_1_bot", "project_1_bot1", "project_42_bot_3dbe9ec2d4cf5a7a2ffa9d9dd1f49ba6", "group_9_bot_0a1b"),
        *("service_account_0123456789abcdef0123456789abcdef", "GitLab-Security-Bot", "alert-bot", "support-bot1"),
        *("service_account_group_7_0123456789abcdef0123456789abcdef", "ghost", "ghost1"),
    ],
)
def test_a_mention_by_a_bot_starts_nothing(username: str) -> None:
    bot = {**DEVELOPER, "username": username}
    assert reason(by(bot, payloads.note_on_issue())) == "The event is by a bot."
    assert reason(by(bot, payloads.issue_changed(added("labels", [], [RUN_LABEL])))) == "The event is by a bot."


@pytest.mark.parametrize("username", ["bot", "robot", "project_bot", "project_x_bot", "ghostwriter", "claudette"])
def test_a_person_whose_name_only_looks_like_a_bot_is_one(username: str) -> None:
    assert candidate(by({**DEVELOPER, "username": username}, payloads.note_on_issue())).person.username == username


def test_a_project_that_the_configuration_does_not_name_starts_nothing() -> None:
    assert reason(payloads.note_on_issue(), None) == "The configuration does not name the project."


def test_a_project_that_is_switched_off_starts_nothing() -> None:
    assert reason(payloads.note_on_issue(), ProjectSettings(enabled=False)).startswith("The project is switched off")


def test_confidential_mentions_start_runs_where_the_configuration_allows_them() -> None:
    found = candidate(payloads.note_on_issue(internal=True), ProjectSettings(confidential=True))
    assert found.confidential


def test_without_a_label_and_a_user_in_the_configuration_only_comments_start_runs() -> None:
    settings = ProjectSettings()
    for changes in (added("labels", [], [{"id": 1, "title": ""}, RUN_LABEL]), added("assignees", [], [CLAUDE])):
        event = read_event(payloads.issue_changed(changes))
        assert not isinstance(event, Ignore)
        assert isinstance(screen(event, settings), Ignore)
    assert candidate(payloads.note_on_issue(), settings).comment


def test_another_handle_can_be_configured() -> None:
    settings = ProjectSettings(handle="helper")
    assert candidate(payloads.note_on_issue("@helper fix"), settings).comment
    assert reason(payloads.note_on_issue("@claude fix"), settings) == "The comment does not mention the handle."
