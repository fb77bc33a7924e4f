"""The hunks of files that differ, of any number of them with three git processes."""

import re
from collections.abc import Sequence

from gitlab_mcp.git.objects import SUBMODULE, FileDiff
from gitlab_mcp.git.process import TimeLeft
from gitlab_mcp.git.scratch_repository import ScratchRepository

NOTHING = "000000"


def patches(repository: ScratchRepository, differences: Sequence[FileDiff], time_left: TimeLeft) -> list[str]:
    """The hunks of each file, in order; "" for one that holds the same as before. Their blobs are here.

    Where a file became a link, or a link a file, what is deleted comes before what is added.
    """
    # Two trees in which the two sides of a file have the same name, its number: git then compares just these, and
    # need not find renames again.
    sides = [[(one.old_mode, one.old_id) for one in differences], [(one.new_mode, one.new_id) for one in differences]]
    old, new = (_tree(repository, side, time_left) for side in sides)
    options = ("--no-ext-diff", "--no-textconv", "--no-color", "--no-renames", "-U3", "-p")
    printed = repository.run("diff-tree", *options, old, new, time_left=time_left).decode("utf-8", "replace")
    found = [""] * len(differences)
    # A line of a file has a blank, + or - before it, so that only git's own can begin so.
    parts = re.split(r"^diff --git a/(\d+) b/\d+\n", printed, flags=re.MULTILINE)[1:]
    for number, part in zip(parts[0::2], parts[1::2], strict=True):
        if start := re.search(r"^@@ ", part, re.MULTILINE):
            found[int(number)] += part[start.start() :]
        elif re.search(r"^Binary files ", part, re.MULTILINE):
            found[int(number)] += "Binary files differ\n"  # the names in git's own line are numbers here
    return found


def _tree(repository: ScratchRepository, entries: Sequence[tuple[str, str]], time_left: TimeLeft) -> str:
    """A tree with these modes and ids, by their number; what is not there is left out."""
    rows = (
        f"{mode} {'commit' if mode == SUBMODULE else 'blob'} {identity}\t{number}\n"
        for number, (mode, identity) in enumerate(entries)
        if mode != NOTHING
    )
    return repository.run("mktree", time_left=time_left, stdin="".join(rows).encode()).decode().strip()
