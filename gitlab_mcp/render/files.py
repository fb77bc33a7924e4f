"""Render files and folders."""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gitlab_mcp.api.client import Page
from gitlab_mcp.api.entity import Entity
from gitlab_mcp.git.objects import EXECUTABLE, LINK, SUBMODULE, is_binary
from gitlab_mcp.render.markdown import ANSWER_BYTES, bytes_of, count, facts, fence, size
from gitlab_mcp.render.pagination import listing
from gitlab_mcp.repository.git_attributes import is_lfs_pointer
from gitlab_mcp.repository.interface import BlamedLines, File
from gitlab_mcp.safety.redact import redacted
from gitlab_mcp.safety.sanitize import escape_invisible, needs_no_escape, one_line
from gitlab_mcp.safety.write_back import EDIT_CODE, not_as_stored

# A larger file is shown only if the call says which lines.
WHOLE_FILE_BYTES = 1_000_000
CONTENT_BYTES = ANSWER_BYTES - 1_500


def file_list(found: Page, folder: str, ref: str, arguments: Mapping[str, object]) -> str:
    """Render a page of the entries of a folder: a path in each row, with a mark for links, submodules and the like."""
    title = f"Files in {folder or 'the root'} at {ref}"
    return listing(title, "entry", map(_entry_row, found.rows), found, "list_files", arguments)


def _entry_row(entry: Entity) -> str:
    path = one_line(entry.text("path"), 1000)
    if entry.text("type") == "tree":
        return f"{path}/"
    marks = {LINK: " (link)", SUBMODULE: " (submodule)", EXECUTABLE: " (executable)"}
    return path + marks.get(entry.text("mode"), "")


@dataclass(frozen=True)
class Span:
    """The lines `start` to `end` (0: the last) of a file, the first one from the character `column` on."""

    start: int
    end: int
    column: int

    @property
    def is_whole(self) -> bool:
        """Whether this is the whole file."""
        return self == Span(1, 0, 1)


def file(found: File, ref: str, span: Span, blame: Sequence[BlamedLines], *, numbers: bool) -> str:
    """Render a span of a file, as much as fits, and the arguments that continue it.

    With `blame`, each line follows its commit, author and day; with `numbers`, its number.
    """
    origins = {number: _origin(blamed) for blamed in blame for number in _numbers(blamed)}
    head = facts(
        f"# {one_line(found.path, 1000)} at {ref}",
        bytes_of(found.size),
        "executable" if found.executable else "",
        f"last commit {found.last_commit_id[:12]}" if found.last_commit_id else "",
    )
    if is_lfs_pointer(found.content):
        head += "\nstored with LFS: this is the LFS pointer, not the content."
    if is_binary(found.content):
        return f"{head}\nA binary file: its content is not shown."
    text = found.content.decode("utf-8", "replace")
    whole = redacted(text)  # before lines are cut: redaction does not recognize a part of a secret
    as_it_is = needs_no_escape(whole)
    lines = whole.split("\n")
    if lines[-1] == "":
        lines.pop()
    remark = ""
    if (invalid := text.count("\ufffd")) and b"\xef\xbf\xbd" not in found.content:
        remark = f"\nNot valid UTF-8: {count(invalid, 'sequence')} shown as \ufffd. Do not write it back from here."
    if found.size > WHOLE_FILE_BYTES and span.is_whole:
        return f"{head}{remark}\n{count(len(lines), 'line')}, too large to show whole: give start_line and end_line."
    if not lines:
        return f"{head}\nThe file is empty."
    start, column = span.start, span.column
    if start > len(lines):
        return f"{head}\nThe file has {count(len(lines), 'line')}; start_line {start} is after its end."
    wanted = lines[start - 1 : span.end or len(lines)]
    if column > max(1, len(wanted[0])):
        length = count(len(wanted[0]), "character")
        return f"{head}\nLine {start} has {length}; start_column {column} is after its end."
    shown: list[str] = []
    used = goes_on = 0
    for number, line in enumerate(wanted, start):
        before = escape_invisible(f"{origins[number]}\t") if number in origins else ""
        before += f"{number}\t" if numbers else ""
        begin = column - 1 if number == start else 0
        rest = line[begin : begin + CONTENT_BYTES + 1]
        row = before + (rest if as_it_is and rest == line else escape_invisible(rest))
        if not shown and size(row) > CONTENT_BYTES:
            fitting = _fitting(rest, CONTENT_BYTES - size(before))
            row, goes_on = before + escape_invisible(rest[:fitting]), column + fitting
        used += size(row) + 1
        if used > CONTENT_BYTES and shown:
            break
        shown.append(row)
    last = start + len(shown) - 1
    stored = "\n".join(text.split("\n")[start - 1 : last])
    if not_shown := not_as_stored(code=[(stored, "\n".join(shown))], advice=EDIT_CODE):
        remark += f"\n{not_shown}"
    part = "" if start == 1 and last == len(lines) else f" · lines {start}-{last} of {len(lines)}"
    if column > 1 or goes_on:
        to = f" to {goes_on - 1:,}" if goes_on else ""
        part += f" · line {start} from character {column:,}{to} of {len(wanted[0]):,}"
    following = ""
    if goes_on:
        following = f"\nnext: start_line {start}, start_column {goes_on}"
    elif len(shown) < len(wanted):
        following = f"\nnext: start_line {last + 1}{', start_column 1' if column > 1 else ''}"
    return f"{head}{part}{remark}\n{fence(chr(10).join(shown))}{following}"


def _fitting(line: str, limit: int) -> int:
    """Return how many characters of a line fit into `limit` bytes once invisible ones are escaped."""
    return bisect_right(range(1, min(len(line), limit) + 1), limit, key=lambda end: size(escape_invisible(line[:end])))


def _origin(blamed: BlamedLines) -> str:
    commit = blamed.commit
    return f"{commit.sha('id')[:8]} {one_line(commit.text('author_name'), 30)} {commit.day('committed_date')}"


def _numbers(blamed: BlamedLines) -> range:
    return range(blamed.first, blamed.first + len(blamed.lines))
