"""What of a Markdown text GitLab reads as text of its author: the part in which a mention of a user counts.

GitLab looks for mentions in rendered text outside of code, links and quotes: `ignore_ancestor_query` of
lib/banzai/filter/references/reference_filter.rb, and lib/banzai/reference_parser/user_parser.rb.
"""

import re

from gitlab_mcp.safety.markdown_blocks import TAG
from gitlab_mcp.safety.markdown_code import Span, parts_of

NOT_TEXT, QUOTED = "\x00", "\x01"

# Elements whose content is code, a link, a quote, or not shown.
TAG_NAME = re.compile(
    r"<(/?)(a|blockquote|code|kbd|pre|samp|script|style|template|textarea|tt)(?=[\s/>])", re.IGNORECASE
)
MARKUP = re.compile(rf"<!--.*?(?:-->|\Z)|{TAG}|<\?.*?(?:\?>|\Z)|<!.*?(?:>|\Z)", re.DOTALL)
LINK_PARTS = re.compile(
    r"!?\[[^\[\]]*\](?=[(\[])"  # its text
    r"|(?<=\])\((?:<[^<>\n]*>|[^()\s]*(?:\([^()\s]*\)[^()\s]*)*)(?:\s+(?:\"[^\"]*\"|'[^']*'))?\s*\)"  # its target
    r"|(?<=\])\[[^\[\]]*\]"
    r"|^ {0,3}\[[^\]\n]+\]:.*$",  # a definition of a target
    re.MULTILINE,
)
QUOTE_LINE = re.compile(r"^[ \t>\x01]*[>\x01][ \t>\x01]*$", re.MULTILINE)


def mentionable(text: str) -> str:
    """A copy of `text`, of the same length, with NOT_TEXT or QUOTED in place of all in which no mention counts.

    That is code, math, quotes, tags, comments, some elements, links with their texts, and bare URLs. The lines of
    `text` end with "\\n".
    """
    parts = parts_of(text)
    characters = list(text)
    markup = [*parts.markup, *_markup(text, parts.html)]
    for start, end in (*parts.code, *parts.fences, *parts.math, *markup, *_elements(text, markup)):
        characters[start:end] = NOT_TEXT * (end - start)
    for start, end in parts.quotes:
        characters[start:end] = QUOTED * (end - start)
    return LINK_PARTS.sub(lambda match: NOT_TEXT * len(match[0]), "".join(characters))


def without_quotes(shown: str) -> str:
    """What `mentionable` returned, without the lines of quotes."""
    return QUOTE_LINE.sub("", shown)


def _markup(text: str, html: list[Span]) -> list[Span]:
    """The tags and comments in HTML blocks."""
    if not html:
        return []
    blocks = [NOT_TEXT] * len(text)
    for start, end in html:
        blocks[start : end + 1] = text[start : end + 1]  # with the end of the line
    return [match.span() for match in MARKUP.finditer("".join(blocks))]


def _elements(text: str, markup: list[Span]) -> list[Span]:
    """The contents of the elements of TAG_NAME."""
    spans, opened = [], dict[str, int]()
    for start, end in sorted(markup):
        if not (tag := TAG_NAME.match(text, start, end)):
            continue
        name = tag[2].lower()
        if not tag[1]:
            opened.setdefault(name, end)
        elif name in opened:
            spans.append((opened.pop(name), start))
    return spans
