"""Interpreting posted text before it is stored: quick actions are extracted and executed, mentions are recorded.

It applies to comments, replies, published drafts and descriptions.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from gitlab_mcp.sandbox.http.call import Call, Response
from gitlab_mcp.sandbox.http.errors import bad_request_reason, forbidden
from gitlab_mcp.sandbox.state import permissions
from gitlab_mcp.sandbox.state.model import Issuable
from gitlab_mcp.sandbox.text.mentions import record_mentions
from gitlab_mcp.sandbox.text.quick_action_effects import CommandContext, apply_command, make_changes
from gitlab_mcp.sandbox.text.quick_action_extractor import SUBSTITUTIONS, Command, extract


@dataclass
class InterpretedText:
    """A text without its commands, the changes that the commands make, and their messages."""

    call: Call
    one: Issuable
    content: str
    changes: dict[str, Any] = field(default_factory=dict)
    messages: list[str] = field(default_factory=list)

    @property
    def only_commands(self) -> bool:
        """Whether the text was nothing but commands, in which case GitLab creates no comment."""
        return not self.content

    def apply(self) -> list[str]:
        """Make the changes; returns the error messages."""
        return make_changes(self.call, self.one, self.changes) if self.changes else []

    def save(self, make: Callable[[str], dict[str, Any]], entity: str = "") -> Any:
        """Save the comment with `make`, then make the changes, as Notes::CreateService does; returns the response.

        `make` saves a text and returns its entity. If that is a discussion, `entity` is the key of its notes.
        """
        if not self.only_commands:
            shown = make(self.content)
            self.apply()
            saved = shown[entity][-1] if entity else shown
            saved["commands_changes"] = self.changes
            return shown
        failures = self.apply()
        message = " ".join(self.messages)
        if failures:
            raise bad_request_reason(f"Note {failures}")
        if not message:
            raise bad_request_reason("Failed to apply commands.")
        return Response({"commands_changes": self.changes, "summary": [message]}, 202)


def interpret(
    call: Call, issuable: Issuable, text: str, what: str, *, new: bool = False, before: str | None = None
) -> InterpretedText:
    """Extract the commands from a text on an issuable, collect the changes that they make, and record its mentions.

    `what` names the kind of text in the records, `new` is whether the issuable is being created, and `before` is the
    text that this one replaces. Raises 403 for the token of a Duo flow, which may not use quick actions.
    """
    content, commands = extract(text)
    where = f"{issuable.project.full_path}{issuable.reference} {what}"
    interpreted = InterpretedText(call, issuable, content)
    if before:
        # GitLab executes only the commands that the previous text did not contain.
        already_executed = extract(before)[1]
        commands = [command for command in commands if command not in already_executed]
    _refuse_flow(call, commands)
    record_mentions(call.world, content, where)
    context = CommandContext(call, issuable, new, interpreted.changes)
    for command in commands:
        call.world.executed_quick_actions.append(
            {"command": command.name, "argument": command.argument, "user": call.me.username, "where": where}
        )
        message = "" if command.name in SUBSTITUTIONS else apply_command(context, command)
        if message and message not in interpreted.messages:
            interpreted.messages.append(message)
    return interpreted


def interpret_description(call: Call, issuable: Issuable | None = None) -> InterpretedText | None:
    """Interpret the description in a call's parameters, and remove the commands from it there.

    Returns None if there is no description, and also without an issuable: the commands in the description of a new one
    are executed by `apply_new_description`, after it was created.
    """
    text = call.get("description")
    if text is None:
        return None
    if issuable is None:
        content, commands = extract(text)
        _refuse_flow(call, commands)
        call.params["description"] = content
        return None
    interpreted = interpret(call, issuable, text, "description", before=issuable.description)
    call.params["description"] = interpreted.content
    return interpreted


def apply_new_description(call: Call, issuable: Issuable, text: str | None) -> None:
    """Execute the commands in the description of a new issuable, without adding system notes."""
    interpreted = interpret(call, issuable, text or "", "description", new=True)
    before = len(issuable.notes)
    interpreted.apply()
    del issuable.notes[before:]


def _refuse_flow(call: Call, commands: list[Command]) -> None:
    if commands and call.token is not None and permissions.AI_SCOPE in call.token.scopes:
        raise forbidden("Quick actions cannot be used with AI workflows.")
