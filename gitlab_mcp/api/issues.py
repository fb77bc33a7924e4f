"""Creating and changing issues."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from gitlab_mcp.api.client import GitLab
from gitlab_mcp.api.entity import Entity
from gitlab_mcp.api.idempotency import Deduplicator, WriteResult, is_made_since, is_same_text, look_with, write_once
from gitlab_mcp.api.merge_requests import TITLE_CHARACTERS, user_ids
from gitlab_mcp.api.project import Noteable, Project
from gitlab_mcp.errors import InvalidArgument, naming
from gitlab_mcp.safety.sanitize import one_line

# https://docs.gitlab.com/administration/instance_limits/#size-of-comments-and-descriptions-of-issues-merge-requests-and-epics
DESCRIPTION_CHARACTERS = 1_048_576
NO_MILESTONE = 0  # https://docs.gitlab.com/api/issues/#update-an-issue


@dataclass(frozen=True)
class IssueFields:
    """Attributes of an issue to set. None leaves one as it is; "" removes the milestone or the due date.

    `labels` are added to the existing ones; assignees replace the existing ones.
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
        return self != IssueFields()


class Issues:
    """The issues that this run creates. Thread-safe."""

    def __init__(self, gitlab: GitLab) -> None:
        self._gitlab = gitlab
        self._deduplicator = Deduplicator()

    def create(self, project: Project, fields: IssueFields) -> tuple[WriteResult[Entity], list[str], bool]:
        """Create an issue. Returns it, the fields that GitLab did not set, and whether the issue existed already.

        A repetition with the same title and description within ten minutes returns the first issue, whatever the other
        fields are.
        """
        body = _body(project, fields, "labels")
        title, description = str(body["title"]), fields.description or ""
        issues = f"{project.path}/issues"
        send = partial(self._gitlab.post, issues, body)
        find = partial(self._find, issues, title, description)
        check = f"Look{naming(' with {}', 'list_issues')} whether it is there before creating it again."
        # full_path, since a project can be named by its path or its id.
        key = (project.full_path.lower(), title, description)
        written, existed = self._deduplicator.create_once(key, send, find, check)
        ignored = _ignored(self._gitlab, written.result, body)
        if existed and ignored:  # it may have been changed since
            ignored = _ignored(self._gitlab, self._gitlab.get(f"{issues}/{written.result.number('iid')}"), body)
        return written, ignored, existed

    def _find(self, issues: str, title: str, description: str, began: float) -> Entity | None:
        """An issue of this user with these texts that was created since the monotonic time `began`."""
        query = {"scope": "created_by_me", "order_by": "created_at", "sort": "desc"}
        page = self._gitlab.page(issues, 1, 50, **query)
        for issue in page.rows:
            same = is_same_text(issue.text("title"), self._gitlab.outgoing(title))
            same = same and is_same_text(issue.text("description"), self._gitlab.outgoing(description))
            if same and is_made_since(issue, began, page):
                return issue
        return None


def update_issue(target: Noteable, fields: IssueFields) -> tuple[WriteResult[Entity], list[str]]:
    """Change an issue. Returns it, and the fields that GitLab did not set."""
    gitlab = target.project.gitlab
    body = _body(target.project, fields, "add_labels")

    def find() -> Entity | None:
        now = gitlab.get(target.path)
        return None if _ignored(gitlab, now, body) else now

    # Repeating the same change has no further effect, so that the look-up only compares the current state.
    written = write_once(partial(gitlab.put, target.path, body), find, look_with("get_issue"))
    return written, _ignored(gitlab, written.result, body)


def _body(project: Project, fields: IssueFields, labels: str) -> dict[str, object]:
    """The body of the request that sets these fields; `labels` is its name for the labels to add."""
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


def _check_labels(fields: IssueFields) -> None:
    """Raise InvalidArgument for labels that exclude each other: GitLab would drop one of them silently."""
    removed = {label.lower() for label in fields.remove_labels}
    if both := [label for label in fields.labels if label.lower() in removed]:
        raise InvalidArgument(f'"{one_line(both[0], 60)}" is in add_labels and in remove_labels: leave it out of one.')
    scopes: dict[str, str] = {}
    for label in fields.labels:
        scope = label.lower().rpartition("::")[0]
        if scope and scopes.setdefault(scope, label).lower() != label.lower():
            first, second = one_line(scopes[scope], 60), one_line(label, 60)
            raise InvalidArgument(
                f'"{first}" and "{second}" have the same scope, so an issue can have only one of them.'
            )


def _title(title: str | None) -> str | None:
    if title is None:
        return None
    if not (bare := title.strip()):
        raise InvalidArgument("title is empty: say in a few words what the issue is about.")
    if len(bare) > TITLE_CHARACTERS:
        raise InvalidArgument(f"title has {len(bare)} characters, and GitLab takes {TITLE_CHARACTERS}: shorten it.")
    return bare


def _milestone_id(project: Project, title: str) -> int:
    """The id of the milestone with this title: the project's own, otherwise that of a group above it.

    Raises InvalidArgument where no milestone has the title, and where several groups have one.
    """
    if not title:
        return NO_MILESTONE
    title = title.strip()
    gitlab, path = project.gitlab, f"{project.path}/milestones"
    rows = gitlab.page(path, title=title, include_ancestors="true").rows
    matches = [milestone for milestone in rows if milestone.text("title") == title]
    matches = [milestone for milestone in matches if milestone.number("project_id")] or matches
    if len(matches) == 1:
        return matches[0].number("id")
    if matches:
        raise InvalidArgument(
            f'{len(matches)} groups above the project have a milestone "{one_line(title, 60)}": its title does not tell'
            " which, so leave milestone out."
        )
    others = gitlab.page(path, 1, 20, state="active", include_ancestors="true").rows
    named = ", ".join(one_line(other.text("title"), 60) for other in others) or "none"
    raise InvalidArgument(f'There is no milestone "{one_line(title, 60)}" here. Open ones: {named}.')


def _ignored(gitlab: GitLab, now: Entity, body: Mapping[str, object]) -> list[str]:
    """The fields of a request that the issue does not have: GitLab silently ignores those that a user may not set."""
    existing = {label.lower() for label in now.texts("labels")}

    def listed(name: str) -> set[str]:
        return {label.strip().lower() for label in str(body.get(name, "")).split(",")} - {""}

    def sent(name: str) -> str:
        return gitlab.outgoing(str(body.get(name, "")))

    is_set = {
        "title": is_same_text(now.text("title"), sent("title")),
        "description": is_same_text(now.text("description"), sent("description")),
        "state_event": now.text("state") == {"close": "closed"}.get(str(body.get("state_event")), "opened"),
        "labels": listed("labels") <= existing,
        "add_labels": listed("add_labels") <= existing,
        "remove_labels": not listed("remove_labels") & existing,
        "assignee_ids": {user.number("id") for user in now.entities("assignees")} == _ids(body.get("assignee_ids")),
        "milestone_id": now.number("milestone", "id") == body.get("milestone_id"),
        "due_date": now.text("due_date") == body.get("due_date"),
        "confidential": now.flag("confidential") == body.get("confidential"),
    }
    return [name for name in body if not is_set[name]]


def _ids(value: object) -> set[int]:
    return set(value) if isinstance(value, list) else set()
