"""Reactions to issues, merge requests and comments."""

from __future__ import annotations

import re
from typing import Any

from gitlab_mcp.sandbox.entities.notes import award_emoji
from gitlab_mcp.sandbox.http.call import Call, Reply
from gitlab_mcp.sandbox.http.errors import bad_request, forbidden, not_found
from gitlab_mcp.sandbox.http.pagination import paginate
from gitlab_mcp.sandbox.routes.noteables import both, note, noteable
from gitlab_mcp.sandbox.state.model import Issuable
from gitlab_mcp.sandbox.state.notes import AwardEmoji, Note
from gitlab_mcp.sandbox.state.users import MAINTAINER


def _place(call: Call) -> tuple[Issuable, Note | None, list[AwardEmoji]]:
    one = noteable(call)
    on = note(call, one) if "note_id" in call.path else None
    return one, on, on.award_emoji if on else one.award_emoji


@both("GET", "award_emoji")
@both("GET", "notes/:note_id/award_emoji")
def list_emoji(call: Call) -> Reply:
    one, on, found = _place(call)
    return paginate(call, found, lambda emoji: award_emoji(call.world, one, emoji, on))


@both("POST", "award_emoji", "name*")
@both("POST", "notes/:note_id/award_emoji", "name*")
def create_emoji(call: Call) -> Any:
    one, on, found = _place(call)
    name = call.params["name"].strip(":")
    if not re.fullmatch(r"[a-z0-9_+-]+", name):
        raise bad_request({"name": ["is not a valid emoji name"]})
    if any(emoji.user is call.user and emoji.name == name for emoji in found):
        raise not_found("Award Emoji Name has already been taken")
    emoji = AwardEmoji(call.world.next_id("award_emoji"), name, call.me, call.world.now())
    found.append(emoji)
    return award_emoji(call.world, one, emoji, on)


def _emoji(call: Call, found: list[AwardEmoji]) -> AwardEmoji:
    number = call.number("award_id", "")
    emoji = next((each for each in found if each.id == number), None)
    if emoji is None:
        raise not_found("Award Emoji")
    return emoji


@both("GET", "award_emoji/:award_id")
@both("GET", "notes/:note_id/award_emoji/:award_id")
def get_emoji(call: Call) -> Any:
    one, on, found = _place(call)
    return award_emoji(call.world, one, _emoji(call, found), on)


@both("DELETE", "award_emoji/:award_id")
@both("DELETE", "notes/:note_id/award_emoji/:award_id")
def delete_emoji(call: Call) -> Any:
    _, _, found = _place(call)
    emoji = _emoji(call, found)
    if emoji.user is not call.user and call.role < MAINTAINER:
        raise forbidden()
    found.remove(emoji)
    return None
