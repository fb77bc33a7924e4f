"""Sanitizing of text that people wrote on GitLab: a model must not read what a person would not see.

Descriptions, comments, wiki pages and the like are Markdown: `sanitize` and `markdown_line` take out what HTML hides in
it, but not what is shown as code. Titles, names, logs, test reports and messages of commits are plain text, in which
GitLab shows HTML as it is: `plain`, `one_line` and `quoted_line`. The text of files is code: `escape_invisible`.
"""

import re
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate

from gitlab_mcp.safety.hidden_html import without_hidden_html
from gitlab_mcp.safety.redact import places_to_redact, redacted
from gitlab_mcp.safety.spelling import spelling_characters

# ECMA-48 control sequences, operating system commands and two-character escapes, as terminals read them.
ANSI = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b[@-_]|\x9b[0-?]*[ -/]*[@-~]")

# Results contain at most 40,000 bytes, so that text far beyond is not processed (GitLab allows a million characters).
LONGEST_TEXT = 200_000

INVISIBLE = re.compile(
    "["
    "\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f"  # control characters except tab, newline and carriage return
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180e"  # soft hyphen, joiners, fillers
    "\u200b-\u200f\u202a-\u202e\u2060-\u206f"  # zero-width characters, bidi marks, embeddings and isolates
    "\u3164\ufe00-\ufe0e\ufeff\uffa0\ufff0-\ufffb"  # fillers, variation selectors except the emoji one, byte order mark
    "\U000e0000-\U000e0fff"  # tags and further variation selectors: whole sentences can hide in them
    "\ud800-\udfff"  # unpaired surrogates, which cannot be encoded as UTF-8
    "]"
)


def sanitize(text: str) -> str:
    """Markdown without terminal codes, invisible characters, hidden HTML and secrets, as a person would see it."""
    return without_hidden_html(plain(text))


def plain(text: str) -> str:
    """Plain text without terminal codes, invisible characters and secrets."""
    text = with_newlines(text[:LONGEST_TEXT])
    text = ANSI.sub("", text)
    kept = spelling_characters(text)
    return redacted(INVISIBLE.sub(lambda match: match[0] if match.start() in kept else "", text))


def with_newlines(text: str) -> str:
    """`text` with every end of a line as "\\n"."""
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\u2028", "\n").replace("\u2029", "\n")


def one_line(text: str, characters: int = 200) -> str:
    """Plain text, sanitized, on one line of at most `characters`, with "…" where it is cut."""
    clean = plain(text)
    line = " ".join(clean.split())
    # A private key that white space split is recognized only once it is on one line.
    return _cut(line if line == clean else " ".join(plain(line).split()), characters)


def markdown_line(text: str, characters: int = 200) -> str:
    """Markdown, sanitized, on one line of at most `characters`, with "…" where it is cut."""
    line = " ".join(sanitize(text).split())
    # A private key or a tag that white space split is recognized only once it is on one line.
    return _cut(" ".join(sanitize(line).split()), characters)


def _cut(line: str, characters: int) -> str:
    return line if len(line) <= characters else f"{line[: characters - 1].rstrip()}…"


def quoted_line(text: str, characters: int) -> str:
    """An untrusted name on one line in double quotes, which it cannot end: its own become single quotes."""
    return '"{}"'.format(one_line(text, characters).replace('"', "'"))


def escape_invisible(code: str) -> str:
    """Code with invisible characters escaped as <U+202E>, since code without them would be other code.

    Secrets are redacted, so that the result may be cut.
    """
    code = redacted(code)
    kept = spelling_characters(code)
    return INVISIBLE.sub(lambda match: match[0] if match.start() in kept else f"<U+{ord(match[0]):04X}>", code)


def needs_no_escape(code: str) -> bool:
    """Whether `escape_invisible` leaves each whole line of `code` as it is.

    It says nothing of a part of a line: one that begins or ends within a word may look like a token.
    """
    return not INVISIBLE.search(code) and redacted(code) == code


def escape_invisible_in_lines(lines: Sequence[str]) -> list[str]:
    """The lines of one file with invisible characters escaped.

    Carriage returns at the ends of lines are left out where every line has one, and escaped otherwise.
    """
    is_crlf = all(line.endswith("\r") for line in lines)
    code = [line.removesuffix("\r") if is_crlf else line for line in lines]
    whole = "\n".join(code)
    places = [*places_to_redact(whole), *(match.start() for match in INVISIBLE.finditer(whole))]
    places += [match.start() for match in re.finditer("\r", whole)]
    if not places:
        return code
    starts = [0, *accumulate(len(line) + 1 for line in code)]
    # The other lines have nothing to escape; a file has few such lines, and to look at each takes seconds.
    for number in {bisect_right(starts, place) - 1 for place in places}:
        code[number] = escape_invisible(code[number]).replace("\r", "<U+000D>")
    return code
