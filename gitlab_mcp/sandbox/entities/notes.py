"""Notes, discussions, draft notes and emoji reactions."""

from __future__ import annotations

from typing import Any

from gitlab_mcp.sandbox.entities.users import maybe_user, stamp, user_basic
from gitlab_mcp.sandbox.state.model import Issuable, MergeRequest
from gitlab_mcp.sandbox.state.notes import AwardEmoji, DraftNote, Note
from gitlab_mcp.sandbox.state.world import World
from gitlab_mcp.sandbox.text.suggestions import suggestions


def note(world: World, noteable: Issuable, note: Note) -> dict[str, Any]:
    """Note."""
    entity: dict[str, Any] = {
        "id": note.id,
        "type": note.type,
        "body": note.body,
        "author": user_basic(world, note.author),
        "created_at": stamp(note.created_at),
        "updated_at": stamp(note.updated_at),
        "system": note.system,
        "noteable_id": noteable.id,
        "noteable_type": noteable.kind,
        "project_id": noteable.project.id,
        "resolvable": note.resolvable,
        "confidential": note.internal,
        "internal": note.internal,
        "imported": False,
        "imported_from": "none",
        "noteable_iid": noteable.iid,
        "commands_changes": {},
    }
    if note.position is not None:
        entity |= {"commit_id": None, "position": note.position, "suggestions": suggestions(noteable, note)}
    if note.resolvable:
        entity |= {
            "resolved": note.resolved,
            "resolved_by": maybe_user(world, note.resolved_by),
            "resolved_at": stamp(note.resolved_at),
        }
    return entity


def discussion(world: World, noteable: Issuable, notes: list[Note]) -> dict[str, Any]:
    """Discussion."""
    resolvable = [one for one in notes if one.resolvable]
    entity: dict[str, Any] = {
        "id": notes[0].discussion_id,
        "individual_note": notes[0].type is None,
        "resolvable": bool(resolvable),
        "notes": [note(world, noteable, one) for one in notes],
    }
    if resolvable:
        entity["resolved"] = all(one.resolved for one in resolvable)
    return entity


def draft_note(merge_request: MergeRequest, draft: DraftNote) -> dict[str, Any]:
    """DraftNote."""
    empty: dict[str, Any] = {"base_sha": None, "start_sha": None, "head_sha": None, "old_path": None, "new_path": None}
    empty |= {"position_type": "text", "old_line": None, "new_line": None, "line_range": None}
    return {
        "id": draft.id,
        "author_id": draft.author.id,
        "merge_request_id": merge_request.id,
        "resolve_discussion": draft.resolve_discussion,
        "discussion_id": draft.discussion_id,
        "note": draft.note,
        "commit_id": None,
        "line_code": draft.line_code,
        "position": draft.position or empty,
    }


def award_emoji(world: World, noteable: Issuable, emoji: AwardEmoji, on: Note | None) -> dict[str, Any]:
    """AwardEmoji."""
    return {
        "id": emoji.id,
        "name": emoji.name,
        "user": user_basic(world, emoji.user),
        "created_at": stamp(emoji.created_at),
        "updated_at": stamp(emoji.created_at),
        "awardable_id": on.id if on else noteable.id,
        "awardable_type": "Note" if on else noteable.kind,
        "url": None,
    }
