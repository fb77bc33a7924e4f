"""Suggestions of review_merge_request: that they replace what the reviewer saw, or are not posted."""

from typing import Any

import pytest

from gitlab_mcp.sandbox import Sandbox
from tests.support.agent import connect
from tests.support.gitlab_requests import get, send
from tests.support.merge_requests import NEW, open_for_review
from tests.support.settings import settings_for


def suggested(sandbox: Sandbox, number: int) -> dict[str, tuple[str, str]]:
    """What each comment's suggestion replaces and what it puts there, by the first line of the comment."""
    notes = get(sandbox, f"/merge_requests/{number}/notes?per_page=100")
    found = {note["body"].partition("\n")[0]: note.get("suggestions") for note in notes}
    return {head: (each[0]["from_content"], each[0]["to_content"]) for head, each in found.items() if each}


async def test_a_range_by_old_numbers_is_counted_in_lines_of_the_new_file(sandbox: Sandbox) -> None:
    number = open_for_review(sandbox, "old-range")
    comments = [{"path": NEW, "start_line": 3, "line": 6, "side": "old", "body": "grew", "suggestion": "less"}]
    async with connect(settings_for(sandbox)) as agent:
        await agent.call("review_merge_request", iid=number, comments=comments)
    replaced = "line 3\nline 4, new\nline 4, more\nline 5\nline 6\n"
    assert suggested(sandbox, number) == {"grew": (replaced, "less\n")}


async def test_a_suggestion_over_lines_outside_the_diff_or_the_file_is_not_posted(
    sandbox: Sandbox,
) -> None:
    number = open_for_review(sandbox, "unseen")
    comments = [
        {"path": NEW, "start_line": 33, "line": 36, "side": "old", "body": "from a removed line", "suggestion": "x"},
        {"path": NEW, "start_line": 32, "line": 33, "side": "old", "body": "to a removed line", "suggestion": "x"},
        {"path": NEW, "start_line": 4, "line": 37, "body": "over two hunks", "suggestion": "x"},
        {"path": NEW, "start_line": 31, "line": 36, "body": "lands", "suggestion": "x"},
    ]
    async with connect(settings_for(sandbox)) as agent:
        answer = await agent.call("review_merge_request", iid=number, comments=comments)
    gone = "a suggestion replaces lines of the new file, and this one is removed"
    assert answer.split("Not posted:\n")[1] == (
        f"{NEW}:33-36 (old): {gone}\n"
        f"{NEW}:32-33 (old): {gone}\n"
        f"{NEW}:4-37: a suggestion replaces lines that the diff shows, and it leaves some of these out"
    )
    assert suggested(sandbox, number) == {
        "lands": ("line 30\nline 31\nline 32\nline 34\nline 35, new\nline 36\n", "x\n")
    }


async def test_a_blank_line_is_no_deletion(sandbox: Sandbox) -> None:
    number = open_for_review(sandbox, "blank")
    wanted = {"none": "", "one": "\n", "one as on Windows": "\r\n", "two": "\n\n", "a blank": " ", "text": "x\n"}
    comments = [{"path": NEW, "line": 4, "body": body, "suggestion": code} for body, code in wanted.items()]
    async with connect(settings_for(sandbox)) as agent:
        await agent.call("review_merge_request", iid=number, comments=comments)
    assert {body: code for body, (_, code) in suggested(sandbox, number).items()} == {
        "none": "",
        "one": "\n",
        "one as on Windows": "\n",
        "two": "\n\n",
        "a blank": " \n",
        "text": "x\n",
    }


OPEN = {
    "a fence": "```python\nx = 1",
    "a longer fence": "````\nx\n```",
    "another fence": "~~~\nx\n```",
    "a closing fence with words": "```\nx\n``` y",
    "a comment": "<!-- open",
    "pre": "see:\n<pre>\n\nx",
    "script": "<SCRIPT src=x>\n",
    "style": "  <style",
    "textarea": "<textarea>\nx",
    "an instruction": "<?php",
    "a declaration": "<!DOCTYPE",
    "cdata": "<![CDATA[\n>",
    "a fence after a comment": "<!-- x -->\n```",
    "a fence in what looks like a comment's end": "```\n<!--\n```\n```",
    "a fence behind a list's": "- a\n  ```\n  x\n```\ny",
    "a fence behind a list": "- a\n  ```\n  x\n\ny\n  ```",
}
CLOSED = {
    "no fence": "``` a ``` b",
    "a fence": "```python\nx = 1\n```",
    "a longer end": "```\nx\n`````  ",
    "a fence in a fence": "````\n```\n````",
    "a fence in a list": "- a\n  ```\n  x\n\n  y\n  ```\n- b",
    "a comment": "<!-- a\n\n```\n--> b",
    "a comment in code": "```\n<!--\n```",
    "a comment in a line": "a <!-- b",
    "pre": "<pre>\n\nx</PRE>",
    "a division": "<div>\nx",
    "a word": "<prefix>\nx",
    "blanks": "x\n\n    ```\n",
}


@pytest.mark.parametrize("what", OPEN)
async def test_a_body_that_would_take_in_the_suggestion_is_refused_alone(sandbox: Sandbox, what: str) -> None:
    number = open_for_review(sandbox, f"open-{what}".replace(" ", "-").replace("'", ""))
    comments: list[dict[str, Any]] = [
        {"path": NEW, "line": 4, "body": OPEN[what], "suggestion": "x"},
        {"path": NEW, "line": 5, "body": "lands", "suggestion": "y"},
        {"path": NEW, "line": 6, "body": OPEN[what]},
    ]
    async with connect(settings_for(sandbox)) as agent:
        answer = await agent.call("review_merge_request", iid=number, comments=comments)
        none = await agent.refused("review_merge_request", iid=number, comments=comments[:1])
    told = f"{NEW}:4: body has an unclosed code block or HTML, which would contain the suggestion: close it"
    assert answer.split("Not posted:\n")[1] == told
    assert none.endswith(f"so nothing was posted.\n{told}")
    assert suggested(sandbox, number) == {"lands": ("line 4, more\n", "y\n")}


@pytest.mark.parametrize("what", CLOSED)
async def test_a_body_that_closes_what_it_opens_keeps_its_suggestion(sandbox: Sandbox, what: str) -> None:
    number = open_for_review(sandbox, f"closed-{what}".replace(" ", "-"))
    comments = [{"path": NEW, "line": 4, "body": CLOSED[what], "suggestion": "x"}]
    async with connect(settings_for(sandbox)) as agent:
        await agent.call("review_merge_request", iid=number, comments=comments)
    assert list(suggested(sandbox, number).values()) == [("line 4, new\n", "x\n")]


@pytest.mark.parametrize("what", [what for what in OPEN if " behind a list" not in what])
def test_gitlab_finds_no_suggestion_in_what_is_open(sandbox: Sandbox, what: str) -> None:
    number = open_for_review(sandbox, f"gitlab-{what}".replace(" ", "-").replace("'", ""))
    refs = get(sandbox, f"/merge_requests/{number}")["diff_refs"]
    position = {**refs, "position_type": "text", "old_path": "src/app/pages.py", "new_path": NEW, "new_line": 4}
    body = f"{OPEN[what]}\n\n```suggestion:-0+0\nx\n```"
    send(sandbox, "POST", f"/merge_requests/{number}/discussions", body=body, position=position)
    assert suggested(sandbox, number) == {}


async def test_a_carriage_return_in_a_suggestion_is_refused_for_what_it_is(sandbox: Sandbox) -> None:
    number = open_for_review(sandbox, "carriage-return")
    comments = [{"path": NEW, "line": 4, "suggestion": "a\rb"}, {"path": NEW, "line": 5, "suggestion": "a\r\nb"}]
    async with connect(settings_for(sandbox)) as agent:
        answer = await agent.call("review_merge_request", iid=number, comments=comments)
    assert answer.split("Not posted:\n")[1] == (
        f"{NEW}:4: the suggestion has a carriage return inside a line, which GitLab deletes. Say it in words"
    )
    assert suggested(sandbox, number) == {"```suggestion:-0+0": ("line 4, more\n", "a\nb\n")}
