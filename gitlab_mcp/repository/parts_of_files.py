"""Commits that replace a part of a file, and the check that none loses a part that reading does not show."""

import base64
from collections.abc import Iterable, Sequence
from dataclasses import replace

from gitlab_mcp.errors import InvalidArgument, NotFound
from gitlab_mcp.git.change import Change
from gitlab_mcp.repository.file_actions import RequestedChange
from gitlab_mcp.repository.interface import Repository
from gitlab_mcp.safety.write_back import check_file, may_hold_marks, replace_once


def with_replacements(repository: Repository, tip: str, actions: Iterable[RequestedChange]) -> list[RequestedChange]:
    """The actions with the whole content, where they give only a part of it and what this part replaces.

    Raises InvalidArgument for a part that is not in the file exactly once, or an action that replaces no content.
    """
    return [_with_replacement(repository, tip, action) if action.old_text else action for action in actions]


def _with_replacement(repository: Repository, tip: str, action: RequestedChange) -> RequestedChange:
    path = action.previous_path or action.path
    if action.content is None or action.encoding != "text" or action.action not in ("", "update", "move") or not tip:
        raise InvalidArgument(
            f"old_text of {action.path} is replaced by content: give both, as text, for a file there."
        )
    stored = repository.file(path, tip).content
    old, new = (text.encode("utf-8", "replace") for text in (action.old_text, action.content))
    content = base64.b64encode(replace_once(path, stored, old, new)).decode()
    return replace(action, content=content, encoding="base64", old_text="")


def check_not_lost(repository: Repository, tip: str, changes: Sequence[Change]) -> None:
    """Raise Refused for new content that keeps a mark which stands for a part of the stored file.

    Files are read only where the new content has something that could be a mark.
    """
    for change in changes:
        if not tip or change.content is None or not may_hold_marks(change.content):
            continue
        try:
            stored = repository.file(change.previous_path or change.path, tip)
        except NotFound:
            continue  # a new file
        check_file(change.path, stored.content, change.content)
