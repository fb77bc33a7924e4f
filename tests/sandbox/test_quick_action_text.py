"""Parsing text: the lines that are quick actions, and the @mentions."""

from __future__ import annotations

import time

import pytest

from gitlab_mcp.sandbox.text.mentions import mentioned
from gitlab_mcp.sandbox.text.quick_action_extractor import extract


def commands(text: str) -> list[str]:
    return [f"{command.name} {command.argument}".strip() for command in extract(text)[1]]


@pytest.mark.parametrize(
    ("text", "kept", "found"),
    [
        ("/close", "", ["close"]),
        ("one\n/close\ntwo", "one\ntwo", ["close"]),
        ("one\n\n/label ~a ~b\n\n\ntwo", "one\n\ntwo", ["label ~a ~b"]),
        ("/CLOSE", "", ["close"]),
        ("one\r\n/clo\rse\r\n", "one", ["close"]),
        ("/labels ~a\n/award :tada:\n/spent 1h\n/reviewer @me", "", ["label ~a", "react :tada:", "spend 1h",
         "assign_reviewer @me"]),
        ("/close ", "", ["close"]),
        ("```\ncode\n```\n/close", "```\ncode\n```", ["close"]),
        ("```\nnever closed\n/close", "```\nnever closed", ["close"]),
        ("> quoted\n/close", "> quoted", ["close"]),
        ("<p>open</p>\n/close", "<p>open</p>", ["close"]),
        ("- item\n/close", "- item", ["close"]),
        ("so be it\n/shrug whatever", "so be it\nwhatever ¯\\\uff3f(ツ)\uff3f/¯", ["shrug whatever"]),
    ],
)  # fmt: skip
def test_a_line_that_begins_with_a_known_command_is_extracted(text: str, kept: str, found: list[str]) -> None:
    assert extract(text)[0] == kept
    assert commands(text) == found


@pytest.mark.parametrize(
    "text",
    [
        " /close",
        "\t/close",
        "please /close",
        "> /close",
        "/closed",
        "/close\tit",
        "/unknown",
        "/usr/bin/close",
        "//close",
        "/ close",
        "\u200b/close",
        "```\n/close\n```",
        "```ruby\n/close\n/merge\n```",
        "`\n/close\n`",
        "`one\n/close\ntwo`",
        "<details>\n/close\n</details>",
        ">>>\n/close\n>>>",
    ],
)
def test_any_other_line_stays_text(text: str) -> None:
    assert extract(text) == (text, [])


def test_a_text_is_stored_without_carriage_returns_and_trailing_blanks() -> None:
    assert extract("one\r\ntwo \n\n") == ("one\ntwo", [])


def test_long_texts_are_parsed_in_reasonable_time() -> None:
    started = time.monotonic()
    for text in ("<a>\n" * 20_000, "```\n" * 20_001, "`\n" * 20_001, ">>>\n\n" * 20_000, "/closes\n" * 10_000):
        extract(f"{text}/close")
    mentioned("`a``b" * 20_000)
    mentioned("\\" * 100_000 + "@a")
    assert time.monotonic() - started < 5


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("@all and @claude, see @dev-eloper.", ["all", "claude", "dev-eloper"]),
        ("@acme/team @all @all", ["acme/team", "all"]),
        ("`@all` and ``@a`b`` @c", ["c"]),
        ("```\n@all\n```\n@b", ["b"]),
        ("~~~~\n@all\n~~~\n@b\n~~~~\n@c", ["c"]),
        ("```\n@all", []),
        ("mail@example.com", []),
        ("\\@all", []),
        ("\\`@all`", ["all"]),
        ("`open @all", ["all"]),
        ("`one\n\n@all` two", ["all"]),
        ("> @quoted", ["quoted"]),
        ("    @all\n\n\t@b\n@c", ["c"]),
        ("a\n    @all", ["all"]),
        ("- a\n\n    @all\n\nb\n\n    @c", ["all"]),
    ],
)
def test_a_username_outside_code_is_a_mention(text: str, names: list[str]) -> None:
    assert mentioned(text) == names
