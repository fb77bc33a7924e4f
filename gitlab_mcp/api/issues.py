"""Creating and changing issues."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from gitlab_mcp.api.client import GitLab
from gitlab_mcp.api.entity import Entity
from gitlab_mcp.api.idempotency import Deduplicator, WriteResult, is_made_since, is_same_text, write_once
from gitlab_mcp.api.merge_requests import TITLE_CHARACTERS, user_ids
from gitlab_mcp.api.project import Noteable, Project
from gitlab_mcp.errors import InvalidArgument
from gitlab_mcp.safety.sanitize import one_line

# https://docs.gitlab.com/administration/instance_limits/#size-of-comments-and-descriptions-of-issues-merge-requests-and-epics
DESCRIPTION_CHARACTERS = 1_048_576
NO_MILESTONE = 0  # https://docs.gitlab.com/api/issues/#update-an-issue


@dataclass(frozen=True)
class Fields:
    """What an issue is to have. None leaves a thing as it is; "" takes a milestone or a due date away.

    `labels` are added to those that are there; assignees replace who is there.
    """

    title: str | None = None
    description: str | None = None
    state: str | None = None
    labels: Sequence[str] = ()
    remove_labels: Sequence[str] = ()
    assignees: Sequence[str] | None = None
    milestone: str | None = None
    due_date: str | None = None
    confidential: bool | None = None

    def __bool__(self) -> bool:
        return self != Fields()


class Issues:
    """The issues that this run creates. Calls come from many threads at once."""

    def __init__(self, gitlab: GitLab) -> None:
        self._gitlab = gitlab
        self._deduplicator = Deduplicator()

    def create(self, project: Project, fields: Fields) -> tuple[WriteResult[Entity], list[str], bool]:
        """Create an issue: it, which fields it has not as they were asked for, and whether it was there before.

        The same title and description again within ten minutes are answered with the first issue, whatever else is
        given.
        """
        body = _body(project, fields, "labels")
        title, description = str(body["title"]), fields.description or ""
        issues = f"{project.path}/issues"
        send = partial(self._gitlab.post, issues, body)
        find = partial(self._find, issues, title, description)
        check = "Look with list_issues whether it is there before creating it again."
        # A project has a path and an id.
        key = (project.full_path.lower(), title, description)
        written, again = self._deduplicator.create_once(key, send, find, check)
        lacking = _not_taken(self._gitlab, written.result, body)
        if again and lacking:  # unless it was changed since
            lacking = _not_taken(self._gitlab, self._gitlab.get(f"{issues}/{written.result.number('iid')}"), body)
        return written, lacking, again

    def _find(self, issues: str, title: str, description: str, began: float) -> Entity | None:
        """An issue of this user with these texts that was made since `began`."""
        query = {"scope": "created_by_me", "order_by": "created_at", "sort": "desc"}
        page = self._gitlab.page(issues, 1, 50, **query)
        for issue in page.rows:
            same = is_same_text(issue.text("title"), self._gitlab.outgoing(title))
            same = same and is_same_text(issue.text("description"), self._gitlab.outgoing(description))
            if same and is_made_since(issue, began, page):
                return issue
        return None


def update_issue(target: Noteable, fields: Fields) -> tuple[WriteResult[Entity], list[str]]:
    """Change an issue: it, and which fields GitLab did not take."""
    gitlab = target.project.gitlab
    body = _body(target.project, fields, "add_labels")

    def find() -> Entity | None:
        now = gitlab.get(target.path)
        return None if _not_taken(gitlab, now, body) else now

    # The same change a second time changes nothing more, so the look-up only has to say whether the first one happened.
    written = write_once(partial(gitlab.put, target.path, body), find, "Look with get_issue.")
    return written, _not_taken(gitlab, written.result, body)


def _body(project: Project, fields: Fields, labels: str) -> dict[str, object]:
    """The request that gives an issue these fields; `labels` is how it calls labels to add."""
    _check_labels(fields)
    gitlab = project.gitlab
    assignees = gitlab.start(user_ids, project, fields.assignees or ())
    milestone = gitlab.start(_milestone_id, project, fields.milestone or "")
    body: dict[str, object] = {
        "title": _title(fields.title),
        "description": fields.description,
        "state_event": fields.state,
        labels: ",".join(fields.labels) or None,
        "remove_labels": ",".join(fields.remove_labels) or None,
        "assignee_ids": None if fields.assignees is None else assignees.result(),
        "milestone_id": None if fields.milestone is None else milestone.result(),
        "due_date": fields.due_date,
        "confidential": fields.confidential,
    }
    if len(fields.description or "") > DESCRIPTION_CHARACTERS:
        raise InvalidArgument(f"description is longer than the {DESCRIPTION_CHARACTERS:,} characters of GitLab.")
    return {name: value for name, value in body.items() if value is not None}


def _check_labels(fields: Fields) -> None:
    """Raise InvalidArgument for labels that cannot all be had: GitLab would drop one of them in silence."""
    removed = {label.lower() for label in fields.remove_labels}
    if both := [label for label in fields.labels if label.lower() in removed]:
        raise InvalidArgument(f'"{one_line(both[0], 60)}" is in add_labels and in remove_labels: leave it out of one.')
    scopes: dict[str, str] = {}
    for label in fields.labels:
        scope = label.lower().rpartition("::")[0]
        if scope and scopes.setdefault(scope, label).lower() != label.lower():
            first, second = one_line(scopes[scope], 60), one_line(label, 60)
            raise InvalidArgument(f'"{first}" and "{second}" are of one scope, of which an issue has one: give one.')


def _title(title: str | None) -> str | None:
    if title is None:
        return None
    if not (bare := title.strip()):
        raise InvalidArgument("title is empty: say in a few words what the issue is about.")
    if len(bare) > TITLE_CHARACTERS:
        raise InvalidArgument(f"title has {len(bare)} characters, and GitLab takes {TITLE_CHARACTERS}: shorten it.")
    return bare


def _milestone_id(project: Project, title: str) -> int:
    """The id of the milestone of this title: the project's own, else that of a group above it.

    Raises InvalidArgument where there is none, and where several groups have one.
    """
    if not title:
        return NO_MILESTONE
    title = title.strip()
    gitlab, path = project.gitlab, f"{project.path}/milestones"
    rows = gitlab.page(path, title=title, include_ancestors="true").rows
    found = [milestone for milestone in rows if milestone.text("title") == title]
    found = [milestone for milestone in found if milestone.number("project_id")] or found
    if len(found) == 1:
        return found[0].number("id")
    if found:
        raise InvalidArgument(
            f'{len(found)} groups above the project have a milestone "{one_line(title, 60)}": its title does not tell'
            " which, so leave milestone out."
        )
    others = gitlab.page(path, 1, 20, state="active", include_ancestors="true").rows
    named = ", ".join(one_line(other.text("title"), 60) for other in others) or "none"
    raise InvalidArgument(f'There is no milestone "{one_line(title, 60)}" here. Open ones: {named}.')


def _not_taken(gitlab: GitLab, now: Entity, body: Mapping[str, object]) -> list[str]:
    """The fields of a request that the issue has not: GitLab drops in silence what a user may not set."""
    has = {label.lower() for label in now.texts("labels")}

    def listed(name: str) -> set[str]:
        return {label.strip().lower() for label in str(body.get(name, "")).split(",")} - {""}

    def sent(name: str) -> str:
        return gitlab.outgoing(str(body.get(name, "")))

    so = {
        "title": is_same_text(now.text("title"), sent("title")),
        "description": is_same_text(now.text("description"), sent("description")),
        "state_event": now.text("state") == {"close": "closed"}.get(str(body.get("state_event")), "opened"),
        "labels": listed("labels") <= has,
        "add_labels": listed("add_labels") <= has,
        "remove_labels": not listed("remove_labels") & has,
        "assignee_ids": {user.number("id") for user in now.entities("assignees")} == _ids(body.get("assignee_ids")),
        "milestone_id": now.number("milestone", "id") == body.get("milestone_id"),
        "due_date": now.text("due_date") == body.get("due_date"),
        "confidential": now.flag("confidential") == body.get("confidential"),
    }
    return [name for name in body if not so[name]]


def _ids(value: object) -> set[int]:
    return set(value) if isinstance(value, list) else set()
