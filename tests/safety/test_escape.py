"""Text that goes to GitLab: no mention is left, however its back-ticks are set, and a second time changes nothing."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitlab_mcp.safety.escape import has_unclosed_block, neutralize
from gitlab_mcp.sandbox.text.mentions import mentioned

HANDLES = ("all", "claude")

# Each pass sets back-ticks that bare a mention further on; these need more passes than any text that is meant.
DEEP = [
    "`````` `@all```@all`@all```\n```` ```",
    "`````l``@all`\n````x````@all``@all`@all```",
    "```` ````` ```@all```@all`l``````@claude @all",
]


@pytest.mark.parametrize("text", DEEP, ids=["1", "2", "3"])
@pytest.mark.parametrize("letters", [str, str.upper], ids=["small", "capital"])
def test_a_text_that_bares_one_mention_after_the_other_loses_them_all(text: str, letters: type[str]) -> None:
    sent = neutralize(letters(text), HANDLES)
    assert re.search(r"(?i)@(all|claude)", sent) is None
    assert re.search(r"(?i)@ all", sent)
    assert neutralize(sent, HANDLES) == sent
    assert re.sub("[ `]", "", sent) == re.sub("[ `]", "", letters(text))


@settings(max_examples=600, deadline=None)
@given(
    st.lists(st.sampled_from(["`", "``", "```", "@all", " ", "\n", "\n\n", "x", "@claude", "~~~\n", "\\"]), max_size=20)
)
def test_gitlab_sees_no_mention_in_what_is_sent_however_its_back_ticks_are_set(pieces: list[str]) -> None:
    assert set(mentioned(neutralize("".join(pieces), HANDLES))).isdisjoint(HANDLES)


def test_of_handles_with_a_dot_the_dot_is_no_other_letter() -> None:
    assert neutralize("@my.bot @myxbot", ("all", "my.bot")) == "`@my.bot` @myxbot"


@pytest.mark.parametrize(
    ("text", "sent"),
    [
        ("@all@claude", "`@all@claude`"),
        ("@all.", "`@all`."),
        ("@all.x", "@all.x"),
        ("x@all", "x@all"),
        ("(@all)", "(`@all`)"),
        ("@all-x", "@all-x"),
        ("@all\n\n`@all`", "`@all`\n\n`@all`"),
        ("`a\n\n@all`", "`a\n\n`@all` `"),
        ("~~~\n@all\n~~~\n@all", "~~~\n@all\n~~~\n`@all`"),
        ("~~~\n@all\n```\n@all", "~~~\n@all\n```\n@all"),
        ("````\n```\n@all", "````\n```\n@all"),
        ("```\n@all\n``` x\n@all", "```\n@all\n``` x\n@all"),
        ("``` a`b\n@all", "``` a`b\n``@all` `"),
        ("`@all", "` ``@all` `"),
        ("``@all", "`` `@all`"),
        ("`x`@all", "`x``@all`"),
        ("\\@all", "\\ `@all`"),
        ("\\`@all `", "\\` `@all` `"),
        ("\\``@all`", "\\``@all`"),
        ("\\\\`@all`", "\\\\`@all`"),
        ("`\\`@all`", "`\\``@all` `"),
        ("    ```\n@all", "    ```\n`@all`"),
        ("   ```\n@all", "   ```\n@all"),
        ("<div>\n```\n@all\n```\n</div>", "<div>\n```\n@ all\n```\n</div>"),
        ("<!--\n```\n-->\n@all\n", "<!--\n```\n-->\n`@all`\n"),
        ("- ```\n  @all\n  ```\n\n  @all", "- ```\n  @all\n  ```\n\n  `@all`"),
        ("> ```\n@all", "> ```\n`@all`"),
        (">>>\n```\n>>>\n@all", ">>>\n```\n>>>\n`@all`"),
        ("    @all\n", "    @all\n"),
        ("| ` | @all ` |\n|---|---|", "| ` | `@all` ` |\n|---|---|"),
    ],
)
def test_a_mention_is_put_in_back_ticks_where_it_is_no_code(text: str, sent: str) -> None:
    assert neutralize(text, HANDLES) == sent


@pytest.mark.parametrize(
    ("text", "unclosed"),
    [
        ("```\na", True),
        ("```\na\n```", False),
        ("```\na\n``", True),
        ("````\na\n```", True),
        ("```\na\n`````  ", False),
        ("```\na\n    ```", True),
        ("~~~\na\n```", True),
        ("``` a`b", False),
        ("~~~ a`b", True),
        ("<!-- a", True),
        ("<!-- a -->", False),
        ("<pre>a", True),
        ("<pre>a</pre>", False),
        ("<prefix>", False),
        ("<SCRIPT>", True),
        ("<?php", True),
        ("<? a ?>", False),
        ("<!DOCTYPE", True),
        ("<!DOCTYPE html>", False),
        ("<![CDATA[ a", True),
        ("<![CDATA[ a ]]>", False),
        ("    ```", False),
        ("\t```", False),
        ("- a\n  ```\n  b\nc", False),
        ("- a\n  ```\n  b", False),
        ("> <!-- a", False),
        (">>>\na", True),
        ("<div>\n```\n</div>", False),
        ("plain", False),
        ("", False),
    ],
)
def test_whether_a_block_is_left_open(text: str, unclosed: bool) -> None:
    assert has_unclosed_block(text) is unclosed


PIECES = st.sampled_from(
    ["`", "``", "```", "@all", " @all ", " ", "\n", "\n\n", "x", "@claude", "~~~\n", "```\n", "@ALL"]
)
TEXTS = st.lists(PIECES, max_size=60).map("".join)


@settings(max_examples=500, deadline=None)
@given(TEXTS | st.sampled_from(DEEP))
def test_a_second_time_changes_nothing_more(text: str) -> None:
    once = neutralize(text, HANDLES)
    assert neutralize(once, HANDLES) == once


@settings(max_examples=300, deadline=None)
@given(TEXTS)
def test_nothing_but_blanks_and_back_ticks_is_added(text: str) -> None:
    assert re.sub("[ `]", "", neutralize(text, HANDLES)) == re.sub("[ `]", "", text)
