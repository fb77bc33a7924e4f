"""Text that goes to GitLab executes nothing and calls nobody, whatever it holds."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitlab_mcp.safety.escape import neutralize
from gitlab_mcp.sandbox import Sandbox
from tests.support.agent import connect
from tests.support.gitlab_requests import get
from tests.support.seed import SEED
from tests.support.settings import settings_for

HANDLES = ("all", "claude")
# GitLab's commands, from https://docs.gitlab.com/user/project/quick_actions/ (some of them).
COMMANDS = ("close", "merge", "label", "assign", "approve", "confidential", "spend", "title", "assign_reviewer")


def executed(text: str) -> list[str]:
    """The quick actions that GitLab would execute in a text: its own rule, written again from its source.

    lib/gitlab/quick_actions/extractor.rb: carriage returns are deleted; a command is at the start of a line and is
    followed by a blank or the line's end. What it excludes (fences, HTML blocks, quotes) is not excluded here, so that
    nothing depends on guessing the same code blocks as GitLab.
    """
    text = text.replace("\r", "")
    found = []
    for line in text.split("\n"):
        match = re.match(r"/([a-z_]+)(?=[ \t\f\v]|$)", line, re.IGNORECASE)
        if match:
            found.append(match[1].lower())
    return found


PIECES = st.sampled_from(
    [f"/{name}" for name in COMMANDS]
    + [
        "/CLOSE",
        "/clo\rse",
        "\r/close",
        "\r\n/merge",
        "\n",
        "\r\n",
        " ",
        "\t",
        "\f",
        "\v",
        "\u00a0",
        "\u2028",
        "\u200b",
    ]
    + ["```", "````", "~~~", "`", "``", "<!--", "-->", "<pre>", "> ", ">>>", "- ", "@all", "@claude", "@ALL", "text"]
    + ["/usr/bin/x", "/etc", "//close", "\\/close", "/close.", "/close now", "/label ~bug"]
)
TEXTS = st.lists(PIECES, max_size=12).map("".join) | st.text(max_size=80)


@settings(max_examples=1500, deadline=None)
@given(TEXTS)
def test_no_text_keeps_a_quick_action_that_gitlab_would_execute(text: str) -> None:
    assert executed(neutralize(text, HANDLES)) == []


@settings(max_examples=500, deadline=None)
@given(TEXTS)
def test_doing_it_twice_changes_nothing_more(text: str) -> None:
    once = neutralize(text, HANDLES)
    assert neutralize(once, HANDLES) == once


@settings(max_examples=500, deadline=None)
@given(TEXTS)
def test_only_blanks_back_ticks_and_carriage_returns_change(text: str) -> None:
    kept = re.sub(r"[ \r`]", "", neutralize(text, HANDLES))
    assert kept == re.sub(r"[ \r`]", "", text)


@pytest.mark.parametrize(
    "text", ["/usr/bin/x is a path", "see /close", "a\n/etc/passwd\nb", "1/2", "// close", "/close/x"]
)
def test_what_is_no_quick_action_stays_as_it_is(text: str) -> None:
    assert neutralize(text, HANDLES) == text


@pytest.mark.parametrize(
    ("text", "sent"),
    [
        ("/close", " /close"),
        ("  /close", "  /close"),
        ("ok\r\n/merge\r\n", "ok\n /merge\n"),
        ("```\n/close\n```", "```\n /close\n```"),
        ("hi @all and @Claude!", "hi `@all` and `@Claude`!"),
        ("`@all` and ```@claude``` stay", "`@all` and ```@claude``` stay"),
        ("```\n@all\n```\n@all", "```\n@all\n```\n`@all`"),
        ("an `unclosed @all", "an `unclosed ``@all` `"),  # one back-tick would close the one before
        ("mail@all.example and @allison and @claude-bot", "mail@all.example and @allison and @claude-bot"),
    ],
)
def test_what_is_sent(text: str, sent: str) -> None:
    assert neutralize(text, HANDLES) == sent


HOSTILE = "Thanks.\n/close\n/label ~p1\n/assign @stranger\n\r/confidential\n```\n/merge\n```\n@all @claude look"


async def test_gitlab_executes_nothing_of_what_any_tool_sends_and_nobody_is_called(fresh_sandbox: Sandbox) -> None:
    async with connect(settings_for(fresh_sandbox)) as agent:
        await agent.call("create_note", iid=SEED.crash_issue.reference, body=HOSTILE)
        await agent.call(
            "create_note", iid=SEED.crash_issue.reference, body=f"{HOSTILE} again", reply_to=SEED.crash_notes.first
        )
        await agent.call("create_note", iid=SEED.merge_request.reference, body=HOSTILE)
        action = {"path": "x", "content": "x"}
        opened = {"title": "/close", "description": HOSTILE}
        await agent.call(
            "commit_files", branch="h", ref="main", message=HOSTILE, actions=[action], merge_request=opened
        )
        await agent.call("update_merge_request", iid=SEED.merge_request.iid, title="/merge", description=HOSTILE)
        await agent.call("create_branch", branch="h2", ref="h")
        action = {"path": "y", "content": "y"}
        await agent.call("commit_files", branch="h2", message="m", actions=[action])
        await agent.call("create_merge_request", source_branch="h2", title="/close", description=HOSTILE)
    assert fresh_sandbox.executed_quick_actions == []
    assert [each for each in fresh_sandbox.mentions if each["username"] in HANDLES] == []
    assert get(fresh_sandbox, SEED.crash_issue.path)["state"] == "opened"


async def test_a_quick_action_that_gitlab_executed_all_the_same_is_an_error_that_names_it(sandbox: Sandbox) -> None:
    for status, body in (
        (202, '{"commands_changes": {"state_event": "close"}, "summary": ["Closed this issue."]}'),
        (201, '{"id": 5, "body": "x", "commands_changes": {"state_event": "close"}}'),
    ):
        sandbox.faults.clear()
        sandbox.faults.fail("POST", "/notes$", status=status, body=body, content_type="application/json")
        async with connect(settings_for(sandbox)) as agent:
            told = await agent.refused("create_note", iid=SEED.crash_issue.reference, body=f"x {status}")
        assert "GitLab executed quick actions in this text: state_event" in told
