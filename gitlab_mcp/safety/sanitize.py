"""Sanitizing of text that people wrote on GitLab: a model must not read what a person would not see."""

import re
from collections.abc import Sequence

from gitlab_mcp.safety.redact import redacted

# ECMA-48 control sequences, operating system commands and two-character escapes, as terminals read them.
ANSI = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b[@-_]|\x9b[0-?]*[ -/]*[@-~]")

# GitLab renders neither comments nor these elements; an unclosed comment hides everything after it (CommonMark 0.31,
# 4.6 HTML blocks). GitLab does render elements with a hidden attribute or style, but other programs do not.
HIDDEN_HTML = re.compile(
    r"<!--.*?(?:-->|\Z)"
    r"|<(script|style|template|noscript)\b[^<>]{0,500}>.*?(?:</\1\s*>|\Z)"
    r"|<([a-z]\w{0,20})\s[^<>]{0,500}?(?:(?<=\s)hidden(?=[\s=/>])|display\s*:\s*none|visibility\s*:\s*hidden)[^<>]{0,500}>"
    r".*?(?:</\2\s*>|\Z)",
    re.DOTALL | re.IGNORECASE,
)

HIDDEN_HTML_REMOVED = "[hidden HTML removed]"
HIDDEN_HTML_PASSES = 10  # hidden elements inside the tags of hidden elements

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
    """`text` without terminal codes, invisible characters, hidden HTML and secrets, as a person would see it."""
    text = text[:LONGEST_TEXT]
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\u2028", "\n").replace("\u2029", "\n")
    return _without_hidden_html(redacted(INVISIBLE.sub("", ANSI.sub("", text))))


def _without_hidden_html(text: str) -> str:
    for _ in range(HIDDEN_HTML_PASSES):
        text, found = HIDDEN_HTML.subn(HIDDEN_HTML_REMOVED, text)
        if not found:
            return text
    # No legitimate text is nested that deep: the rest is removed.
    rest = HIDDEN_HTML.search(text)
    return f"{text[: rest.start()]}{HIDDEN_HTML_REMOVED}" if rest else text


def one_line(text: str, characters: int = 200) -> str:
    """Sanitized text on one line of at most `characters`, with "…" where it is cut."""
    line = " ".join(sanitize(text).split())
    # A private key or a tag that white space split is recognized only once it is on one line.
    line = " ".join(sanitize(line).split())
    return line if len(line) <= characters else f"{line[: characters - 1].rstrip()}…"


def quoted_line(text: str, characters: int) -> str:
    """An untrusted name on one line in double quotes, which it cannot end: its own become single quotes."""
    return '"{}"'.format(one_line(text, characters).replace('"', "'"))


def escape_invisible(code: str) -> str:
    """Code with invisible characters escaped as <U+202E>, since code without them would be other code.

    Secrets are redacted, so that the result may be cut.
    """
    return INVISIBLE.sub(lambda match: f"<U+{ord(match[0]):04X}>", redacted(code))


def escape_invisible_in_lines(lines: Sequence[str]) -> list[str]:
    """The lines of one file with invisible characters escaped.

    Carriage returns at the ends of lines are left out where every line has one, and escaped otherwise.
    """
    is_crlf = all(line.endswith("\r") for line in lines)
    code = (line.removesuffix("\r") if is_crlf else line for line in lines)
    return [escape_invisible(line).replace("\r", "<U+000D>") for line in code]
