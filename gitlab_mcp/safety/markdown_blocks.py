"""The block structure of Markdown as GitLab parses it: paragraphs, code blocks and HTML blocks, by their positions.

This is CommonMark 0.31 (its appendix has the parsing strategy) with the blocks that GitLab's parser, comrak, adds:
tables, multi-line quotes (>>>), footnotes, description lists and front matter. The time grows only with the length of
the text. Sources: lib/banzai/filter/markdown_engines/glfm_markdown.rb (GitLab's options), lib/gitlab/front_matter.rb,
and src/parser/mod.rs of comrak.
"""

import re
from dataclasses import dataclass, field
from typing import Literal

# Deeper than people nest. Text that is nested deeper counts as no code.
MAX_DEPTH = 32

BEGINNINGS = frozenset(">#`~<=-+*_[:0123456789")  # the first characters of all blocks but paragraphs
NOT_PLAIN = BEGINNINGS | {"", " ", "\t", "|"}
QUOTE_FENCE = re.compile(r"(>{3,})[ \t]*(?:\[!\w+\][^\n]*)?$", re.MULTILINE)
QUOTE_FENCE_END = re.compile(r"(>{3,})[ \t]*$", re.MULTILINE)
HEADING = re.compile(r"#{1,6}(?=[ \t]|$)", re.MULTILINE)
CODE_FENCE = re.compile(r"`{3,}(?=[^`\n]*$)|~{3,}", re.MULTILINE)
FENCE_END = re.compile(r"(`{3,}|~{3,})[ \t]*$", re.MULTILINE)
UNDERLINE = re.compile(r"(?:=+|-+)[ \t]*$", re.MULTILINE)
RULE = re.compile(r"(?:(?:\*[ \t]*+){3,}|(?:-[ \t]*+){3,}|(?:_[ \t]*+){3,})$", re.MULTILINE)
FOOTNOTE = re.compile(r"\[\^[^\]\s]+\]:[ \t]*")
DETAILS = re.compile(r"[:~](?:[ \t]+|$)", re.MULTILINE)
LIST_ITEM = re.compile(r"(?:[-+*]|(\d{1,9})[.)])(?=[ \t]|$)", re.MULTILINE)
DELIMITER_ROW = re.compile(r"\|?[ \t]*+:?-+:?[ \t]*+(?:\|[ \t]*+:?-+:?[ \t]*+)*+\|?[ \t]*+$", re.MULTILINE)
FRONT_MATTER = re.compile(
    r"\A(?:[^\n]*coding:[^\n]*\n)?\s*^(?:---|\+\+\+|;;;)[ \t]*\S*\n"
    r"(?P<code>(?:.*\n)*?)(?:---|\+\+\+|;;;|\.{3})[^\S\n]*$",
    re.MULTILINE,
)

ATTRIBUTE = r"""\s++[A-Za-z_:][A-Za-z0-9_.:-]*+(?:\s*+=\s*+(?:[^\s"'=<>`]++|'[^']*+'|"[^"]*+"))?+"""
TAG = rf"<(?:[A-Za-z][A-Za-z0-9-]*+(?:{ATTRIBUTE})*+\s*+/?>|/[A-Za-z][A-Za-z0-9-]*+\s*+>)"
HTML_TAG_LINE = re.compile(rf"{TAG}[ \t]*")
BLOCK_NAMES = (
    "address|article|aside|base|basefont|blockquote|body|caption|center|col|colgroup|dd|details|dialog|dir|div|dl|dt"
    "|fieldset|figcaption|figure|footer|form|frame|frameset|h[1-6]|head|header|hr|html|iframe|legend|li|link|main"
    "|menu|menuitem|nav|noframes|ol|optgroup|option|p|param|search|section|summary|table|tbody|td|tfoot|th|thead"
    "|title|tr|track|ul"
)
RAW_NAMES = "pre|script|style|textarea"
# CommonMark 0.31, 4.6: the start of each kind of HTML block, and its end; without one, an empty line ends it.
HTML_BLOCKS = (
    (re.compile(rf"<(?:{RAW_NAMES})(?=[ \t>]|$)", re.I | re.M), re.compile(rf"</(?:{RAW_NAMES})>", re.I)),
    (re.compile(r"<!--"), re.compile(r"-->")),
    (re.compile(r"<\?"), re.compile(r"\?>")),
    (re.compile(r"<![A-Za-z]"), re.compile(r">")),
    (re.compile(r"<!\[CDATA\["), re.compile(r"\]\]>")),
    (re.compile(rf"</?(?:{BLOCK_NAMES})(?=[ \t]|/?>|$)", re.I | re.M), None),
)


@dataclass
class Block:
    """A block that contains no blocks: where its content begins and ends in each line, without the marks around it.

    "code" is indented code or front matter. The lines of a "fence" include the fences; `is_closed` tells whether the
    last one is a fence too. `is_quoted` is whether it stands in a quote.
    """

    kind: Literal["paragraph", "heading", "table", "code", "fence", "html"]
    lines: list[tuple[int, int]] = field(default_factory=list)
    fence: str = ""
    indent: int = 0
    end: re.Pattern[str] | None = None
    is_closed: bool = False
    is_quoted: bool = False


@dataclass
class Container:
    """A block that contains blocks. "item" is of a list or a description list.

    `indent` is how far the content of an item is indented, or how far a fence of a quote is; `newest` is the kind of
    the newest block in it, "" if there is none.
    """

    kind: Literal["document", "quote", "quote fence", "item", "footnote"]
    indent: int = 0
    fence: str = ""
    newest: str = ""


class BlockParser:
    """Parses a text whose lines end with "\\n". `blocks` are the result, in the order of the text.

    `containers` and `leaf` are what is still open at the end of the text.
    """

    def __init__(self, text: str) -> None:
        self.blocks: list[Block] = []
        self.containers: list[Container] = [Container("document")]
        self.leaf: Block | None = None
        self._text = text
        self._at = self._end = 0
        self._column = self._content = self._content_column = 0
        self._parse(text)

    def _parse(self, text: str) -> None:
        start, previous, was_blank = self._front_matter(), "", False
        while start < len(text):
            end = text.find("\n", start)
            end = len(text) if end < 0 else end
            line = text[start:end]
            if was_blank and not line.strip(" \t") and (line == previous or not self._in_footnote()):
                # Another empty line changes nothing else. Only a footnote needs it without white space.
                if self.leaf:
                    self.leaf.lines.append((end, end))
            elif self.leaf and self.leaf.kind == "paragraph" and line[:1] not in NOT_PLAIN:
                self.leaf.lines.append((start, end))  # lazily too, in whatever containers the paragraph is
            else:
                self._start(start, end)
                if not self._line():
                    # Nested too deep: nothing of it is code, nor text in which a mention counts.
                    self.blocks.append(Block("html", [(start, len(text))], is_quoted=True))
                    return
            start, previous, was_blank = end + 1, line, not line.strip(" \t")

    def _in_footnote(self) -> bool:
        return any(container.kind == "footnote" for container in self.containers)

    def _front_matter(self) -> int:
        if not (match := FRONT_MATTER.match(self._text)):
            return 0
        self.blocks.append(Block("code", [match.span("code")], is_closed=True))
        return match.end() + 1

    # The position in a line. A tab reaches to the next multiple of four columns, and a container may take a part of it.

    def _start(self, at: int, end: int) -> None:
        self._at, self._end, self._column = at, end, 0
        self._look()

    def _look(self) -> None:
        """Find where the content of the rest of the line begins."""
        at, column = self._at, self._column
        while at < self._end and (character := self._text[at]) in " \t":
            column += 1 if character == " " else 4 - column % 4
            at += 1
        self._content, self._content_column = at, column

    @property
    def _indent(self) -> int:
        return self._content_column - self._column

    @property
    def _is_blank(self) -> bool:
        return self._content == self._end

    def _advance(self, columns: int) -> None:
        """Go on by so many columns of white space."""
        while columns > 0 and self._at < self._content:
            width = 1 if self._text[self._at] == " " else 4 - self._column % 4
            self._at += width <= columns
            self._column += min(width, columns)
            columns -= width

    def _pass(self, length: int) -> None:
        """Go on behind a mark of so many characters at the beginning of the content."""
        self._at, self._column = self._content + length, self._content_column + length
        self._look()

    def _match(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        return pattern.match(self._text, self._content)

    # A line

    def _line(self) -> bool:
        """Parse a line. False if it nests deeper than MAX_DEPTH."""
        matched = 1
        for container in self.containers[1:]:
            if self._ends_quote(container):
                self._close(matched)
                return True
            if not self._continues(container):
                break
            matched += 1
        is_whole = matched == len(self.containers)
        if self.leaf and is_whole and self._continues_leaf(self.leaf):
            return True
        is_lazy = self.leaf is not None and self.leaf.kind == "paragraph"
        paragraph = self.leaf if is_whole else None
        while not self._is_blank:
            kind = self._begins(matched, paragraph, is_lazy=is_lazy)
            if kind == "leaf":
                return True
            if kind == "":
                break
            if len(self.containers) > MAX_DEPTH:
                return False
            matched, paragraph, is_lazy = len(self.containers), None, False
        if self._is_blank:
            self._close(matched)
        elif self.leaf and (paragraph or is_lazy):
            self._add_to_paragraph(self.leaf)
        else:
            self._add(Block("paragraph"), matched)
        return True

    def _ends_quote(self, container: Container) -> bool:
        if container.kind != "quote fence" or self._indent > 3 or not (match := self._match(QUOTE_FENCE_END)):
            return False
        return len(match[1]) >= len(container.fence)

    def _continues(self, container: Container) -> bool:
        """Whether the line goes on in a container, whose marks it passes then."""
        if container.kind == "quote":
            if self._indent > 3 or self._is_blank or self._text[self._content] != ">":
                return False
            self._pass(1)
            self._advance(1)
        elif container.kind == "quote fence":
            self._advance(min(container.indent, self._indent))
        elif self._indent >= container.indent:
            self._advance(container.indent)
        elif container.kind == "footnote":
            return self._is_blank and self._at == self._end and self._column == 0
        elif not self._is_blank or not container.newest:
            return False
        return True

    def _continues_leaf(self, leaf: Block) -> bool:
        """Whether the line is all that is left to do for an open block: it goes on, or ends with the line."""
        if leaf.kind == "fence":
            match = self._match(FENCE_END) if self._indent <= 3 else None
            leaf.is_closed = bool(match and match[1].startswith(leaf.fence))
            self._advance(min(leaf.indent, self._indent))
            leaf.lines.append((self._at, self._end))
            if leaf.is_closed:
                self.leaf = None
        elif leaf.kind == "code" and (self._indent >= 4 or self._is_blank):
            self._advance(4)
            leaf.lines.append((self._at, self._end))
        elif leaf.kind == "html" and not (self._is_blank and leaf.end is None):
            self._add_html(leaf)
        elif self._is_blank or leaf.kind == "code":
            self.leaf = None
            return self._is_blank
        else:
            return False
        return True

    def _add_html(self, leaf: Block) -> None:
        leaf.lines.append((self._at, self._end))
        if leaf.end and leaf.end.search(self._text, self._content, self._end):
            self.leaf = None

    def _begins(self, matched: int, paragraph: Block | None, *, is_lazy: bool) -> Literal["", "leaf", "container"]:
        """Begin the block that begins here, if one does. `paragraph` is the paragraph or table that the line is in."""
        if self._indent >= 4:
            if is_lazy:
                return ""
            self._advance(4)
            self._add(Block("code"), matched)
            return "leaf"
        if self._text[self._content] not in BEGINNINGS:
            return ""
        in_paragraph = paragraph is not None and paragraph.kind == "paragraph"
        if match := self._match(QUOTE_FENCE):
            self._add_container(Container("quote fence", self._indent, match[1]), matched)
            self._at = self._end
            self._look()
        elif self._text[self._content] == ">":
            self._add_container(Container("quote"), matched)
            self._pass(1)
            self._advance(1)
        elif self._begins_leaf(matched, paragraph if in_paragraph else None):
            return "leaf"
        elif match := self._match(FOOTNOTE):
            self._add_container(Container("footnote", 4), matched)
            self._pass(len(match[0]))
        elif (match := self._match(DETAILS)) and (in_paragraph or self._newest(matched) == "paragraph"):
            self._add_container(Container("item", self._indent + 2), matched)
            self._pass(len(match[0]))
        elif not self._begins_item(matched, in_paragraph=in_paragraph):
            return ""
        return "container"

    def _newest(self, matched: int) -> str:
        return self.containers[-1].newest if matched == len(self.containers) else ""

    def _begins_leaf(self, matched: int, paragraph: Block | None) -> bool:
        if self._match(HEADING):
            self._add(Block("heading"), matched)
            self.leaf = None
        elif match := self._match(CODE_FENCE):
            self._add(Block("fence", fence=match[0], indent=self._indent), matched)
        elif html := self._html_block(paragraph):
            self._close(matched)
            self._begin(html)
            self._add_html(html)
        elif paragraph and self._match(UNDERLINE):
            paragraph.kind = "heading"
            self._close(matched)
            self.containers[-1].newest = "heading"
        elif self._match(RULE):
            self._close(matched)
            self.containers[-1].newest = "rule"
        else:
            return False
        return True

    def _html_block(self, paragraph: Block | None) -> Block | None:
        if self._text[self._content] != "<":
            return None
        for start, end in HTML_BLOCKS:
            if self._match(start):
                return Block("html", end=end)
        is_tag = not paragraph and HTML_TAG_LINE.fullmatch(self._text, self._content, self._end)
        return Block("html") if is_tag else None

    def _begins_item(self, matched: int, *, in_paragraph: bool) -> bool:
        match = self._match(LIST_ITEM)
        if not match:
            return False
        is_empty = not self._text[match.end() : self._end].strip(" \t")
        if in_paragraph and (is_empty or match[1] not in (None, "1")):
            return False
        indent = self._indent + len(match[0])
        self._pass(len(match[0]))
        space = 1 if self._is_blank or self._indent > 4 else self._indent
        self._advance(space)
        self._add_container(Container("item", indent + space), matched)
        return True

    # The open blocks

    def _close(self, matched: int) -> None:
        del self.containers[matched:]
        self.leaf = None

    def _begin(self, block: Block) -> None:
        self.containers[-1].newest = block.kind
        block.is_quoted = any(container.kind in ("quote", "quote fence") for container in self.containers)
        self.blocks.append(block)
        self.leaf = block

    def _add(self, block: Block, matched: int) -> None:
        self._close(matched)
        self._begin(block)
        block.lines.append((self._at if block.kind == "code" else self._content, self._end))

    def _add_container(self, container: Container, matched: int) -> None:
        self._close(matched)
        self.containers[-1].newest = container.kind
        self.containers.append(container)

    def _add_to_paragraph(self, leaf: Block) -> None:
        if leaf.kind == "paragraph" and self._is_delimiter_row(leaf):
            table = Block("table", [leaf.lines.pop()])
            if not leaf.lines:
                self.blocks.pop()
            self._begin(table)
            leaf = table
        leaf.lines.append((self._content, self._end))

    def _is_delimiter_row(self, paragraph: Block) -> bool:
        """Whether the line makes a table of the last line of a paragraph."""
        if not self._match(DELIMITER_ROW):
            return False
        start, end = paragraph.lines[-1]
        header, row = self._text[start:end], self._text[self._content : self._end]
        return "|" in header + row and len(cells(header)) == len(cells(row))


def cells(row: str) -> list[str]:
    """The cells of a row of a table, with the white space around them: a backslash escapes a bar."""
    row = re.sub(r"(?<!\\)\|\s*\Z", "", row).removeprefix("|")
    return re.split(r"(?<!\\)\|", row)
