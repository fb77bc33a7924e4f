"""Differences between commits as an agent reads them."""

from collections.abc import Sequence

from gitlab_mcp.api.entity import Entity
from gitlab_mcp.render.commits import commit_row
from gitlab_mcp.render.sanitise import one_line, visible
from gitlab_mcp.render.text import ANSWER_BYTES, count, fence, size
from gitlab_mcp.repository import Comparison

COMMITS_SHOWN = 30
DIFF_BYTES = ANSWER_BYTES - 6_000


def comparison(found: Comparison, chosen: Sequence[Entity], base: str, head: str) -> str:
    """What `head` has that `base` lacks: the commits, and the hunks of the `chosen` files, as many as fit."""
    if not found.commits and not found.diffs:
        return f"# {head} has nothing that {base} lacks"
    commits = list(reversed(found.commits))
    rows = [commit_row(commit) for commit in commits[:COMMITS_SHOWN]]
    if len(commits) > COMMITS_SHOWN:
        rows.append(f"({len(commits) - COMMITS_SHOWN} older ones are not listed)")
    title = f"# {base}...{head}: {count(len(commits), 'commit')}, {count(len(found.diffs), 'file')} changed"
    return "\n".join([title, *rows, *_files(chosen)])


def _files(diffs: Sequence[Entity]) -> list[str]:
    shown: list[str] = []
    left: list[str] = []
    used = 0
    for diff in diffs:
        text = f"\n## {_heading(diff)}\n{_hunks(diff)}"
        if used + size(text) > DIFF_BYTES:
            left.append(one_line(diff.text("new_path"), 300))
            continue
        used += size(text)
        shown.append(text)
    if left:
        named = one_line(", ".join(left), 3_000)
        shown.append(f"\n{count(len(left), 'file')} more did not fit: {named}\nnext: the same call with paths")
    return shown


def _heading(diff: Entity) -> str:
    path, before = one_line(diff.text("new_path"), 300), one_line(diff.text("old_path"), 300)
    marks = [
        "new" if diff.flag("new_file") else "",
        "deleted" if diff.flag("deleted_file") else "",
        f"renamed from {before}" if diff.flag("renamed_file") else "",
    ]
    told = ", ".join(mark for mark in marks if mark)
    lines = diff.text("diff").split("\n")
    added = sum(line.startswith("+") for line in lines)
    removed = sum(line.startswith("-") for line in lines)
    return f"{path}{f' ({told})' if told else ''} +{added} -{removed}"


def _hunks(diff: Entity) -> str:
    text = diff.text("diff").rstrip("\n")
    if text.startswith("@@"):
        return fence(visible(text))
    if diff.flag("too_large") or diff.flag("collapsed"):
        return "Too large: GitLab does not show it. get_file reads it."
    return "No lines to show: binary, only moved, or only its mode changed."
