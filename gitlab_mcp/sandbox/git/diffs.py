"""Diffs between commits, file by file, computed by git."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from functools import cached_property

from gitlab_mcp.sandbox.git.repository import Repository

EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
_HUNK = re.compile(r"@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@")


@dataclass(frozen=True)
class FileDiff:
    """The diff of one file; `patch` is git's, from the first @@ (or the line "Binary files ...") on."""

    old_path: str
    new_path: str
    old_mode: str
    new_mode: str
    status: str
    patch: str

    @cached_property
    def marked_lines(self) -> list[tuple[str, int, int]]:
        """The lines of the patch as (mark, old position, new position).

        A line that exists on one side only has, for the other side, the number of the next line there.
        """
        found: list[tuple[str, int, int]] = []
        old = new = 0
        for line in self.patch.split("\n"):
            if hunk := _HUNK.match(line):
                old, new = int(hunk[1]), int(hunk[3])
            elif line[:1] in ("+", "-", " ") and line:
                found.append((line[0], old, new))
                old, new = old + (line[0] != "+"), new + (line[0] != "-")
        return found

    @cached_property
    def lines(self) -> list[tuple[str, int | None, int | None]]:
        """The lines of the patch as (mark, old line, new line); the mark is " ", "+" or "-"."""
        return [
            (mark, None if mark == "+" else old, None if mark == "-" else new) for mark, old, new in self.marked_lines
        ]

    def line_code(self, old_line: int | None, new_line: int | None) -> str | None:
        """GitLab's line code (Gitlab::Git.diff_line_code): SHA-1 of the path, old and new position; None if absent."""
        if not self.has_line(old_line, new_line):
            return None
        digest = hashlib.sha1((self.new_path or self.old_path).encode(), usedforsecurity=False).hexdigest()
        pairs = zip(self.lines, self.marked_lines, strict=True)
        at = next((marked for line, marked in pairs if line[1:] == (old_line, new_line)), None)
        _, old, new = at or (" ", old_line, new_line)
        return f"{digest}_{old}_{new}"

    def has_line(self, old_line: int | None, new_line: int | None) -> bool:
        """Whether the diff has this line: an added one, a removed one, or an unchanged one given by both numbers."""
        if old_line is None and new_line is None:
            return False
        if old_line is None or new_line is None:
            return any((old, new) == (old_line, new_line) for _, old, new in self.lines)
        if old_line < 1 or new_line < 1:
            return False
        # An unchanged line may be outside the hunks; then its numbers differ by the lines added and removed above.
        shift = 0
        for mark, old, new in self.lines:
            if mark == "+" and new is not None and new <= new_line:
                if new == new_line:
                    return False
                shift += 1
            elif mark == "-" and old is not None and old <= old_line:
                if old == old_line:
                    return False
                shift -= 1
        return old_line + shift == new_line


def compare(repository: Repository, old: str, new: str) -> list[FileDiff]:
    """The diffs between two commits or trees, with git's rename detection."""
    output = repository.git.output(
        repository.path, "diff-tree", "-r", "-M", "--raw", "-p", "-z", "--no-color", "--no-ext-diff", "--no-textconv",
        "--full-index", old, new,
    )  # fmt: skip
    return _parse(output)


def of_commit(repository: Repository, sha: str, parents: tuple[str, ...]) -> list[FileDiff]:
    """The diffs of a commit against its first parent, or against the empty tree."""
    return compare(repository, parents[0] if parents else EMPTY_TREE, sha)


def statistics(repository: Repository, sha: str, parents: tuple[str, ...]) -> tuple[int, int]:
    """The numbers of lines that a commit added and removed."""
    parent = parents[0] if parents else EMPTY_TREE
    output = repository.run("diff-tree", "-r", "-M", "--numstat", parent, sha)
    added = removed = 0
    for line in output.splitlines():
        plus, minus, _ = line.split("\t", 2)
        added += int(plus) if plus.isdecimal() else 0
        removed += int(minus) if minus.isdecimal() else 0
    return added, removed


def patch_id(repository: Repository, old: str, new: str) -> str | None:
    """The stable patch id of what differs between two commits, or None if nothing does (Gitaly's GetPatchID)."""
    patch = repository.git.output(repository.path, "diff", "--full-index", "--no-ext-diff", "--no-textconv", old, new)
    output = repository.git.output(repository.path, "patch-id", "--stable", stdin=patch) if patch else b""
    return output.decode().partition(" ")[0] or None


def changed_files(repository: Repository, old: str, new: str) -> int:
    """The number of files that differ between two commits."""
    output = repository.git.output(repository.path, "diff-tree", "-r", "-M", "--name-status", "-z", old, new)
    return sum(1 for part in output.split(b"\x00") if re.fullmatch(rb"[ACDMRTUX]\d*", part))


def _parse(output: bytes) -> list[FileDiff]:
    raw, _, text = output.partition(b"\x00\x00")
    fields = [field.decode("utf-8", "replace") for field in raw.split(b"\x00")] if raw else []
    patches = _split_patches(text.decode("utf-8", "replace"))
    file_diffs = []
    index = 0
    while index < len(fields) and fields[index].startswith(":"):
        old_mode, new_mode, _, _, status = fields[index][1:].split(" ")
        renamed = status[0] in "RC"
        old_path, new_path = fields[index + 1], fields[index + (2 if renamed else 1)]
        index += 3 if renamed else 2
        # git shows a file that became a symlink as two patches, a deletion and a creation.
        patch = "".join(patches[:2] if status[0] == "T" else patches[:1])
        patches = patches[2:] if status[0] == "T" else patches[1:]
        file_diffs.append(FileDiff(old_path, new_path, old_mode, new_mode, status[0], patch))
    return file_diffs


def _split_patches(text: str) -> list[str]:
    # Content lines begin with a space, + or -, so only git's own headers can begin with "diff --git".
    patches: list[str] = []
    for part in re.split(r"^diff --git ", text, flags=re.MULTILINE)[1:]:
        body = re.search(r"^(@@ |Binary files )", part, flags=re.MULTILINE)
        patches.append(part[body.start() :] if body else "")
    return patches
