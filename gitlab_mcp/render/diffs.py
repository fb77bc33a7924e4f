"""Render differences between commits."""

import json
from collections.abc import Iterator, Mapping, Sequence

from gitlab_mcp.api.entity import SHA, Entity
from gitlab_mcp.api.reviews.diff import ChangedFile
from gitlab_mcp.errors import naming
from gitlab_mcp.render.commits import commit_row
from gitlab_mcp.render.markdown import ANSWER_BYTES, count, cut, facts, labelled, quote_plain
from gitlab_mcp.render.pagination import fenced_rows, fitting, page_of
from gitlab_mcp.repository.interface import Comparison
from gitlab_mcp.safety.sanitize import escape_invisible, escape_invisible_in_lines, one_line
from gitlab_mcp.safety.write_back import EDIT_CODE, not_as_stored

COMMITS_SHOWN = 30
COMMITS_BYTES = 6_000
DIFF_LINE_BYTES = 4_000
DIFF_BYTES = ANSWER_BYTES - 6_000
COMMIT_MESSAGE_BYTES = 8_000


def comparison(found: Comparison, page: int, arguments: Mapping[str, str | Sequence[str]]) -> str:
    """Render what one ref has that another lacks: the commits, and a page of the hunks of the chosen files.

    `arguments` are those of compare_refs.
    """
    base, head = str(arguments["base"]), str(arguments["head"])
    if not found.commits and not found.files:
        return f"# {head} has nothing that {base} lacks"
    commits = count(len(found.commits), "commit")
    title = f"# {base}...{head}: {commits}, {files_counted(found.files, is_whole=found.is_whole)} changed"
    about = [] if found.is_whole else [not_listed()]
    if page == 1:
        rows = [commit_row(commit) for commit in reversed(found.commits)]
        kept = fitting(rows[:COMMITS_SHOWN], COMMITS_BYTES)
        left = len(rows) - len(kept)
        about = [
            *kept,
            *([f"({left:,} older ones{naming(': {} lists them', 'list_commits')})"] if left else []),
            *about,
        ]
    hunks = (diff.text("diff") for diff in found.diffs)
    code = ((hunk, "\n".join(_rows(hunk))) for hunk in hunks if hunk.startswith("@@"))
    about.append(not_as_stored(code=code, advice=EDIT_CODE))
    pieces = (piece for diff in found.diffs for piece in _pieces(diff, base, head))
    return page_of(title, "\n".join(filter(None, about)), pieces, page, "compare_refs", arguments)


def cut_line(row: str) -> str:
    """Return a row of a diff in at most DIFF_LINE_BYTES, naming the tool that reads the whole line."""
    if len(row) * 4 <= DIFF_LINE_BYTES:  # a character has at most four bytes, and most rows are short
        return row
    return cut(row, DIFF_LINE_BYTES, naming("{} reads the line", "get_file"))


def not_listed() -> str:
    """Return the remark that GitLab lists no more of the changed files, and the tools that show the others."""
    commits = naming(" ({})", "list_commits")
    others = naming(f": {{}}, commit by commit{commits}, shows the others", "compare_refs")
    return f"GitLab lists no more files than these{others}."


def files_counted(number: int, *, is_whole: bool) -> str:
    """Return `12 files`, or `1,000+ files` where GitLab does not list all of them."""
    return count(number, "file") if is_whole else f"{number:,}+ files"


def whole_commit(commit: Entity, diffs: Sequence[Entity]) -> str:
    """Render a commit with its message and the files that differ from its first parent."""
    parents = [parent for parent in commit.texts("parent_ids") if SHA.fullmatch(parent)]
    remark = not_as_stored(plain_texts=[commit.text("message")], advice="")
    head = facts(
        f"by {one_line(commit.text('author_name'), 60)} {commit.day('authored_date')}",
        labelled("parents", (parent[:12] for parent in parents)),
        f"{count(len(diffs), 'file')} changed",
    )
    identity = commit.sha("id")
    _, _, rest = commit.text("message").strip("\n").partition("\n")
    message = f"\n{cut(quote_plain(rest), COMMIT_MESSAGE_BYTES)}" if rest.strip() else ""
    title = f"# Commit {identity[:12]} {one_line(commit.text('title'), 200)}"
    rows = [heading(diff) for diff in diffs]
    kept = fitting(rows, DIFF_BYTES - COMMIT_MESSAGE_BYTES)
    left = f"\n({len(rows) - len(kept)} more files)" if len(kept) < len(rows) else ""
    arguments = {"base": parents[0][:12], "head": identity[:12]} if parents and diffs else {}
    diff = naming(f"\nits diff: {{}} {json.dumps(arguments)}", "compare_refs") if arguments else ""
    remarks = [remark] if remark else []
    return "\n".join([title, head, commit.url("web_url") + message, *remarks, "", *kept]) + left + diff


def _pieces(diff: Entity, base: str, head: str) -> Iterator[str]:
    """Yield a file's heading and its hunks, in pieces that fit on a page; for a file without hunks, the reason."""
    hunks = diff.text("diff").rstrip("\n")
    if hunks.startswith("@@"):
        rows = (cut_line(row) for row in _rows(hunks))
        yield from fenced_rows(heading(diff), one_line(diff.text("new_path"), 300), rows)
    elif diff.flag("too_large"):
        yield f"\n## {heading(diff)}\nToo large: GitLab does not show it.{_reader(diff, base, head)}"
    elif diff.flag("collapsed"):
        commits = naming(" ({})", "list_commits")
        shown = naming(f": {{}}, commit by commit{commits}, shows it", "compare_refs")
        yield f"\n## {heading(diff)}\nGitLab collapses it here{shown}.{_reader(diff, base, head)}"
    else:
        yield f"\n## {heading(diff)}\nNo lines to show: the file is binary, was only moved, or only its mode changed."


def _rows(hunks: str) -> list[str]:
    """Return the rows of a diff with invisible characters escaped.

    Carriage returns are looked at in the rows of the file alone: git ends its own rows, such as @@, without one.
    """
    rows = hunks.split("\n")
    shown = iter(escape_invisible_in_lines([row for row in rows if row[:1] in ("+", "-", " ")]))
    return [next(shown) if row[:1] in ("+", "-", " ") else escape_invisible(row) for row in rows]


def _reader(diff: Entity, base: str, head: str) -> str:
    return naming(f" {{}} reads {_sides(diff, base, head)}.", "get_file")


def _sides(diff: Entity, base: str, head: str) -> str:
    """Return the paths and refs with which get_file reads the old and the new version of a file."""
    sides = [
        "" if diff.flag("new_file") else f"{one_line(diff.text('old_path'), 300)} at {base}",
        "" if diff.flag("deleted_file") else f"{one_line(diff.text('new_path'), 300)} at {head}",
    ]
    return " and ".join(side for side in sides if side)


def heading(diff: Entity) -> str:
    """Return the path of a file that differs, how it changed, and how many lines were added and removed."""
    path, before = one_line(diff.text("new_path"), 300), one_line(diff.text("old_path"), 300)
    marks = [
        "new" if diff.flag("new_file") else "",
        "deleted" if diff.flag("deleted_file") else "",
        f"renamed from {before}" if diff.flag("renamed_file") else "",
        one_line(ChangedFile(diff).mode_change, 300),
    ]
    lines = diff.text("diff").split("\n")
    is_shown = lines[0].startswith("@@")
    marks.append("" if is_shown else ChangedFile(diff).kind)
    joined = ", ".join(mark for mark in marks if mark)
    added = sum(line.startswith("+") for line in lines)
    removed = sum(line.startswith("-") for line in lines)
    return f"{path}{f' ({joined})' if joined else ''}{f' +{added} -{removed}' if is_shown else ''}"
