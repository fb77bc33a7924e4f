"""Render lists: a heading, rows, and the call that gets the next page."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence

from gitlab_mcp.api.client import Page
from gitlab_mcp.render.markdown import ANSWER_BYTES, count, facts, fence, size
from gitlab_mcp.safety.sanitize import one_line

ROWS_BYTES = ANSWER_BYTES - 2_000


def listing(title: str, noun: str, rows: Iterable[str], page: Page, call: str, arguments: Mapping[str, object]) -> str:
    """Render a page of rows under a heading, with the call for the next page at the end if there is one."""
    lines = list(rows)
    if not lines:
        return f"# {title}: none" if page.number == 1 else f"# {title}: none on page {page.number}"
    kept = fitting(lines)
    if len(kept) < len(lines):
        kept.append(f"({len(lines) - len(kept)} more on this page do not fit: narrow the list)")
    total = f" of {page.total:,}" if page.total is not None and page.next_number else ""
    number = f", page {page.number}" if page.number > 1 else ""
    text = "\n".join([f"# {title}: {count(len(lines), noun)}{total}{number}", *kept])
    return text + following(call, arguments, page.next_number)


def following(call: str, arguments: Mapping[str, object], page: int | None) -> str:
    """Return the call for page `page` on a line of its own; "" if there is none."""
    if not page:
        return ""
    stated = {key: value for key, value in arguments.items() if value not in ("", None, [])}
    return f"\nnext: {call} {json.dumps({**stated, 'page': page}, ensure_ascii=False)}"


def fitting(lines: list[str], limit: int = ROWS_BYTES) -> list[str]:
    """Return as many of the first lines as fit into `limit` bytes; by default, next to a heading and the next call."""
    used, kept = 0, []
    for line in lines:
        used += size(line) + 1
        if used > limit:
            break
        kept.append(line)
    return kept


def state(value: str) -> str:
    """Return the state of an issue or merge request as people call it: "open" for GitLab's "opened"."""
    return "open" if value == "opened" else one_line(value, 20)


PAGE_BYTES = ANSWER_BYTES - 8_000
PIECE_CHARACTERS = 8_000  # of a quoted line, in one piece: even at 4 bytes each they fit on a page


def page_of(
    title: str, about: str, pieces: Iterable[str], number: int, call: str, arguments: Mapping[str, object]
) -> str:
    """Render page `number` of `pieces`, each page with the title and the remark `about`.

    A page ends with the call for the next one; a piece is never split.
    """
    pages: list[list[str]] = [[]]
    used = 0
    for piece in pieces:
        if used + size(piece) > PAGE_BYTES and pages[-1]:
            pages.append([])
            used = 0
        pages[-1].append(piece)
        used += size(piece) + 1
    if number > len(pages):
        return f"{title}\nThere is no page {number}: the last is {len(pages)}."
    heading = facts(title, f"page {number} of {len(pages)}" if len(pages) > 1 else "")
    text = "\n".join(part for part in (heading, about, *pages[number - 1]) if part)
    return text + following(call, arguments, number + 1 if number < len(pages) else None)


def quoted_pieces(quoted: str) -> Iterator[str]:
    """Yield the lines of a quoted text, long ones in several pieces, each of them quoted."""
    for line in quoted.split("\n"):
        yield line[:PIECE_CHARACTERS]
        for start in range(PIECE_CHARACTERS, len(line), PIECE_CHARACTERS):
            yield f"> {line[start : start + PIECE_CHARACTERS]}"


def fenced_rows(heading: str, name: str, rows: Iterable[str]) -> Iterator[str]:
    """Yield rows of code under their heading: in one piece, or if they exceed a page in several, each with the name."""
    piece: list[str] = []
    used = 0
    for row in rows:
        if used + size(row) > PAGE_BYTES - 2_000:
            yield _fenced(heading, piece)
            piece, used, heading = [], 0, f"{name}, continued"
        piece.append(row)
        used += size(row) + 1
    yield _fenced(heading, piece)


def _fenced(heading: str, rows: Sequence[str]) -> str:
    return f"\n## {heading}\n{fence(chr(10).join(rows))}"
