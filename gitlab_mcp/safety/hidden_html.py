"""Hidden HTML in Markdown: comments, and elements that GitLab or other programs do not show.

GitLab itself shows neither comments nor what is in a script (lib/banzai/filter/sanitization_filter.rb removes only the
tags of other elements); templates, styles and elements with a hidden attribute or style are hidden by other programs.
"""

import re
from bisect import bisect_left
from collections import defaultdict

HIDDEN_HTML_REMOVED = "[hidden HTML removed]"
HIDDEN_HTML_PASSES = 10  # hidden elements inside the tags of hidden elements

# In the copy of a text that is searched: a character of code, the end of a block, and the first of a text mark.
CODE, BLOCK_END, TEXT_MARK = "\x00", "\x1c", "\x02"  # \x1c is white space

OPENING = re.compile(
    r"[<\x02]!--"
    r"|<(script|style|template|noscript)\b[^<>\x00]{0,500}>"
    r"|<([a-z]\w{0,20})\s[^<>\x00]{0,500}?"
    r"(?:(?<=\s)hidden(?=[\s=/>])|display\s*:\s*none|visibility\s*:\s*hidden)[^<>\x00]{0,500}>",
    re.IGNORECASE,
)
CLOSING = re.compile(r"</([a-z]\w{0,20})\s*>", re.IGNORECASE)


def without_hidden_html(text: str) -> str:
    """Markdown without hidden HTML. The text has no control characters but tabs and newlines.

    An element that is not closed hides the rest of its block. Only an open comment that begins an HTML block, and an
    open script, hide the rest of the text, as on GitLab: no later Markdown ends them.
    """
    if not OPENING.search(text):
        return text
    searched = _searched(text)
    for _ in range(HIDDEN_HTML_PASSES):
        hidden = _hidden(searched)
        if not hidden:
            return text
        text, searched = _without(text, hidden), _without(searched, hidden)
    # No legitimate text is nested that deep: the rest is removed.
    rest = _hidden(searched)
    return f"{text[: rest[0][0]]}{HIDDEN_HTML_REMOVED}" if rest else text


def _searched(text: str) -> str:
    """A copy of `text` of the same length, in which nothing in code looks like HTML."""
    from gitlab_mcp.safety.markdown_code import parts_of  # few texts need the parser

    parts = parts_of(text)
    characters = list(text)
    for start, end in (*parts.code, *parts.math):
        characters[start:end] = CODE * (end - start)
    for end in parts.ends:
        if end < len(text):
            characters[end] = BLOCK_END
    for position in parts.text_marks:
        if text.startswith("<!--", position) or text.startswith("-->", position):
            characters[position] = TEXT_MARK
    return "".join(characters)


def _without(text: str, hidden: list[tuple[int, int]]) -> str:
    parts, position = [], 0
    for start, end in hidden:
        parts += [text[position:start], HIDDEN_HTML_REMOVED]
        position = end
    return "".join([*parts, text[position:]])


def _hidden(searched: str) -> list[tuple[int, int]]:
    """The parts of a text that are hidden, in order, without those inside a tag."""
    closings: defaultdict[str, list[int]] = defaultdict(list)
    for closing in CLOSING.finditer(searched):
        closings[closing[1].lower()].append(closing.start())
    hidden: list[tuple[int, int]] = []
    position = 0
    while match := OPENING.search(searched, position):
        start = match.start()
        if position := _end(searched, match, closings):
            hidden.append((start, position))
            continue
        position = searched.find(BLOCK_END, match.end())
        position = len(searched) if position < 0 else position
        for shown in re.finditer(rf"[^{CODE}]+", searched[start:position]):
            if shown[0].strip():
                hidden.append((start + shown.start(), start + shown.end()))
    return hidden


def _end(searched: str, opening: re.Match[str], closings: dict[str, list[int]]) -> int:
    """The end of the element or comment that begins there; 0 if it ends with its block."""
    if opening[0][0] == TEXT_MARK:
        return 0
    if opening[0] == "<!--":
        for whole in ("<!-->", "<!--->"):
            if searched.startswith(whole, opening.start()):
                return opening.start() + len(whole)
        end = searched.find("-->", opening.end())
        return end + 3 if end >= 0 else len(searched)
    name = (opening[1] or opening[2]).lower()
    ends = closings.get(name, [])
    place = bisect_left(ends, opening.end())
    if place < len(ends):
        return searched.index(">", ends[place]) + 1
    return len(searched) if name == "script" else 0
