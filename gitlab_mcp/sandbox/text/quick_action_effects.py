"""What each quick action wants to change, if its user may: GitLab's conditions and messages.

Most only note the change that they want; quick_action_changes makes it, after the comment is saved, as GitLab does.
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
    """A command that does nothing here: its conditions are not met, or (with a text) it names what is not there."""


@dataclass
class Acting:
    """Commands at work on an issue or merge request; `changes` is what the API shows as commands_changes."""

    call: Call
    one: Issuable
    new: bool = False  # it is only being created
    head: str | None = None  # the newest commit of the merge request that the caller has seen
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
        """Raise unless the user may change it and, with `persisted`, it is there already."""
        self.need(permissions.may_edit(self.call.user, self.one) and not (persisted and self.new))

    def need_metadata(self, *, persisted: bool = False) -> None:
        """Raise unless the user may set labels and the like."""
        self.need(permissions.may_set_metadata(self.call.user, self.one) and not (persisted and self.new))


Effect = Callable[[Acting, str], str]
EFFECTS: dict[str, Effect] = {}


def effect(*names: str) -> Callable[[Effect], Effect]:
    """Register what a quick action does; the function returns what GitLab says about it."""

    def register(function: Effect) -> Effect:
        EFFECTS.update(dict.fromkeys(names, function))
        return function

    return register


@effect("close")
def close(at: Acting, _: str) -> str:
    at.need_edit()
    at.need(at.one.state == "opened")
    at.changes["state_event"] = "close"
    return f"Closed this {at.kind}."


@effect("reopen")
def reopen(at: Acting, _: str) -> str:
    at.need_edit()
    at.need(at.one.state == "closed")
    at.changes["state_event"] = "reopen"
    return f"Reopened this {at.kind}."


@effect("title")
def title(at: Acting, argument: str) -> str:
    at.need_edit()
    at.changes["title"] = argument
    return f'Changed the title to "{argument}".'


def _labels(at: Acting, argument: str) -> list[Label]:
    names = {(quoted or plain).lower() for quoted, plain in _LABEL.findall(argument)}
    return [label for label in at.one.project.labels.values() if label.name.lower() in names]


def _shown(labels: list[Label]) -> str:
    names = " ".join(f'~"{label.name}"' if " " in label.name else f"~{label.name}" for label in labels)
    return f"{names} label{'s' if len(labels) > 1 else ''}"


@effect("label")
def label(at: Acting, argument: str) -> str:
    at.need_metadata()
    labels = _labels(at, argument)
    if not labels:
        return ""
    at.changes.setdefault("add_label_ids", []).extend(one.id for one in labels)
    return f"Added {_shown(labels)}."


@effect("unlabel")
def unlabel(at: Acting, argument: str) -> str:
    at.need_metadata(persisted=True)
    at.need(bool(at.one.labels))
    if not argument:
        at.changes["label_ids"] = []
        return "Removed all labels."
    labels = _labels(at, argument)
    at.changes.setdefault("remove_label_ids", []).extend(one.id for one in labels)
    return f"Removed {_shown(labels)}." if labels else "Removed all labels."


@effect("relabel")
def relabel(at: Acting, argument: str) -> str:
    at.need_metadata(persisted=True)
    at.need(bool(at.one.labels))
    labels = _labels(at, argument)
    if not labels:
        return ""
    at.changes["label_ids"] = [one.id for one in labels]
    return f"Replaced all labels with {_shown(labels)}."


def _people(at: Acting, argument: str) -> list[User]:
    found = []
    for name in argument.replace(",", " ").split():
        user = at.call.me if name in ("me", "@me") else at.call.world.user_by_name(name.lstrip("@"))
        if user is None:
            raise CannotApply(f"Failed to find users for '{name.lstrip('@')}'")
        found.append(user)
    return found


def _set_people(at: Acting, argument: str, field_name: str, now: list[User], verb: str) -> str:
    """Add (verb +), replace (=) or take away (-) people."""
    people = _people(at, argument)
    at.need(not (verb == "-" and not now))
    if not people and verb != "-":
        return "Failed to assign a user because no user was found."
    before = at.changes.get(field_name, [user.id for user in now])
    ids = [user.id for user in people]
    after = {"+": before + [one for one in ids if one not in before], "=": ids}
    at.changes[field_name] = after.get(verb, [one for one in before if ids and one not in ids])
    names = " and ".join(f"@{user.username}" for user in people or now)
    return f"{'Removed' if verb == '-' else 'Assigned'} {names}."


@effect("assign")
def assign(at: Acting, argument: str) -> str:
    at.need_metadata()
    return _set_people(at, argument, "assignee_ids", at.one.assignees, "+")


@effect("reassign")
def reassign(at: Acting, argument: str) -> str:
    at.need_metadata(persisted=True)
    return _set_people(at, argument, "assignee_ids", at.one.assignees, "=")


@effect("unassign")
def unassign(at: Acting, argument: str) -> str:
    at.need_metadata(persisted=True)
    return _set_people(at, argument, "assignee_ids", at.one.assignees, "-")


@effect("assign_reviewer", "request_review")
def assign_reviewer(at: Acting, argument: str) -> str:
    at.need_metadata()
    return _set_people(at, argument, "reviewer_ids", at.merge_request.reviewers, "+")


@effect("reassign_reviewer")
def reassign_reviewer(at: Acting, argument: str) -> str:
    at.need_metadata(persisted=True)
    return _set_people(at, argument, "reviewer_ids", at.merge_request.reviewers, "=")


@effect("unassign_reviewer")
def unassign_reviewer(at: Acting, argument: str) -> str:
    at.need_metadata(persisted=True)
    return _set_people(at, argument, "reviewer_ids", at.merge_request.reviewers, "-")


@effect("milestone")
def milestone(at: Acting, argument: str) -> str:
    at.need_metadata()
    wanted = argument.removeprefix("%").strip('"')
    found = next((one for one in at.one.project.milestones if one.title == wanted), None)
    if found is None:
        return ""
    at.changes["milestone_id"] = found.id
    return f"Set the milestone to %{found.title}."


@effect("remove_milestone")
def remove_milestone(at: Acting, _: str) -> str:
    at.need_metadata(persisted=True)
    at.need(at.one.milestone is not None)
    at.changes["milestone_id"] = None
    return "Removed the milestone."


@effect("copy_metadata")
def copy_metadata(at: Acting, argument: str) -> str:
    at.need_metadata()
    source = _referenced(at, argument)
    at.changes["add_label_ids"] = [one.id for one in source.labels]
    if source.milestone:
        at.changes["milestone_id"] = source.milestone.id
    return f"Copied labels and milestone from {source.reference}."


def _referenced(at: Acting, argument: str) -> Issuable:
    found = references.mentions(at.one.project, argument)
    if not found or (isinstance(found[0], Issue) and not permissions.may_read_issue(at.call.user, found[0])):
        raise CannotApply("Failed to find work item or merge request")
    return found[0]


@effect("duplicate")
def duplicate(at: Acting, argument: str) -> str:
    at.need_edit()
    at.need(isinstance(at.one, Issue))
    original = _referenced(at, argument)
    at.need(isinstance(original, Issue))
    at.changes["canonical_issue_id"] = original.id
    return f"Closed this issue. Marked as related to, and a duplicate of, {original.reference}."


@effect("confidential")
def confidential(at: Acting, _: str) -> str:
    at.need_metadata()
    at.need(isinstance(at.one, Issue) and not at.one.confidential)
    at.changes["confidential"] = True
    return "Made this issue confidential."


@effect("lock")
def lock(at: Acting, _: str) -> str:
    at.need_metadata(persisted=True)
    at.need(not at.one.discussion_locked)
    at.changes["discussion_locked"] = True
    return "Locked the discussion."


@effect("unlock")
def unlock(at: Acting, _: str) -> str:
    at.need_metadata(persisted=True)
    at.need(bool(at.one.discussion_locked))
    at.changes["discussion_locked"] = False
    return "Unlocked the discussion."
