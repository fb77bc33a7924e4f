"""Emoji reactions to issues, merge requests and comments."""

from __future__ import annotations

import re
from typing import Any

from gitlab_mcp.sandbox.entities.notes import award_emoji
from gitlab_mcp.sandbox.http.call import Call, Response
from gitlab_mcp.sandbox.http.errors import bad_request, forbidden, not_found
from gitlab_mcp.sandbox.http.pagination import paginate
from gitlab_mcp.sandbox.routes.noteables import note_of, noteable_of, noteable_route
from gitlab_mcp.sandbox.state import todos
from gitlab_mcp.sandbox.state.model import Issuable
from gitlab_mcp.sandbox.state.notes import AwardEmoji, Note
from gitlab_mcp.sandbox.state.users import MAINTAINER


def _awardable(call: Call) -> tuple[Issuable, Note | None, list[AwardEmoji]]:
    noteable = noteable_of(call)
    note = note_of(call, noteable) if "note_id" in call.path else None
    return noteable, note, note.award_emoji if note else noteable.award_emoji


@noteable_route("GET", "award_emoji")
@noteable_route("GET", "notes/:note_id/award_emoji")
def list_emoji(call: Call) -> Response:
    noteable, note, reactions = _awardable(call)
    return paginate(call, reactions, lambda emoji: award_emoji(call.world, noteable, emoji, note))


@noteable_route("POST", "award_emoji", "name*")
@noteable_route("POST", "notes/:note_id/award_emoji", "name*")
def create_emoji(call: Call) -> Any:
    noteable, note, reactions = _awardable(call)
    name = call.params["name"].strip(":")
    if not re.fullmatch(r"[a-z0-9_+-]+", name):
        raise bad_request({"name": ["is not a valid emoji name"]})
    if any(emoji.user is call.user and emoji.name == name for emoji in reactions):
        raise not_found("Award Emoji Name has already been taken")
    emoji = AwardEmoji(call.world.next_id("award_emoji"), name, call.me, call.world.now())
    reactions.append(emoji)
    todos.resolve(call.world, noteable, call.me)
    return award_emoji(call.world, noteable, emoji, note)


@noteable_route("GET", "award_emoji/:award_id")
@noteable_route("GET", "notes/:note_id/award_emoji/:award_id")
def get_emoji(call: Call) -> Any:
    noteable, note, reactions = _awardable(call)
    return award_emoji(call.world, noteable, call.item("award_id", reactions, "Award Emoji"), note)


@noteable_route("DELETE", "award_emoji/:award_id")
@noteable_route("DELETE", "notes/:note_id/award_emoji/:award_id")
def delete_emoji(call: Call) -> Any:
    _, _, reactions = _awardable(call)
    emoji = call.item("award_id", reactions, "Award Emoji")
    if emoji.user is not call.user and call.role < MAINTAINER:
        raise forbidden()
    reactions.remove(emoji)
    return None
