"""Filters and orders of the lists of issues and merge requests (IssuableFinder and its filters in app/finders).

The filters of `not[...]` are the same ones, negated.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any, TypeVar

from gitlab_mcp.sandbox.http.call import Call
from gitlab_mcp.sandbox.http.errors import invalid_parameter, not_implemented
from gitlab_mcp.sandbox.state.model import Issuable, MergeRequest, Milestone
from gitlab_mcp.sandbox.state.users import User

_NEGATABLE = (
    "labels:list milestone author_id:int author_username assignee_id:any assignee_username:list my_reaction_emoji"
)
_MERGE_REQUEST_ONLY = "reviewer_id:any reviewer_username"


def _negated(declarations: str) -> str:
    names = (word.partition(":") for word in declarations.split())
    return " ".join(f"not[{name}]{colon}{kind}" for name, colon, kind in names)


_SHARED = (
    f"{_NEGATABLE} {_negated(_NEGATABLE)} iids:ints search in created_after:dt created_before:dt updated_after:dt "
    "updated_before:dt with_labels_details:bool sort:enum(asc|desc)=desc "
    "scope:enum(created-by-me|assigned-to-me|created_by_me|assigned_to_me|reviews_for_me|all)"
)
_DUE = "0|any|today|tomorrow|overdue|week|month|next_month_and_previous_two_weeks|"
ISSUE_FILTERS = (
    f"{_SHARED} milestone_id:enum(Any|None|Upcoming|Started) not[milestone_id]:enum(Any|None|Upcoming|Started) "
    f"not[iids]:ints closed_by_id:int confidential:bool due_date:enum({_DUE}) state:enum(opened|closed|all)=all "
    "issue_type:enum(issue|incident|test_case|requirement|task|ticket) "
    "order_by:enum(created_at|due_date|label_priority|milestone_due|popularity|priority|relative_position|title|"
    "updated_at|weight)=created_at"
)
MERGE_REQUEST_FILTERS = (
    f"{_SHARED} {_MERGE_REQUEST_ONLY} {_negated(_MERGE_REQUEST_ONLY)} source_branch target_branch "
    "source_project_id:int wip:enum(yes|no) draft:bool approved:enum(yes|no) approved_by_ids:list "
    "approved_by_usernames:list merge_user_id:int merge_user_username merged_after:dt merged_before:dt "
    "view:enum(simple) with_merge_status_recheck:bool state:enum(opened|closed|locked|merged|all)=all "
    "order_by:enum(created_at|label_priority|milestone_due|popularity|priority|title|updated_at|merged_at)=created_at"
)
_EXCLUSIVE = (
    ("author_id", "author_username"),
    ("assignee_id", "assignee_username"),
    ("reviewer_id", "reviewer_username"),
    ("milestone", "milestone_id"),
    ("wip", "draft"),
    ("merge_user_id", "merge_user_username"),
    ("approved_by_ids", "approved_by_usernames"),
)

T = TypeVar("T", bound=Issuable)
Filter = Callable[[Any], bool]


def check_exclusive(call: Call, *groups: tuple[str, str]) -> None:
    """Raise Grape's 400 if the call has two parameters that are mutually exclusive."""
    for first, second in groups:
        if first in call.params and second in call.params:
            raise invalid_parameter(f"{first}, {second} are mutually exclusive")


def filtered(call: Call, issuables: list[T]) -> list[T]:
    """The list, filtered and sorted by the call's parameters."""
    check_exclusive(call, *_EXCLUSIVE)
    order = call.get("order_by")
    if order not in _KEYS:
        raise not_implemented(f"the order {order}")
    unwanted = [keep for name in _BY_NAME for keep in _asked(call, name, negated=True)]
    wanted = [keep for name in _BY_NAME for keep in _asked(call, name)] + _others(call)
    kept = [one for one in issuables if all(keep(one) for keep in wanted) and not any(keep(one) for keep in unwanted)]
    return sorted(kept, key=_KEYS[order], reverse=call.get("sort") != "asc")


_KEYS: dict[str | None, Callable[[Any], Any]] = {
    "created_at": lambda one: (one.created_at, one.id),
    "updated_at": lambda one: (one.updated_at, one.id),
    "title": lambda one: (one.title.lower(), one.id),
    "popularity": lambda one: (sum(1 for emoji in one.award_emoji if emoji.name == "thumbsup"), one.id),
    "merged_at": lambda one: (one.merged_at or one.created_at, one.id),
    "due_date": lambda one: (str(one.due_date or "9999"), one.id),
}


def _asked(call: Call, name: str, *, negated: bool = False) -> list[Filter]:
    """The filters of a parameter, or of its negated form; [] if the call does not have it."""
    value = call.get(f"not[{name}]" if negated else name)
    if value in (None, "", []):
        return []
    if negated and isinstance(value, list):
        # not[labels]=a,b leaves out what has either of them.
        return [_BY_NAME[name](call, [each]) for each in value]
    return [_BY_NAME[name](call, value)]


def has_labels(names: list[str]) -> Filter:
    """A predicate for issuables with all of these labels; ["None"] means without labels, ["Any"] with some."""
    if len(names) == 1 and names[0].lower() in ("none", "any"):
        return lambda one: bool(one.labels) == (names[0].lower() == "any")
    wanted = {name.lower() for name in names}
    return lambda one: wanted <= {label.name.lower() for label in one.labels}


def _in_milestone(call: Call, title: str) -> Filter:
    today = call.world.now().date()
    match title.lower():
        case "none" | "no milestone":
            return lambda one: one.milestone is None
        case "any" | "any milestone":
            return lambda one: one.milestone is not None
        case "started" | "#started":
            return lambda one: one.milestone is not None and _started(one.milestone, today)
        case "upcoming" | "#upcoming":
            return lambda one: one.milestone is not None and one.milestone is _upcoming(one, today)
    return lambda one: one.milestone is not None and one.milestone.title.lower() == title.lower()


def _started(milestone: Milestone, today: date) -> bool:
    begun = milestone.start_date is not None and milestone.start_date <= today
    return milestone.state == "active" and begun and (milestone.due_date is None or milestone.due_date >= today)


def _upcoming(issuable: Issuable, today: date) -> Milestone | None:
    """The active milestone of the project that is due next."""
    due = [
        (one.due_date, one.id, one)
        for one in issuable.project.milestones
        if one.state == "active" and one.due_date and one.due_date > today
    ]
    return min(due)[2] if due else None


def _containing(search: str, where: str) -> Filter:
    words = search.lower().split()
    fields = [name for name in where.split(",") if name in ("title", "description")]

    def contains(issuable: Issuable) -> bool:
        text = "\n".join(getattr(issuable, name) or "" for name in fields).lower()
        return all(word in text for word in words)

    return contains


def _people_by_id(field: str, value: Any) -> Filter:
    wanted = str(value).lower()
    if wanted in ("none", "0", "any"):
        return lambda one: bool(getattr(one, field)) == (wanted == "any")
    return lambda one: wanted in [str(user.id) for user in getattr(one, field)]


def _assigned_to(_: Call, names: list[str]) -> Filter:
    # lib/api/validations/validators/check_assignees_count.rb: without a licence there is one assignee.
    if len(names) > 1:
        raise invalid_parameter(f"assignee_username allows one value, but found {len(names)}: {', '.join(names)}")
    return lambda one: names[0].lower() in [user.username for user in one.assignees]


def _reviewed_by(_: Call, name: str) -> Filter:
    if name.lower() in ("none", "any"):
        return lambda one: bool(one.reviewers) == (name.lower() == "any")
    return lambda one: name.lower() in [user.username for user in one.reviewers]


def _reacted(call: Call, name: str) -> Filter:
    def names(one: Issuable) -> list[str]:
        return [emoji.name for emoji in one.award_emoji if emoji.user is call.user]

    if name.lower() in ("none", "any"):
        return lambda one: bool(names(one)) == (name.lower() == "any")
    return lambda one: name in names(one)


def _approved_by(wanted: list[str], key: Callable[[User], str]) -> Filter:
    """ApprovedByFilter: approved by all of them; None and Any stand for no approval and some."""
    if len(wanted) == 1 and wanted[0].lower() in ("none", "any"):
        return lambda one: bool(one.approvals) == (wanted[0].lower() == "any")
    return lambda one: {each.lower() for each in wanted} <= {key(user) for user in one.approvals}


def _due(call: Call, when: str) -> Filter:
    """IssuesFinder#by_due_date; a week begins on Monday."""
    today = call.world.now().date()
    monday, first = today - timedelta(days=today.weekday()), today.replace(day=1)
    spans = {
        "today": (today, today),
        "tomorrow": (today + timedelta(days=1), today + timedelta(days=1)),
        "overdue": (date.min, today - timedelta(days=1)),
        "week": (monday, monday + timedelta(days=6)),
        "month": (first, _end_of_month(first)),
        "next_month_and_previous_two_weeks": (
            today - timedelta(days=14),
            _end_of_month(_end_of_month(first) + timedelta(days=1)),
        ),
    }
    if when in ("0", "any"):
        return lambda one: (one.due_date is not None) == (when == "any")
    start, end = spans[when]
    return lambda one: one.due_date is not None and start <= one.due_date <= end


def _end_of_month(day: date) -> date:
    return (day.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)


# The filters by the names of their parameters. A call of a list has only those parameters that the list declares.
_BY_NAME: dict[str, Callable[[Call, Any], Filter]] = {
    "iids": lambda _, numbers: lambda one: one.iid in (numbers if isinstance(numbers, list) else [numbers]),
    "labels": lambda _, names: has_labels(names),
    "milestone": _in_milestone,
    "milestone_id": _in_milestone,
    "author_id": lambda _, number: lambda one: one.author.id == number,
    "author_username": lambda _, name: lambda one: one.author.username == name.lower(),
    "assignee_id": lambda _, number: _people_by_id("assignees", number),
    "assignee_username": _assigned_to,
    "reviewer_id": lambda _, number: _people_by_id("reviewers", number),
    "reviewer_username": _reviewed_by,
    "my_reaction_emoji": _reacted,
    "source_branch": lambda _, name: lambda one: one.source_branch == name,
    "target_branch": lambda _, name: lambda one: one.target_branch == name,
    "source_project_id": lambda _, number: lambda one: one.project.id == number,
    "issue_type": lambda _, kind: lambda one: one.issue_type == kind,
    "due_date": _due,
    "closed_by_id": lambda _, number: lambda one: one.closed_by is not None and one.closed_by.id == number,
    "approved": lambda _, answer: lambda one: bool(one.approvals) == (answer == "yes"),
    "approved_by_ids": lambda _, ids: _approved_by(ids, lambda user: str(user.id)),
    "approved_by_usernames": lambda _, names: _approved_by(names, lambda user: user.username),
    "merge_user_id": lambda _, number: lambda one: one.merged_by is not None and one.merged_by.id == number,
    "merge_user_username": lambda _, name: lambda one: one.merged_by is not None and one.merged_by.username == name,
}


def _others(call: Call) -> list[Filter]:
    """The filters of parameters that are used together, or whose false is a value."""
    get, filters = call.get, list[Filter]()
    if (state := get("state", "all")) not in ("all", None):
        filters.append(lambda one: one.state == state)
    if search := get("search"):
        filters.append(_containing(search, get("in") or "title,description"))
    if call.has("confidential"):
        filters.append(lambda one: one.confidential == call.params["confidential"])
    draft = get("draft") if call.has("draft") else {"yes": True, "no": False}.get(get("wip"))
    if draft is not None:
        filters.append(lambda one: isinstance(one, MergeRequest) and one.draft == draft)
    for field in ("created_at", "updated_at", "merged_at"):
        filters += _between(field, get(f"{field[:-3]}_after"), get(f"{field[:-3]}_before"))
    match (get("scope") or "all").replace("-", "_"):
        case "created_by_me":
            filters.append(lambda one: one.author is call.user)
        case "assigned_to_me":
            filters.append(lambda one: call.user in one.assignees)
        case "reviews_for_me":
            filters.append(lambda one: call.user in getattr(one, "reviewers", ()))
    return filters


def _between(field: str, after: Any, before: Any) -> list[Filter]:
    filters: list[Filter] = []
    if after:
        filters.append(lambda one: getattr(one, field) is not None and getattr(one, field) >= after)
    if before:
        filters.append(lambda one: getattr(one, field) is not None and getattr(one, field) <= before)
    return filters
