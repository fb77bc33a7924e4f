"""Text that is not shown as it is stored, and is not to be written back so: what was left out would be lost.

A reader sees marks such as "[hidden HTML removed]" in place of a part of the stored text. A new text that keeps such a
mark is refused; so is one that keeps the place where an invisible character was left out, or where the text was cut.
Text that speaks of the marks may be written anywhere else.
"""

import re
from collections.abc import Iterable

from gitlab_mcp.errors import InvalidArgument, Refused
from gitlab_mcp.safety.hidden_html import HIDDEN_HTML_REMOVED
from gitlab_mcp.safety.redact import REPLACEMENT
from gitlab_mcp.safety.sanitize import ANSI, INVISIBLE, escape_invisible_in_lines, plain, sanitize
from gitlab_mcp.safety.spelling import spelling_characters

REPLACED = "\ufffd"  # a byte that is not valid UTF-8 is shown as this character
MARK = re.compile(
    rf"{re.escape(HIDDEN_HTML_REMOVED)}|{re.escape(REPLACEMENT)}|<U\+[0-9A-F]{{4,6}}>|{REPLACED}"
    r"|… \(cut: [\d,]+ of [\d,]+ bytes shown"
)
LEFT_OUT = re.compile(f"{ANSI.pattern}|{INVISIBLE.pattern}")
EDIT_CODE = "Edit such a part on disk, or with old_text."
AROUND = 12  # characters on both sides of a place
PLACES = 100


def _marks(stored: str, shown: str) -> list[str]:
    """The marks that showing a text put into it."""
    if shown == stored:
        return []
    marks = dict.fromkeys(MARK.findall(shown))
    return [mark for mark in marks if shown.count(mark) > stored.count(mark)]


def _left_out(stored: str) -> list[re.Match[str]]:
    if not LEFT_OUT.search(stored):
        return []
    kept = spelling_characters(stored)
    return [match for match in LEFT_OUT.finditer(stored) if match.start() not in kept]


def not_as_stored(
    texts: Iterable[str] = (),
    *,
    plain_texts: Iterable[str] = (),
    code: Iterable[tuple[str, str]] = (),
    advice: str = "Edit such a text with old_text.",
) -> str:
    """A line that says what of these texts is not shown as stored; "" for nothing.

    `texts` are Markdown, `plain_texts` are titles and the like, `code` is stored text beside what is shown of it.
    `advice` says how to edit it.
    """
    marks: dict[str, None] = {}
    characters = 0
    for kind, show in ((texts, sanitize), (plain_texts, plain)):
        for text in kind:
            marks |= dict.fromkeys(_marks(text, show(text)))
            characters += sum(len(match[0]) for match in _left_out(text))
    for stored, shown in code:
        marks |= dict.fromkeys(_marks(stored, shown))
    parts = list(marks)[:5]
    if characters:
        parts.append(f"{characters:,} invisible character{'s' if characters > 1 else ''} left out")
    return f"Not shown as stored: {', '.join(parts)}. {advice}".rstrip() if parts else ""


def check_write_back(name: str, stored: str, new: str, shown: str) -> None:
    """Raise Refused if `new`, the field `name`, would replace parts of `stored` by what is `shown` in their place."""
    stored, new, shown = (_lines(text) for text in (stored, new, shown))
    if new == stored or shown == stored:
        return
    for mark in _marks(stored, shown):
        if mark in new:
            raise Refused(_refusal(name, f'"{mark}" stands for a part that is stored there and not shown'))
    place = _kept_place(stored, new)
    if place or new == shown:
        where = f' near "{place}"' if place else ""
        raise Refused(_refusal(name, f"invisible characters are stored there{where}, which are not shown"))
    tail, rest = _cut_at(stored, shown)
    if tail and tail in new and rest not in new:
        raise Refused(_refusal(name, f'only its beginning, up to "{tail[-AROUND:]}", was shown'))


def check_file(path: str, stored: bytes, new: bytes) -> None:
    """Raise Refused if the new content of a file keeps a mark that stands for a part of the stored content."""
    text, changed = stored.decode("utf-8", "ignore"), new.decode("utf-8", "ignore")
    for mark in file_marks(stored):
        if new != stored and changed.count(mark) > text.count(mark):
            raise Refused(_refusal(path, f'"{mark}" stands for a part that is stored there and not shown'))


def file_marks(content: bytes) -> list[str]:
    """The marks that stand for parts of a file where it is shown as text."""
    lines = content.decode("utf-8", "replace").split("\n")
    return _marks(content.decode("utf-8", "ignore"), "\n".join(escape_invisible_in_lines(lines)))


def may_hold_marks(content: bytes) -> bool:
    """Whether new content of a file has something that could be a mark."""
    return MARK.search(content.decode("utf-8", "ignore")) is not None


def replace_once(name: str, stored: bytes, old: bytes, new: bytes) -> bytes:
    """`stored` with `new` in place of `old`, whatever its ends of lines are.

    Raises InvalidArgument where `old` is not there exactly once.
    """
    if b"\r\n" in stored and stored.count(old) == 0:
        old, new = (text.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n") for text in (old, new))
    if (times := stored.count(old)) == 1:
        return stored.replace(old, new)
    if times:
        raise InvalidArgument(f"old_text is in {name} {times:,} times: give more of the text around it.")
    raise InvalidArgument(
        f'old_text is not in {name} as it is stored now: read it again, and give a part without marks or "> ".'
    )


def _lines(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n").strip("\n")


def _refusal(name: str, reason: str) -> str:
    return (
        f"{name} is not written: {reason}, and would be lost. Give old_text, the part to replace, and only its"
        " replacement."
    )


def _kept_place(stored: str, new: str) -> str:
    """The text around an invisible character that `new` has without it; "" for none."""
    bare, places, position = [], [], 0
    length = 0
    for match in _left_out(stored):
        bare.append(stored[position : match.start()])
        length += match.start() - position
        places.append(length)
        position = match.end()
    visible = "".join([*bare, stored[position:]])
    around = (visible[max(0, place - AROUND) : place + AROUND] for place in places[:PLACES])
    return next((text.strip() for text in around if text.strip() and text in new), "")


def _cut_at(stored: str, shown: str) -> tuple[str, str]:
    """The end of what is shown of a text that is cut, and the beginning of the rest; twice "" for a whole one."""
    head, remark, _ = shown.rpartition("\n… (cut: ")
    whole = sanitize(stored).strip("\n")
    if not remark or not whole.startswith(head):
        return "", ""
    return head[-40:], whole[len(head) :][:40]
