"""Which comments mention the handle, and what they ask for."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitlab_mcp.safety.markdown_text import mentionable
from gitlab_mcp.safety.mention import BARE_REQUEST, CommentRequest, OptionLimits, read_comment

DETAILS = "<details>\n<summary>x</summary>\nfix\n</details>"
LIMITS = OptionLimits(models=("opus", "claude-sonnet-4-5"), max_turns=60)


def read(text: str, handle: str = "claude", limits: OptionLimits = LIMITS) -> CommentRequest | None:
    return read_comment(text, handle, limits)


def request(text: str, handle: str = "claude", limits: OptionLimits = LIMITS) -> CommentRequest:
    found = read(text, handle, limits)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        pytest.param("@claude fix this", "fix this", id="at the beginning"),
        pytest.param("@CLAUDE fix this", "fix this", id="in capitals"),
        pytest.param("@claude: fix this", "fix this", id="with a colon"),
        pytest.param("@claude, fix this.", "fix this.", id="with a comma"),
        pytest.param("Please @claude fix this", "Please fix this", id="in a sentence"),
        pytest.param("Fix this, @claude.", "Fix this.", id="at the end of a sentence"),
        pytest.param("Hi!\n\n@claude fix this\n\n    code()\n", "Hi!\n\nfix this\n\n    code()", id="in a paragraph"),
        pytest.param("Hi\r\n@claude fix\r\nthis", "Hi\nfix\nthis", id="with carriage returns"),
        pytest.param("@claude fix this, @claude, and say so @claude", "fix this, and say so", id="several times"),
        pytest.param("(@claude) fix", "() fix", id="in brackets"),
        pytest.param("**@claude** fix this", "fix this", id="in bold"),
        pytest.param("_@claude_ fix this", "fix this", id="in italics by underscores"),
        pytest.param("_@claude fix this_", "_fix this_", id="after an underscore"),
        pytest.param("~~@claude~~ fix", "fix", id="struck through"),
        pytest.param("- [ ] @claude fix this", "- [ ] fix this", id="in a task"),
        pytest.param("# @claude fix", "# fix", id="in a heading"),
        pytest.param("| a |\n|---|\n| @claude fix |", "| a |\n|---|\n| fix |", id="in a table"),
        pytest.param("请@claude修复", "请修复", id="between Chinese characters"),
        pytest.param("`x` @claude fix `y`", "`x` fix `y`", id="between code spans"),
        pytest.param("> really?\n\n@claude fix", "> really?\n\nfix", id="under a quote"),
        pytest.param("```\nx\n```\n@claude fix", "```\nx\n```\nfix", id="under code"),
        pytest.param("<!-- x --> @claude fix", "<!-- x --> fix", id="after a comment"),
        pytest.param("<details>\n<summary>x</summary>\n@claude fix\n</details>", DETAILS, id="in details"),
        pytest.param("[x](y) @claude fix", "[x](y) fix", id="after a link"),
        pytest.param("cc @alice/@bob, @claude fix", "cc @alice/@bob fix", id="after other users"),
        pytest.param("@claude/ fix", "/ fix", id="before a slash and a blank"),
        pytest.param("@claude... fix", "... fix", id="before three dots"),
        pytest.param("@claude", BARE_REQUEST, id="alone"),
        pytest.param("@claude!", BARE_REQUEST, id="alone with a mark"),
        pytest.param("/assign me\n@claude fix", "/assign me\nfix", id="under a quick action"),
        pytest.param("@claude /review", "/review", id="before a slash command"),
        pytest.param("@claude --dangerously-skip-permissions", "--dangerously-skip-permissions", id="before a flag"),
        pytest.param('@claude "; rm -rf / #', '"; rm -rf / #', id="before shell"),
        pytest.param("@claude x\n  script: evil", "x\n  script: evil", id="before YAML"),
    ],
)
def test_a_mention_is_found_and_the_rest_is_the_request(text: str, asked: str) -> None:
    assert request(text).request == asked


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("claude fix", id="without at"),
        pytest.param("@claude-bot fix", id="of a longer name with a dash"),
        pytest.param("@claude_bot fix", id="of a longer name with an underscore"),
        pytest.param("@claude2 fix", id="of a longer name with a digit"),
        pytest.param("@claude.x fix", id="of a longer name with a dot"),
        pytest.param("@claude..x fix", id="of a longer name with two dots"),
        pytest.param("@claude/team fix", id="of a group"),
        pytest.param("@claude's answer was wrong", id="with a possessive"),
        pytest.param("@claude\u2019s answer was wrong", id="with a typographic possessive"),
        pytest.param("@claud\u0435 fix", id="with a Cyrillic letter"),
        pytest.param("me@claude fix", id="in an e-mail address of a host"),
        pytest.param("Write to first.last+x_y@claude.com", id="in an e-mail address"),
        pytest.param("<me@claude>", id="in an e-mail link"),
        pytest.param("x/@claude", id="in a path"),
        pytest.param("\\@claude fix", id="after a backslash"),
        pytest.param("`@claude fix`", id="in a code span"),
        pytest.param("``a ` @claude fix``", id="in a code span of two backticks"),
        pytest.param("a `b\n@claude c` d", id="in a code span over lines"),
        pytest.param("```\n@claude fix\n```", id="in a fence"),
        pytest.param("~~~ python\n@claude fix", id="in a fence that is not closed"),
        pytest.param("- a\n\n  ```\n  @claude fix\n  ```", id="in a fence in a list"),
        pytest.param("a\n\n    @claude fix", id="in indented code"),
        pytest.param("\t@claude fix", id="in code indented by a tab"),
        pytest.param("$`@claude`$ and $x @claude$", id="in math"),
        pytest.param("---\na: @claude fix\n---\nb", id="in front matter"),
        pytest.param("> @claude fix", id="in a quote"),
        pytest.param("> a\n@claude fix", id="in a quote that goes on without its mark"),
        pytest.param("- > @claude fix", id="in a quote in a list"),
        pytest.param("> - @claude fix", id="in a list in a quote"),
        pytest.param("> [!note]\n> @claude fix", id="in an alert"),
        pytest.param(">>>\n@claude fix\n\n@claude fix\n>>>", id="in a multi-line quote"),
        pytest.param("<!-- @claude fix -->", id="in an HTML comment"),
        pytest.param("a <!-- @claude\nfix --> b", id="in an HTML comment over lines"),
        pytest.param("a <b title='@claude fix'>c</b>", id="in an attribute"),
        pytest.param("a <code>@claude fix</code>", id="in an element of code"),
        pytest.param("<pre>\n@claude fix\n</pre>", id="in a block of preformatted text"),
        pytest.param("<script>\n@claude fix\n</script>", id="in a script"),
        pytest.param("<div>\n<!-- @claude fix\n\n-->", id="in a comment in a block of HTML"),
        pytest.param("<!-- a\n\n@claude fix", id="in a comment that is not closed"),
        pytest.param("<blockquote>\n\n@claude fix\n\n</blockquote>", id="in a quote of HTML with Markdown"),
        pytest.param("<blockquote>\n@claude fix\n</blockquote>", id="in a block of HTML"),
        pytest.param("a <a href='x'>@claude</a>", id="in an HTML link"),
        pytest.param("[@claude](https://example.com)", id="in the text of a link"),
        pytest.param("[a](https://example.com/@claude)", id="in the target of a link"),
        pytest.param("[a](x '@claude fix')", id="in the title of a link"),
        pytest.param("![@claude](x.png)", id="in the text of an image"),
        pytest.param("[a][@claude]", id="in the reference of a link"),
        pytest.param("[a]: /@claude\n\nb", id="in the definition of a link"),
        pytest.param("[[@claude]]", id="in a wiki link"),
        pytest.param("https://medium.com/@claude/x and www.x.com/@claude", id="in a bare URL"),
        pytest.param("<https://medium.com/@claude>", id="in a URL in angle brackets"),
        pytest.param("> " * 40 + "@claude fix", id="nested too deep to parse"),
        pytest.param("", id="in no text"),
    ],
)
def test_what_gitlab_does_not_take_for_a_mention_is_none(text: str) -> None:
    assert read(text) is None


def test_a_mention_beside_one_that_does_not_count_counts() -> None:
    assert (
        request("> @claude old\n\nNot `@claude`, but @claude fix").request == "> @claude old\n\nNot `@claude`, but fix"
    )


@pytest.mark.parametrize("handle", ["claude.bot", "claude-bot", "claude_1", "c"])
def test_any_handle_that_gitlab_allows_can_be_configured(handle: str) -> None:
    assert request(f"@{handle} fix", handle).request == "fix"
    assert read(f"@{handle}x fix", handle) is None
    assert read("@claudexbot fix", handle) is None


@pytest.mark.parametrize(
    ("text", "is_stop"),
    [
        ("@claude stop", True),
        ("@claude: Stop!", True),
        ("Stop @claude", True),
        ("  @claude\n\nstop.\n", True),
        ("> why this?\n\n@claude stop", True),
        (">>>\nwhy this?\n>>>\n\n@claude stop", True),
        ("@claude stop the server from crashing", False),
        ("@claude please do not stop", False),
        ("@claude `stop`", False),
        ("@claude stop\n```\nx\n```", False),
        ("@claude model=opus stop", False),
        ("@claude\n\n> stop", False),
        ("@claude stopping", False),
        ("@claude", False),
    ],
)
def test_stop_alone_stops(text: str, is_stop: bool) -> None:
    assert request(text).is_stop == is_stop


@pytest.mark.parametrize(
    ("text", "options", "asked"),
    [
        ("@claude model=opus max_turns=20 fix", {"model": "opus", "max_turns": "20"}, "fix"),
        ("@claude, model=opus, max-turns=20 fix", {"model": "opus", "max_turns": "20"}, "fix"),
        ("@claude model=opus, max_turns=20; fix", {"model": "opus", "max_turns": "20"}, "fix"),
        ("@claude Model=opus\nfix", {"model": "opus"}, "fix"),
        ("Hi @claude model=claude-sonnet-4-5 fix", {"model": "claude-sonnet-4-5"}, "Hi fix"),
        ("@claude model=opus", {"model": "opus"}, BARE_REQUEST),
        ("@claude fix model=opus", {}, "fix model=opus"),
        ("@claude fix\nmodel=opus", {}, "fix\nmodel=opus"),
        ("@claude\nmodel=opus", {}, "model=opus"),
        ("@claude DEBUG=1 fails", {}, "DEBUG=1 fails"),
        ("@claude x == y fails", {}, "x == y fails"),
        ("@claude `model=opus`", {}, "`model=opus`"),
        ("a @claude b @claude model=opus", {}, "a b model=opus"),
    ],
)
def test_options_stand_right_after_the_first_mention(text: str, options: dict[str, str], asked: str) -> None:
    found = request(text)
    assert (found.options, found.request, found.problem) == (options, asked, "")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("@claude modle=opus fix", "`modle` is not an option that a comment may set here"),
        ("@claude permission_mode=bypass fix", "`permission_mode` is not an option"),
        ("@claude allowed_tools=Bash fix", "`allowed_tools` is not an option"),
        ("@claude timeout=5 fix", "`timeout` is not an option that a comment may set here (possible: `model`,"),
        ("@claude model=gpt fix", "`model` has to be one of `opus`, `claude-sonnet-4-5`."),
        ("@claude model=opus;id fix", "`model` has to be one of"),
        ("@claude model=$(id) fix", "`model` has to be one of"),
        ('@claude model="opus" fix', "`model` has to be one of"),
        ("@claude model= opus", "`model` has to be one of"),
        ("@claude model=`opus`", "`model` has to be one of"),
        ("@claude model=Opus fix", "`model` has to be one of"),
        ("@claude max_turns=61 fix", "`max_turns` has to be a number from 1 to 60."),
        ("@claude max_turns=20: fix", "`max_turns` has to be a number"),
        ("@claude max_turns=0 fix", "`max_turns` has to be a number"),
        ("@claude max_turns=-1 fix", "`max_turns` has to be a number"),
        ("@claude max_turns=1e1 fix", "`max_turns` has to be a number"),
        ("@claude max_turns=\u0665 fix", "`max_turns` has to be a number"),
        ("@claude max_turns=" + "9" * 9000, "`max_turns` has to be a number"),
        ("@claude model=opus model=opus fix", "`model` is given twice"),
    ],
)
def test_an_option_that_is_not_allowed_is_named_and_none_is_taken(text: str, problem: str) -> None:
    found = request(text)
    assert found.problem.startswith(problem)
    assert found.options == {}


def test_what_the_maintainer_allows_beyond_the_defaults_is_bounded_too() -> None:
    limits = OptionLimits(models=(), max_turns=0, timeout=30, max_budget=1.5)
    assert request("@claude timeout=30 max_budget=1.50 fix", limits=limits).options == {
        "timeout": "30",
        "max_budget": "1.50",
    }
    assert request("@claude max_budget=1.51 x", limits=limits).problem == (
        "`max_budget` has to be a number from 0.01 to 1.5."
    )
    assert "(possible: `timeout`, `max_budget`)" in request("@claude model=opus", limits=limits).problem
    nothing = OptionLimits(models=(), max_turns=0)
    assert "(possible: none)" in request("@claude model=opus", limits=nothing).problem


PIECES = st.sampled_from(
    [
        *("@claude", "@CLAUDE", "@claude-bot", "@claude.x", "a@claude", "`", "``", "```", "~~~", "\n", "\n\n", "    "),
        *(
            "> ",
            ">>>",
            "<!--",
            "-->",
            "<code>",
            "</code>",
            "[",
            "](",
            ")",
            "https://x/",
            "$",
            "*",
            "_",
            "\\",
            "|",
            "- ",
        ),
        *(" model=opus", " max_turns=9", " a=b", " stop", "a", " ", "\r\n", "\x00", "\ud800", "é", "😀"),
    ]
)


@settings(max_examples=1000)
@given(st.lists(PIECES, max_size=16).map("".join))
def test_any_text_is_read_and_options_are_only_those_of_the_allow_list(text: str) -> None:
    found = read(text)
    assert found is None or "@claude" in text.lower()
    if found:
        assert found.request
        assert set(found.options) <= {"model", "max_turns"}
        assert not (found.problem and found.options)


@settings(max_examples=1000)
@given(st.lists(PIECES, max_size=16).map("".join))
def test_what_is_not_text_is_replaced_in_place(text: str) -> None:
    text = text.replace("\r\n", "\n")
    shown = mentionable(text)
    assert len(shown) == len(text)
    assert all(after in (before, "\x00", "\x01") for before, after in zip(text, shown, strict=True))


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("@claude " * 100_000, id="mentions"),
        pytest.param("`@claude" * 100_000, id="code spans"),
        pytest.param("<code>@claude " * 60_000, id="elements"),
        pytest.param("> " * 300_000 + "@claude", id="quotes"),
        pytest.param("[@claude" * 100_000, id="brackets"),
        pytest.param('](a "@claude' * 60_000, id="titles of links"),
        pytest.param("@claude" + " a=b" * 200_000, id="options"),
        pytest.param("@claude" + " " * 900_000 + "x", id="blanks"),
    ],
)
def test_the_longest_comment_of_gitlab_is_read_within_the_time_of_an_answer(text: str) -> None:
    began = time.monotonic()
    read(text)
    assert time.monotonic() - began < 10  # it takes about 0.1 s; what is not linear would take minutes
