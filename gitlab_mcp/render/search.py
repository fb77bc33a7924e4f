"""Render the results of a code search."""

from collections.abc import Mapping

from gitlab_mcp.api.client import Page
from gitlab_mcp.api.entity import Entity
from gitlab_mcp.render.markdown import count, fence
from gitlab_mcp.render.pagination import fitting, following
from gitlab_mcp.safety.sanitize import escape_invisible, one_line
from gitlab_mcp.safety.write_back import EDIT_CODE, not_as_stored

MATCH_CHARACTERS = 300
OTHER_LINES = 5  # of a blob without the literal text: GitLab's search may interpret it, for example as a pattern


def code(found: Page, search: str, ref: str, arguments: Mapping[str, object]) -> str:
    """Render a page of blobs: `path:line: text` for each line that contains `search`, or the path if only that does."""
    title = f'Code with "{one_line(search, 100)}"{f" at {ref}" if ref else ""}'
    if not found.rows:
        return f"# {title}: none" if found.number == 1 else f"# {title}: none on page {found.number}"
    of_blobs = [(blob, _rows(blob, search)) for blob in found.rows]
    rows = list(dict.fromkeys(row for _, of_blob in of_blobs for row in of_blob))
    code = ((blob.text("data"), "\n".join(of_blob)) for blob, of_blob in of_blobs)
    remark = not_as_stored(code=code, advice=EDIT_CODE)
    kept = fitting(rows)
    left = f"\n({len(rows) - len(kept)} more lines on this page do not fit: search for a longer text)"
    files = len({blob.text("path") for blob in found.rows})
    total = f" ({found.total:,} places in all)" if found.total is not None and found.next_number else ""
    head = f"# {title}: {count(len(rows), 'line')} in {count(files, 'file')}{total}"
    head += f"\n{remark}" if remark else ""
    body = fence("\n".join(kept))
    return (
        f"{head}\n{body}{left if len(kept) < len(rows) else ''}{following('search_code', arguments, found.next_number)}"
    )


def _rows(blob: Entity, search: str) -> list[str]:
    path, first = escape_invisible(one_line(blob.text("path"), 500)), blob.number("startline") or 1
    lines = list(enumerate(blob.text("data").split("\n"), first))
    matching = [(number, line) for number, line in lines if search.lower() in line.lower()]
    if not matching and search.lower() in path.lower():
        return [path]
    shown = matching or [(number, line) for number, line in lines if line.strip()][:OTHER_LINES]
    rows = [f"{path}:{number}: {escape_invisible(line)[:MATCH_CHARACTERS].rstrip()}" for number, line in shown]
    return rows or [path]
