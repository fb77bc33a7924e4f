"""The effects of quick actions: the conditions under which GitLab applies them, and its messages.

Most effects only add to the context's changes, which quick_action_changes makes after the comment is saved, as GitLab
does.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from gitlab_mcp.sandbox.http.call import Call
from gitlab_mcp.sandbox.state import permissions
from gitlab_mcp.sandbox.state.model import Issuable, Issue, Label, MergeRequest
from gitlab_mcp.sandbox.state.users import User
from gitlab_mcp.sandbox.text import references

_LABEL = re.compile(r'~?"([^"]+)"|~?(\S+)')


class CannotApply(Exception):
    """A command has no effect, because its conditions are not met or (with a message) what it names does not exist."""


@dataclass
class CommandContext:
    """What the commands of one text act on; `changes` is what the API returns as commands_changes."""

    call: Call
    one: Issuable
    new: bool = False  # whether the issuable is being created
    head: str | None = None  # the head of the merge request that the caller has seen
    changes: dict[str, Any] = field(default_factory=dict)

    @property
    def kind(self) -> str:
        return "issue" if isinstance(self.one, Issue) else "merge request"

    @property
    def merge_request(self) -> MergeRequest:
        if not isinstance(self.one, MergeRequest):
            raise CannotApply
        return self.one

    def need(self, condition: bool) -> None:
        """Raise CannotApply unless the condition holds."""
        if not condition:
            raise CannotApply

    def need_edit(self, *, persisted: bool = True) -> None:
        """Raise CannotApply unless the user may edit the issuable and, with `persisted`, it exists already."""
        self.need(permissions.may_edit(self.call.user, self.one) and not (persisted and self.new))

    def need_metadata(self, *, persisted: bool = False) -> None:
        """Raise CannotApply unless the user may set labels and the like and, with `persisted`, the issuable exists."""
        self.need(permissions.may_set_metadata(self.call.user, self.one) and not (persisted and self.new))


Effect = Callable[[CommandContext, str], str]
EFFECTS: dict[str, Effect] = {}


def effect(*names: str) -> Callable[[Effect], Effect]:
    """Register the effect of a quick action; the function returns GitLab's message about it."""

    def register(function: Effect) -> Effect:
        EFFECTS.update(dict.fromkeys(names, function))
        return function

    return register


@effect("close")
def close(context: CommandContext, _: str) -> str:
    context.need_edit()
    context.need(context.one.state == "opened")
    context.changes["state_event"] = "close"
    return f"Closed this {context.kind}."


@effect("reopen")
def reopen(context: CommandContext, _: str) -> str:
    context.need_edit()
    context.need(context.one.state == "closed")
    context.changes["state_event"] = "reopen"
    return f"Reopened this {context.kind}."


@effect("title")
def title(context: CommandContext, argument: str) -> str:
    context.need_edit()
    context.changes["title"] = argument
    return f'Changed the title to "{argument}".'


def _labels(context: CommandContext, argument: str) -> list[Label]:
    names = {(quoted or plain).lower() for quoted, plain in _LABEL.findall(argument)}
    return [label for label in context.one.project.labels.values() if label.name.lower() in names]


def _label_names(labels: list[Label]) -> str:
    names = " ".join(f'~"{label.name}"' if " " in label.name else f"~{label.name}" for label in labels)
    return f"{names} label{'s' if len(labels) > 1 else ''}"


@effect("label")
def label(context: CommandContext, argument: str) -> str:
    context.need_metadata()
    labels = _labels(context, argument)
    if not labels:
        return ""
    context.changes.setdefault("add_label_ids", []).extend(one.id for one in labels)
    return f"Added {_label_names(labels)}."


@effect("unlabel")
def unlabel(context: CommandContext, argument: str) -> str:
    context.need_metadata(persisted=True)
    context.need(bool(context.one.labels))
    if not argument:
        context.changes["label_ids"] = []
        return "Removed all labels."
    labels = _labels(context, argument)
    context.changes.setdefault("remove_label_ids", []).extend(one.id for one in labels)
    return f"Removed {_label_names(labels)}." if labels else "Removed all labels."


@effect("relabel")
def relabel(context: CommandContext, argument: str) -> str:
    context.need_metadata(persisted=True)
    context.need(bool(context.one.labels))
    labels = _labels(context, argument)
    if not labels:
        return ""
    context.changes["label_ids"] = [one.id for one in labels]
    return f"Replaced all labels with {_label_names(labels)}."


def _people(context: CommandContext, argument: str) -> list[User]:
    users = []
    for name in argument.replace(",", " ").split():
        user = context.call.me if name in ("me", "@me") else context.call.world.user_by_name(name.lstrip("@"))
        if user is None:
            raise CannotApply(f"Failed to find users for '{name.lstrip('@')}'")
        users.append(user)
    return users


def _set_people(context: CommandContext, argument: str, field_name: str, now: list[User], verb: str) -> str:
    """Add (verb +), set (=) or remove (-) users in a list of user ids such as assignee_ids."""
    people = _people(context, argument)
    context.need(not (verb == "-" and not now))
    if not people and verb != "-":
        return "Failed to assign a user because no user was found."
    before = context.changes.get(field_name, [user.id for user in now])
    ids = [user.id for user in people]
    after = {"+": before + [one for one in ids if one not in before], "=": ids}
    context.changes[field_name] = after.get(verb, [one for one in before if ids and one not in ids])
    names = " and ".join(f"@{user.username}" for user in people or now)
    return f"{'Removed' if verb == '-' else 'Assigned'} {names}."


@effect("assign")
def assign(context: CommandContext, argument: str) -> str:
    context.need_metadata()
    return _set_people(context, argument, "assignee_ids", context.one.assignees, "+")


@effect("reassign")
def reassign(context: CommandContext, argument: str) -> str:
    context.need_metadata(persisted=True)
    return _set_people(context, argument, "assignee_ids", context.one.assignees, "=")


@effect("unassign")
def unassign(context: CommandContext, argument: str) -> str:
    context.need_metadata(persisted=True)
    return _set_people(context, argument, "assignee_ids", context.one.assignees, "-")


@effect("assign_reviewer", "request_review")
def assign_reviewer(context: CommandContext, argument: str) -> str:
    context.need_metadata()
    return _set_people(context, argument, "reviewer_ids", context.merge_request.reviewers, "+")


@effect("reassign_reviewer")
def reassign_reviewer(context: CommandContext, argument: str) -> str:
    context.need_metadata(persisted=True)
    return _set_people(context, argument, "reviewer_ids", context.merge_request.reviewers, "=")


@effect("unassign_reviewer")
def unassign_reviewer(context: CommandContext, argument: str) -> str:
    context.need_metadata(persisted=True)
    return _set_people(context, argument, "reviewer_ids", context.merge_request.reviewers, "-")


@effect("milestone")
def milestone(context: CommandContext, argument: str) -> str:
    context.need_metadata()
    wanted = argument.removeprefix("%").strip('"')
    wanted_milestone = next((one for one in context.one.project.milestones if one.title == wanted), None)
    if wanted_milestone is None:
        return ""
    context.changes["milestone_id"] = wanted_milestone.id
    return f"Set the milestone to %{wanted_milestone.title}."


@effect("remove_milestone")
def remove_milestone(context: CommandContext, _: str) -> str:
    context.need_metadata(persisted=True)
    context.need(context.one.milestone is not None)
    context.changes["milestone_id"] = None
    return "Removed the milestone."


@effect("copy_metadata")
def copy_metadata(context: CommandContext, argument: str) -> str:
    context.need_metadata()
    source = _referenced(context, argument)
    context.changes["add_label_ids"] = [one.id for one in source.labels]
    if source.milestone:
        context.changes["milestone_id"] = source.milestone.id
    return f"Copied labels and milestone from {source.reference}."


def _referenced(context: CommandContext, argument: str) -> Issuable:
    referenced = references.mentions(context.one.project, argument)
    if not referenced or (
        isinstance(referenced[0], Issue) and not permissions.may_read_issue(context.call.user, referenced[0])
    ):
        raise CannotApply("Failed to find work item or merge request")
    return referenced[0]


@effect("duplicate")
def duplicate(context: CommandContext, argument: str) -> str:
    context.need_edit()
    context.need(isinstance(context.one, Issue))
    original = _referenced(context, argument)
    context.need(isinstance(original, Issue))
    context.changes["canonical_issue_id"] = original.id
    return f"Closed this issue. Marked as related to, and a duplicate of, {original.reference}."


@effect("confidential")
def confidential(context: CommandContext, _: str) -> str:
    context.need_metadata()
    context.need(isinstance(context.one, Issue) and not context.one.confidential)
    context.changes["confidential"] = True
    return "Made this issue confidential."


@effect("lock")
def lock(context: CommandContext, _: str) -> str:
    context.need_metadata(persisted=True)
    context.need(not context.one.discussion_locked)
    context.changes["discussion_locked"] = True
    return "Locked the discussion."


@effect("unlock")
def unlock(context: CommandContext, _: str) -> str:
    context.need_metadata(persisted=True)
    context.need(bool(context.one.discussion_locked))
    context.changes["discussion_locked"] = False
    return "Unlocked the discussion."
