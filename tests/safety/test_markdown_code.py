"""What is code in a Markdown text, compared with another CommonMark parser, and in the forms that GitLab adds."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from gitlab_mcp.safety.markdown_blocks import BlockParser
from gitlab_mcp.safety.markdown_code import parts_of

COMMONMARK = MarkdownIt("commonmark", {"maxNesting": 100})

# A tag alone in a line begins an HTML block, and an incomplete comment is none: the parsers differ in what a lazy line
# and what "--" in a comment mean, so that tags come after a letter and comments whole or as a block.
PIECES = st.sampled_from(
    [
        *("`", "``", "```", "~~~", "\n", "\n\n", "    ", "  ", " ", "\t", "> ", ">", "- ", "* ", "1. ", "2) ", "+ "),
        *("a", "b c", "<!-- a -->", "\n<!-- ", "-->", "<div>", "</div>", "a<b>", "<script>", "a</script>", "# ", "==="),
        *("---", "***", "\\", "<a href='", "'>", "<?", "?>", "_"),
    ]
)


def without_blanks(text: str) -> str:
    return re.sub(r"\s", "", text)


def code_of_the_other(text: str) -> str:
    """The content of code blocks and code spans by markdown-it-py, without white space and backticks."""
    blocks = COMMONMARK.parse(text)
    tokens = [token for block in blocks for token in (block, *(block.children or []))]
    code = [token.content for token in tokens if token.type in ("fence", "code_block", "code_inline")]
    return without_blanks("".join(code)).replace("`", "")


def code_of(text: str) -> str:
    parts = parts_of(text)
    return without_blanks("".join(text[start:end] for start, end in sorted(parts.code))).replace("`", "")


@settings(max_examples=1500, deadline=None)
@given(st.lists(PIECES, max_size=14).map("".join))
def test_code_is_what_another_parser_of_commonmark_finds(pieces: str) -> None:
    text = f"x\n\n{pieces}\n"  # front matter is only at the beginning
    if not re.search(r"(?m)^[>\s]*>\s?>\s?>", text):  # multi-line quotes are GitLab's
        assert code_of(text) == code_of_the_other(text)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("---\na: `<b>`\n---\nb", "a: `<b>`\n"),
        ("+++\na\n+++\n", "a\n"),
        ("b\n\n---\na\n---\n", ""),
        (">>>\n```\na\n>>>\nb\n", "a"),
        ("> - ```\n>   a\n>   ```\n> b\n", "a"),
        ("~~~~ x\na\n~~~\nb\n~~~~\n", "a~~~b"),
        ("1. b\n\n       a\n", "a"),
        ("$`a`$ b\n", "$`a`$"),
        ("$`$ b `c$ d`$ e\n", "`$ b `"),
        ("| `a` | b ` |\n|---|---|\n| ` c | d |\n", "`a`"),
        ("b `\n| - |\n` c\n", ""),
        ("[^1]: b\n\n    c `a`\n\n    d\n", "`a`"),
        ("[b]: `\nc ` d\n", ""),
        ("b\n: c\n\n      d\n", "d"),
        ("[[b`c]] d ` e\n", ""),
        ("http://b.c/` d ` e\n", ""),
        ("<b`@c.d> ` e\n", ""),
        ("<b c='`'> `a`\n", "`a`"),
        ("\\` b ` c `` ` ``\n", "` c `` `"),
        ("`" * 81 + "b" + "`" * 81 + "\n", ""),
        ("    " * 40 + "> " * 40 + "a\n", "    " * 39 + "> " * 40 + "a"),
        ("> " * 40 + "`b`\n", ""),
    ],
)
def test_code_is_what_gitlab_shows_as_code(text: str, code: str) -> None:
    parts = parts_of(text)
    assert "".join(text[start:end] for start, end in sorted(parts.code)) == code


def test_math_between_dollar_signs_is_math_as_comrak_has_it() -> None:
    text = "$a<b$ $ c $ $d $5 $$e$ $$ \\$f$ $g\\$h$\n"
    assert [text[start:end] for start, end in parts_of(text).math] == ["$a<b$", "$$e$ $$", "$g\\$h$"]


def test_what_is_open_at_the_end_is_known() -> None:
    parser = BlockParser("> - a\n>   ```\n>   b")
    assert [container.kind for container in parser.containers] == ["document", "quote", "item"]
    assert parser.leaf
    assert parser.leaf.kind == "fence"
