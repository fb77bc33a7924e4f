"""GitLab's limits on diffs: which files of a list are shown, collapsed or too large, and where the list ends.

Gitlab::Git::DiffCollection and Gitlab::Git::Diff, with the defaults of the GitLab docs (diff limits administration).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gitlab_mcp.sandbox.git.diffs import FileDiff

MAX_FILES = 1000
_MAX_LINES = 50_000
_SAFE_FILES = 100
_SAFE_LINES = 5000
_BYTES_PER_FILE = 5120
# The patch of one file: from this size on it is too large, and from a tenth of it on it is collapsed.
_MAX_PATCH_BYTES = 204_800
_SAFE_PATCH_BYTES = _MAX_PATCH_BYTES // 10


@dataclass(frozen=True)
class ShownDiff:
    """The diff of a file as GitLab shows it: without its patch if it is collapsed or too large."""

    file: FileDiff
    collapsed: bool = False
    too_large: bool = False

    @property
    def patch(self) -> str:
        return "" if self.collapsed or self.too_large else self.file.patch


def unlimited(file_diffs: Sequence[FileDiff]) -> list[ShownDiff]:
    """All files, as `limits: false` shows them: only a patch that is too large is left out."""
    return [ShownDiff(each, too_large=_is_too_large(each)) for each in file_diffs]


def limited(file_diffs: Sequence[FileDiff], *, expanded: bool) -> tuple[list[ShownDiff], bool]:
    """The files as they are shown, up to GitLab's limits on all files together, and whether these cut the list off.

    Unless `expanded`, a patch of 20 kB or more is collapsed, and so are all patches behind 100 files, 5,000 lines or
    500 kB. The only file of a list is never collapsed.
    """
    expanded = expanded or len(file_diffs) == 1
    shown: list[ShownDiff] = []
    lines = size = 0
    for index, file_diff in enumerate(file_diffs):
        if index >= MAX_FILES:
            return shown, True
        too_large, patch_bytes = _is_too_large(file_diff), len(file_diff.patch.encode())
        collapsed = not expanded and not too_large and patch_bytes >= _SAFE_PATCH_BYTES
        if index >= _SAFE_FILES or lines > _SAFE_LINES or size >= _SAFE_FILES * _BYTES_PER_FILE:
            collapsed = collapsed or (not expanded and not too_large and bool(file_diff.patch))
        one = ShownDiff(file_diff, collapsed, too_large)
        lines += one.patch.count("\n")
        size += len(one.patch.encode())
        if lines >= _MAX_LINES or size >= MAX_FILES * _BYTES_PER_FILE:
            return shown, True
        shown.append(one)
    return shown, False


def _is_too_large(file_diff: FileDiff) -> bool:
    return len(file_diff.patch.encode()) >= _MAX_PATCH_BYTES
