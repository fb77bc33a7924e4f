"""Read, change a word, write back: what reading did not show as it is stored is not lost by that."""

import base64
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitlab_mcp.errors import Refused
from gitlab_mcp.safety.sanitize import sanitize
from gitlab_mcp.safety.write_back import check_write_back
from gitlab_mcp.sandbox import Sandbox
from tests.support.agent import connect
from tests.support.gitlab_requests import commit, get, send
from tests.support.seed import SEED
from tests.support.settings import EVERY_TOOLSET, job_settings, settings_for

TOKEN = "glpat-AbCdEfGhIjKlMnOpQrSt"
STORED = f"Fix the word.\n\n- [ ] test\n<!-- template -->\n\nUse {TOKEN} and\u200f this\u200b.  \nEnd"
BRANCH = "write-back"


@dataclass
class Place:
    """A text that tools read and write: how a test stores it and looks at it, and the arguments of the tools."""

    store: Callable[[Sandbox, str], Any]
    stored: Callable[[Sandbox], str]
    read: tuple[str, dict[str, Any]]
    write: tuple[str, Callable[[str, str], dict[str, Any]]]


def described(item: Any, noun: str) -> Place:
    return Place(
        lambda sandbox, text: send(sandbox, "PUT", item.path, description=text),
        lambda sandbox: str(get(sandbox, item.path)["description"]),
        (f"get_{noun}", {"iid": item.iid}),
        (f"update_{noun}", lambda text, old: {"iid": item.iid, "description": text, "old_text": old}),
    )


def file_action(text: str, old: str) -> dict[str, Any]:
    actions = [{"path": "a.md", "content": text, "old_text": old}]
    return {"branch": BRANCH, "message": "Change a.md", "actions": actions}


NOTE = f"{SEED.crash_issue.path}/notes/{SEED.crash_notes.first}"
PLACES = {
    "issue": described(SEED.crash_issue, "issue"),
    "merge request": described(SEED.merge_request, "merge_request"),
    "comment": Place(
        lambda sandbox, text: send(sandbox, "PUT", NOTE, "maintainer", body=text),
        lambda sandbox: str(get(sandbox, NOTE)["body"]),
        ("list_discussions", {"iid": SEED.crash_issue.reference}),
        (
            "update_note",
            lambda text, old: {"iid": "#7", "note": str(SEED.crash_notes.first), "body": text, "old_text": old},
        ),
    ),
    "file": Place(
        lambda sandbox, text: commit(
            sandbox, BRANCH, "main", {"action": "create", "file_path": "a.md", "content": text}
        ),
        lambda sandbox: base64.b64decode(get(sandbox, f"/repository/files/a.md?ref={BRANCH}")["content"]).decode(),
        ("get_file", {"path": "a.md", "ref": BRANCH}),
        ("commit_files", file_action),
    ),
}


def shown_in(answer: str) -> str:
    """The text in an answer that has the word: a quote, or a file in a fence."""
    if fenced := re.search(r"(?s)\n(`{3,})\n(.*)\n\1", answer):
        return fenced[2]
    quotes = re.findall(r"(?m)(?:^>(?: .*)?(?:\n|\Z))+", answer)
    [quote] = [text for text in quotes if "word" in text]
    return "\n".join(line[2:] for line in quote.rstrip("\n").split("\n"))


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
async def test_what_was_read_is_not_written_back_with_a_word_changed(fresh_sandbox: Sandbox, place: Place) -> None:
    place.store(fresh_sandbox, STORED)
    read, arguments = place.read
    write, argument = place.write
    async with connect(settings_for(fresh_sandbox, toolsets=EVERY_TOOLSET)) as agent:
        answer = await agent.call(read, **arguments)
        shown = shown_in(answer)
        assert TOKEN not in shown
        assert len(re.findall(r"(?m)^Not shown as stored: .*\[token removed\].*old_text\.$", answer)) == 1
        refused = await agent.refused(write, **argument(shown.replace("word", "text"), ""))
        assert re.search(r'"(\[hidden HTML removed\]|\[token removed\])" stands for a part', refused)
        assert place.stored(fresh_sandbox) == STORED
        # A part of the text is enough, and nothing else is touched.
        await agent.call(write, **argument("- [x] test", "- [ ] test"))
        assert place.stored(fresh_sandbox) == STORED.replace("[ ]", "[x]")
        # A new text that holds no mark is written.
        await agent.call(write, **argument("Another one.", ""))
        assert place.stored(fresh_sandbox) == "Another one."
        # A text in which no mark stood may speak of them.
        await agent.call(write, **argument("It says [token removed] and <U+200B>.", ""))
        assert place.stored(fresh_sandbox) == "It says [token removed] and <U+200B>."


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
@pytest.mark.parametrize(("old", "reason"), [("absent", "is not in"), ("e", "times")], ids=["absent", "twice"])
async def test_a_part_that_is_not_there_once_is_not_replaced(
    fresh_sandbox: Sandbox, place: Place, old: str, reason: str
) -> None:
    place.store(fresh_sandbox, STORED)
    write, argument = place.write
    async with connect(settings_for(fresh_sandbox, toolsets=EVERY_TOOLSET)) as agent:
        assert reason in await agent.refused(write, **argument("new", old))
    assert place.stored(fresh_sandbox) == STORED


async def test_with_a_job_token_too_a_description_keeps_what_is_not_shown(fresh_sandbox: Sandbox) -> None:
    place = PLACES["merge request"]
    place.store(fresh_sandbox, STORED)
    async with connect(job_settings(fresh_sandbox)) as agent:
        shown = shown_in(await agent.call("get_merge_request", iid=1))
        assert "stands for a part" in await agent.refused("update_merge_request", iid=1, description=shown)
    assert place.stored(fresh_sandbox) == STORED


async def test_a_title_is_not_written_back_with_a_mark(fresh_sandbox: Sandbox) -> None:
    send(fresh_sandbox, "PUT", SEED.crash_issue.path, title=f"Crash with {TOKEN}")
    send(fresh_sandbox, "PUT", SEED.merge_request.path, title=f"Add {TOKEN}")
    async with connect(settings_for(fresh_sandbox)) as agent:
        for noun, title in (("issue", "Crash of [token removed]"), ("merge_request", "Change [token removed]")):
            iid = SEED.crash_issue.iid if noun == "issue" else SEED.merge_request.iid
            assert "title is not written" in await agent.refused(f"update_{noun}", iid=iid, title=title)


async def test_the_end_of_a_description_that_was_cut_is_not_lost(fresh_sandbox: Sandbox) -> None:
    place = PLACES["issue"]
    stored = "\n".join(f"line {number} of the word" for number in range(1500))
    place.store(fresh_sandbox, stored)
    async with connect(settings_for(fresh_sandbox)) as agent:
        answer = await agent.call("get_issue", iid=7)
        shown = shown_in(answer).replace("word", "text", 1)
        remark = next(line for line in answer.splitlines() if line.startswith("… (cut: "))
        with_remark = f"{shown}\n{remark}"
        assert "stands for a part" in await agent.refused("update_issue", iid=7, description=with_remark)
        assert "only its beginning" in await agent.refused("update_issue", iid=7, description=shown)
        await agent.call("update_issue", iid=7, description="Line 7.", old_text="line 7 of the word")
    assert place.stored(fresh_sandbox) == stored.replace("line 7 of the word", "Line 7.")


async def test_a_suggestion_does_not_lose_what_the_diff_does_not_show(fresh_sandbox: Sandbox) -> None:
    content = f"one\nkey = {TOKEN}\n"
    commit(fresh_sandbox, "feature/verbose-flag", "", {"action": "create", "file_path": "k.py", "content": content})
    comment = {"path": "k.py", "line": 2, "suggestion": "key_2 = [token removed]"}
    async with connect(settings_for(fresh_sandbox)) as agent:
        answer = await agent.refused("review_merge_request", iid=1, comments=[comment])
    assert "stands for a part" in answer


async def test_old_text_of_a_file_keeps_its_ends_of_lines_and_bytes_that_are_no_text(fresh_sandbox: Sandbox) -> None:
    content = base64.b64encode(b"a\r\nb\r\n\xff\r\n").decode()
    commit(fresh_sandbox, BRANCH, "main",
           {"action": "create", "file_path": "a.md", "content": content, "encoding": "base64"})  # fmt: skip
    async with connect(settings_for(fresh_sandbox)) as agent:
        assert "stands for" in await agent.refused("commit_files", **file_action("a\nc\n\ufffd\n", ""))
        await agent.call("commit_files", **file_action("a\nc\n", "a\nb\n"))
    stored = get(fresh_sandbox, f"/repository/files/a.md?ref={BRANCH}")["content"]
    assert base64.b64decode(stored) == b"a\r\nc\r\n\xff\r\n"


@settings(max_examples=500, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            [
                *("<!-- a -->", "<template>", "</template>", "`", "```\n", "\u200b", "\u200f", "\x1b[31m", TOKEN),
                *("[token removed]", "[hidden HTML removed]", "<U+200B>", "\n", "\r\n", "\n\n", "    ", "word", " "),
                *("\u2028", "می\u200cخ", "- ", "> "),
            ]
        ),
        max_size=12,
    ).map("".join)
)
def test_what_was_read_is_stored_again_as_it_was_or_refused(stored: str) -> None:
    shown = sanitize(stored)
    try:
        check_write_back("description", stored, shown, shown)
    except Refused:
        return
    assert shown.strip("\n") == stored.replace("\r\n", "\n").strip("\n")
