"""Lists: a heading, a row each, and the call that gets the next page."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence

from gitlab_mcp.api.client import Page
from gitlab_mcp.render.markdown import ANSWER_BYTES, count, facts, fence, size
from gitlab_mcp.safety.sanitize import one_line

ROWS_BYTES = ANSWER_BYTES - 2_000


def listing(title: str, noun: str, rows: Iterable[str], page: Page, call: str, arguments: Mapping[str, object]) -> str:
    """A page of rows under its heading, ending with the call for the next page where there is one."""
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
    """The call for the next page, on a line of its own; "" where there is none."""
    if not page:
        return ""
    given = {key: value for key, value in arguments.items() if value not in ("", None, [])}
    return f"\nnext: {call} {json.dumps({**given, 'page': page}, ensure_ascii=False)}"


def fitting(lines: list[str], limit: int = ROWS_BYTES) -> list[str]:
    """As many lines as there is room for: unless said otherwise, beside a heading and the next call."""
    used, kept = 0, []
    for line in lines:
        used += size(line) + 1
        if used > limit:
            break
        kept.append(line)
    return kept


def state(value: str) -> str:
    """GitLab says "opened" of what everybody calls open."""
    return "open" if value == "opened" else one_line(value, 20)


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
