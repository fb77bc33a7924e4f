"""The marker of a tracking note: it is read at the start of a text only, and no other text can be sent with one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitlab_mcp.safety.escape import neutralize
from gitlab_mcp.safety.marker import MarkedText, Marker, marker_of, unmarked, without_markers

MARKERS = [Marker(), Marker("602.0a1b2c3d", 149), Marker("602.0a1b2c3d", 149, ended=True), Marker("local", 0)]
PIECES = [
    "<!-- ",
    "gitlab-mcp-server ",
    "note ",
    "run=1 mention=2 ",
    "state=open ",
    "-->",
    "\n",
    "\r",
    "x",
    *map(str, MARKERS),
]


@pytest.mark.parametrize("marker", MARKERS, ids=str)
@pytest.mark.parametrize("text", ["", "working\n\n- [ ] read #7", "<!-- another comment -->", str(Marker("1", 2))])
def test_a_marker_is_read_back_and_taken_off(marker: Marker, text: str) -> None:
    sent = str(MarkedText(marker, text))
    assert marker_of(sent) == marker
    assert marker_of(sent.strip()) == marker  # GitLab stores a text without white space at its ends
    assert unmarked(sent) == text


@pytest.mark.parametrize(
    "text",
    [
        *("", "working", f"> {Marker('1', 2)}", f"x\n{Marker('1', 2)}", str(Marker("1", 2)).upper()),
        *(f"{Marker('1', 2)} x", str(Marker("a b", 2)), str(Marker("1", -2)), str(Marker("1" * 65, 2))),
        str(Marker("1", 2))[:-1],
    ],
)
def test_anything_else_is_not_a_marker(text: str) -> None:
    assert marker_of(text) is None
    assert unmarked(text) == text


@given(st.lists(st.sampled_from(PIECES), max_size=12))
def test_no_text_that_a_tool_sends_has_a_marker(pieces: list[str]) -> None:
    sent = neutralize("".join(pieces), ("all",))
    assert marker_of(sent) is None
    assert marker_of(sent.strip()) is None
    assert neutralize(sent, ("all",)) == sent


def test_text_about_markers_is_kept_but_for_the_markers() -> None:
    text = "Write `<!-- gitlab-mcp-server` or <!-- note --> as you like.\n-->"
    assert without_markers(text) == text
    assert without_markers(f"a {Marker('1', 2)} b") == "a  b"
