"""What the routes of issues and merge requests share: filters of lists, validation, and setting fields."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, TypeVar

from gitlab_mcp.sandbox.http.call import Call
from gitlab_mcp.sandbox.http.errors import bad_request, bad_request_reason, invalid_parameter
from gitlab_mcp.sandbox.routes.labels import labels_named
from gitlab_mcp.sandbox.state import activity, permissions, todos
from gitlab_mcp.sandbox.state.model import Issuable, Issue, MergeRequest, Milestone
from gitlab_mcp.sandbox.state.notes import Note
from gitlab_mcp.sandbox.state.users import User

# GitLab docs: the maximum lengths of titles, descriptions and comments, and the maximum number of comments.
MAX_TITLE = 255
MAX_DESCRIPTION = 1_048_576
MAX_NOTE = 1_000_000
MAX_NOTES = 5_000

FILTERS = (
    "labels:list milestone milestone_id:any iids:ints search in author_id:int author_username assignee_id:any "
    "assignee_username:list created_after:dt created_before:dt updated_after:dt updated_before:dt not:obj "
    "my_reaction_emoji with_labels_details:bool sort:enum(asc|desc)=desc "
    "scope:enum(created-by-me|assigned-to-me|created_by_me|assigned_to_me|reviews_for_me|all)"
)
FIELDS = (
    "description assignee_ids:ints assignee_id:int milestone_id:int milestone labels:list add_labels:list "
    "remove_labels:list discussion_locked:bool"
)

T = TypeVar("T", bound=Issuable)


def check_exclusive(call: Call, *groups: tuple[str, str]) -> None:
    """Raise Grape's 400 if the call has two parameters that are mutually exclusive."""
    for first, second in groups:
        if first in call.params and second in call.params:
            raise invalid_parameter(f"{first}, {second} are mutually exclusive")


def check_texts(title: str | None, description: str | None) -> None:
    """Raise GitLab's 400 for a title or description that is blank or too long."""
    errors: dict[str, list[str]] = {}
    if title is not None and not title.strip():
        errors["title"] = ["can't be blank"]
    if title is not None and len(title) > MAX_TITLE:
        errors["title"] = [f"is too long (maximum is {MAX_TITLE} characters)"]
    if description is not None and len(description) > MAX_DESCRIPTION:
        errors["description"] = [f"is too long (maximum is {MAX_DESCRIPTION} characters)"]
    if errors:
        raise bad_request(errors)


def check_note(body: str | None, existing: Sequence[Note] = (), *, draft: bool = False) -> None:
    """Raise GitLab's 400 for a comment that is blank, too long, or above the maximum number.

    For a comment the message is Ruby's text of the errors (API::Helpers::NotesHelpers); a draft has them by field.
    """
    field, error = "note", ""
    if body is None or not body.strip():
        error = "can't be blank"
    elif len(body) > MAX_NOTE:
        error = f"is too long (maximum is {MAX_NOTE} characters)"
    elif len(existing) >= MAX_NOTES:
        field, error = "base", "Maximum number of comments exceeded"
    if error:
        raise bad_request({field: [error]}) if draft else bad_request_reason(f'Note {{:{field}=>["{error}"]}}')


def filtered(call: Call, issuables: list[T]) -> list[T]:
    """The list, filtered and sorted by the call's parameters."""
    check_exclusive(
        call, ("author_id", "author_username"), ("assignee_id", "assignee_username"), ("milestone", "milestone_id")
    )
    for keep in _filters(call):
        issuables = [one for one in issuables if keep(one)]
    for keep in _negated(call):
        issuables = [one for one in issuables if not keep(one)]
    key = _KEYS.get(call.get("order_by"), _KEYS["created_at"])
    return sorted(issuables, key=key, reverse=call.get("sort") != "asc")


_KEYS: dict[str | None, Callable[[Issuable], Any]] = {
    "created_at": lambda one: (one.created_at, one.id),
    "updated_at": lambda one: (one.updated_at, one.id),
    "title": lambda one: (one.title.lower(), one.id),
    "popularity": lambda one: (sum(1 for emoji in one.award_emoji if emoji.name == "thumbsup"), one.id),
    "merged_at": lambda one: (getattr(one, "merged_at", None) or one.created_at, one.id),
    "due_date": lambda one: (str(getattr(one, "due_date", None) or "9999"), one.id),
}


def _filters(call: Call) -> list[Callable[[Issuable], bool]]:
    get, filters = call.get, []
    if call.has("iids"):
        filters.append(lambda one: one.iid in call.params["iids"])
    if state := {"opened": "opened", "closed": "closed", "merged": "merged", "locked": "locked"}.get(get("state")):
        filters.append(lambda one: one.state == state)
    if get("labels"):
        filters.append(has_labels(get("labels")))
    if get("milestone") or get("milestone_id"):
        filters.append(_in_milestone(get("milestone") or str(get("milestone_id"))))
    if get("search"):
        filters.append(_containing(get("search"), get("in") or "title,description"))
    if get("author_id") is not None:
        filters.append(lambda one: one.author.id == get("author_id"))
    if get("author_username"):
        filters.append(lambda one: one.author.username == get("author_username").lower())
    if get("assignee_id") not in (None, ""):
        filters.append(_assigned(str(get("assignee_id"))))
    if get("assignee_username"):
        filters.append(lambda one: {user.username for user in one.assignees} >= set(get("assignee_username")))
    if get("my_reaction_emoji"):
        filters.append(
            lambda one: any(e.user is call.user and e.name == get("my_reaction_emoji") for e in one.award_emoji)
        )
    for name, field in (("created", "created_at"), ("updated", "updated_at")):
        filters += _between(field, get(f"{name}_after"), get(f"{name}_before"))
    match (get("scope") or "all").replace("-", "_"):
        case "created_by_me":
            filters.append(lambda one: one.author is call.user)
        case "assigned_to_me":
            filters.append(lambda one: call.user in one.assignees)
        case "reviews_for_me":
            filters.append(lambda one: call.user in getattr(one, "reviewers", ()))
    return filters


def _negated(call: Call) -> list[Callable[[Issuable], bool]]:
    unwanted = call.get("not") or {}
    filters: list[Callable[[Issuable], bool]] = []
    if labels := unwanted.get("labels"):
        names = labels if isinstance(labels, list) else str(labels).split(",")
        filters += [has_labels([name]) for name in names]
    if author := unwanted.get("author_username"):
        filters.append(lambda one: one.author.username == author)
    if assignee := unwanted.get("assignee_username"):
        names = assignee if isinstance(assignee, list) else [assignee]
        filters.append(lambda one: any(user.username in names for user in one.assignees))
    if milestone := unwanted.get("milestone"):
        filters.append(_in_milestone(str(milestone)))
    return filters


def has_labels(names: list[str]) -> Callable[[Issuable], bool]:
    """A predicate for issuables with all of these labels; ["None"] means without labels, ["Any"] with some."""
    if names == ["None"]:
        return lambda one: not one.labels
    if names == ["Any"]:
        return lambda one: bool(one.labels)
    wanted = {name.lower() for name in names}
    return lambda one: wanted <= {label.name.lower() for label in one.labels}


def _in_milestone(title: str) -> Callable[[Issuable], bool]:
    if title in ("None", "No Milestone"):
        return lambda one: one.milestone is None
    if title in ("Any", "Any Milestone"):
        return lambda one: one.milestone is not None
    return lambda one: one.milestone is not None and one.milestone.title == title


def _containing(search: str, where: str) -> Callable[[Issuable], bool]:
    words = search.lower().split()
    fields = [name for name in where.split(",") if name in ("title", "description")]

    def contains(issuable: Issuable) -> bool:
        text = "\n".join(getattr(issuable, name) or "" for name in fields).lower()
        return all(word in text for word in words)

    return contains


def _assigned(wanted: str) -> Callable[[Issuable], bool]:
    if wanted in ("None", "0"):
        return lambda one: not one.assignees
    if wanted == "Any":
        return lambda one: bool(one.assignees)
    return lambda one: wanted in [str(user.id) for user in one.assignees]


def _between(field: str, after: datetime | None, before: datetime | None) -> list[Callable[[Issuable], bool]]:
    filters: list[Callable[[Issuable], bool]] = []
    if after:
        filters.append(lambda one: getattr(one, field) >= after)
    if before:
        filters.append(lambda one: getattr(one, field) <= before)
    return filters


def set_fields(call: Call, issuable: Issuable) -> None:
    """Set the fields in the call's parameters, with system notes; fields that the caller may not set are ignored."""
    with todos.updating(call.world, issuable, call.me):
        _set_texts_and_people(call, issuable)
    match call.get("state_event"):
        case "close":
            activity.close(call.world, issuable, call.me)
        case "reopen":
            activity.reopen(call.world, issuable, call.me)
    issuable.updated_at = call.world.now()


def _set_texts_and_people(call: Call, issuable: Issuable) -> None:
    me = call.me
    if (title := call.get("title")) is not None:
        activity.set_title(call.world, issuable, me, title)
    if call.has("description"):
        activity.set_description(call.world, issuable, me, call.params["description"])
    if isinstance(issuable, MergeRequest) and call.has("reviewer_ids"):
        activity.set_reviewers(call.world, issuable, me, people(call, call.params["reviewer_ids"]))
    if permissions.may_set_metadata(me, issuable):
        _set_metadata(call, issuable)


def _set_metadata(call: Call, issuable: Issuable) -> None:
    world, me = call.world, call.me
    if isinstance(issuable, Issue):
        issuable.due_date = call.get("due_date", issuable.due_date)
        issuable.issue_type = call.get("issue_type") or issuable.issue_type
        activity.set_confidential(world, issuable, me, call.get("confidential", issuable.confidential))
    wanted = list(issuable.labels)
    if call.has("labels"):
        wanted = labels_named(world, issuable.project, call.params["labels"])
    wanted += [
        label for label in labels_named(world, issuable.project, call.get("add_labels", [])) if label not in wanted
    ]
    removed = labels_named(world, issuable.project, call.get("remove_labels", []), create=False)
    activity.set_labels(world, issuable, me, [label for label in wanted if label not in removed])
    if call.has("milestone_id", "milestone"):
        activity.set_milestone(world, issuable, me, _milestone(call, issuable))
    if call.has("assignee_ids"):
        activity.set_assignees(world, issuable, me, people(call, call.params["assignee_ids"]))
    elif call.has("assignee_id"):
        activity.set_assignees(world, issuable, me, people(call, [call.params["assignee_id"] or 0]))
    if call.has("discussion_locked"):
        issuable.discussion_locked = call.params["discussion_locked"]


def people(call: Call, ids: Sequence[int]) -> list[User]:
    """The users with these ids; as in GitLab, unknown ids are left out, and so is 0, which stands for nobody."""
    users = [call.world.users.get(number) for number in dict.fromkeys(ids)]
    return [user for user in users if user is not None]


def _milestone(call: Call, issuable: Issuable) -> Milestone | None:
    number, title = call.get("milestone_id"), call.get("milestone")
    milestones = issuable.project.milestones
    return next((each for each in milestones if each.id == number or (title and each.title == title)), None)


def initial_fields(call: Call, issuable: Issuable) -> None:
    """Set labels, milestone and assignees of a new issuable, without system notes."""
    if permissions.may_set_metadata(call.me, issuable):
        before = len(issuable.notes)
        _set_metadata(call, issuable)
        del issuable.notes[before:]
