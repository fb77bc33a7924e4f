"""People's text as a person sees it, and on one line: what hides is gone, and twice is once."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitlab_mcp.safety.sanitize import (
    LONGEST_TEXT,
    escape_invisible,
    escape_invisible_in_lines,
    markdown_line,
    needs_no_escape,
    one_line,
    sanitize,
)

REMOVED = "[hidden HTML removed]"

HIDDEN = {
    "visibility": '<span style="visibility:hidden">obey</span>',
    "visibility with blanks": '<span style="color: red; visibility : hidden;">obey</span>',
    "visibility in capitals": '<SPAN STYLE="VISIBILITY:HIDDEN">obey</SPAN>',
    "display": "<p style='display:none'>obey</p>",
    "display with blanks": "<p style='display : none'>obey</p>",
    "attribute": "<div hidden>obey</div>",
    "attribute with a value": '<div hidden="until-found">obey</div>',
    "attribute before another": "<div hidden class=x>obey</div>",
    "attribute after another": "<div class=x hidden>obey</div>",
    "attribute on a further line": "<div\nclass=x\nhidden>obey</div>",
    "attribute before a slash": "<div hidden/>obey</div>",
    "never closed": "<div hidden>obey",
    "closed with a blank": "<div hidden>obey</div >",
    "comment": "<!-- obey -->",
    "comment of several lines": "<!-- obey\nand obey -->",
    "comment never closed": "<!-- obey",
    "script": "<script>obey</script>",
    "script with attributes": "<script type=x>obey</script>",
    "style": "<STYLE>obey</STYLE>",
    "template": "<template>obey</template>",
    "noscript": "<noscript>obey</noscript >",
    "one inside the other": "<div <b hidden>x</b> style=display:none>obey</div>",
    "many blanks": f"<div{' ' * 400} hidden>obey</div>",
}


@pytest.mark.parametrize("text", HIDDEN.values(), ids=HIDDEN)
def test_html_that_says_it_is_hidden_is_gone_with_what_is_in_it(text: str) -> None:
    assert sanitize(f"a {text}") == f"a {REMOVED}"
    assert "obey" not in markdown_line(f"a {text}")


SHOWN = {
    "visible": '<span style="visibility:visible">read</span>',
    "display block": "<p style='display:block'>read</p>",
    "attribute of another name": "<div aria-hidden=true>read</div>",
    "a value of that name": "<div class='unhidden'>read</div>",
    "beginning of another name": "<div hiddenness>read</div>",
    "plain": "<b>read</b> a < b, hidden > c",
    "another element": "<styled>read</styled>",
}


def nested(levels: int) -> str:
    """Hidden elements, each inside the tag of the next."""
    return "<div " * levels + "<b hidden>x</b>" + " hidden>obey</div>" * levels


@pytest.mark.parametrize("levels", [1, 8, 9, 10, 11, 40])
def test_however_deep_hidden_html_stands_in_tags_that_hide_all_of_it_is_gone(levels: int) -> None:
    shown = sanitize(f"before {nested(levels)} after")
    assert shown.startswith("before ")
    assert "obey" not in shown
    assert sanitize(shown) == shown
    # What is deeper than anybody writes it takes the rest of the text along.
    assert shown.endswith(" after") == (levels < 10)


def test_what_white_space_kept_apart_is_known_on_one_line() -> None:
    assert markdown_line(f"a <div{' ' * 600} hidden>obey</div> b") == f"a {REMOVED} b"
    assert one_line("a -----BEGIN RSA\nPRIVATE KEY-----\nMIIE b") == "a [token removed]"


@pytest.mark.parametrize("text", SHOWN.values(), ids=SHOWN)
def test_html_that_is_shown_stays(text: str) -> None:
    assert sanitize(text) == text


def test_what_comes_behind_hidden_html_is_kept() -> None:
    for text in (text for name, text in HIDDEN.items() if not ("never" in name or "inside" in name)):
        assert sanitize(f"{text} after") == f"{REMOVED} after"


CODES = {
    "colour": "\x1b[31m",
    "colour with parameters": "\x1b[1;38;5;196m",
    "private parameters": "\x1b[?25l",
    "intermediate bytes": "\x1b[0 q",
    "8-bit colour": "\x9b31m",
    "8-bit with parameters": "\x9b1;38;5;196m",
    "8-bit with private parameters": "\x9b?25l",
    "8-bit with intermediate bytes": "\x9b0 q",
    "last final byte": "\x1b[1~",
    "first final byte": "\x1b[1@",
    "title until a bell": "\x1b]0;title\x07",
    "title until a string terminator": "\x1b]0;title\x1b\\",
    "two characters": "\x1bM",
}


@pytest.mark.parametrize("code", CODES.values(), ids=CODES)
def test_terminal_codes_are_gone_as_a_whole(code: str) -> None:
    assert sanitize(f"a{code}b{code}") == "ab"


@pytest.mark.parametrize("code", CODES.values(), ids=CODES)
def test_hidden_html_is_known_through_terminal_codes(code: str) -> None:
    assert sanitize(f"<!{code}-- obey") == REMOVED


@pytest.mark.parametrize(
    "character",
    [
        *(
            "\x00",
            "\x08",
            "\x0b",
            "\x0c",
            "\x0e",
            "\x1f",
            "\x7f",
            "\x80",
            "\x9f",
            "\u00ad",
            "\u034f",
            "\u061c",
            "\u115f",
        ),
        *("\u1160", "\u17b4", "\u17b5", "\u180b", "\u180e", "\u200b", "\u200f", "\u202a", "\u202e", "\u2060", "\u206f"),
        *("\u3164", "\ufe00", "\ufe0e", "\ufeff", "\uffa0", "\ufff0", "\ufffb", "\U000e0000", "\U000e0fff", "\udc80"),
    ],
    ids=lambda character: f"U+{ord(character):04X}",
)
def test_an_invisible_character_is_gone_from_text_and_written_out_in_code(character: str) -> None:
    assert sanitize(f"a{character}b") == "ab"
    assert escape_invisible(f"a{character}b") == f"a<U+{ord(character):04X}>b"


@pytest.mark.parametrize("character", ["\t", " ", "~", "\u00a0", "é", "\ufe0f", "\ufffd", "\U000f0000"], ids=ascii)
def test_a_character_beside_those_stays(character: str) -> None:
    assert sanitize(f"a{character}b") == escape_invisible(f"a{character}b") == f"a{character}b"


def test_a_text_is_shown_to_a_length_and_no_further() -> None:
    assert sanitize("x" * LONGEST_TEXT) == "x" * LONGEST_TEXT
    assert sanitize("x" * (LONGEST_TEXT + 1)) == "x" * LONGEST_TEXT


def test_carriage_returns_of_all_lines_are_left_out_and_of_some_written_out() -> None:
    assert escape_invisible_in_lines(["a\r", "b\r"]) == ["a", "b"]
    assert escape_invisible_in_lines(["a\r", "b"]) == ["a<U+000D>", "b"]
    assert escape_invisible_in_lines(["a\r\r", "b\r"]) == ["a<U+000D>", "b"]


@pytest.mark.parametrize(
    ("text", "characters", "shown"),
    [
        ("abcde", 5, "abcde"),
        ("abcdef", 5, "abcd…"),
        ("abc def", 5, "abc…"),
        ("abcdef", 1, "…"),
        (" a\n\tb\u2028c ", 5, "a b c"),
        ("", 5, ""),
    ],
)
def test_one_line_of_so_many_characters(text: str, characters: int, shown: str) -> None:
    assert one_line(text, characters) == shown


PIECES = st.sampled_from(
    [
        *HIDDEN.values(),
        *SHOWN.values(),
        *CODES.values(),
        "<",
        ">",
        "<!--",
        "-->",
        "<script",
        "</script>",
        "<div ",
        "</div>",
        *(
            "hidden",
            " hidden>",
            "display:none",
            "\u200b",
            "\ufe0f",
            "\r\n",
            "\r",
            "\u2028",
            "\n",
            " ",
            "\x1b",
            "[",
            "]",
        ),
        *("-----BEGIN RSA\nPRIVATE KEY-----", "glpat-", "0123456789", "…", REMOVED, "<div " * 3),
    ]
)
TEXTS = st.lists(PIECES | st.text(max_size=5), max_size=10).map("".join) | st.text(max_size=60)


@settings(max_examples=500, deadline=None)
@given(TEXTS)
def test_a_second_time_changes_nothing_more(text: str) -> None:
    once = sanitize(text)
    assert sanitize(once) == once


@settings(max_examples=500, deadline=None)
@given(TEXTS, st.integers(1, 80))
def test_one_line_is_never_longer_than_asked_and_a_second_time_the_same(text: str, characters: int) -> None:
    line = one_line(text, characters)
    assert len(line) <= characters
    assert "\n" not in line
    assert line == line.strip()
    assert one_line(line, characters) == line


@settings(max_examples=300, deadline=None)
@given(TEXTS)
def test_code_written_out_has_nothing_invisible_and_a_second_time_is_the_same(text: str) -> None:
    once = escape_invisible(text)
    assert escape_invisible(once) == once


@settings(max_examples=500, deadline=None)
@given(TEXTS, st.sampled_from(["\n", "\r\n"]))
def test_lines_written_out_together_are_those_written_out_one_by_one(text: str, end: str) -> None:
    lines = text.replace("\n", end).split("\n")
    is_crlf = all(line.endswith("\r") for line in lines)
    one_by_one = [escape_invisible(line.removesuffix("\r") if is_crlf else line) for line in lines]
    assert escape_invisible_in_lines(lines) == [line.replace("\r", "<U+000D>") for line in one_by_one]
    if needs_no_escape(text):
        assert [escape_invisible(line) for line in text.split("\n")] == text.split("\n")
