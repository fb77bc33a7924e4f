"""Answers that are too long for one: pieces, as many as fit on each page, and the call for the next page."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from gitlab_mcp.render.lists import following
from gitlab_mcp.render.text import ANSWER_BYTES, facts, fence, size

PAGE_BYTES = ANSWER_BYTES - 8_000


def page_of(title: str, about: str, pieces: Iterable[str], number: int, call: str, given: Mapping[str, object]) -> str:
    """Page `number` of pieces under a title and, on each page, what there is to say `about` them."""
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
    said = facts(title, f"page {number} of {len(pages)}" if len(pages) > 1 else "")
    shown = "\n".join(part for part in (said, about, *pages[number - 1]) if part)
    return shown + following(call, given, number + 1 if number < len(pages) else None)


def fenced_rows(heading: str, name: str, rows: Iterable[str]) -> Iterator[str]:
    """Rows of code under their heading; where they are longer than a page, in several pieces, which repeat the name."""
    held: list[str] = []
    used = 0
    for row in rows:
        if used + size(row) > PAGE_BYTES - 2_000:
            yield _fenced(heading, held)
            held, used, heading = [], 0, f"{name}, continued"
        held.append(row)
        used += size(row) + 1
    yield _fenced(heading, held)


def _fenced(heading: str, rows: Sequence[str]) -> str:
    return f"\n## {heading}\n{fence(chr(10).join(rows))}"
