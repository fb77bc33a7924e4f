"""The comments of a review, from a path and line numbers to positions in the diff."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from gitlab_mcp.api.client import GitLab
from gitlab_mcp.api.entity import Entity
from gitlab_mcp.api.reviews.diff import ChangedFile, DiffLine, position
from gitlab_mcp.api.reviews.draft_notes import NewNote
from gitlab_mcp.api.reviews.submit import PlacedComment
from gitlab_mcp.errors import InvalidArgument, Refused
from gitlab_mcp.safety.escape import has_unclosed_block
from gitlab_mcp.safety.sanitize import one_line
from gitlab_mcp.safety.validation import repository_path
from gitlab_mcp.safety.write_back import check_file

# https://docs.gitlab.com/user/project/merge_requests/reviews/suggestions/#multi-line-suggestions
MAX_SUGGESTION_LINES = 100


@dataclass(frozen=True)
class LineComment:
    """A comment on lines of the diff, `start_line` (0: only `line`) to `line` of one side, as the arguments name them.

    `suggestion` is the code that replaces these lines, if not None.
    """

    path: str
    line: int
    body: str = ""
    start_line: int = 0
    side: Literal["new", "old"] = "new"
    suggestion: str | None = None

    @property
    def where(self) -> str:
        """`src/app.py:14`, `src/app.py:12-14`, `src/app.py:14 (old)`."""
        lines = f"{self.start_line}-{self.line}" if 0 < self.start_line < self.line else f"{self.line}"
        return f"{one_line(self.path, 300)}:{lines}{' (old)' if self.side == 'old' else ''}"


def place(
    gitlab: GitLab, refs: Entity, files: Sequence[ChangedFile], comments: Sequence[LineComment]
) -> tuple[list[PlacedComment], list[str]]:
    """The comments with their positions, and for each that has none a text with its path, its lines and the reason."""
    placed, misplaced = [], []
    for comment in comments:
        try:
            placed.append(PlacedComment(comment.where, _new_note(gitlab, refs, files, comment)))
        except InvalidArgument as wrong:
            misplaced.append(f"{comment.where}: {wrong}")
    return placed, misplaced


def _new_note(gitlab: GitLab, refs: Entity, files: Sequence[ChangedFile], comment: LineComment) -> NewNote:
    file = _file(files, comment.path)
    line = file.numbered(comment.line, comment.side)
    first = file.numbered(comment.start_line, comment.side) if comment.start_line else line
    if comment.start_line > comment.line:
        raise InvalidArgument(f"start_line {comment.start_line} is after line {comment.line}")
    body = comment.body.strip()
    if comment.suggestion is not None:
        above = _lines_above(file, first, line)
        _check_not_lost(file, first, line, comment.suggestion)
        body = _with_suggestion(gitlab, body, comment.suggestion, above)
    elif not body:
        raise InvalidArgument("body is empty")
    return NewNote(gitlab.outgoing(body), position(refs, file, line, first))


def _file(files: Sequence[ChangedFile], path: str) -> ChangedFile:
    try:
        path = repository_path(path)
    except ValueError as error:
        raise InvalidArgument(str(error)) from error
    matches = [file for file in files if file.path == path]
    matches += [file for file in files if file.old_path == path]
    if not matches:
        raise InvalidArgument("the merge request does not change this file")
    return matches[0]


def _lines_above(file: ChangedFile, first: DiffLine, line: DiffLine) -> int:
    """How many lines of the new file above `line` a suggestion replaces.

    Raises InvalidArgument for removed lines, for too many, and for lines that the diff does not show.
    """
    if first.new_line is None or line.new_line is None:
        raise InvalidArgument("a suggestion replaces lines of the new file, and this one is removed")
    above = line.new_line - first.new_line
    if above > MAX_SUGGESTION_LINES:
        raise InvalidArgument(f"a suggestion replaces at most {MAX_SUGGESTION_LINES + 1} lines")
    if sum(shown.new_line is not None and first.new <= shown.new <= line.new for shown in file.lines) <= above:
        raise InvalidArgument("a suggestion replaces lines that the diff shows, and it leaves some of these out")
    return above


def _check_not_lost(file: ChangedFile, first: DiffLine, line: DiffLine, suggestion: str) -> None:
    """Raise InvalidArgument for a suggestion that would lose a part of the lines which reading does not show."""
    lines = [shown.text for shown in file.lines if shown.new_line is not None and first.new <= shown.new <= line.new]
    try:
        check_file("the suggestion", *("\n".join(text).encode("utf-8", "replace") for text in (lines, [suggestion])))
    except Refused as refused:
        raise InvalidArgument(str(refused)) from refused


def _with_suggestion(gitlab: GitLab, body: str, suggestion: str, above: int) -> str:
    """`body` with the suggestion after it as GitLab's code block: "" deletes the lines, "\\n" is one blank line.

    Raises InvalidArgument where GitLab would read another suggestion.
    """
    code = suggestion.replace("\r\n", "\n")
    if "\r" in code:
        raise InvalidArgument(
            "the suggestion has a carriage return inside a line, which GitLab deletes. Say it in words"
        )
    if has_unclosed_block(gitlab.outgoing(body)):
        raise InvalidArgument("body has an unclosed code block or HTML, which would contain the suggestion: close it")
    code = code if code.endswith("\n") or not code else f"{code}\n"
    ticks = "`" * max([3, *(len(run) + 1 for run in re.findall(r"`{3,}", code))])
    block = f"{ticks}suggestion:-{above}+0\n{code}{ticks}"
    text = f"{body}\n\n{block}" if body else block
    if block not in gitlab.outgoing(text):
        # Neutralized, it would be other code.
        raise InvalidArgument(
            "the suggestion cannot be sent as it is: a line of it begins like a quick action (/word). Say it in words"
        )
    return text
