"""The raw diff of a merge request, for the files that GitLab collapses in its list.

GitLab 18.4 to 19.1 collapses a file of more than about 20 kB in the list and takes comments on its lines all the same.
https://docs.gitlab.com/api/merge_requests/#show-merge-request-raw-diffs
"""

import ast
import re
from collections.abc import Iterator, Sequence

from gitlab_mcp.api.entity import Entity

NAME_LINE = re.compile(r'(?:---|\+\+\+) (?:"?[ab]/|/dev/null)')


def is_collapsed(diff: Entity) -> bool:
    """Whether GitLab left out the lines of a file only for its size in the list."""
    return diff.flag("collapsed") and not diff.flag("too_large") and not diff.text("diff")


def expanded(diffs: Sequence[Entity], raw: str) -> list[Entity]:
    """`diffs`, with the lines of the collapsed files from `raw`, a diff of all files as git prints it."""
    hunks = dict(_files(raw))

    def whole(diff: Entity) -> Entity:
        lines = hunks.get(diff.text("new_path"), "") if is_collapsed(diff) else ""
        return diff.changed(diff=lines, collapsed=False) if lines else diff

    return [whole(diff) for diff in diffs]


def _files(raw: str) -> Iterator[tuple[str, str]]:
    """The path of each file in a diff and its hunks; the old path of a deleted file."""
    # In a hunk, each line begins with a blank, +, - or \\.
    for section in re.split(r"(?m)^diff --git .*\n", raw)[1:]:
        header, mark, body = section.partition("\n@@ ")
        names = [path for line in header.split("\n") if NAME_LINE.match(line) and (path := _path(line[4:]))]
        if mark and names:
            yield names[-1], f"@@ {body}"


def _path(name: str) -> str:
    """The path in a line such as `+++ b/src/app.py`, which git quotes like a string of C; "" for none."""
    name = name.rstrip("\t\r")
    if name.startswith('"'):
        try:
            name = str(ast.literal_eval(name)).encode("latin-1").decode()
        except (SyntaxError, ValueError):
            return ""
    return "" if name == "/dev/null" else name[2:]
