"""The diff of a merge request: its files, their lines with numbers, and the positions of comments."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from gitlab_mcp.api.entity import Entity
from gitlab_mcp.errors import InvalidArgument
from gitlab_mcp.git.objects import EXECUTABLE, LINK, SUBMODULE

COUNT_AT_LIMIT = re.compile(r"(\d{1,9})\+")  # such as "1000+", a count that GitLab stopped at a limit
HUNK = re.compile(r"@@ -(\d{1,9})(?:,\d{1,9})? \+(\d{1,9})(?:,\d{1,9})? @@")
MARK_OF_OTHER_SIDE = {"new": "-", "old": "+"}


@dataclass(frozen=True)
class DiffLine:
    """A line of a hunk: `mark` is "+", "-" or " ". On the side that lacks the line, its number is that of the next one.

    `is_unended` is whether it is the last line of the file, without a newline.
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
        """The number of the line in the new file; of a removed line, in the old one."""
        return self.old if self.mark == "-" else self.new


@dataclass(frozen=True)
class Hunk:
    """A hunk of a diff: its "@@ … @@" heading and its lines."""

    heading: str
    lines: Sequence[DiffLine]


@dataclass(frozen=True)
class ChangedFile:
    """A file that a merge request changes, from the diff entity of GitLab's API."""

    entity: Entity

    @property
    def path(self) -> str:
        return self.entity.text("new_path") or self.old_path

    @property
    def old_path(self) -> str:
        return self.entity.text("old_path") or self.entity.text("new_path")

    @cached_property
    def hunks(self) -> list[Hunk]:
        """The hunks of the file; [] for one whose lines GitLab does not show."""
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
        """Why the lines of the file are not shown, in a few words; "generated" or "" where they are."""
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

    @property
    def mode_change(self) -> str:
        """What the file is or becomes beside its text, in a few words: a link with its target, executable; else ""."""
        old, new = (self.entity.text(side).lstrip("0") for side in ("a_mode", "b_mode"))
        link = next((f" to {line.text}" for line in self.lines if line.mark != "-"), "") if new == LINK else ""
        names = {LINK: f"symbolic link{link}", SUBMODULE: "submodule", EXECUTABLE: "executable"}
        if not new or old == new or self.entity.flag("new_file"):
            return names.get(new, "") or (names.get(old, "") if not new else "")
        if not old:
            return names.get(new, "")
        return f"mode {old} -> {new}{f', {names[new]}' if new in names else ''}"

    def numbered(self, number: int, side: str) -> DiffLine:
        """The line with this number on the side "new" or "old".

        Raises InvalidArgument, which lists the lines of the diff, when it is not among them.
        """
        if not self.hunks:
            raise InvalidArgument(f"its lines are not in the diff ({self.kind})")
        for line in self.lines:
            if (line.new_line if side == "new" else line.old_line) == number:
                return line
        raise InvalidArgument(f"{side} line {number} is not in the diff, which has {self._spans(side) or 'none there'}")

    def line_code(self, line: DiffLine) -> str:
        """GitLab's id of a line: https://docs.gitlab.com/api/discussions/#line-code"""
        digest = hashlib.sha1(self.path.encode("utf-8", "replace"), usedforsecurity=False).hexdigest()
        return f"{digest}_{line.old}_{line.new}"

    def _spans(self, side: str) -> str:
        spans: list[str] = []
        for hunk in self.hunks:
            numbers = [
                line.new if side == "new" else line.old for line in hunk.lines if line.mark != MARK_OF_OTHER_SIDE[side]
            ]
            if numbers:
                spans.append(f"{numbers[0]}-{numbers[-1]}")
        return ", ".join(spans[:12]) + (", …" if len(spans) > 12 else "")


def hunks(diff: str) -> list[Hunk]:
    """The hunks of a unified diff as git prints it; lines of another form are left out."""
    parsed: list[tuple[str, list[DiffLine]]] = []
    old = new = 0
    for text in diff.split("\n"):
        if match := HUNK.match(text):
            old, new = int(match[1]), int(match[2])
            parsed.append((text, []))
        elif parsed and text[:1] in ("+", "-", " ") and text:
            parsed[-1][1].append(DiffLine(text[0], old, new, text[1:]))
            old, new = old + (text[0] != "+"), new + (text[0] != "-")
        elif parsed and parsed[-1][1] and text.startswith("\\"):
            parsed[-1][1][-1] = replace(parsed[-1][1][-1], is_unended=True)
    return [Hunk(heading, lines) for heading, lines in parsed]


def lists_all(merge_request: Entity, files: Sequence[object]) -> bool:
    """Whether `files` are all the files that a merge request changes: GitLab's list ends at a limit, git's does not.

    https://docs.gitlab.com/administration/diff_limits/
    """
    limit = COUNT_AT_LIMIT.fullmatch(merge_request.text("changes_count"))
    return limit is None or len(files) > int(limit[1])


def without_numbers(position: Mapping[str, object]) -> dict[str, object]:
    """The same position with a range of line codes only: GitLab before 18.6 refuses line numbers in `line_range`."""
    ends = Entity(position).entity("line_range")
    kept = {end: {name: ends.text(end, name) for name in ("line_code", "type")} for end in ends.names()}
    return {**position, "line_range": kept} if kept else dict(position)


def position(refs: Entity, file: ChangedFile, line: DiffLine, first: DiffLine | None) -> dict[str, object]:
    """The `position` parameter for a comment on `line`, or on the lines from `first` to `line`.

    https://docs.gitlab.com/api/discussions/#create-a-new-thread-in-the-merge-request-diff
    """
    parameter: dict[str, object] = {"position_type": "text", "old_path": file.old_path, "new_path": file.path}
    parameter |= {name: refs.text(name) for name in ("base_sha", "start_sha", "head_sha")}
    parameter |= _numbers(line)
    if first and first != line:
        parameter["line_range"] = {"start": _range_end(file, first), "end": _range_end(file, line)}
    return parameter


def _numbers(line: DiffLine) -> dict[str, object]:
    numbers = {"old_line": line.old_line, "new_line": line.new_line}
    return {name: number for name, number in numbers.items() if number is not None}


def _range_end(file: ChangedFile, line: DiffLine) -> dict[str, object]:
    return {"line_code": file.line_code(line), "type": "new" if line.mark == "+" else "old", **_numbers(line)}
