"""Comments of a review as they are asked for, placed on the lines of the diff."""

import re
from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from gitlab_mcp.api.client import GitLab
from gitlab_mcp.api.diff import ChangedFile, Line, position
from gitlab_mcp.api.draft_notes import Remark
from gitlab_mcp.api.entity import Entity
from gitlab_mcp.api.reviews import Placed
from gitlab_mcp.errors import InvalidArgument
from gitlab_mcp.params import Path
from gitlab_mcp.render.sanitise import one_line

# https://docs.gitlab.com/user/project/merge_requests/reviews/suggestions/#multi-line-suggestions
SUGGESTED_LINES = 100


class ReviewComment(BaseModel):
    """A comment on a line of the diff: body, suggestion or both."""

    model_config = ConfigDict(extra="forbid")

    path: Path
    line: Annotated[int, Field(ge=1, description="as numbered by get_merge_request_diff")]
    body: str = ""
    start_line: Annotated[int, Field(ge=0, description="first line; line: last")] = 0
    side: Annotated[Literal["new", "old"], Field(description="old: a removed line")] = "new"
    suggestion: Annotated[str | None, Field(description="code to put in place of these lines")] = None

    @property
    def where(self) -> str:
        """`src/app.py:14`, `src/app.py:12-14`, `src/app.py:14 (old)`."""
        lines = f"{self.start_line}-{self.line}" if 0 < self.start_line < self.line else f"{self.line}"
        return f"{one_line(self.path, 300)}:{lines}{' (old)' if self.side == 'old' else ''}"


def place(
    gitlab: GitLab, refs: Entity, files: Sequence[ChangedFile], comments: Sequence[ReviewComment]
) -> tuple[list[Placed], list[str]]:
    """The comments on their lines, and of those that have none there, where they should stand and why they cannot."""
    placed, misplaced = [], []
    for comment in comments:
        try:
            placed.append(Placed(comment.where, _remark(gitlab, refs, files, comment)))
        except InvalidArgument as wrong:
            misplaced.append(f"{comment.where}: {wrong}")
    return placed, misplaced


def _remark(gitlab: GitLab, refs: Entity, files: Sequence[ChangedFile], comment: ReviewComment) -> Remark:
    named = [file for file in files if file.path == comment.path]
    named += [file for file in files if file.old_path == comment.path]
    if not named:
        raise InvalidArgument("this file is not changed here")
    file = named[0]
    line = file.numbered(comment.line, comment.side)
    first = file.numbered(comment.start_line, comment.side) if comment.start_line else line
    if comment.start_line > comment.line:
        raise InvalidArgument(f"start_line {comment.start_line} is after line {comment.line}")
    return Remark(_text(gitlab, comment, line), position(refs, file, line, first))


def _text(gitlab: GitLab, comment: ReviewComment, line: Line) -> str:
    """The words as they are sent, with the suggestion in GitLab's form."""
    body = comment.body.strip()
    if comment.suggestion is None:
        if not body:
            raise InvalidArgument("body is empty")
        return gitlab.outgoing(body)
    if line.new_line is None:
        raise InvalidArgument("a suggestion replaces lines of the new file, and this one is removed")
    above = comment.line - comment.start_line if comment.start_line else 0
    if above > SUGGESTED_LINES:
        raise InvalidArgument(f"a suggestion replaces at most {SUGGESTED_LINES + 1} lines")
    code = comment.suggestion.replace("\r\n", "\n").removesuffix("\n")
    ticks = "`" * max([3, *(len(run) + 1 for run in re.findall(r"`{3,}", code))])
    block = f"{ticks}suggestion:-{above}+0\n{code}\n{ticks}" if code else f"{ticks}suggestion:-{above}+0\n{ticks}"
    sent = gitlab.outgoing(f"{body}\n\n{block}" if body else block)
    if block not in sent:
        # Made inert, it would be other code.
        raise InvalidArgument(
            "the suggestion cannot be sent as it is: a line of it begins like a quick action (/word), or body leaves a"
            " code block open. Say it in words"
        )
    return sent
