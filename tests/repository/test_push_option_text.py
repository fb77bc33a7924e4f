"""Texts in push options arrive as they are, and nothing in them begins a line that did not begin one."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitlab_mcp.errors import Refused
from gitlab_mcp.repository.git_backend.push_options import (
    CUT_MARK,
    PUSHED_DESCRIPTION_BYTES,
    escaped,
    is_cut,
    line,
)

PIECES = st.sampled_from(["\n", "\\", "\\n", "\\\\n", "n", "/close", "\r\n", "\t", "é", "\x00", "\x7f", "text", " "])
TEXTS = st.lists(PIECES, max_size=20).map("".join) | st.text(max_size=60)


def read_back(option: str) -> str:
    """A description as GitLab reads it: app/services/merge_requests/push_options_handler_service.rb."""
    return option.replace("\\n", "\n")


@settings(max_examples=600, deadline=None)
@given(TEXTS)
def test_a_description_is_read_back_line_by_line(text: str) -> None:
    option = escaped(text)
    plain = re.sub(r"[\x00-\x08\x0b-\x1f\x7f]", "", text)
    assert "\n" not in option
    assert not re.search(r"[\x00-\x08\x0a-\x1f\x7f]", option)
    assert read_back(option) == plain.replace("\\n", "\\ n")
    assert len(read_back(option).split("\n")) == len(plain.split("\n"))


@settings(max_examples=300, deadline=None)
@given(st.lists(PIECES, min_size=1, max_size=6).map("".join), st.integers(-8, 8))
def test_a_long_description_is_cut_to_what_an_option_holds(piece: str, more: int) -> None:
    length = max(1, len(escaped(piece).encode()))
    text = "x" * (PUSHED_DESCRIPTION_BYTES % length + more + 8) + piece * (PUSHED_DESCRIPTION_BYTES // length)
    option = escaped(text)
    assert len(option.encode()) <= PUSHED_DESCRIPTION_BYTES
    plain = re.sub(r"[\x00-\x08\x0b-\x1f\x7f]", "", text).replace("\\n", "\\ n")
    if is_cut(text):
        kept, _, mark = read_back(option).rpartition("\n")
        assert mark == CUT_MARK
        assert plain.startswith(kept)
        assert len(option.encode()) > PUSHED_DESCRIPTION_BYTES - 5
    else:
        assert read_back(option) == plain


@pytest.mark.parametrize(("more", "cut"), [(0, False), (1, True)])
def test_a_description_is_cut_from_the_first_byte_that_does_not_fit(more: int, cut: bool) -> None:
    for text in ("x" * (PUSHED_DESCRIPTION_BYTES + more), "é" * (PUSHED_DESCRIPTION_BYTES // 2) + "x" * more):
        assert is_cut(text) is cut
        assert escaped(text) == text or cut
        assert len(escaped(text).encode()) <= PUSHED_DESCRIPTION_BYTES


@pytest.mark.parametrize("before", range(4))
def test_a_line_break_at_the_cut_is_not_cut_in_two(before: int) -> None:
    room = PUSHED_DESCRIPTION_BYTES - len(CUT_MARK.encode()) - 2
    option = escaped("x" * (room - before) + "\n" * 40)
    assert read_back(option) == "x" * (room - before) + "\n" * (before // 2) + f"\n{CUT_MARK}"


@pytest.mark.parametrize("character", ["\x00", "\t", "\n", "\r", "\x1f", "\x7f"], ids=ascii)
def test_one_line_holds_no_line_break_and_no_control_character(character: str) -> None:
    with pytest.raises(Refused, match="title"):
        line("title", f"a{character}b")


@pytest.mark.parametrize(("text", "sent"), [(" a b \n", "a b"), ("é \\n", "é \\n"), ("", "")])
def test_one_line_is_sent_without_the_blanks_around_it(text: str, sent: str) -> None:
    assert line("title", text) == sent
