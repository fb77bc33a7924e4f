"""Lists: a heading, a row each, and the call that gets the next page."""

import json
from collections.abc import Iterable, Mapping

from gitlab_mcp.api.client import Page
from gitlab_mcp.render.text import count


def listing(title: str, noun: str, rows: Iterable[str], page: Page, call: str, arguments: Mapping[str, object]) -> str:
    """A page of rows under its heading, ending with the call for the next page where there is one."""
    lines = list(rows)
    if not lines:
        return f"# {title}: none" if page.number == 1 else f"# {title}: none on page {page.number}"
    total = f" of {page.total:,}" if page.total is not None and page.next_number else ""
    number = f", page {page.number}" if page.number > 1 else ""
    text = "\n".join([f"# {title}: {count(len(lines), noun)}{total}{number}", *lines])
    if page.next_number:
        given = {key: value for key, value in arguments.items() if value}
        following = json.dumps({**given, "page": page.next_number}, ensure_ascii=False)
        text += f"\nnext: {call} {following}"
    return text


def state(value: str) -> str:
    """GitLab says "opened" of what everybody calls open."""
    return "open" if value == "opened" else value
