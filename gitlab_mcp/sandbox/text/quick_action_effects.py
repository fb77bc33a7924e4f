"""The effects of quick actions: the conditions under which GitLab applies them, its messages, and the changes.

Only those quick actions have an effect here whose effect the response of an issue or merge request itself shows, and
which name no other issue or merge request. `/merge` is not among them: GitLab merges only for a client that sends the
head that it has seen. Every other quick action is answered as GitLab answers somebody who may not use it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

from gitlab_mcp.sandbox.http.call import Call
from gitlab_mcp.sandbox.http.errors import ApiError
from gitlab_mcp.sandbox.routes.issuables import check_texts, set_fields
from gitlab_mcp.sandbox.state import activity, events, merge_requests
from gitlab_mcp.sandbox.state.model import Issuable, Issue, Label, MergeRequest, without_draft
from gitlab_mcp.sandbox.state.permissions import may_edit, may_set_metadata
from gitlab_mcp.sandbox.state.users import User
from gitlab_mcp.sandbox.text.quick_action_extractor import Command

_LABEL = re.compile(r'~?"([^"]+)"|~?(\S+)')


class CannotApply(Exception):
    """A command has no effect, because its conditions are not met or (with a message) what it names does not exist."""


@dataclass
class CommandContext:
    """What the commands of one text act on; `changes` is what the API returns as commands_changes."""

    call: Call
    one: Issuable
    new: bool = False  # whether the issuable is being created
    changes: dict[str, Any] = field(default_factory=dict)

    @property
    def issue(self) -> Issue:
        if not isinstance(self.one, Issue):
            raise CannotApply
        return self.one

    @property
    def merge_request(self) -> MergeRequest:
        if not isinstance(self.one, MergeRequest):
            raise CannotApply
        return self.one

    def need(self, condition: bool) -> None:
        """Raise CannotApply unless the condition holds."""
        if not condition:
            raise CannotApply


Effect = Callable[[CommandContext, Command], str]
_EFFECTS: dict[str, Effect] = {}


def apply_command(context: CommandContext, command: Command) -> str:
    """Add the changes that a command makes to those of the context; returns GitLab's message about it."""
    try:
        if command.name not in _EFFECTS:
            raise CannotApply
        return _EFFECTS[command.name](context, command)
    except CannotApply as reason:
        text = f"Could not apply {command.name} command."
        return f"{text} {reason}." if str(reason) else text


def make_changes(call: Call, issuable: Issuable, changes: dict[str, Any]) -> list[str]:
    """Make the changes of `commands_changes` as the API makes them, after the comment is saved, as GitLab does.

    Returns GitLab's error messages. Changes before a failed one are kept.
    """
    parameters = dict(changes)
    names = {label.id: label.name for label in issuable.project.labels.values()}
    for kind in ("", "add_", "remove_"):
        if f"{kind}label_ids" in changes:
            parameters[f"{kind}labels"] = [names[number] for number in changes[f"{kind}label_ids"]]
    if changes.get("due_date"):
        parameters["due_date"] = date.fromisoformat(changes["due_date"])
    if "wip_event" in changes:
        plain = without_draft(changes.get("title", issuable.title))
        parameters["title"] = f"Draft: {plain}" if changes["wip_event"] == "draft" else plain
    try:
        check_texts(parameters.get("title"), None)
        with events.updating(call.world, issuable, call.me):
            if isinstance(issuable, MergeRequest) and "target_branch" in changes:
                merge_requests.set_target(call.world, issuable, call.me, changes["target_branch"])
                activity.add_version(call.world, issuable, None)
            set_fields(replace(call, params=parameters), issuable)
    except ApiError as error:
        return [str(error.body.get("message") or error.body.get("error"))]
    return []


def _effect(
    *names: str, may: Callable[[User | None, Issuable], bool] = may_set_metadata, on_new: bool = False
) -> Callable[[Effect], Effect]:
    """Register the effect of quick actions for users who `may` change the issuable; `on_new`, while it is created too.

    The function returns GitLab's message about the quick action.
    """

    def register(function: Effect) -> Effect:
        def permitted(context: CommandContext, command: Command) -> str:
            context.need(may(context.call.user, context.one) and (on_new or not context.new))
            return function(context, command)

        _EFFECTS.update(dict.fromkeys(names, permitted))
        return function

    return register


@_effect("close", "reopen", may=may_edit)
def _change_state(context: CommandContext, command: Command) -> str:
    required_state, verb = {"close": ("opened", "Closed"), "reopen": ("closed", "Reopened")}[command.name]
    context.need(context.one.state == required_state)
    context.changes["state_event"] = command.name
    return f"{verb} this {'issue' if isinstance(context.one, Issue) else 'merge request'}."


@_effect("title", may=may_edit)
def _set_title(context: CommandContext, command: Command) -> str:
    context.changes["title"] = command.argument
    return f'Changed the title to "{command.argument}".'


def _labels(context: CommandContext, argument: str) -> list[Label]:
    names = {(quoted or plain).lower() for quoted, plain in _LABEL.findall(argument)}
    return [label for label in context.one.project.labels.values() if label.name.lower() in names]


def _label_names(labels: list[Label]) -> str:
    return f"{activity.label_references(labels)} label{'s' if len(labels) > 1 else ''}"


@_effect("label", on_new=True)
def _add_labels(context: CommandContext, command: Command) -> str:
    labels = _labels(context, command.argument)
    if not labels:
        return ""
    context.changes.setdefault("add_label_ids", []).extend(label.id for label in labels)
    return f"Added {_label_names(labels)}."


@_effect("unlabel")
def _remove_labels(context: CommandContext, command: Command) -> str:
    context.need(bool(context.one.labels))
    if not command.argument:
        context.changes["label_ids"] = []
        return "Removed all labels."
    labels = _labels(context, command.argument)
    context.changes.setdefault("remove_label_ids", []).extend(label.id for label in labels)
    return f"Removed {_label_names(labels)}." if labels else "Removed all labels."


@_effect("relabel")
def _replace_labels(context: CommandContext, command: Command) -> str:
    context.need(bool(context.one.labels))
    labels = _labels(context, command.argument)
    if not labels:
        return ""
    context.changes["label_ids"] = [label.id for label in labels]
    return f"Replaced all labels with {_label_names(labels)}."


@_effect("assign", "assign_reviewer", "request_review", on_new=True)
@_effect("unassign", "unassign_reviewer")
def _set_people(context: CommandContext, command: Command) -> str:
    name, now = "assignee_ids", context.one.assignees
    if "review" in command.name:
        name, now = "reviewer_ids", context.merge_request.reviewers
    # IssueAndMergeRequestActions and MergeRequestActions: without a licence there is one, /reassign is not known and
    # /unassign removes whoever it is.
    people = _people(context, command.argument)
    if command.name in ("unassign", "unassign_reviewer"):
        context.need(bool(now))
        context.changes[name] = []
        return f"Removed {_usernames(now)}."
    if not people:
        return "Failed to assign a user because no user was found."
    context.changes[name] = [people[0].id]
    return f"Assigned {_usernames(people[:1])}."


def _people(context: CommandContext, argument: str) -> list[User]:
    users = []
    for name in argument.replace(",", " ").split():
        user = context.call.me if name in ("me", "@me") else context.call.world.user_by_name(name.lstrip("@"))
        if user is None:
            raise CannotApply(f"Failed to find users for '{name.lstrip('@')}'")
        users.append(user)
    return users


def _usernames(users: list[User]) -> str:
    return " and ".join(f"@{user.username}" for user in users)


@_effect("milestone", on_new=True)
def _set_milestone(context: CommandContext, command: Command) -> str:
    title = command.argument.removeprefix("%").strip('"')
    milestone = next((one for one in context.one.project.milestones if one.title == title), None)
    if milestone is None:
        return ""
    context.changes["milestone_id"] = milestone.id
    return f"Set the milestone to %{milestone.title}."


@_effect("remove_milestone")
def _remove_milestone(context: CommandContext, _: Command) -> str:
    context.need(context.one.milestone is not None)
    context.changes["milestone_id"] = None
    return "Removed the milestone."


@_effect("lock", "unlock")
def _lock(context: CommandContext, command: Command) -> str:
    locks = command.name == "lock"
    context.need(bool(context.one.discussion_locked) != locks)
    context.changes["discussion_locked"] = locks
    return f"{'Locked' if locks else 'Unlocked'} the discussion."


@_effect("confidential", on_new=True)
def _make_confidential(context: CommandContext, _: Command) -> str:
    context.need(not context.issue.confidential)
    context.changes["confidential"] = True
    return "Made this issue confidential."


@_effect("due", on_new=True)
def _set_due_date(context: CommandContext, command: Command) -> str:
    context.need(isinstance(context.one, Issue))
    try:
        day = date.fromisoformat(command.argument)
    except ValueError:
        return ""  # GitLab understands dates in words too, such as "next friday"
    context.changes["due_date"] = day.isoformat()
    return f"Set the due date to {day:%b} {day.day}, {day.year}."


@_effect("remove_due_date")
def _remove_due_date(context: CommandContext, _: Command) -> str:
    context.need(context.issue.due_date is not None)
    context.changes["due_date"] = None
    return "Removed the due date."


@_effect("draft", "ready", may=may_edit, on_new=True)
def _set_draft(context: CommandContext, command: Command) -> str:
    draft, wanted = context.merge_request.draft, command.name == "draft"
    if wanted or draft:
        context.changes["wip_event"] = command.name
    if draft == wanted:
        return "No change to this merge request's draft status."
    return f"Marked this merge request as {'a draft' if wanted else 'ready'}."


@_effect("target_branch", may=may_edit, on_new=True)
def _set_target_branch(context: CommandContext, command: Command) -> str:
    if context.merge_request.project.repository.branch(command.argument) is not None:
        context.changes["target_branch"] = command.argument
    return f"Set target branch to {command.argument}."
