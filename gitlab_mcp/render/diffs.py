"""Differences between commits as an agent reads them."""

import json
import re
from collections.abc import Sequence
from itertools import accumulate

from gitlab_mcp.api.entity import SHA, Entity
from gitlab_mcp.render.commits import commit_row
from gitlab_mcp.render.lists import fitting
from gitlab_mcp.render.sanitise import one_line, visible
from gitlab_mcp.render.text import ANSWER_BYTES, count, cut, facts, fence, labelled, quote, size
from gitlab_mcp.repository import Comparison

COMMITS_SHOWN = 30
DIFF_BYTES = ANSWER_BYTES - 6_000
MESSAGE_BYTES = 8_000


def comparison(found: Comparison, base: str, head: str) -> str:
    """What `head` has that `base` lacks: the commits, and the hunks of the chosen files, as many as fit."""
    if not found.commits and not found.files:
        return f"# {head} has nothing that {base} lacks"
    commits = list(reversed(found.commits))
    rows = [commit_row(commit) for commit in commits[:COMMITS_SHOWN]]
    if len(commits) > COMMITS_SHOWN:
        rows.append(f"({len(commits) - COMMITS_SHOWN} older ones are not listed)")
    title = f"# {base}...{head}: {count(len(commits), 'commit')}, {count(found.files, 'file')} changed"
    return "\n".join([title, *rows, *_files(found.diffs, base, head)])


def whole_commit(commit: Entity, diffs: Sequence[Entity]) -> str:
    """A commit with its message and the files that it changed in its first parent."""
    parents = [parent for parent in commit.texts("parent_ids") if SHA.fullmatch(parent)]
    head = facts(
        f"by {one_line(commit.text('author_name'), 60)} {commit.day('authored_date')}",
        labelled("parents", (parent[:12] for parent in parents)),
        f"{count(len(diffs), 'file')} changed",
    )
    identity = commit.sha("id")
    _, _, rest = commit.text("message").strip("\n").partition("\n")
    message = f"\n{cut(quote(rest), MESSAGE_BYTES)}" if rest.strip() else ""
    title = f"# Commit {identity[:12]} {one_line(commit.text('title'), 200)}"
    rows = [heading(diff) for diff in diffs]
    kept = fitting(rows, DIFF_BYTES - MESSAGE_BYTES)
    left = f"\n({len(rows) - len(kept)} more files)" if len(kept) < len(rows) else ""
    given = {"base": parents[0][:12], "head": identity[:12]} if parents and diffs else {}
    diff = f"\nits diff: compare_refs {json.dumps(given)}" if given else ""
    return "\n".join([title, head, commit.url("web_url") + message, "", *kept]) + left + diff


def _files(diffs: Sequence[Entity], base: str, head: str) -> list[str]:
    shown: list[str] = []
    left: list[Entity] = []
    used = 0
    for diff in diffs:
        text = f"\n## {heading(diff)}\n{_hunks(diff)}"
        if used + size(text) > DIFF_BYTES:
            left.append(diff)
            continue
        used += size(text)
        shown.append(text)
    if left and not shown:
        shown.append(_beginning(left.pop(0), base, head))
    if left:
        named = one_line(", ".join(one_line(diff.text("new_path"), 300) for diff in left), 3_000)
        shown.append(f"\n{count(len(left), 'file')} more did not fit: {named}\nnext: the same call with paths")
    return shown


def _beginning(diff: Entity, base: str, head: str) -> str:
    """As many hunks of a file as fit alone; where not even the first one does, the beginning of it."""
    hunks = re.split(r"^(?=@@ )", visible(diff.text("diff").rstrip("\n")), flags=re.MULTILINE)[1:]
    kept = list(accumulate(map(size, hunks)))
    number = sum(used <= DIFF_BYTES for used in kept)
    told = f"{number} of {count(len(hunks), 'hunk')} shown" if number else "only the beginning is shown"
    code = "".join(hunks[:number]).rstrip("\n") or cut(hunks[0], DIFF_BYTES)
    sides = [
        "" if diff.flag("new_file") else f"{one_line(diff.text('old_path'), 300)} at {base}",
        "" if diff.flag("deleted_file") else f"{one_line(diff.text('new_path'), 300)} at {head}",
    ]
    read = f"get_file reads {' and '.join(side for side in sides if side)}"
    return f"\n## {heading(diff)}\n{fence(code)}\nThe diff is cut: {told}. {read}."


def heading(diff: Entity) -> str:
    """The path of a file that differs, what became of it, and how many lines were added and removed."""
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
