"""Which parts of a Markdown text people see as code on GitLab: code blocks, and code and math in a line.

Where versions of GitLab differ, or where this is not certain, a part counts as text: what is hidden in it is taken out.
Sources: CommonMark 0.31, 6.1 (code spans), 6.5 (autolinks), 6.6 (raw HTML); for math, wiki links and bare URLs
src/parser/inlines.rs and autolink.rs of comrak; https://docs.gitlab.com/user/markdown/#math.
"""

import re
from bisect import bisect_left
from collections import defaultdict
from dataclasses import dataclass, field

from gitlab_mcp.safety.markdown_blocks import DELIMITER_ROW, TAG, Block, BlockParser

Span = tuple[int, int]

LONGEST_RUN = 80  # of backticks: comrak's MAXBACKTICKS
INLINE_MARK = re.compile(r"\\|`+|<|-->|\$+|!?\[|\]|(?<![A-Za-z0-9])(?:[A-Za-z][A-Za-z0-9+.-]{0,30}://|www\.)[^\s<]+")
TAG_OR_LINK = re.compile(
    rf"{TAG}|<[A-Za-z][A-Za-z0-9+.-]{{1,31}}:[^<>\x00-\x20]*>|<[\w.!#$%&'*+/=?^`{{|}}~-]+@[A-Za-z0-9.-]+>"
)
WIKI_LINK = re.compile(r"\[\[(?:[^\[\]\\]|\\.){1,1000}+\]\]", re.DOTALL)
DOLLAR_MATH = re.compile(r"\$(?!\s)(?:[^$]|(?<=\\)\$)++\$")
# CommonMark 0.31, 6.6: what begins raw HTML other than a tag, and its end.
RAW_HTML = (("<!-->", ""), ("<!--->", ""), ("<!--", "-->"), ("<?", "?>"), ("<![CDATA[", "]]>"), ("<!", ">"))
LINK_REFERENCE = re.compile(r" {0,3}\[[^\]]+\]:")


@dataclass
class Parts:
    """The parts of a Markdown text, as the positions where they begin and end.

    `code` is what is shown as code, with the backticks of spans; `fences` are the lines that begin and end a code
    block; `math` is between dollar signs; `html` are HTML blocks; `quotes` are the lines of all blocks in quotes.
    `markup` are tags and comments in a line, and links of which the target is visible. `ends` are where blocks end.
    `text_marks` are where "<!--", another "<" or "-->" is text, because no comment or tag is there.
    """

    code: list[Span] = field(default_factory=list)
    fences: list[Span] = field(default_factory=list)
    math: list[Span] = field(default_factory=list)
    html: list[Span] = field(default_factory=list)
    quotes: list[Span] = field(default_factory=list)
    markup: list[Span] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)
    text_marks: list[int] = field(default_factory=list)


def parts_of(text: str) -> Parts:
    """The parts of a Markdown text whose lines end with "\\n"."""
    parts = Parts()
    for block in BlockParser(text).blocks:
        parts.ends.append(block.lines[-1][1])
        if block.is_quoted:
            parts.quotes += block.lines
        if block.kind == "code":
            parts.code += block.lines
        elif block.kind == "fence":
            last = len(block.lines) - block.is_closed
            parts.fences += [block.lines[0], *block.lines[last:]]
            parts.code += block.lines[1:last]
        elif block.kind == "html":
            parts.html += block.lines
        else:
            for lines in _paragraphs(text, block, parts):
                _Spans(text, lines, parts).find()
    return parts


def _paragraphs(text: str, block: Block, parts: Parts) -> list[list[Span]]:
    """The lines of a block in groups: a span does not extend from one to the next.

    A row of a table is a group for each cell. So is each line that may be a row, or part of a reference definition.
    """
    is_table = any(DELIMITER_ROW.match(text, start) for start, _ in block.lines)
    if not is_table and not LINK_REFERENCE.match(text, block.lines[0][0]):
        return [block.lines]
    parts.ends += [end for _, end in block.lines]
    if not is_table:
        return [[line] for line in block.lines]
    groups = []
    for start, end in block.lines:
        for bar in re.compile(r"(?<!\\)\|").finditer(text, start, end):
            groups.append([(start, bar.start())])
            start = bar.end()
        groups.append([(start, end)])
    return groups


class _Spans:
    """The search for spans in the lines of a paragraph, which are joined without the marks around them."""

    def __init__(self, text: str, lines: list[Span], parts: Parts) -> None:
        self._lines, self._parts = lines, parts
        self._text = "\n".join(text[start:end] for start, end in lines)
        self._starts: list[int] = []
        position = 0
        for start, end in lines:
            self._starts.append(position)
            position += end - start + 1
        self._runs: defaultdict[int, list[int]] = defaultdict(list)
        for run in re.finditer("`+", self._text) if "`" in self._text else ():
            self._runs[len(run[0])].append(run.start())
        self._missing: set[str] = set()

    def find(self) -> None:
        """Add the spans to the parts."""
        text, position, in_brackets = self._text, 0, False
        while match := INLINE_MARK.search(text, position):
            mark, start = match[0], match.start()
            position = match.end()
            if mark == "\\":
                position += 1
            elif mark[0] == "`":
                position = self._code(start, position)
            elif mark == "<" and (end := self._html(start)):
                position = self._add(start, end, self._parts.markup)
            elif mark in ("<", "-->"):
                self._parts.text_marks.append(self._position(start))
            elif mark[0] == "$":
                position = self._math(start, len(mark)) or position
            elif mark in ("[", "![", "]"):
                wiki = None if in_brackets or mark != "[" else WIKI_LINK.match(text, start)
                in_brackets = mark != "]" and not wiki
                position = self._add(start, wiki.end(), self._parts.markup) if wiki else position
            else:
                self._add(start, position, self._parts.markup)

    def _code(self, start: int, end: int) -> int:
        """The end of the code span whose opening backticks are there; `end` where they open none."""
        length = end - start
        runs = self._runs[length]
        place = bisect_left(runs, end)
        if length > LONGEST_RUN or place == len(runs):
            return end
        return self._add(start, runs[place] + length, self._parts.code)

    def _math(self, start: int, dollars: int) -> int:
        """The end of the math whose opening dollar signs are there; 0 where they open none."""
        text = self._text
        if dollars == 1 and text.startswith("`", start + 1):
            end = self._after("`$", start + 1)
            return self._add(start, end, self._parts.code) if end - start >= 5 else 0
        if dollars == 2:
            end = self._after("$$", start + 2)
            return self._add(start, end, self._parts.math) if end - start >= 5 else 0
        match = DOLLAR_MATH.match(text, start) if dollars == 1 else None
        if match and not text[match.end() - 2].isspace() and not text[match.end() : match.end() + 1].isdigit():
            return self._add(start, match.end(), self._parts.math)
        return 0

    def _html(self, start: int) -> int:
        """The end of the tag, comment or autolink that begins there; 0 where none does."""
        if match := TAG_OR_LINK.match(self._text, start):
            return match.end()
        for begin, end in RAW_HTML:
            if self._text.startswith(begin, start):
                return self._after(end, start + len(begin)) if end else start + len(begin)
        return 0

    def _after(self, mark: str, position: int) -> int:
        """The end of the next `mark`, 0 where there is none."""
        if mark in self._missing:
            return 0
        found = self._text.find(mark, position)
        if found < 0:
            self._missing.add(mark)
            return 0
        return found + len(mark)

    def _add(self, start: int, end: int, spans: list[Span]) -> int:
        """Add a span, as a part of each of its lines, and return its end."""
        line = self._line(start)
        while line < len(self._starts) and self._starts[line] < end:
            first, last = self._lines[line]
            offset = first - self._starts[line]
            spans.append((max(first, start + offset), min(last, end + offset)))
            line += 1
        return end

    def _line(self, position: int) -> int:
        return bisect_left(self._starts, position + 1) - 1

    def _position(self, position: int) -> int:
        """The position in the whole text."""
        line = self._line(position)
        return self._lines[line][0] + position - self._starts[line]
