"""What GitLab does with a text before it keeps it: quick actions are taken out and executed, mentions noticed.

Every text that is posted goes through here: comments, answers, published drafts, descriptions.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from gitlab_mcp.sandbox.http.call import Call, Reply
from gitlab_mcp.sandbox.http.errors import bad_request_reason, forbidden
from gitlab_mcp.sandbox.state import permissions
from gitlab_mcp.sandbox.state.model import Issuable
from gitlab_mcp.sandbox.text import (
    quick_action_changes,
    quick_action_merge_requests,  # noqa: F401 - importing it registers its quick actions
)
from gitlab_mcp.sandbox.text.mentions import note_mentions
from gitlab_mcp.sandbox.text.quick_action_effects import EFFECTS, Acting, CannotApply
from gitlab_mcp.sandbox.text.quick_action_extractor import SUBSTITUTIONS, Command, extract


@dataclass
class Interpreted:
    """A text without its commands, and what the commands asked for and said."""

    call: Call
    one: Issuable
    content: str
    where: str
    changes: dict[str, Any] = field(default_factory=dict)
    messages: list[str] = field(default_factory=list)

    @property
    def only_commands(self) -> bool:
        """Whether nothing is left of the text: GitLab makes no comment of it."""
        return not self.content

    def apply(self) -> list[str]:
        """Make the changes; returns what failed."""
        return quick_action_changes.make(self.call, self.one, self.changes) if self.changes else []

    def save(self, make: Callable[[str], dict[str, Any]], entity: str = "") -> Any:
        """Save the comment by `make` and make the changes, as Notes::CreateService does; the answer to the call.

        `entity` is the key of the notes in what `make` returns, if that is a thread.
        """
        if not self.only_commands:
            note_mentions(self.call.world, self.content, self.where)
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
        return Reply({"commands_changes": self.changes, "summary": [message]}, 202)


def interpret(
    call: Call, one: Issuable, text: str, what: str, *, new: bool = False, before: str | None = None
) -> Interpreted:
    """Take the commands out of a text for `one`, log them and find out what they want; `before` is the text before.

    Raises 403 for the token of a Duo flow, which may not use commands.
    """
    content, commands = extract(text)
    where = f"{one.project.full_path}{one.reference} {what}"
    found = Interpreted(call, one, content, where)
    if before:
        # GitLab executes only the commands that the text did not hold before.
        known = extract(before)[1]
        commands = [command for command in commands if command not in known]
    _refuse_flow(call, commands)
    at = Acting(call, one, new, call.get("merge_request_diff_head_sha"), found.changes)
    for command in commands:
        call.world.executed_quick_actions.append(
            {"command": command.name, "argument": command.argument, "user": call.me.username, "where": where}
        )
        if command.name not in SUBSTITUTIONS:
            found.messages += [message for message in [_run(at, command)] if message not in ("", *found.messages)]
    return found


def _run(at: Acting, command: Command) -> str:
    """Let one command act; returns what GitLab says about it."""
    try:
        if command.name not in EFFECTS:
            raise CannotApply
        return EFFECTS[command.name](at, command.argument)
    except CannotApply as reason:
        text = f"Could not apply {command.name} command."
        return f"{text} {reason}." if str(reason) else text


def describe(call: Call, one: Issuable | None = None) -> Interpreted | None:
    """The same for the description that a call gives, which loses its commands in the call's parameters; None without.

    Without `one`, for what is only being created, nothing is executed yet: `describe_new` does that when it is there.
    """
    text = call.get("description")
    if text is None:
        return None
    if one is None:
        content, commands = extract(text)
        _refuse_flow(call, commands)
        call.params["description"] = content
        return None
    found = interpret(call, one, text, "description", before=one.description)
    call.params["description"] = found.content
    note_mentions(call.world, found.content, found.where)
    return found


def describe_new(call: Call, one: Issuable, text: str | None) -> None:
    """Execute the commands of the description that something was created with, without system notes."""
    found = interpret(call, one, text or "", "description", new=True)
    note_mentions(call.world, found.content, found.where)
    before = len(one.notes)
    found.apply()
    del one.notes[before:]


def _refuse_flow(call: Call, commands: list[Command]) -> None:
    if commands and call.token is not None and permissions.AI_SCOPE in call.token.scopes:
        raise forbidden("Quick actions cannot be used with AI workflows.")
