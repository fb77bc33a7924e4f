"""Threads on lines of a diff follow a push: their lines are found again in the new version of the diff.

It follows MergeRequest#update_diff_discussion_positions, Discussions::UpdateDiffPositionService and
Gitlab::Diff::PositionTracer::LineStrategy. A is the base and B the head of the version that a position is of, C the
base and D the head of the newest version.
"""

from __future__ import annotations

from typing import Any

from gitlab_mcp.sandbox.git.diffs import FileDiff, compare
from gitlab_mcp.sandbox.state.model import DiffVersion, MergeRequest
from gitlab_mcp.sandbox.state.notes import Note
from gitlab_mcp.sandbox.state.users import User
from gitlab_mcp.sandbox.state.world import World

Position = dict[str, Any]


class PositionTracer:
    """Finds the lines of one version of a diff in the newest one."""

    def __init__(self, merge_request: MergeRequest, base: str, head: str) -> None:
        self.repository, self.version = merge_request.project.repository, merge_request.version
        self.ac = self._diffs(base, self.version.base)
        self.bd = self._diffs(head, self.version.head)
        self.cd = self._diffs(self.version.base, self.version.head)

    def _diffs(self, old: str, new: str) -> list[FileDiff]:
        return compare(self.repository, old, new) if old != new else []

    def trace(self, position: Position) -> Position | None:
        """The position of the same line in the newest version, or None if that has no such line: it is outdated."""
        if position["position_type"] != "text":
            # FileStrategy: a comment on a file is outdated once the file changes.
            changed = _by_old(self.bd, position["new_path"])
            return None if changed else self._position(position, _by_new(self.cd, position["new_path"]), None, None)
        if position["old_line"] is None:
            return self._added(position)
        if position["new_line"] is None:
            return self._removed(position)
        return self._unchanged(position)

    def _added(self, position: Position) -> Position | None:
        bd = _by_old(self.bd, position["new_path"])
        after = new_line(bd, position["new_line"])
        if after is None:
            return None
        cd = _by_new(self.cd, bd.new_path if bd else position["new_path"])
        return self._position(position, cd, old_line(cd, after), after)

    def _removed(self, position: Position) -> Position | None:
        ac = _by_old(self.ac, position["old_path"])
        before = new_line(ac, position["old_line"])
        if before is None:
            return None
        cd = _by_old(self.cd, ac.new_path if ac else position["old_path"])
        # A line that the head has again is an unchanged one, which LineStrategy takes for outdated.
        return self._position(position, cd, before, None) if new_line(cd, before) is None else None

    def _unchanged(self, position: Position) -> Position | None:
        ac, bd = _by_old(self.ac, position["old_path"]), _by_old(self.bd, position["new_path"])
        before, after = new_line(ac, position["old_line"]), new_line(bd, position["new_line"])
        if after is None:
            return None
        return self._position(position, _by_old(self.cd, ac.new_path if ac else position["old_path"]), before, after)

    def _position(
        self, position: Position, file_diff: FileDiff | None, before: int | None, after: int | None
    ) -> Position | None:
        """The position of lines in the newest version, or None for a file that this no longer changes."""
        if file_diff is None:
            return None
        version = self.version
        shas = {"base_sha": version.base, "start_sha": version.start, "head_sha": version.head}
        paths = {"old_path": file_diff.old_path, "new_path": file_diff.new_path}
        return {**position, **shas, **paths, "old_line": before, "new_line": after}


def follow(
    world: World, merge_request: MergeRequest, previous: DiffVersion, user: User | None
) -> list[tuple[Note, str]]:
    """Move the threads of the previous version to the newest one.

    Returns the first note of each outdated thread, and the text of the system note that GitLab adds to it when a user
    pushed. Where the project says so, outdated threads are resolved.
    """
    threads: dict[str, list[Note]] = {}
    for note in merge_request.notes:
        at = note.position
        if at is not None and not note.system and (at["base_sha"], at["head_sha"]) == (previous.base, previous.head):
            threads.setdefault(note.discussion_id, []).append(note)
    if not threads:
        return []
    tracer = PositionTracer(merge_request, previous.base, previous.head)
    outdated = []
    for notes in threads.values():
        position = notes[0].position or {}
        moved = tracer.trace(position)
        if moved is not None:
            for note in notes:
                note.position = moved
            continue
        if merge_request.project.settings.get("resolve_outdated_diff_discussions") and user:
            for note in notes:
                note.resolved, note.resolved_by, note.resolved_at = True, user, world.now()
        if user:
            outdated.append((notes[0], _outdated_text(merge_request, position["position_type"])))
    return outdated


def _outdated_text(merge_request: MergeRequest, position_type: str) -> str:
    """SystemNotes::MergeRequestsService#diff_discussion_outdated, without the anchor of the line in the link."""
    number = len(merge_request.versions)
    page = f"/{merge_request.project.full_path}/-/merge_requests/{merge_request.iid}/diffs"
    link = f"{page}?diff_id={merge_request.version.id}&start_sha={merge_request.versions[-2].head}"
    what = "line" if position_type == "text" else "file"
    return f"changed this {what} in [version {number} of the diff]({link})"


def newest_position(merge_request: MergeRequest, position: Position) -> Position:
    """The position as a new note stores it: DiffNote#update_position traces one of an earlier version."""
    version = merge_request.version
    if (position["base_sha"], position["head_sha"]) == (version.base, version.head):
        return position
    return PositionTracer(merge_request, position["base_sha"], position["head_sha"]).trace(position) or position


def new_line(file_diff: FileDiff | None, line: int) -> int | None:
    """The number that a line of the old side has on the new side, or None (Gitlab::Diff::LineMapper)."""
    shift = 0
    for mark, old, _ in file_diff.marked_lines if file_diff else ():
        if old > line:
            break
        if mark == "-" and old == line:
            return None
        shift += {"+": 1, "-": -1, " ": 0}[mark]
    return line + shift


def old_line(file_diff: FileDiff | None, line: int) -> int | None:
    """The number that a line of the new side has on the old side, or None if it was added."""
    shift = 0
    for mark, _, new in file_diff.marked_lines if file_diff else ():
        if new > line:
            break
        if mark == "+" and new == line:
            return None
        shift += {"+": -1, "-": 1, " ": 0}[mark]
    return line + shift


def _by_old(diffs: list[FileDiff], path: str) -> FileDiff | None:
    return next((each for each in diffs if each.old_path == path and each.status != "A"), None)


def _by_new(diffs: list[FileDiff], path: str) -> FileDiff | None:
    return next((each for each in diffs if each.new_path == path and each.status != "D"), None)
