"""Text that people see on GitLab reaches the agent: code in Markdown, plain text, and joiners that are spelling."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitlab_mcp.safety.sanitize import escape_invisible, one_line, sanitize
from gitlab_mcp.sandbox import Sandbox
from tests.support.agent import connect
from tests.support.gitlab_requests import commit, send
from tests.support.seed import SEED
from tests.support.settings import EVERY_TOOLSET, settings_for

REMOVED = "[hidden HTML removed]"
CARD = "In `Card.vue` the `<template>` has no key.\n\nSteps: open it <!-- obey -->"


@pytest.mark.parametrize("tool", ["get_issue", "get_merge_request", "list_discussions"])
async def test_what_stands_in_back_ticks_is_shown_with_all_that_follows(fresh_sandbox: Sandbox, tool: str) -> None:
    item = SEED.crash_issue if tool == "get_issue" else SEED.merge_request
    send(fresh_sandbox, "PUT", item.path, description=CARD)
    send(fresh_sandbox, "POST", f"{item.path}/notes", body=CARD)
    async with connect(settings_for(fresh_sandbox, toolsets=EVERY_TOOLSET)) as agent:
        answer = await agent.call(tool, iid=item.reference)
    shown = f"> In `Card.vue` the `<template>` has no key.\n>\n> Steps: open it {REMOVED}\n"
    assert answer.count(shown) == (1 if tool == "list_discussions" else 2)
    assert "obey" not in answer


async def test_titles_and_messages_are_plain_text_of_which_all_is_shown(fresh_sandbox: Sandbox) -> None:
    title = "Use <template hidden> & <!-- --> in `a`"
    send(fresh_sandbox, "PUT", SEED.crash_issue.path, title=title)
    commit(fresh_sandbox, "plain", "main", {"action": "create", "file_path": "<script>.md", "content": "<script>\n"})
    send(fresh_sandbox, "POST", "/repository/commits", branch="plain", commit_message=f"{title}\n\n<style> is shown.",
         actions=[{"action": "create", "file_path": "b", "content": "b"}])  # fmt: skip
    async with connect(settings_for(fresh_sandbox, toolsets=EVERY_TOOLSET)) as agent:
        assert f"#7 {title} (open)" in await agent.call("get_issue", iid=7)
        assert f"#7 {title} (open)" in await agent.call("list_issues")
        assert f" {title} · " in await agent.call("list_commits", ref="plain")
        assert "> <style> is shown." in await agent.call("get_commit", ref="plain")
        assert "<script>.md" in await agent.call("list_files", ref="plain")


CODE = st.text(st.sampled_from("ab<>!-/ `\n$|[]~>#*1.\\'\"=") | st.characters(min_codepoint=32, max_codepoint=126))
TAGS = st.sampled_from(["<template>", "<!-- b", "<!-- b -->", "<div hidden>", "</div>", "<script>", "<style>", "<b>"])


@settings(max_examples=400, deadline=None)
@given(st.lists(st.tuples(st.text("abc ", max_size=5), CODE | TAGS), max_size=5))
def test_what_is_in_code_spans_is_shown_as_it_is_stored(parts: list[tuple[str, str]]) -> None:
    text = "a "
    for prose, code in parts:
        inside = re.sub(r"\s*\n\s*", " ", code).strip("`\\ ") or "c"
        ticks = "`" * (max(map(len, re.findall("`+", inside)), default=0) + 1)
        text += f"{prose} {ticks} {inside} {ticks} "
    if not re.search(r"(?:\w+://|www\.)", text) and "|" not in text:
        assert sanitize(text) == text


@settings(max_examples=300, deadline=None)
@given(st.lists(CODE | TAGS, min_size=1, max_size=6), st.sampled_from(["", "> ", "- ", "1. ", "> - "]))
def test_what_is_in_fences_is_shown_as_it_is_stored(lines: list[str], mark: str) -> None:
    code = [line for text in lines for line in text.replace("\r", "").split("\n") if "```" not in line]
    inner = mark if mark == "> " else re.sub("[-1.]", " ", mark)
    text = "\n".join([f"{mark}```", *(f"{inner}{line}" for line in code), f"{inner}```", "", "after <!-- obey -->"])
    assert sanitize(text) == text.replace("<!-- obey -->", REMOVED)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a <template>b\n\nc", f"a {REMOVED}\n\nc"),
        ("a <div hidden>b `c` d\n\ne", f"a {REMOVED}`c`{REMOVED}\n\ne"),
        ("a <!-- b\n\nc", f"a {REMOVED}\n\nc"),
        ("<!-- a\n\n`b`\n\n-->", REMOVED),
        ("<!-- a\n\nb\n\n`c`", REMOVED),
        ("<!--> a", f"{REMOVED} a"),
        ("a <script> b\n\n`c`", f"a {REMOVED}"),
        ("<div hidden>\n\n```\na\n```\n\n</div>\nb", f"{REMOVED}\nb"),
        ("> <template>\n> a\n\nb", f"> {REMOVED}\n\nb"),
        ("~~~ <!-- a -->\n<!-- b -->\n~~~", f"~~~ {REMOVED}\n<!-- b -->\n~~~"),
        ("| a ` | <!-- b --> ` |\n|---|---|", f"| a ` | {REMOVED} ` |\n|---|---|"),
        ("<div>\n`<!-- a -->`\n</div>", f"<div>\n`{REMOVED}`\n</div>"),
        ("[a]: `\nb <!-- c --> `", f"[a]: `\nb {REMOVED} `"),
        ("[^1]: a\n\n    <!-- b -->", f"[^1]: a\n\n    {REMOVED}"),
        (">>>\n```\n>>>\n<!-- a -->\n```", f">>>\n```\n>>>\n{REMOVED}\n```"),
        ("$`$ <!-- a --> `", "$`$ <!-- a --> `"),
        ("[[a`b]] <!-- c --> `", f"[[a`b]] {REMOVED} `"),
        ("http://a.b/` <!-- c --> `", f"http://a.b/` {REMOVED} `"),
        ("\\` <!-- a --> `", f"\\` {REMOVED} `"),
        ("`a\n\n<!-- b -->`", f"`a\n\n{REMOVED}`"),
    ],
)
def test_outside_code_no_more_is_hidden_than_gitlab_hides_and_nothing_less(text: str, shown: str) -> None:
    assert sanitize(text) == shown


SPELLED = {
    "Persian": "می\u200cخواهم و کار\u200cها",  # noqa: RUF001  # these are the letters
    "Hindi": "क्\u200dष और क्\u200cष",
    "Malayalam": "അവന്\u200d",
    "Bengali": "র\u200d্যাব",
    "Sinhala": "ශ්\u200dරී",
    "a family": "👨\u200d👩\u200d👧 and 🏳️\u200d🌈 and 👩🏽\u200d💻",
    "a heart as text": "❤\ufe0e",
    "the flag of England": "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",
    "Mongolian": "ᠮᠣᠩᠭᠣᠯ ᠤᠨ\u180bᠠ",
}


@pytest.mark.parametrize("text", SPELLED.values(), ids=SPELLED)
def test_joiners_that_are_spelling_stay(text: str) -> None:
    assert sanitize(text) == one_line(text) == escape_invisible(text) == text


NOT_SPELLED = [
    *("a\u200db", "a\u200cb", "می\u200c\u200cخ", "می\u200c خ", "👨\u200d a", "👨\u200d\u200d👩", "क\u200dष", "1\ufe0e"),
    *("🏴\U000e0061\U000e0062\U000e007f", "a\U000e0067", "ab\u180b"),
]


@pytest.mark.parametrize("text", NOT_SPELLED, ids=ascii)
def test_joiners_that_are_no_spelling_are_gone(text: str) -> None:
    assert len(sanitize(text)) < len(text)
    assert "<U+" in escape_invisible(text)
