"""The limits in bytes that answers keep to, for any text, and that nothing is lost between pages."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitlab_mcp.api.client import Page
from gitlab_mcp.render.markdown import ANSWER_BYTES, bytes_of, count, cut, fence, quote, share, size
from gitlab_mcp.render.pagination import PAGE_BYTES, ROWS_BYTES, fenced_rows, fitting, listing, page_of

TEXTS = st.text(max_size=60) | st.lists(st.sampled_from(["é", "🎉", "\n", "x", "line\n", "\udc80"]), max_size=80).map(
    "".join
)


@settings(max_examples=500, deadline=None)
@given(TEXTS, st.integers(0, 200), st.sampled_from(["", "the rest is elsewhere"]))
def test_a_cut_text_keeps_to_its_limit(text: str, limit: int, more: str) -> None:
    shown = cut(text, limit, more)
    assert size(shown) <= limit
    assert (shown == text) == (size(text) <= limit)


@settings(max_examples=500, deadline=None)
@given(st.text(min_size=100, max_size=300), st.integers(100, 140))
def test_a_cut_text_begins_as_the_text_and_says_how_much_of_it_is_shown(text: str, limit: int) -> None:
    if size(text) > limit:
        kept, _, remark = cut(text, limit, "more").rpartition("\n")
        assert text.startswith(kept)
        assert remark == f"… (cut: {limit} of {size(text)} bytes shown; more)"


@pytest.mark.parametrize(
    ("ahead", "is_near"), [(76, True), (75, False), (99, True), (0, False)], ids=["at 3/4", "before", "last", "first"]
)
def test_a_text_is_cut_at_the_end_of_a_line_where_one_is_near(ahead: int, is_near: bool) -> None:
    text = f"{'a' * ahead}\n{'b' * 300}"
    limit = 100 + 1 + size(f"… (cut: 100 of {size(text)} bytes shown)")
    assert cut(text, limit).split("\n…")[0] == (text[:ahead] if is_near else text[:100])


@pytest.mark.parametrize(("limit", "shown"), [(2, ""), (3, "…"), (5, "ab…"), (29, f"{'ab' * 13}…")])
def test_without_room_for_the_remark_a_cut_text_ends_in_a_mark(limit: int, shown: str) -> None:
    assert cut("ab" * 50, limit) == shown


@settings(max_examples=500, deadline=None)
@given(st.lists(TEXTS, max_size=12), st.integers(0, 900))
def test_shares_keep_to_the_limit_together(texts: list[str], limit: int) -> None:
    shares = share(texts, limit)
    assert len(shares) == len(texts)
    assert sum(map(size, shares)) <= limit
    if sum(map(size, texts)) <= limit:
        assert shares == texts


@settings(max_examples=300, deadline=None)
@given(st.lists(st.text("ab", max_size=60), min_size=1, max_size=12), st.integers(0, 900))
def test_no_text_is_cut_that_is_shorter_than_an_equal_part(texts: list[str], limit: int) -> None:
    for text, shown in zip(texts, share(texts, limit), strict=True):
        if size(text) <= limit // len(texts):
            assert shown == text


@pytest.mark.parametrize("limit", [300, 301, 302])
def test_what_short_texts_leave_over_goes_to_the_long_ones(limit: int) -> None:
    shares = share(["a" * 1000, "b", "c" * 1000, ""], limit)
    assert shares[1::2] == ["b", ""]
    assert [size(shares[0]), size(shares[2])] == [(limit - 1) // 2] * 2


@settings(max_examples=300, deadline=None)
@given(st.lists(TEXTS, max_size=20), st.integers(0, 200))
def test_as_many_rows_are_kept_as_fit_with_their_line_ends(rows: list[str], limit: int) -> None:
    kept = fitting(rows, limit)
    assert kept == rows[: len(kept)]
    assert sum(size(row) + 1 for row in kept) <= limit
    if len(kept) < len(rows):
        assert sum(size(row) + 1 for row in rows[: len(kept) + 1]) > limit


def page(number: int = 1, next_number: int | None = None, total: int | None = None) -> Page:
    return Page([], number, next_number, total, pages=None, at=0.0)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.sampled_from(["x", "é" * 100, "🎉" * 2000, "y" * 10_000]), min_size=1, max_size=30))
def test_a_list_keeps_to_the_limit_of_an_answer_and_counts_what_does_not_fit(rows: list[str]) -> None:
    shown = listing("Things", "thing", rows, page(2, 3, 12_345), "list_things", {"search": "x", "none": ""})
    first, *kept, last = shown.split("\n")
    assert size(shown) <= ANSWER_BYTES
    assert first == f"# Things: {count(len(rows), 'thing')} of 12,345, page 2"
    assert last == 'next: list_things {"search": "x", "page": 3}'
    if kept[-1].startswith("("):
        left_out = re.fullmatch(r"\((\d+) more on this page do not fit: narrow the list\)", kept.pop())
        assert left_out
        assert len(kept) + int(left_out[1]) == len(rows)
    assert kept == fitting(rows, ROWS_BYTES)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["x", "é", "🎉"]), st.sampled_from([1, 500, 7_000])), max_size=25))
def test_every_piece_is_on_one_page_in_order_and_no_page_is_longer_than_it_may_be(
    given_: list[tuple[str, int]],
) -> None:
    pieces = [f"{number}{letter * times}" for number, (letter, times) in enumerate(given_)]
    seen: list[str] = []
    number = 1
    while True:
        shown = page_of("Title", "About", pieces, number, "call", {"a": 1})
        lines = shown.split("\n")
        assert lines[1] == "About"
        assert size(shown) <= PAGE_BYTES + 100
        following = lines.pop() if lines[-1].startswith("next: ") else ""
        seen += lines[2:]
        if not following:
            break
        assert following == f'next: call {{"a": 1, "page": {number + 1}}}'
        assert lines[0].startswith(f"Title · page {number} of ")
        number += 1
    assert seen == pieces
    assert page_of("T", "", pieces, number + 1, "c", {}) == f"T\nThere is no page {number + 1}: the last is {number}."


def test_pieces_fill_a_page_to_its_last_byte() -> None:
    exact = ["a" * (PAGE_BYTES // 2), "b" * (PAGE_BYTES - PAGE_BYTES // 2 - 1)]
    assert "page" not in page_of("T", "", exact, 1, "c", {})
    assert "page 1 of 2" in page_of("T", "", [exact[0], f"{exact[1]}b"], 1, "c", {})


@settings(max_examples=100, deadline=None)
@given(st.lists(st.sampled_from(["x", "```", "é" * 400, "🎉" * 500]), max_size=60))
def test_rows_of_code_are_all_shown_in_pieces_that_fit_a_page(rows: list[str]) -> None:
    pieces = list(fenced_rows("path (new)", "path", rows))
    assert all(size(piece) <= PAGE_BYTES for piece in pieces)
    assert [piece.split("\n")[1] for piece in pieces] == ["## path (new)", *["## path, continued"] * (len(pieces) - 1)]
    assert [row for piece in pieces for row in piece.split("\n")[3:-1]] == (rows or [""])


@pytest.mark.parametrize("length", [1, 99, 500])
def test_rows_of_code_leave_room_on_their_page_for_a_long_heading(length: int) -> None:
    rows = ["x" * length] * (2 * PAGE_BYTES // (length + 1))
    pieces = list(fenced_rows("h" * 1_900, "n" * 1_900, rows))
    assert len(pieces) == 3
    assert all(size(piece) <= PAGE_BYTES for piece in pieces)


@settings(max_examples=300, deadline=None)
@given(TEXTS)
def test_no_line_leaves_its_quote_and_no_code_its_fence(text: str) -> None:
    assert all(line == ">" or line.startswith("> ") for line in quote(text).split("\n"))
    first, *inside, last = fence(text).split("\n")
    assert first == last
    assert "\n".join(inside) == text
    assert first not in text


@pytest.mark.parametrize(
    ("number", "said"),
    [(0, "0 bytes"), (1, "1 byte"), (999, "999 bytes"), (1000, "1.0 KB"), (1_000_000, "1.0 MB")],
)
def test_a_size_for_people(number: int, said: str) -> None:
    assert bytes_of(number) == said


@pytest.mark.parametrize(
    ("number", "noun", "said"),
    [
        (1, "branch", "1 branch"),
        (2, "branch", "2 branches"),
        (0, "reply", "0 replies"),
        (1234, "commit", "1,234 commits"),
    ],
)
def test_a_count_with_its_noun(number: int, noun: str, said: str) -> None:
    assert count(number, noun) == said
