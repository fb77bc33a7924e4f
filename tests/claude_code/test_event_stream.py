"""The reader of Claude Code's event stream: every event with its fields, whatever else is there, in bounded memory."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitlab_mcp.claude_code.events import (
    ApiRetry,
    ModelText,
    PermissionDenied,
    SessionEnd,
    SessionStart,
    ToolCall,
    ToolResult,
)
from gitlab_mcp.claude_code.json_lines import LINE_BYTES, STRING_BYTES, JsonLines
from gitlab_mcp.claude_code.stream import EventReader
from tests.support.claude_stream import RECORDED, called, denied, ended, read, retried, returned, said, start, stream

SECRET = "correct horse battery staple"
TOKEN = "glpat-0123456789abcdefghij"


def test_a_recorded_run_is_read_whole() -> None:
    reader = EventReader()
    events = list(reader.feed(RECORDED))
    kinds = [type(event) for event in events]
    assert (kinds[0], kinds[-1], reader.skipped) == (SessionStart, SessionEnd, 0)
    calls = {event.call_id: event.tool for event in events if isinstance(event, ToolCall)}
    assert {event.call_id for event in events if isinstance(event, ToolResult)} == set(calls)
    assert "mcp__gitlab__commit_files" in calls.values()
    assert [event.tool for event in events if isinstance(event, PermissionDenied)] == ["WebFetch"]


@pytest.mark.parametrize("size", [1, 7, 1_000, 65_536], ids=lambda size: f"{size} bytes")
def test_pieces_of_any_size_give_the_same_events(size: int) -> None:
    reader = EventReader()
    pieces = [RECORDED[at : at + size] for at in range(0, len(RECORDED), size)]
    assert [event for piece in pieces for event in reader.feed(piece)] == read(RECORDED)


@pytest.mark.parametrize(
    ("line", "event"),
    [
        pytest.param(
            {
                "type": "system",
                "subtype": "init",
                "session_id": "s1",
                "mcp_servers": [{"name": "a", "status": "failed"}],
            },
            SessionStart(session_id="s1", servers={"a": "failed"}),
            id="start",
        ),
        pytest.param(said("Hello.\nThere."), ModelText("Hello.\nThere."), id="text"),
        pytest.param(said("Hello.", parent_tool_use_id="c9"), ModelText("Hello.", in_subagent=True), id="subagent"),
        pytest.param(called("Bash", {"command": "ls"}), ToolCall("c1", "Bash", {"command": "ls"}), id="call"),
        pytest.param(called("Bash", "ls"), ToolCall("c1", "Bash"), id="call without an object"),
        pytest.param(called(7, {"a": [1, None]}, 8), ToolCall("8", "7", {"a": [1, None]}), id="numbers for text"),
        pytest.param(returned("out", failed=True), ToolResult("c1", "out", is_error=True), id="result"),
        pytest.param(returned(None), ToolResult("c1", ""), id="result without content"),
        pytest.param(
            returned([{"type": "text", "text": "a"}, {"type": "image"}, 7]),
            ToolResult("c1", "a\n[image]\n[]"),
            id="blocks",
        ),
        pytest.param(returned("<tool_use_error>No.</tool_use_error>"), ToolResult("c1", "No."), id="tags of an error"),
        pytest.param(denied("Bash", "No."), PermissionDenied("c1", "Bash", "No."), id="refused"),
        pytest.param(retried(529, 3), ApiRetry(3, 10, 2.5, 529, "overloaded_error"), id="retry"),
        pytest.param(retried(None), ApiRetry(1, 10, 2.5, 0, "overloaded_error"), id="retry without a response"),
        pytest.param(retried(-1, error={}), ApiRetry(1, 10, 2.5, 0, ""), id="retry with odd fields"),
        pytest.param(
            ended("Yes."),
            SessionEnd("success", False, "Yes.", "completed", 0, "s1", 14, 252.0, 0.314, 740, 60),
            id="end",
        ),
        pytest.param(
            {
                "type": "result",
                "subtype": "error_max_turns",
                "errors": ["a", "b"],
                "num_turns": True,
                "duration_ms": "x",
            },
            SessionEnd("error_max_turns", True, "a; b"),
            id="end with an error",
        ),
    ],
)
def test_a_line_becomes_an_event(line: dict[str, Any], event: object) -> None:
    assert read(stream(line)) == [event]


def test_a_last_line_without_an_end_is_read() -> None:
    assert read(stream(said("a")).rstrip(b"\n")) == [ModelText("a")]


def test_each_of_several_results_of_a_run_has_the_sums_so_far() -> None:
    refused = {"permission_denials": [{"tool_name": "Bash"}]}
    first, last = read(stream(ended("a", **refused), start(), ended("b", num_turns=1, duration_ms=500)))[::2]
    assert isinstance(first, SessionEnd)
    assert isinstance(last, SessionEnd)
    assert (last.text, last.turns, last.seconds, last.cost_usd) == ("b", 15, 252.5, first.cost_usd)
    assert (last.input_tokens, last.denied) == (first.input_tokens, ("Bash",))


def test_a_session_starts_once_though_claude_code_says_so_again() -> None:
    assert [type(event) for event in read(stream(start(), said("a"), start()))] == [SessionStart, ModelText]


BROKEN = {
    "not JSON": b"Segmentation fault",
    "half a line": b'{"type": "assistant", "message": {"content": [{"type":',
    "a number": b"7",
    "a list": b"[]",
    "a name alone": b'{"type"}',
    "bytes": b"\xff\xfe\x00{}",
    "deep lists": b"[" * 200_000,
    "deep objects": b'{"type":' * 100_000,
    "deep input": stream(called("Bash", {}))
    .rstrip()
    .replace(b'"input": {}', b'"input": ' + b"[" * 90_000 + b"]" * 90_000),
    "a number of 9,000 digits": b'{"type": "result", "num_turns": ' + b"9" * 9_000 + b"}",
    "long without strings": b'{"type": ' + b"[]," * LINE_BYTES,
}


@pytest.mark.parametrize("line", BROKEN.values(), ids=BROKEN)
def test_a_broken_line_is_skipped_and_the_next_one_read(line: bytes) -> None:
    reader = EventReader()
    assert list(reader.feed(line + b"\n" + stream(said("a")))) == [ModelText("a")]
    assert reader.skipped == 1


UNKNOWN: dict[str, dict[str, Any]] = {
    "a new type": {"type": "hologram", "content": []},
    "a new kind of system event": {"type": "system", "subtype": "weather"},
    "a progress of a subagent": {"type": "system", "subtype": "task_progress", "description": "Reading"},
    "no type": {},
    "a type that is a list": {"type": ["assistant"]},
    "thinking": {"type": "assistant", "message": {"content": [{"type": "thinking", "thinking": "Hm."}]}},
    "a message that is a text": {"type": "assistant", "message": "Hello."},
    "content that is a number": {"type": "user", "message": {"content": 7}},
    "blocks that are texts": {"type": "assistant", "message": {"content": ["a", None]}},
    "a prompt": {"type": "user", "message": {"content": "Begin."}},
    "a text that is a list": said([]),
    "a text of white space": said(" \n"),
}


@pytest.mark.parametrize("line", UNKNOWN.values(), ids=UNKNOWN)
def test_an_unknown_event_is_passed_over(line: dict[str, Any]) -> None:
    assert read(stream(line)) == []


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=9,
)
FIELDS = ("message", "content", "tool_use_result", "num_turns", "total_cost_usd", "errors", "modelUsage", "mcp_servers")


@given(st.sampled_from([start(), said("a"), called("Bash", {}), returned("a"), retried(529), ended()]), st.data())
def test_a_field_with_any_value_raises_nothing(line: dict[str, Any], data: st.DataObject) -> None:
    changed = {**line, data.draw(st.sampled_from([*FIELDS, *line])): data.draw(JSON)}
    block = {"type": data.draw(st.sampled_from(["text", "tool_use", "tool_result"])), "input": data.draw(JSON)}
    nested = {**line, "message": {"content": [{**block, data.draw(st.sampled_from(["text", "content", "id"])): 1}]}}
    read(stream(changed, nested))


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(f"a {SECRET} b", id="value"),
        pytest.param(f"a {TOKEN} b", id="form"),
        pytest.param(f"a glpat-\x1b[31m{TOKEN[6:]} b", id="form with a color in it"),
        pytest.param(f"a correct horse\x1b[0m{SECRET[13:]} b", id="value with a color in it"),
        pytest.param(f"a corr\u200bect{SECRET[7:]} b", id="value with an invisible character in it"),
    ],
)
def test_no_event_contains_a_secret(text: str) -> None:
    lines = [said(text), called(text, {text: [text, {"a": text}]}, text), returned([{"type": "text", "text": text}])]
    lines += [denied(text, text), retried(401, error=text), ended(text), start(cwd=text, tools=[text], model=text)]
    lines += [returned(text, details={"originalFile": text}), ended(None, subtype=text, errors=[text])]
    shown = repr(read(stream(lines), (SECRET,)))
    assert shown.count("[token removed]") >= 14
    assert SECRET[8:] not in shown
    assert TOKEN[6:] not in shown


def test_a_secret_in_two_blocks_of_a_result_is_found() -> None:
    blocks = [{"type": "text", "text": part} for part in ("-----BEGIN PRIVATE KEY-----", "MIIEvQIBADANBg")]
    assert read(stream(returned(blocks))) == [ToolResult("c1", "[token removed]")]


@pytest.mark.parametrize("text", ["\x1b[2Ja", "a\x00", "\x1b]0;title\x07a", "\x9b1ma", "a\ud800", "\u202ea"], ids=repr)
def test_texts_of_events_have_no_control_characters(text: str) -> None:
    assert read(json.dumps(said(text)).encode()) == [ModelText("a")]


@pytest.mark.parametrize(
    "character",
    ["a", "\u00e9", "\U0001f600", '"', "\\", "\n", "\x07"],
    ids=["ASCII", "é", "emoji", "quote", "\\", "\\n", "bell"],
)
@pytest.mark.parametrize("size", [1_000, 65_536], ids=lambda size: f"{size} bytes")
@pytest.mark.parametrize("as_ascii", [True, False], ids=["escaped", "UTF-8"])
def test_a_long_text_is_cut_and_its_event_arrives(character: str, size: int, as_ascii: bool) -> None:
    line = json.dumps(returned(f"begin{character * 200_000}", "c7"), ensure_ascii=as_ascii).encode() + b"\n"
    reader = EventReader()
    [event] = [event for at in range(0, len(line), size) for event in reader.feed(line[at : at + size])]
    assert isinstance(event, ToolResult)
    assert (event.call_id, event.text[:5], reader.skipped) == ("c7", "begin", 0)
    assert len(event.text) <= STRING_BYTES
    assert event.text.endswith("…")


@pytest.mark.parametrize("before", range(STRING_BYTES - 40, STRING_BYTES + 1, 4))
def test_a_secret_at_the_place_of_a_cut_is_not_shown_in_part(before: int) -> None:
    [event] = read(stream(returned("x" * before + f" {SECRET} " + "y" * 9_000)), (SECRET,))
    assert isinstance(event, ToolResult)
    assert "corr" not in event.text


@given(st.lists(st.dictionaries(st.text(), st.text(), max_size=3), max_size=4), st.booleans(), st.integers(1, 50))
def test_short_lines_come_out_as_they_went_in(values: list[dict[str, str]], as_ascii: bool, size: int) -> None:
    lines = [json.dumps(value, ensure_ascii=as_ascii).encode("utf-8", "surrogatepass") for value in values]
    data, reader = b"\n".join(lines), JsonLines()
    pieces = [data[at : at + size] for at in range(0, len(data), size)]
    assert [line for piece in pieces for line in reader.feed(piece)] + list(reader.close()) == lines
