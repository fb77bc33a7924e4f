"""What of a Markdown text GitLab reads as text of its author: the part in which a mention of a user counts.

GitLab looks for mentions in rendered text outside of code, links and quotes: `ignore_ancestor_query` of
lib/banzai/filter/references/reference_filter.rb, and lib/banzai/reference_parser/user_parser.rb.
"""

import re

from gitlab_mcp.safety.markdown_code import Span, parts_of

NOT_TEXT = "\x00"

# Elements in a line whose content is code, a link or a quote.
TAG_NAME = re.compile(r"<(/?)(a|blockquote|code|kbd|pre|samp|tt)(?=[\s/>])", re.IGNORECASE)
LINK = re.compile(
    r"!?\[[^\[\]]*\](?=[(\[])"  # its text
    r"|\]\((?:<[^<>\n]*>|[^()\s]*(?:\([^()\s]*\)[^()\s]*)*)(?:\s+(?:\"[^\"]*\"|'[^']*'))?\s*\)"  # its target and title
    r"|\]\[[^\[\]]*\]"
    r"|^ {0,3}\[[^\]\n]+\]:.*$",  # a definition of a target
    re.MULTILINE,
)
QUOTE_LINE = re.compile(r"^[ \t>\x00]*[>\x00][ \t>\x00]*$", re.MULTILINE)


def mentionable(text: str) -> str:
    """A copy of `text`, of the same length, with NOT_TEXT in place of all in which a mention does not count.

    That is code, math, quotes, HTML blocks, tags and comments, links with their texts, and bare URLs. The lines of
    `text` end with "\\n".
    """
    parts = parts_of(text)
    characters = list(text)
    spans = (*parts.code, *parts.fences, *parts.math, *parts.html, *parts.quotes, *parts.markup)
    for start, end in (*spans, *_elements(text, parts.markup)):
        characters[start:end] = NOT_TEXT * (end - start)
    return LINK.sub(lambda match: NOT_TEXT * len(match[0]), "".join(characters))


def without_quotes(shown: str) -> str:
    """What `mentionable` returned, without the lines that are quotes or other NOT_TEXT as a whole."""
    return QUOTE_LINE.sub("", shown)


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
