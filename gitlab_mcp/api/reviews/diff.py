"""The diff of a merge request: its files, their lines with numbers, and where in it a comment can stand."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from gitlab_mcp.api.entity import Entity
from gitlab_mcp.errors import InvalidArgument

LIMIT = re.compile(r"(\d{1,9})\+")  # how GitLab says that there are more than so many
HUNK = re.compile(r"@@ -(\d{1,9})(?:,\d{1,9})? \+(\d{1,9})(?:,\d{1,9})? @@")


@dataclass(frozen=True)
class DiffLine:
    """A line of a hunk: `mark` is "+", "-" or " ". On the side that lacks it, its number is that of the next line.

    `is_unended` is whether the file ends with it, without a line's end.
    """

    mark: str
    old: int
    new: int
    text: str
    is_unended: bool = False

    @property
    def old_line(self) -> int | None:
        return None if self.mark == "+" else self.old

    @property
    def new_line(self) -> int | None:
        return None if self.mark == "-" else self.new

    @property
    def number(self) -> int:
        """Its number in the new file; of a removed line, in the old one."""
        return self.old if self.mark == "-" else self.new


@dataclass(frozen=True)
class Hunk:
    """Lines that stand together, under git's heading of them."""

    heading: str
    lines: Sequence[DiffLine]


@dataclass(frozen=True)
class ChangedFile:
    """A file that a merge request changes, as GitLab's Diff describes it."""

    entity: Entity

    @property
    def path(self) -> str:
        return self.entity.text("new_path") or self.old_path

    @property
    def old_path(self) -> str:
        return self.entity.text("old_path") or self.entity.text("new_path")

    @cached_property
    def hunks(self) -> list[Hunk]:
        """Its hunks; none for a file whose lines GitLab does not show."""
        return hunks(self.entity.text("diff"))

    @cached_property
    def lines(self) -> list[DiffLine]:
        return [line for hunk in self.hunks for line in hunk.lines]

    @property
    def added(self) -> int:
        return sum(line.mark == "+" for line in self.lines)

    @property
    def removed(self) -> int:
        return sum(line.mark == "-" for line in self.lines)

    @property
    def kind(self) -> str:
        """Why its lines are not shown, in a word or two; "" where they are."""
        if self.entity.flag("too_large"):
            return "too large"
        if not self.hunks and self.entity.flag("collapsed"):
            return "collapsed"
        if "Binary files " in self.entity.text("diff")[:20]:
            return "binary"
        if not self.hunks:
            if self.entity.flag("renamed_file"):
                return "only renamed"
            return "empty, binary or only its mode changed"
        return "generated" if self.entity.flag("generated_file") else ""

    def numbered(self, number: int, side: str) -> DiffLine:
        """The line of this number on the side "new" or "old". Raises InvalidArgument, saying which lines there are."""
        if not self.hunks:
            raise InvalidArgument(f"its lines are not in the diff ({self.kind})")
        for line in self.lines:
            if (line.new_line if side == "new" else line.old_line) == number:
                return line
        raise InvalidArgument(f"{side} line {number} is not in the diff, which has {self._spans(side) or 'none there'}")

    def line_code(self, line: DiffLine) -> str:
        """GitLab's name of a line: https://docs.gitlab.com/api/discussions/#line-code"""
        digest = hashlib.sha1(self.path.encode("utf-8", "replace"), usedforsecurity=False).hexdigest()
        return f"{digest}_{line.old}_{line.new}"

    def _spans(self, side: str) -> str:
        spans: list[str] = []
        for hunk in self.hunks:
            numbers = [
                line.new if side == "new" else line.old for line in hunk.lines if line.mark != MARK_OF_SIDE[side]
            ]
            if numbers:
                spans.append(f"{numbers[0]}-{numbers[-1]}")
        return ", ".join(spans[:12]) + (", …" if len(spans) > 12 else "")


MARK_OF_SIDE = {"new": "-", "old": "+"}


def hunks(diff: str) -> list[Hunk]:
    """The hunks of a diff as git prints it; what is not of that form is left out."""
    found: list[tuple[str, list[DiffLine]]] = []
    old = new = 0
    for text in diff.split("\n"):
        if match := HUNK.match(text):
            old, new = int(match[1]), int(match[2])
            found.append((text, []))
        elif found and text[:1] in ("+", "-", " ") and text:
            found[-1][1].append(DiffLine(text[0], old, new, text[1:]))
            old, new = old + (text[0] != "+"), new + (text[0] != "-")
        elif found and found[-1][1] and text.startswith("\\"):
            found[-1][1][-1] = replace(found[-1][1][-1], is_unended=True)
    return [Hunk(heading, lines) for heading, lines in found]


def lists_all(merge_request: Entity, files: Sequence[object]) -> bool:
    """Whether these are all the files that a merge request changes: GitLab's list ends at a limit, git's does not.

    https://docs.gitlab.com/administration/diff_limits/
    """
    counted = LIMIT.fullmatch(merge_request.text("changes_count"))
    return counted is None or len(files) > int(counted[1])


def position(refs: Entity, file: ChangedFile, line: DiffLine, first: DiffLine | None) -> dict[str, object]:
    """GitLab's position of a comment on `line`, or on the lines from `first` to it.

    https://docs.gitlab.com/api/discussions/#create-a-new-thread-in-the-merge-request-diff
    """
    made: dict[str, object] = {"position_type": "text", "old_path": file.old_path, "new_path": file.path}
    made |= {name: refs.text(name) for name in ("base_sha", "start_sha", "head_sha")}
    made |= _numbers(line)
    if first and first != line:
        made["line_range"] = {"start": _end(file, first), "end": _end(file, line)}
    return made


def _numbers(line: DiffLine) -> dict[str, object]:
    numbers = {"old_line": line.old_line, "new_line": line.new_line}
    return {name: number for name, number in numbers.items() if number is not None}


def _end(file: ChangedFile, line: DiffLine) -> dict[str, object]:
    return {"line_code": file.line_code(line), "type": "new" if line.mark == "+" else "old", **_numbers(line)}
