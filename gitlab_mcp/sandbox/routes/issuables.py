"""What the routes of issues and merge requests share: validation, and setting fields."""

from __future__ import annotations

from collections.abc import Sequence

from gitlab_mcp.sandbox.http.call import Call
from gitlab_mcp.sandbox.http.errors import bad_request, bad_request_reason
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

FIELDS = (
    "description assignee_ids:ints assignee_id:int milestone_id:int milestone labels:list add_labels:list "
    "remove_labels:list discussion_locked:bool"
)


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


def set_fields(call: Call, issuable: Issuable) -> None:
    """Set the fields in the call's parameters, with system notes; fields that the caller may not set are ignored."""
    with todos.updating(call.world, issuable, call.me):
        _set_texts_and_people(call, issuable)
    match call.get("state_event"):
        case "close":
            activity.close(call.world, issuable, call.me)
        case "reopen":
            activity.reopen(call.world, issuable, call.me)
    if call.has("discussion_locked") and permissions.may_set_metadata(call.me, issuable):
        activity.set_locked(call.world, issuable, call.me, call.params["discussion_locked"])
    issuable.updated_at = call.world.now()


def _set_texts_and_people(call: Call, issuable: Issuable) -> None:
    me = call.me
    if (title := call.get("title")) is not None:
        activity.set_title(call.world, issuable, me, title)
    if call.has("description"):
        activity.set_description(call.world, issuable, me, call.params["description"])
    if permissions.may_set_metadata(me, issuable):
        _set_metadata(call, issuable)


def _set_metadata(call: Call, issuable: Issuable) -> None:
    world, me = call.world, call.me
    if isinstance(issuable, Issue):
        activity.set_due_date(world, issuable, me, call.get("due_date", issuable.due_date))
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
    if (assignees := _assignees(call, issuable)) is not None:
        activity.set_assignees(world, issuable, me, assignees)
    if isinstance(issuable, MergeRequest) and call.has("reviewer_ids"):
        reviewers = people(call, issuable, call.params["reviewer_ids"])
        if reviewers is not None:
            activity.set_reviewers(world, issuable, me, reviewers)


def _assignees(call: Call, issuable: Issuable) -> list[User] | None:
    """The new assignees, or None to leave them; push options add and remove some (Issuable::ProcessAssignees)."""
    if call.has("assignee_ids", "assignee_id"):
        return people(call, issuable, call.get("assignee_ids", [call.get("assignee_id") or 0]))
    added, removed = (people(call, issuable, call.get(f"{kind}_assignee_ids", [])) or [] for kind in ("add", "remove"))
    if not added and not removed:
        return None
    return [user for user in dict.fromkeys([*issuable.assignees, *added]) if user not in removed]


def people(call: Call, issuable: Issuable, ids: Sequence[int]) -> list[User] | None:
    """The users whom GitLab assigns, or asks to review, for these ids; None changes nothing.

    IssuableBaseService#filter_assignees_using_checks and MergeRequests::BaseService#filter_reviewer: without a licence
    only the first id counts, a user who cannot read the project is dropped, and if nobody is left then nothing changes.
    No ids, or the id 0, stand for nobody.
    """
    first = list(ids)[:1]
    if first in ([], [0]):
        return []
    may_read = permissions.may_see if isinstance(issuable, Issue) else permissions.may_read_code
    users = [call.world.users.get(number) for number in first]
    return [user for user in users if user is not None and may_read(user, issuable.project)] or None


def _milestone(call: Call, issuable: Issuable) -> Milestone | None:
    number, title = call.get("milestone_id"), call.get("milestone")
    milestones = issuable.project.milestones
    return next((each for each in milestones if each.id == number or (title and each.title == title)), None)


def initial_fields(call: Call, issuable: Issuable) -> None:
    """Set labels, milestone, assignees and reviewers of a new issuable.

    IssuableBaseService#create records these as it records changes: the label events, "assigned to @user" and so on.
    """
    if permissions.may_set_metadata(call.me, issuable):
        _set_metadata(call, issuable)
