"""Creating and changing issues."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from gitlab_mcp.api.client import GitLab
from gitlab_mcp.api.entity import Entity
from gitlab_mcp.api.field_comparison import Asked, Difference, cleared, given, may_clear, not_taken
from gitlab_mcp.api.idempotency import Deduplicator, WriteResult, is_made_since, is_same_text, look_with, write_once
from gitlab_mcp.api.merge_requests import TITLE_CHARACTERS, user_ids
from gitlab_mcp.api.project import Noteable, Project
from gitlab_mcp.errors import InvalidArgument, Refused, naming
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

    def create(self, project: Project, fields: IssueFields) -> tuple[WriteResult[Entity], list[Difference], bool]:
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
        asked = _asked(self._gitlab, fields, body, "labels")
        ignored = not_taken(asked, written.result)
        if existed and ignored:  # it may have been changed since
            ignored = not_taken(asked, self._gitlab.get(f"{issues}/{written.result.number('iid')}"))
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


@dataclass(frozen=True)
class UpdatedIssue:
    """An issue that was changed, the fields that GitLab did not set, and those that the change cleared."""

    issue: WriteResult[Entity]
    not_taken: Sequence[Difference]
    cleared: Sequence[Difference]


def update_issue(target: Noteable, fields: IssueFields, *, make_public: bool = False) -> UpdatedIssue:
    """Change an issue. Raises Refused for one that is confidential and would become public without `make_public`."""
    gitlab = target.project.gitlab
    body = _body(target.project, fields, "add_labels")
    asked = _asked(gitlab, fields, body, "add_labels")
    before = gitlab.get(target.path) if may_clear(asked) else Entity(None)
    if fields.confidential is False and before.flag("confidential") and not make_public:
        raise Refused(
            f"{target.sign} is confidential, and confidential: false would make it public: leave confidential out, or"
            " give make_public: true beside it. Nothing was changed."
        )

    def find() -> Entity | None:
        now = gitlab.get(target.path)
        return None if not_taken(asked, now) else now

    # Repeating the same change has no further effect, so that the look-up only compares the current state.
    written = write_once(partial(gitlab.put, target.path, body), find, look_with("get_issue"))
    return UpdatedIssue(written, not_taken(asked, written.result), cleared(asked, before, written.result))


def _asked(gitlab: GitLab, fields: IssueFields, body: Mapping[str, object], labels: str) -> Asked:
    """The fields that the body of a request sets, by the names that the tools have for them."""
    return given(
        {
            "title": gitlab.outgoing(fields.title) if fields.title else None,
            "description": None if fields.description is None else gitlab.outgoing(fields.description),
            "state": fields.state,
            labels: list(fields.labels),
            "remove_labels": list(fields.remove_labels),
            "assignees": fields.assignees,
            "milestone": body.get("milestone_id"),
            "due_date": fields.due_date,
            "confidential": fields.confidential,
        }
    )


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
