"""The diff hunks of any number of files, with three git processes."""

import re
from collections.abc import Sequence

from gitlab_mcp.git.objects import SUBMODULE, FileDiff
from gitlab_mcp.git.session import GitSession

NOTHING = "000000"


def patches(git: GitSession, differences: Sequence[FileDiff]) -> list[str]:
    """The hunks of each file, in order; "" for one with the same content as before. Their blobs must be fetched before.

    Where a file became a symbolic link, or a link a file, the deletion comes before the addition.
    """
    # Two trees are built in which the old and the new side of a file have the same name, its number: git then compares
    # only these, and need not detect renames again.
    old = _tree(git, [(diff.old_mode, diff.old_id) for diff in differences])
    new = _tree(git, [(diff.new_mode, diff.new_id) for diff in differences])
    options = ("--no-ext-diff", "--no-textconv", "--no-color", "--no-renames", "-U3", "-p")
    output = git.run("diff-tree", *options, old, new).decode("utf-8", "replace")
    hunks = [""] * len(differences)
    # A line of a file has a space, + or - before it, so only git's own lines can begin like this.
    parts = re.split(r"^diff --git a/(\d+) b/\d+\n", output, flags=re.MULTILINE)[1:]
    for number, part in zip(parts[0::2], parts[1::2], strict=True):
        if start := re.search(r"^@@ ", part, re.MULTILINE):
            hunks[int(number)] += part[start.start() :]
        elif re.search(r"^Binary files ", part, re.MULTILINE):
            hunks[int(number)] += "Binary files differ\n"  # git's own line would name the numbers
    return hunks


def _tree(git: GitSession, entries: Sequence[tuple[str, str]]) -> str:
    """Write a tree of these modes and ids, each named by its index. An entry with mode 000000 (no file) is left out."""
    rows = (
        f"{mode} {'commit' if mode == SUBMODULE else 'blob'} {identity}\t{number}\n"
        for number, (mode, identity) in enumerate(entries)
        if mode != NOTHING
    )
    return git.run("mktree", stdin="".join(rows).encode()).decode().strip()
