"""What a merge request changes, as an agent reads it: lines with the numbers that a review takes, in pages."""

from collections.abc import Iterator, Mapping, Sequence

from gitlab_mcp.api.diff import ChangedFile, Line
from gitlab_mcp.api.entity import Entity
from gitlab_mcp.render.lists import following
from gitlab_mcp.render.sanitise import one_line, visible
from gitlab_mcp.render.text import ANSWER_BYTES, count, cut, facts, fence, size

PAGE_BYTES = ANSWER_BYTES - 8_000
NAMED_BYTES = 3_000
LINE_BYTES = 4_000
CALL = "get_merge_request_diff"
LEGEND = "Before each line is its number in the new file; before - in the old one (side old)."


def file_row(file: ChangedFile) -> str:
    """A changed file in a list."""
    before = f"renamed from {one_line(file.old_path, 300)}" if file.entity.flag("renamed_file") else ""
    status = "new" if file.entity.flag("new_file") else "deleted" if file.entity.flag("deleted_file") else before
    told = ", ".join(mark for mark in (status, file.kind) if mark)
    lines = f" +{file.added} -{file.removed}" if file.hunks else ""
    return f"{one_line(file.path, 300)}{lines}{f' ({told})' if told else ''}"


def file_names(merge_request: Entity, files: Sequence[ChangedFile], page: int, given: Mapping[str, object]) -> str:
    """A page of the names of changed files."""
    return _page(_title(merge_request, files), "", list(map(file_row, files)), page, {**given, "names_only": True})


def diff(
    merge_request: Entity,
    files: Sequence[ChangedFile],
    shown: Sequence[ChangedFile],
    page: int,
    given: Mapping[str, object],
) -> str:
    """A page of the hunks of the files that are `shown`, of all the `files` that were chosen."""
    left = [file for file in files if file not in shown]
    named = one_line(", ".join(f"{one_line(file.path, 300)} ({file.kind})" for file in left), NAMED_BYTES)
    about = [LEGEND] if shown else []
    if left and page == 1:
        advice = "paths with the whole name shows a generated one, get_file the others"
        about.append(f"Not shown, {count(len(left), 'file')} ({advice}): {named}")
    pieces = [piece for file in shown for piece in _pieces(file)]
    return _page(_title(merge_request, files), "\n".join(about), pieces, page, given)


def _title(merge_request: Entity, files: Sequence[ChangedFile]) -> str:
    added, removed = sum(file.added for file in files), sum(file.removed for file in files)
    head = merge_request.sha("diff_refs", "head_sha") or merge_request.sha("sha")
    changed = f"{count(len(files), 'file')} +{added} -{removed}"
    return f"# !{merge_request.number('iid')} at {head[:12] or 'no commit'}: {changed}"


def _page(title: str, about: str, pieces: Sequence[str], number: int, given: Mapping[str, object]) -> str:
    """Page `number` of pieces, as many as fit on each, and the call for the next."""
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
    return shown + following(CALL, given, number + 1 if number < len(pages) else None)


def _pieces(file: ChangedFile) -> Iterator[str]:
    """A file's hunks under its heading; in several pieces where they are longer than a page."""
    rows: list[str] = []
    used, heading = 0, f"\n## {file_row(file)}"
    for row in _rows(file):
        if used + size(row) > PAGE_BYTES - 2_000:
            yield f"{heading}\n{fence(chr(10).join(rows))}"
            rows, used, heading = [], 0, f"\n## {one_line(file.path, 300)}, continued"
        rows.append(row)
        used += size(row) + 1
    yield f"{heading}\n{fence(chr(10).join(rows))}"


def _rows(file: ChangedFile) -> Iterator[str]:
    for hunk in file.hunks:
        yield cut(visible(hunk.heading), LINE_BYTES)
        yield from map(numbered, hunk.lines)


def numbered(line: Line) -> str:
    """A line behind its number and its mark."""
    return cut(f"{line.number}{line.mark}{visible(line.text)}", LINE_BYTES)
