"""Notes, threads, drafts and reactions."""

from __future__ import annotations

from typing import Any

from gitlab_mcp.sandbox.entities.users import maybe_user, stamp, user_basic
from gitlab_mcp.sandbox.state.model import Issuable, MergeRequest
from gitlab_mcp.sandbox.state.notes import AwardEmoji, DraftNote, Note
from gitlab_mcp.sandbox.state.world import World
from gitlab_mcp.sandbox.text.suggestions import suggestions


def note(world: World, noteable: Issuable, one: Note) -> dict[str, Any]:
    """Note."""
    shown: dict[str, Any] = {
        "id": one.id,
        "type": one.type,
        "body": one.body,
        "author": user_basic(world, one.author),
        "created_at": stamp(one.created_at),
        "updated_at": stamp(one.updated_at),
        "system": one.system,
        "noteable_id": noteable.id,
        "noteable_type": noteable.kind,
        "project_id": noteable.project.id,
        "resolvable": one.resolvable,
        "confidential": one.internal,
        "internal": one.internal,
        "imported": False,
        "imported_from": "none",
        "noteable_iid": noteable.iid,
        "commands_changes": {},
    }
    if one.position is not None:
        shown |= {"commit_id": None, "position": one.position, "suggestions": suggestions(noteable, one)}
    if one.resolvable:
        shown |= {
            "resolved": one.resolved,
            "resolved_by": maybe_user(world, one.resolved_by),
            "resolved_at": stamp(one.resolved_at),
        }
    return shown


def discussion(world: World, noteable: Issuable, notes: list[Note]) -> dict[str, Any]:
    """Discussion."""
    resolvable = [one for one in notes if one.resolvable]
    shown: dict[str, Any] = {
        "id": notes[0].discussion_id,
        "individual_note": notes[0].type is None,
        "resolvable": bool(resolvable),
        "notes": [note(world, noteable, one) for one in notes],
    }
    if resolvable:
        shown["resolved"] = all(one.resolved for one in resolvable)
    return shown


def draft_note(merge_request: MergeRequest, one: DraftNote) -> dict[str, Any]:
    """DraftNote."""
    empty: dict[str, Any] = {"base_sha": None, "start_sha": None, "head_sha": None, "old_path": None, "new_path": None}
    empty |= {"position_type": "text", "old_line": None, "new_line": None, "line_range": None}
    return {
        "id": one.id,
        "author_id": one.author.id,
        "merge_request_id": merge_request.id,
        "resolve_discussion": one.resolve_discussion,
        "discussion_id": one.discussion_id,
        "note": one.note,
        "commit_id": None,
        "line_code": one.line_code,
        "position": one.position or empty,
    }


def award_emoji(world: World, noteable: Issuable, one: AwardEmoji, on: Note | None) -> dict[str, Any]:
    """AwardEmoji."""
    return {
        "id": one.id,
        "name": one.name,
        "user": user_basic(world, one.user),
        "created_at": stamp(one.created_at),
        "updated_at": stamp(one.created_at),
        "awardable_id": on.id if on else noteable.id,
        "awardable_type": "Note" if on else noteable.kind,
        "url": None,
    }
